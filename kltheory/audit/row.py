"""A row: one answer of an audit, what the expected gradient of one placement is the gradient of, and where."""

from dataclasses import dataclass
from typing import Any, Final

from kltheory.audit.experiments import Distance

DIRECTIONS: Final = {1: "descends", -1: "ascends", 0: "none"}


@dataclass(frozen=True)
class Row:
    """One answer.

    Attributes:
        placement: ``loss``, or ``reward``: detached and times the score.
        weight: the importance weight put in front: ``none``, ``detached``, ``live``.
        sampler: who drew the samples, ``policy`` or ``old``.
        gradient_of: the name of what is descended, ``zero`` or ``none``; ``undecided``.
        where: the region in which it holds.
        how: ``derived`` or ``measured``.
        residual: largest relative difference to the running function's expected gradient; ``None``: no sample there.
        coefficient: C, as text; empty when measured.
        title: the same for people.
        slope: 1 for a convex f (descends a divergence), -1 for a concave one (ascends), 0 for none.
        order: up to which power of ℓ C agrees with the reverse KL's near ℓ = 0; ``None`` if in all, or undecided.
        multiple: of the reverse KL, what C is near the reference to first order; 1 where that is not known, or zero.
        distances: error and cosine against that multiple of the reverse KL's gradient at worst, near and far.
    """

    placement: str
    weight: str
    sampler: str
    gradient_of: str
    where: str
    how: str
    residual: float | None
    coefficient: str = ""
    title: str = ""
    slope: int | None = None
    order: int | None = None
    multiple: float = 1.0
    distances: dict[str, Distance] | None = None
    reason: str = ""

    def is_multiple_of(self, name: str) -> bool:
        """Whether it is the gradient of a multiple of this divergence."""
        return self.gradient_of.rpartition("*")[2].removeprefix("-") == name

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        data = {k: v for k, v in vars(self).items() if k not in ("distances", "slope")}
        for name, d in (self.distances or {}).items():
            data[name] = {"relative_error": d.relative_error, "cosine": d.cosine}
        return {**data, "direction": None if self.slope is None else DIRECTIONS[self.slope]}
