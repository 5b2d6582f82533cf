"""A row: one answer of an audit, what the expected gradient of one placement is the gradient of, and where."""

from dataclasses import dataclass
from typing import Any, Final

from kltheory.audit.experiments import Distance
from kltheory.calculus.placement import Placement
from kltheory.calculus.regions import Region

DIRECTIONS: Final = {1: "descends", -1: "ascends", 0: "none"}


@dataclass(frozen=True)
class Row:
    """One answer.

    Attributes:
        placed: how the function is used.
        gradient_of: the name of what is descended, ``zero`` or ``none``; ``undecided``.
        where: the region in which it holds, for people.
        how: ``derived`` or ``measured``.
        residual: largest relative difference to the running function's expected gradient; ``None``: no sample there.
        region: the same as ``where``.
        coefficient: C, as text; empty when measured.
        title: the same as ``gradient_of``, for people.
        slope: 1 for a convex f (descends a divergence), -1 for a concave one (ascends), 0 for none.
        order: up to which power of ℓ C agrees with the reverse KL's near ℓ = 0; ``None`` if in all, or undecided.
        multiple: of the reverse KL, what C is near the reference to first order; 1 where that is not known, or zero.
        distances: error and cosine against that multiple of the reverse KL's gradient at worst, near and far.
    """

    placed: Placement
    gradient_of: str
    where: str
    how: str
    residual: float | None
    region: Region = Region()  # noqa: RUF009  frozen
    coefficient: str = ""
    title: str = ""
    slope: int | None = None
    order: int | None = None
    multiple: float = 1.0
    distances: dict[str, Distance] | None = None
    reason: str = ""

    @property
    def placement(self) -> str:
        """``loss``, or ``reward``: detached and times the score."""
        return self.placed.where

    @property
    def weight(self) -> str:
        """The importance weight put in front: ``none``, ``detached``, ``live``."""
        return self.placed.weight

    @property
    def sampler(self) -> str:
        """Who drew the samples, ``policy`` or ``old``."""
        return self.placed.who.value

    def is_multiple_of(self, name: str) -> bool:
        """Whether it is the gradient of a multiple of this divergence."""
        return self.gradient_of.rpartition("*")[2].removeprefix("-") == name

    def is_contradicted(self, within: float) -> bool:
        """Whether it was derived, and the running function's expected gradient is not that near."""
        return self.how == "derived" and self.residual is not None and not self.residual <= within

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        apart = ("placed", "region", "slope", "distances")
        data = self.placed.to_json() | {k: v for k, v in vars(self).items() if k not in apart}
        for name, d in (self.distances or {}).items():
            data[name] = {"relative_error": d.relative_error, "cosine": d.cosine}
        return {**data, "direction": None if self.slope is None else DIRECTIONS[self.slope]}
