"""Rows: the answers of an audit. Each says of one placement what its expected gradient is the gradient of, and where.

There are two levels of them: one token drawn at a time, and whole responses, token after token.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from kltheory.audit.experiments import Distance
from kltheory.calculus.placement import Placement
from kltheory.calculus.regions import Region

DIRECTIONS: Final = {1: "descends", -1: "ascends", 0: "none"}


@dataclass(frozen=True)
class Answer:
    """What every row has.

    Attributes:
        placed: how the function is used.
    """

    level: ClassVar[str]
    """``token`` or ``response``."""
    placed: Placement

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

    def _plain(self, distances: Mapping[str, Distance]) -> dict[str, Any]:
        """Plain data of what every row has, distances included."""
        return {"level": self.level, **self.placed.to_json(), **{k: dict(vars(d)) for k, d in distances.items()}}


@dataclass(frozen=True)
class Row(Answer):
    """One answer about tokens.

    Attributes:
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

    level = "token"
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
    distances: Mapping[str, Distance] | None = None
    reason: str = ""

    def is_multiple_of(self, name: str) -> bool:
        """Whether it is the gradient of a multiple of this divergence."""
        return self.gradient_of.rpartition("*")[2].removeprefix("-") == name

    def is_contradicted(self, within: float) -> bool:
        """Whether it was derived, and the running function's expected gradient is not that near."""
        return self.how == "derived" and self.residual is not None and not self.residual <= within

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        apart = ("placed", "region", "slope", "distances")
        own = {k: v for k, v in vars(self).items() if k not in apart}
        direction = None if self.slope is None else DIRECTIONS[self.slope]
        return self._plain(self.distances or {}) | own | {"direction": direction}


@dataclass(frozen=True)
class Verdict:
    """What is descended on responses of one kind of length.

    Attributes:
        gradient_of: a name in ``placements.TARGETS``, with its multiple; ``none``.
        title: the same for people; of what is none of them, whether it descends any objective.
        where: ``everywhere``, or ``near the reference``.
        how: ``derived`` for every vocabulary and length, or ``measured`` on one tree.
        residual: the largest difference to the target, relative to the size of what is summed; ``None`` for ``none``.
    """

    gradient_of: str
    title: str
    where: str
    how: str
    residual: float | None = None


@dataclass(frozen=True)
class ResponseRow(Answer):
    """One answer about whole responses.

    Attributes:
        credit: which costs, in the reward; empty as a loss.
        verdicts: by kind of length, ``fixed`` and ``random``.
        distances: relative error and cosine against the gradient of KL(π‖π_ref) of responses, near and far.
    """

    level = "response"
    credit: str
    verdicts: Mapping[str, Verdict]
    distances: Mapping[str, Distance]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        verdicts = {k: dict(vars(v)) for k, v in self.verdicts.items()}
        return self._plain(self.distances) | {"credit": self.credit or None} | verdicts
