"""A claim about one step: a kind, texts, and what else it says; as data of the package it is built from these."""

from dataclasses import dataclass, fields
from typing import Any, Final

from fuzz.build import build
from sympy import oo

from kltheory.calculus.divergence import Objective
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.proving.claims import AgreesToOrder, IsDivergence, SameGradient, SameScore, SameValue, SamplerFree
from kltheory.proving.moments import GradientBound, SameMoment
from kltheory.proving.scalars import Expansion, HasSign, Identity, Limit

INFINITE: Final = {"oo": oo, "-oo": -oo}


@dataclass(frozen=True)
class Case:
    """``objective``: the right side is an objective; of a divergence, its only side is."""

    kind: str
    left: str
    right: str = ""
    on_policy: bool = False
    objective: bool = False
    order: int = 0
    sign: int = 1
    above: str = ""
    below: str = ""

    def __str__(self) -> str:
        more = (f"{f.name}={x}" for f in fields(self)[4:] if (x := getattr(self, f.name)) != f.default)
        return f"{self.kind} [{self.left}] ~ [{self.right}] {'on' if self.on_policy else 'off'}-policy {' '.join(more)}"

    @property
    def has_means(self) -> bool:
        """Whether a text speaks of other actions than its own."""
        return any(head in self.left + self.right for head in ("E(", "At("))

    @property
    def sampler(self) -> Sampler:
        """Who sampled."""
        return Sampler.POLICY if self.on_policy else Sampler.OLD

    def claim(self) -> Any:
        """The claim, as data."""
        return CLAIMS[self.kind](self)


def _side(text: str, objective: bool) -> Any:
    return (Objective if objective else Surrogate).of(build(text))


def _sides(c: Case) -> tuple[Any, Any, Sampler]:
    return _side(c.left, False), _side(c.right, c.objective), c.sampler


CLAIMS: Final = {
    "SameGradient": lambda c: SameGradient(*_sides(c)),
    "SameScore": lambda c: SameScore(*_sides(c)),
    "SamplerFree": lambda c: SamplerFree(_side(c.left, False)),
    "IsDivergence": lambda c: IsDivergence(_side(c.left, c.objective), c.sampler),
    "AgreesToOrder": lambda c: AgreesToOrder(*_sides(c), c.order),
    "SameValue": lambda c: SameValue(_side(c.left, True), _side(c.right, True)),
    "SameMoment": lambda c: SameMoment(build(c.left), build(c.right)),
    "GradientBound": lambda c: GradientBound(_side(c.left, False), build(c.right), c.sampler),
    "Expansion": lambda c: Expansion(build(c.left), build(c.right), c.order),
    "HasSign": lambda c: HasSign(build(c.left), c.sign, _end(c.above, "-oo"), _end(c.below, "oo")),
    "Identity": lambda c: Identity(build(c.left), build(c.right)),
    "Limit": lambda c: Limit(build(c.left), c.sign * oo, _end(c.right, "")),
}


def _end(text: str, otherwise: str) -> Any:
    text = text or otherwise
    return INFINITE[text] if text in INFINITE else build(text)
