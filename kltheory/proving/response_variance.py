"""Claims about variances over whole responses: how they grow with the length, and which is smaller on a tree."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import factorial
from typing import Any

from sympy import Expr, Poly, Symbol

from kltheory.calculus.exact import Undecidable
from kltheory.calculus.notation import text
from kltheory.calculus.relations import same_moment
from kltheory.calculus.sequence.iid import iid_trace_variance
from kltheory.calculus.sequence.language import length
from kltheory.calculus.sequence.loss import SequenceLoss, SequenceObjective
from kltheory.calculus.surrogate import Sampler
from kltheory.numerics.balls import precision
from kltheory.numerics.certificate import PRECISIONS
from kltheory.numerics.responses import ResponseTree, rows_of
from kltheory.numerics.spread import trace_variance, variance
from kltheory.proving.sequences import SequenceTerm, sequence_text

Table = tuple[tuple[str, str], ...]
"""Prefix, tokens without spaces, and the probabilities after it."""


@dataclass(frozen=True)
class VarianceGrowth:
    """With N equal, independent steps that share their logits, tr Var of the gradient is leading·N^degree + lower."""

    left: SequenceLoss
    leading: Expr
    degree: int

    def decide(self) -> bool:
        """Whether the coefficients above vanish, and this one is the leading one, and is not zero."""
        polynomial = Poly(iid_trace_variance(self.left), length)
        if polynomial.is_zero:
            return False
        above = (polynomial.coeff_monomial(length**n) for n in range(self.degree + 1, polynomial.degree() + 1))
        if not all(same_moment(c, 0 * c) for c in above) or same_moment(self.leading, 0 * self.leading):
            return False
        return same_moment(polynomial.coeff_monomial(length**self.degree), self.leading)

    def differences(self, spread: list[Any]) -> tuple[Any, Any]:
        """From the traces at N = 1, 2, ...: the last difference of the leading order over its factorial, and the next.

        The second is zero, and the first the leading coefficient, if the trace is such a polynomial.
        """
        for _ in range(self.degree):
            spread = [b - a for a, b in pairwise(spread)]
        return spread[0] / factorial(self.degree), spread[1] - spread[0]

    def __str__(self) -> str:
        return f"tr Var ∇ {sequence_text(self.left)} = ({text(self.leading)}) N^{self.degree} + lower, steps i.i.d."


@dataclass(frozen=True)
class LessVarianceAt:
    """On one exact tree, what is averaged on the left has less variance than what is on the right.

    Of a loss it is its gradient that is averaged: the trace of the covariance of one response's gradient in the logits
    of each prefix. Responses come from the policy; all have the length of the longest prefix in the table, and one.
    """

    left: SequenceTerm
    right: SequenceTerm
    policy: Table
    reference: Table

    def tree(self) -> ResponseTree:
        """The tree; the old policy is the reference, and has no part."""
        policy, reference = dict(self.policy), dict(self.reference)
        rows = rows_of(policy), rows_of(reference)
        return ResponseTree(len(policy[""].split()), max(map(len, policy)) + 1, None, *rows, rows[1])

    def decide(self) -> bool:
        """Whether enclosures of both are apart, in that order."""
        for bits in PRECISIONS:
            with precision(bits):
                gap = spread(self.right, self.tree(), {}) - spread(self.left, self.tree(), {})
                if not gap.contains(0):
                    return bool(gap > 0)
        raise Undecidable("no enclosure tells the two variances apart")

    def __str__(self) -> str:
        on = "; ".join(f"{prefix or 'first'}: {row}" for prefix, row in self.policy)
        left, right = (
            f"Var[{text(s.expr)}]" if isinstance(s, SequenceObjective) else f"tr Var ∇ {sequence_text(s)}"
            for s in (self.left, self.right)
        )
        return f"{left} < {right} where the policy is {on}"


def spread(side: SequenceTerm, tree: ResponseTree, at: Mapping[Symbol, Any]) -> Any:
    """The variance of a value, or the trace of the covariance of a gradient, on-policy; a ball."""
    if isinstance(side, SequenceObjective):
        return variance(side.expr, tree, at)
    return trace_variance(side, tree, Sampler.POLICY, at)
