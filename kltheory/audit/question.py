"""A question about two functions, and the difference of two arrays of numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from kltheory.tracing.trace import Floats

PLAIN: Final = 0.1
"""A difference of this size, relative to the larger of 1 and the number, is plain to see."""


def difference(x: Floats, y: Floats) -> Floats:
    """The difference relative to the larger of 1 and the number; infinite where one alone is not finite."""
    with np.errstate(all="ignore"):
        gap = np.abs(x - y) / np.maximum(1.0, np.maximum(np.abs(x), np.abs(y)))
    both = (x == y) | (np.isnan(x) & np.isnan(y))
    return np.asarray(np.where(both, 0.0, np.where(np.isfinite(gap), gap, np.inf)))


@dataclass(frozen=True)
class Question:
    """One question: whether both agree.

    Attributes:
        what: ``value``, ``derivative``, ``derivative by the reference``, or the placement, weight and sampler of an
            expected gradient.
        same: the answer; ``None`` when it was not decided.
        how: ``derived`` or ``measured``.
        parts: the regions in which they part.
        gap: the largest difference of the running functions, relative to the larger of 1 and the number.
        witness: where they differ most, and both numbers.
        reason: why it was not decided, or empty.
    """

    what: str
    same: bool | None
    how: str
    parts: tuple[str, ...] = ()
    gap: float = 0.0
    witness: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""

    @property
    def kind(self) -> str:
        """What is asked, without the placement."""
        return self.what.partition(":")[0]
