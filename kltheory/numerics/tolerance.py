"""How close two engines must be: per element, absolute, near rounding, and here only.

A component π_j (C_j − Σ_i π_i C_i) is a sum whose terms have total size Σ_i |π_i C_i|, the *scale* of its setting. No
float64 engine can know it better than a few roundings of that size, so a difference is divided by the scale once it
exceeds 1; nothing else loosens it but the rounding of ℓ itself, which a float64 knows to 1e-13 only at ℓ = 1000.
Scaling by the number of actions, or by the largest result in a batch, is how wrong gradients pass.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from kltheory.numerics.settings import Array, Settings

ATOL: Final = 1e-12
"""Two engines agree when no element differs by more: some thousand roundings of float64."""


@dataclass(frozen=True)
class Residual:
    """The largest difference of two results, and where it is."""

    value: float
    family: str
    size: int
    index: int
    component: int

    @property
    def agrees(self) -> bool:
        """Whether it is within :data:`ATOL`."""
        return self.value <= ATOL

    def __str__(self) -> str:
        return f"{self.value:.1e} at component {self.component} of {self.family} setting {self.index}, V = {self.size}"


def residual(
    left: tuple[Array, ...], right: tuple[Array, ...], scale: tuple[Array, ...], settings: tuple[Settings, ...]
) -> Residual:
    """max |left − right| / max(1, scale), over every element of every batch.

    Args:
        left: one float64 array of shape (N, V), or (N,) for one number per setting, for each batch.
        right: the same shapes.
        scale: one array of shape (N,) for each batch.
        settings: the batches.

    Returns:
        The residual; infinite where anything, the scale included, is not finite, unless the setting is extreme.

    Raises:
        ValueError: the shapes differ, or there is nothing to compare.
    """
    worst: Residual | None = None
    for a, b, s, batch in zip(left, right, scale, settings, strict=True):
        n = len(batch.family)
        if a.shape != b.shape or a.shape not in ((n,), (n, batch.size)) or s.shape != (n,):
            raise ValueError(
                f"shapes {a.shape} and {b.shape} with scale {s.shape}; expected ({n}, {batch.size}) and ({n},)"
            )
        a, b, rounding = a.reshape(n, -1), b.reshape(n, -1), s[:, None]
        if batch.extreme:
            rounding = rounding * (1 + abs(batch.logp).max(-1, keepdims=True))
        with np.errstate(invalid="ignore", over="ignore"):
            gap = np.abs(a - b) / np.maximum(1.0, rounding)
        unseen = ~np.isfinite(gap) | ~np.isfinite(rounding)
        gap[unseen] = math.inf
        if batch.extreme:
            gap[unseen.any(-1)] = 0.0
        if not gap.size:
            continue
        i, j = divmod(int(gap.argmax()), gap.shape[1])
        if worst is None or gap[i, j] > worst.value:
            worst = Residual(float(gap[i, j]), batch.family[i], batch.size, i, j)
    if worst is None:
        raise ValueError("there is nothing to compare: no settings")
    return worst
