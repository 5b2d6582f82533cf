"""What was recovered of one subject: the surrogate of one token, the weight of each, and how it was found."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from sympy import Expr, S, exp

from kltheory.audit.layout import Layout
from kltheory.audit.subject import Subject
from kltheory.calculus.cells import split
from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.regions import Region
from kltheory.calculus.surrogate import Sampler, Surrogate, derivative
from kltheory.calculus.symbols import advantage, erase_sg, log_weight, logp
from kltheory.tracing.trace import Floats


class Reading(Enum):
    """What the entries are: tokens that were sampled, alone or among all actions, or all actions summed."""

    SAMPLE = "sample"
    ACTION = "action"
    VOCABULARY = "vocabulary"


@dataclass(frozen=True, eq=False)
class Recovered:
    """What a subject computes.

    Attributes:
        subject: it, with all its arrays found.
        layout: the shapes it was run on.
        reading: what the entries are.
        surrogate: the formula of one entry; ``None`` when it was not recovered.
        reason: why not.
        dtype: the coarsest floating type on the way, such as ``float32``.
        weights: the weight of each token in a scalar or shorter output, shape of the tokens; ``None`` per token.
        per_token: whether each token has its own output, which the others do not enter.
        coupled: how tokens depend on one another, or empty.
        residual: the largest difference to the running function, relative to its rounding scale.
        across: how tokens of different responses, the rows, depend on one another, or empty.
        meeting: how advantages of different tokens meet, or empty; where they do, the surrogate is the penalty alone.
        left_out: what the formula leaves out, relative to it: a small constant such as 1e-8 beside a count.
    """

    subject: Subject
    layout: Layout
    reading: Reading
    surrogate: Surrogate | None
    reason: str
    dtype: str
    weights: Floats | None
    per_token: bool
    coupled: str
    residual: float
    across: str = ""
    meeting: str = ""
    left_out: float = 0.0

    @property
    def is_typed(self) -> bool:
        """Whether it is a formula that somebody typed, of one token."""
        return self.subject.target.formula is not None

    @property
    def penalty(self) -> Surrogate:
        """What is left of the surrogate where the advantage is 0."""
        assert self.surrogate is not None
        return Surrogate(self.surrogate.expr.xreplace({advantage: S.Zero}))

    @property
    def takes_many(self) -> bool:
        """Whether many samples can be passed in one call."""
        return self.per_token and self.layout.tokens != ()

    def coefficient(self, place: Callable[[Surrogate], Surrogate], sampler: Sampler) -> Coefficient:
        """C of the penalty in a placement; of a sum over the vocabulary as a loss, whose weights are its own."""
        if self.reading is Reading.VOCABULARY:
            factor = exp(-logp)
        else:
            factor = S.One if sampler is Sampler.POLICY else exp(-log_weight)
        cells = ((r, _score(place(s).sampled_by(sampler)) * factor) for r, s in self.cells(sampler))
        return Coefficient(tuple(cells))

    def cells(self, sampler: Sampler) -> tuple[tuple[Region, Surrogate], ...]:
        """Where the penalty is smooth under a sampler, and what it is there."""
        return _cells(self.penalty.sampled_by(sampler))


@lru_cache(maxsize=64)
def _cells(surrogate: Surrogate) -> tuple[tuple[Region, Surrogate], ...]:
    return tuple((r, Surrogate(e)) for r, e in split(surrogate.expr))


def _score(surrogate: Surrogate) -> Expr:
    return erase_sg(derivative(surrogate.expr))
