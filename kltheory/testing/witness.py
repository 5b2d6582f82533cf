"""Witnesses: a setting of three actions in short decimals, and two expected gradients that differ there."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from kltheory.audit.experiments import drawn, placed, predicted
from kltheory.audit.reading import Reading
from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.placement import Placement
from kltheory.calculus.surrogate import Sampler
from kltheory.numerics.rational import RationalSetting, small_settings
from kltheory.numerics.settings import Array, Settings
from kltheory.testing.words import numbers

ACTIONS: Final = 3
NEAR: Final = 2.0
"""The other actions of a far setting are closer to the reference than this."""
FAR: Final = (6.0, 15.0, 25.0, 60.0)
"""Distances of far settings when no window is asked for: beyond the clamps that small settings do not reach."""
CLEAR: Final = 0.1
"""A gap of this size, relative to the larger gradient, is plain to see: the first setting with one is shown."""


@dataclass(frozen=True)
class Witness:
    """A setting and two gradients by its logits."""

    setting: RationalSetting
    left: Array
    right: Array
    sampler: Sampler

    @property
    def gap(self) -> float:
        """The largest difference, relative to the larger gradient; infinite where one is not finite."""
        gap, size = np.abs(self.left - self.right).max(), max(np.abs(self.left).max(), np.abs(self.right).max())
        return float(gap / size) if np.isfinite(gap) and size else (0.0 if gap == 0 else np.inf)

    @property
    def place(self) -> str:
        """The setting, for people."""
        columns = {"policy": self.setting.policy, "reference": self.setting.reference}
        if self.sampler is Sampler.OLD:
            columns["old policy"] = self.setting.old
        return ", ".join(f"{name} {numbers(map(float, p))}" for name, p in columns.items())

    def describe(self, left: str, right: str) -> str:
        """Both gradients, and where they differ most, on lines of their own."""
        width = max(len(left), len(right))
        at = int(np.argmax(np.abs(self.left - self.right)))
        return "\n".join(
            [
                f"{self.place}: expected gradient by the logits",
                f"{left.ljust(width)}  {numbers(self.left)}",
                f"{right.ljust(width)}  {numbers(self.right)}",
                f"they differ most at action {at}: {self.left[at]:.4g} and {self.right[at]:.4g}",
            ]
        )


def running(found: Reading, settings: Settings, placement: Placement) -> Array:
    """The expected gradient of the running function on each setting, summed over the vocabulary, shape (N, V).

    Raises:
        Raised: the function raises.
    """
    return placed(found, settings, drawn(found, settings, placement.who), 1.0, placement).expected


def against_divergence(
    found: Reading, coefficient: Coefficient, placement: Placement, within: float | None
) -> Witness | None:
    """The running function and a divergence's gradient. Raises Raised."""
    chosen, settings = small(within, placement.who)
    if not chosen:
        return None
    with np.errstate(all="ignore"):
        ran, wanted = running(found, settings, placement), predicted(coefficient, settings)[0]
    return clearest(chosen, ran, wanted, placement.who)


def clearest(chosen: list[RationalSetting], left: Array, right: Array, sampler: Sampler) -> Witness | None:
    """The first setting that shows the difference plainly, else the one that shows it most."""
    every = [Witness(*x, sampler) for x in zip(chosen, left, right, strict=True)]
    plain = (x for x in every if CLEAR < x.gap < np.inf)
    best = next(plain, max(every, key=lambda x: x.gap))
    return best if best.gap > 1e-9 else None


def small(within: float | None, sampler: Sampler) -> tuple[list[RationalSetting], Settings]:
    """The small settings and far ones, as they are written and as arrays; only those inside the window."""
    distances = FAR if within is None else [0.995 * within - 0.005]
    three = [s for s in small_settings() if len(s.policy) == ACTIONS]
    three += [s for d in distances if d > NEAR for s in _far(d)]
    every = _arrays(three)
    if within is None:
        return three, every
    far = np.abs(every.log_ratio).max(axis=1)
    if sampler is Sampler.OLD:
        far = np.maximum(far, np.abs(every.log_weight).max(axis=1))
    chosen = [s for s, x in zip(three, far, strict=True) if x < within]
    return chosen, _arrays(chosen)


def _far(distance: float) -> Iterator[RationalSetting]:
    """One action that far below the reference, one above, and the same of the old policy; the others are near."""
    tiny = Fraction(f"{0.6 * np.exp(-distance):.3g}")
    thin = (tiny, Fraction(1, 2), Fraction(1, 2) - tiny)
    thick, none = tuple(map(Fraction, (".6", ".3", ".1"))), (Fraction(0),) * ACTIONS
    yield RationalSetting(thin, thick, (tiny, Fraction(2, 5), Fraction(3, 5) - tiny), none)
    near = tuple(map(Fraction, (".5", ".35", ".15")))
    yield RationalSetting(thick, thin, near, none)
    yield RationalSetting(thick, near, thin, none)
    yield RationalSetting(thin, (tiny, Fraction(2, 5), Fraction(3, 5) - tiny), thick, none)


def _arrays(chosen: list[RationalSetting]) -> Settings:
    def column(name: str) -> Array:
        return np.array([[float(x) for x in getattr(s, name)] for s in chosen]).reshape(-1, ACTIONS)

    policy, reference, old = (np.log(column(name)) for name in ("policy", "reference", "old"))
    return Settings(policy, reference, old, column("advantage"), ("small",) * len(chosen))
