"""Claims about one exact tree of responses: which variance is the smaller, which gradient the shorter."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Final

from sympy import Symbol

from kltheory.calculus.exact import Undecidable
from kltheory.calculus.notation import text
from kltheory.calculus.sequence.loss import SequenceObjective
from kltheory.calculus.surrogate import Sampler
from kltheory.numerics.balls import number, precision
from kltheory.numerics.certificate import PRECISIONS
from kltheory.numerics.dual import power
from kltheory.numerics.responses import ResponseTree, rows_of
from kltheory.numerics.spelled import gradient
from kltheory.numerics.spread import trace_variance, variance
from kltheory.proving.sequences import SequenceTerm, sequence_text

Table = tuple[tuple[str, str], ...]
"""Prefix, tokens without spaces, and the probabilities after it."""
Numbers = Mapping[Symbol, Any]

SHOWN: Final = 4
"""Rows of a table that are printed."""


@dataclass(frozen=True)
class _OnOneTree:
    """On one exact tree, a number of the left side is less than that of the right.

    Responses come from the policy; all have the length of the longest prefix in the table, and one.
    """

    quantity: ClassVar[str]

    left: SequenceTerm
    right: SequenceTerm
    policy: Table
    reference: Table

    def tree(self) -> ResponseTree:
        """The tree; the old policy is the reference, and has no part."""
        return _tree(self.policy, self.reference)

    @staticmethod
    def size(side: SequenceTerm, tree: ResponseTree, at: Numbers) -> Any:
        """The number that is compared, a ball."""
        raise NotImplementedError

    def decide(self) -> bool:
        """Whether enclosures of both are apart, in that order."""
        for bits in PRECISIONS:
            left, right = (_enclosed(self.size, side, self.tree(), bits) for side in (self.left, self.right))
            with precision(bits):
                if not (right - left).contains(0):
                    return bool(right - left > 0)
        raise Undecidable(f"no enclosure tells the two apart: {self.quantity} of each")

    @staticmethod
    def shown(side: SequenceTerm) -> str:
        """That number as a formula."""
        raise NotImplementedError

    def __str__(self) -> str:
        rows = [f"{prefix or 'first'}: {row}" for prefix, row in self.policy]
        more = [f"and so on, {len(rows)} prefixes"] if len(rows) > SHOWN else []
        return (
            f"{self.shown(self.left)} < {self.shown(self.right)} where the policy is {'; '.join(rows[:SHOWN] + more)}"
        )


@dataclass(frozen=True)
class LessVarianceAt(_OnOneTree):
    """On one exact tree, what is averaged on the left has less variance than what is on the right.

    Of a loss it is its gradient that is averaged: the trace of the covariance of one response's gradient in the logits
    of each prefix.
    """

    quantity = "the variance"

    @staticmethod
    def size(side: SequenceTerm, tree: ResponseTree, at: Numbers) -> Any:
        """The variance of a value, or the trace of the covariance of a gradient."""
        if isinstance(side, SequenceObjective):
            return variance(side.expr, tree, at)
        return trace_variance(side, tree, Sampler.POLICY, at)

    @staticmethod
    def shown(side: SequenceTerm) -> str:
        """Var or tr Var."""
        return f"Var[{text(side.expr)}]" if isinstance(side, SequenceObjective) else f"tr Var ∇ {sequence_text(side)}"


@dataclass(frozen=True)
class ShorterGradientAt(_OnOneTree):
    """On one exact tree, the expected gradient of the left side is shorter than that of the right.

    The length is that of the gradient in the logits of each prefix; of a loss less an objective it is that of the bias.
    """

    quantity = "the squared length of the gradient"

    @staticmethod
    def size(side: SequenceTerm, tree: ResponseTree, at: Numbers) -> Any:
        """‖E[∇side]‖²."""
        return sum((power(x, 2) for x in gradient(side, tree, Sampler.POLICY, at).values()), number(0))

    @staticmethod
    def shown(side: SequenceTerm) -> str:
        """‖E[∇ side]‖."""
        return f"‖E ∇ {sequence_text(side)}‖"


@lru_cache(maxsize=64)
def _tree(policy: Table, reference: Table) -> ResponseTree:
    """One object for each pair of tables, so that what is known of it is kept."""
    rows = rows_of(dict(policy)), rows_of(dict(reference))
    horizon = max(len(prefix) for prefix, _ in policy) + 1
    return ResponseTree(len(dict(policy)[""].split()), horizon, None, *rows, rows[1])


@lru_cache(maxsize=256)
def _enclosed(size: Callable[..., Any], side: SequenceTerm, tree: ResponseTree, bits: int) -> Any:
    """The number of a side: a claim and its mutants share one of theirs."""
    with precision(bits):
        return size(side, tree, {})
