"""Dead zones: intervals of ℓ in which the derivative by log π vanishes."""

from dataclasses import dataclass

import numpy as np

from kltheory.audit.window import around
from kltheory.calculus.regions import Region
from kltheory.calculus.symbols import VARIABLES, log_ratio, logp


@dataclass(frozen=True)
class Zone:
    """Where no gradient flows.

    Attributes:
        lo, hi: the ends of the interval of ℓ, perhaps infinite.
        region: the whole region, where it was derived; it may be cut by more than ℓ.
    """

    lo: float
    hi: float
    region: Region | None = None

    @classmethod
    def of(cls, region: Region) -> "Zone":
        """A region of the calculus as a zone."""
        lo, hi = region.bounds(log_ratio)
        return cls(-np.inf if lo is None else float(lo), np.inf if hi is None else float(hi), region)

    @property
    def how(self) -> str:
        """``derived`` or ``measured``."""
        return "measured" if self.region is None else "derived"

    @property
    def where(self) -> str:
        """The region, for people."""
        return interval(self.lo, self.hi) if self.region is None else str(self.region)

    @property
    def begins(self) -> float:
        """How far from the reference it begins, nats."""
        return max(self.lo, -self.hi, 0.0)

    @property
    def is_interval(self) -> bool:
        """Whether it is told by ℓ alone, and not all there is."""
        if self.region is not None and (
            self.region.conditions or any(self.region.is_cut(v) for v in VARIABLES if v != log_ratio)
        ):
            return False
        return bool(np.isfinite(self.lo) or np.isfinite(self.hi))

    def meets(self, within: float) -> bool:
        """Whether some of it is that near the reference."""
        if self.region is None:
            return self.lo < within and self.hi > -within
        return self.region & around(within) is not None

    def sample(self, within: float) -> tuple[float, float] | None:
        """A place in it that near the reference, as (log π, ℓ)."""
        if self.region is None:
            l = (max(self.lo, -within) + min(self.hi, within)) / 2
            return min(l, 0.0) - 1, l
        met = self.region & around(within)
        at = None if met is None else met.sample()
        return None if at is None else (float(at[logp]), float(at[log_ratio]))


def interval(lo: float, hi: float) -> str:
    """An interval of ℓ, for people."""
    return (f"{lo:.4g} < " if np.isfinite(lo) else "") + "l" + (f" < {hi:.4g}" if np.isfinite(hi) else "")
