"""Placements: how a formula enters a loss, with which importance weight, and who drew the samples."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

from sympy import Expr, S, exp

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import erase_sg, log_weight, logp, sg

w: Final = exp(log_weight)
"""The importance weight as code computes it, live."""

WEIGHTS: Final[Mapping[str, Expr]] = {"none": S.One, "detached": sg(w), "live": w}
"""The importance weight as code writes it: absent, w.detach(), or w with its gradient."""


def differentiated(expr: Expr, weight: Expr | int = 1) -> Surrogate:
    """weight · expr, as a loss."""
    return Surrogate(weight * expr)


def detached(expr: Expr, weight: Expr | int = 1) -> Surrogate:
    """sg(weight · expr) · log π, in the reward: a number, times the score. Minimised, so it is a cost.

    On the score a weight is a number, live or detached: ``w`` and ``sg(w)`` are the same placement.
    """
    return Surrogate(sg(erase_sg(S(weight)) * erase_sg(expr)) * logp)


PLACED: Final[Mapping[str, Callable[[Expr, Expr], Surrogate]]] = {"loss": differentiated, "reward": detached}
"""What becomes of a formula and its weight: a new place is a new row."""

WHERE: Final[Mapping[str, str]] = {"loss": "as a loss", "reward": "in the reward"}
"""The same for people; so are the next two."""
WEIGHTED: Final = {"none": "without a weight", "detached": "with a detached weight", "live": "with a live weight"}
SAMPLED: Final = {Sampler.POLICY: "sampled by the policy", Sampler.OLD: "sampled by the old policy"}


@dataclass(frozen=True)
class Placement:
    """How a formula is used.

    Attributes:
        where: ``loss``, differentiated; or ``reward``, detached and times the score.
        weight: the importance weight in front: ``none``, ``detached``, ``live``.
        who: drew the samples.
    """

    where: str
    weight: str = "none"
    who: Sampler = Sampler.POLICY

    def of(self, s: Surrogate) -> Surrogate:
        """What it makes of a surrogate, whoever sampled."""
        return PLACED[self.where](s.expr, WEIGHTS[self.weight])

    def coefficient(self, s: Surrogate) -> Coefficient:
        """C of a surrogate of one sample. Raises Undecidable, as :meth:`.Surrogate.coefficient` does."""
        return self.of(s).coefficient(self.who)

    def summed(self, s: Surrogate) -> Coefficient:
        """C of the summand of a sum over the vocabulary, whose weights are its own: of no sample. Raises as above."""
        return self.of(s).sampled_by(self.who).score().map(lambda e: e * exp(-logp))

    @property
    def is_repeated(self) -> bool:
        """Whether another has the same expected gradient: on the score a live weight is the detached one."""
        return (self.where, self.weight) == ("reward", "live")

    @property
    def manner(self) -> str:
        """Place and weight, for people."""
        return f"{WHERE[self.where]} {WEIGHTED[self.weight]}"

    def __str__(self) -> str:
        return f"{self.manner}, {SAMPLED[self.who]}"

    @property
    def key(self) -> str:
        """The same in the names of columns: ``loss, weight none, sampler policy``."""
        return f"{self.where}, weight {self.weight}, sampler {self.who.value}"

    def moved(self, where: str, weight: str) -> "Placement":
        """Another place and weight, with the same samples."""
        return replace(self, where=where, weight=weight)

    def to_json(self) -> dict[str, str]:
        """Plain data."""
        return {"placement": self.where, "weight": self.weight, "sampler": self.who.value}


AS_LOSS: Final = Placement("loss")
"""Differentiated, without a weight, on-policy."""


def placements(
    where: Iterable[str] = tuple(PLACED),
    weights: Iterable[str] = tuple(WEIGHTS),
    who: Iterable[Sampler] = tuple(Sampler),
) -> Iterator[Placement]:
    """All of them, in order; those of some places or weights alone."""
    return (Placement(*each) for each in product(where, weights, who))
