"""Multiples: whether one gradient is a number times another, the same on every batch, or one that counts its tokens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from kltheory.audit.batches import Batch, Outcome
from kltheory.audit.simple import rounded, written

COUNTS: Final[dict[str, Callable[[Batch], float]]] = {
    "": lambda batch: 1.0,
    "the number of tokens that count": lambda batch: float(batch.mask.sum()),
    "the number of responses": lambda batch: float(len(batch.mask)),
    "the number of all tokens": lambda batch: float(batch.mask.size),
    "the tokens that count, in a response on average": lambda batch: float(batch.mask.sum() / len(batch.mask)),
}
"""What a mean divides by, by its name."""


@dataclass(frozen=True)
class Multiple:
    """b is ``scale`` times a, divided or multiplied by a count of the batch.

    Attributes:
        scale: the number.
        count: the name of what is counted, or empty.
        power: 1 where it is multiplied by the count, -1 where it is divided.
    """

    scale: float
    count: str
    power: int

    def __str__(self) -> str:
        times = {1.0: "a", -1.0: "-a"}.get(self.scale, f"{written(self.scale, DENOMINATOR)}·a")
        if not self.count:
            return f"b = {times}"
        return f"b = {times} {'divided by' if self.power < 0 else 'times'} {self.count}"


def multiple(a: Sequence[Outcome], b: Sequence[Outcome], batches: Sequence[Batch], tolerance: float) -> Multiple | None:
    """The multiple of a's derivative that b's is on every batch; ``None`` where it is none."""
    scales = []
    for x, y in zip(a, b, strict=True):
        size = float((x.slope**2).sum())
        if not size or not (x.is_finite and y.is_finite):
            return None
        scale = float((x.slope * y.slope).sum()) / size
        if np.abs(y.slope - scale * x.slope).max() > tolerance * max(1.0, float(np.abs(y.slope).max())):
            return None
        scales.append(scale)
    for name, count in COUNTS.items():
        for power in (1, -1) if name else (1,):
            left = np.array([s * count(batch) ** -power for s, batch in zip(scales, batches, strict=True)])
            if left[0] and np.ptp(left) <= SAME * abs(left[0]):
                found = Multiple(rounded(float(left[0]), SAME, DENOMINATOR), name, power)
                return None if found.scale == 1 and not name else found
    return None


SAME: Final = 1e-9

DENOMINATOR: Final = 1000
