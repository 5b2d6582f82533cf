"""Bias and variance of one sample's gradient on given settings: the closed forms of ``calculus.moments``, summed.

A sample's gradient is c·∇log π. Its *factor* c, evaluated action by action, takes the place of the advantage in the
closed forms, so that a factor cut into cells is no case of its own. Gradients are in logits.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
from sympy import Expr, S, exp

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.moments import E, optimal_baseline, trace_variance
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import advantage, log_weight
from kltheory.numerics import enumeration
from kltheory.numerics.settings import Array, Settings

STICKY: Final = 1e-9
"""How much less, relatively, another cost must be before it is called the least one: ties do not flicker."""
CHUNK: Final = 128
"""Points of a path evaluated at a time."""
ROUNDING: Final = 1e-12
"""A length of a gradient below this is not told from zero, and its square no more."""


def weight_of(sampler: Sampler) -> Expr:
    """What the policy is to the one who drew the sample: 1 or w."""
    return S.One if sampler is Sampler.POLICY else exp(log_weight)


@lru_cache
def closed_forms(sampler: Sampler) -> tuple[Expr, Expr, Expr]:
    """Variance, optimal baseline b* and the variance of (c - b* w)·∇log π, with the factor c as the advantage."""
    w = weight_of(sampler)
    best = optimal_baseline(advantage, w)
    return trace_variance(advantage, w), best, trace_variance(advantage - best * w, w)


@dataclass(frozen=True)
class Noise:
    """Of one sample's gradient, an array of shape (N,) each: its trace variance, b*, and the variance b* leaves."""

    variance: Array
    baseline: Array
    least: Array


def factor(score: Coefficient, settings: Settings) -> Array:
    """The factor of each sample, shape (N, V); NaN on a kink."""
    return enumeration.values(score, settings)


def noise(score: Coefficient, sampler: Sampler, settings: Settings) -> Noise:
    """The three numbers of every setting."""
    batch = (replace(settings, advantage=factor(score, settings)),)
    variance, baseline, least = (enumeration.moment(e, batch)[0] for e in closed_forms(sampler))
    return Noise(variance, baseline, np.maximum(least, 0.0))


def variance(score: Coefficient, sampler: Sampler, settings: Settings) -> Array:
    """The trace variance alone."""
    return enumeration.moment(closed_forms(sampler)[0], (replace(settings, advantage=factor(score, settings)),))[0]


def gradient_norm(coefficient: Coefficient, settings: Settings) -> Array:
    """‖E_π[C ∇log π]‖ of every setting: of a difference of coefficients, the bias."""
    return np.asarray(np.linalg.norm(enumeration.expected_gradient(coefficient, (settings,))[0], axis=-1))


def value_spread(value: Expr, sampler: Sampler, settings: Settings) -> tuple[Array, Array]:
    """Mean and standard deviation of a per-sample value."""
    w, batch = weight_of(sampler), (settings,)
    mean = E(value / w)
    (average,), (square,) = (enumeration.moment(S(e), batch) for e in (mean, E((value - mean) ** 2 / w)))
    return average, np.sqrt(np.maximum(square, 0.0))


# --- along a path -----------------------------------------------------------------------------------------------------
def on_path(setting: Settings, t: Array) -> Settings:
    """The policies ∝ π_ref^(1-t) π^t, a row for each t; the reference and the old policy stay where they are."""
    policy = (1 - t[:, None]) * setting.logp_ref + t[:, None] * setting.logp
    reference, old = (np.broadcast_to(x, policy.shape) for x in (setting.logp_ref, setting.logp_old))
    return Settings(policy, reference, old, np.zeros_like(policy), ("path",) * len(t))


Costs = Callable[[Array], Array]
"""From K values of t to the costs of M candidates, shape (M, K); NaN where one has none."""


@dataclass(frozen=True)
class Flip:
    """At t the candidate with the least cost changes."""

    t: float
    before: int
    after: int


def flips(costs: Costs, grid: Array) -> tuple[int, list[Flip]]:
    """Which candidate is least at the start of the grid, and where another takes its place, by bisection.

    What happens twice between two points of the grid is not seen.
    """
    table = np.concatenate([costs(part) for part in np.array_split(grid, -(-len(grid) // CHUNK))], axis=1)
    current = first = _least(table[:, 0], None)
    found: list[Flip] = []
    for k in range(1, len(grid)):
        low, high = float(grid[k - 1]), float(grid[k])
        for _ in range(len(table)):
            if _least(table[:, k], current) == current:
                break
            low, after = _bisect(costs, low, high, current)
            found.append(Flip(low, current, after))
            current = after
    return first, found


def _least(column: Array, current: int | None) -> int:
    """The candidate with the least cost: the current one where it is not told from that, else the first."""
    column = np.where(np.isnan(column), np.inf, column)
    least = column.min()
    good = column <= least + STICKY * abs(least) + ROUNDING**2
    return current if current is not None and good[current] else int(np.argmax(good))


def _bisect(costs: Costs, low: float, high: float, current: int) -> tuple[float, int]:
    """Where ``current`` stops being the least, and what is least there."""
    for _ in range(60):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if _least(costs(np.array([middle]))[:, 0], current) == current:
            low = middle
        else:
            high = middle
    return high, _least(costs(np.array([high]))[:, 0], current)


# --- with many samples ------------------------------------------------------------------------------------------------
def by_samples(bias: Array, variance: Array) -> list[tuple[int, int]]:
    """Who has the least mean square error bias² + variance/N: pairs (from N samples on, candidate), N rising."""
    square = np.where(bias < ROUNDING, 0.0, bias) ** 2
    current = int(np.argmin(square + variance))
    out, n = {1: current}, 1.0
    while True:
        gain = square[current] - square
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = np.where(gain > 0, (variance - variance[current]) / gain, np.inf)
        after = int(np.argmin(np.where(crossing > n, crossing, np.inf)))
        if not n < crossing[after] < np.inf:
            return sorted(out.items())
        n, current = float(crossing[after]), after
        out[int(np.floor(n)) + 1] = current
