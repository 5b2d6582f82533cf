"""The optimum of E_π[A] - β D_f(π‖π_ref) in numbers, for any convex f, and how far from optimal they are.

The log-ratio of an action is f'⁻¹((A - λ)/β), by bisection on l; λ makes the probabilities sum to one. Where f' jumps
or its range ends, an action sits at a jump, takes the mass that is left over, or is given up (u = 0).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import Divergence, u
from kltheory.calculus.symbols import log_ratio
from kltheory.numerics.bridge import NUMPY
from kltheory.numerics.settings import Array

REACH: Final = 690.0
"""Log-ratios beyond this many nats are as good as infinite."""
GONE: Final = 1e-200
"""Ratios below this count as given up."""


@dataclass(frozen=True)
class Optimum:
    """Where reward and penalty balance.

    Attributes:
        policy: the probabilities, float64, shape (V,).
        multiplier: λ, the reward less the penalty's pull on every action that is kept.
        objective: E_π[A] - β D, nats times β beside the reward's unit.
        divergence: D_f(π‖π_ref), nats.
        entropy: that of the policy, nats.
        residual: the largest violation of A - β f'(u) = λ (≤ λ where given up), in units of the reward.
        dropped: the actions that are given up, u = 0.
    """

    policy: Array
    multiplier: float
    objective: float
    divergence: float
    entropy: float
    residual: float
    dropped: tuple[int, ...]


def optimum(
    coefficient: Coefficient, divergence: Divergence | None, reward: Array, reference: Array, beta: float
) -> Optimum:
    """The policy that maximises E_π[A] - β D.

    Args:
        coefficient: C(l) = f'(e^l) up to a constant, never decreasing.
        divergence: its D, for the values; ``None`` leaves them NaN.
        reward: A, shape (V,).
        reference: π_ref, positive, summing to one, shape (V,).
        beta: β > 0.
    """
    slope = curve(coefficient)
    ratio, multiplier = _balanced(slope, reward, reference, np.array([beta]))
    return _finish(slope, divergence, reward, reference, beta, ratio[0], float(multiplier[0]))


def policies(coefficient: Coefficient, reward: Array, reference: Array, betas: Array) -> Array:
    """The optimal policy for each β, shape (B, V)."""
    return reference * _balanced(curve(coefficient), reward, reference, betas)[0]


def _balanced(slope: Callable[[Array], Array], reward: Array, reference: Array, betas: Array) -> tuple[Array, Array]:
    """The ratios u of every action, shape (B, V), and λ, shape (B,), at which the probabilities sum to one."""
    at_reference = float(slope(np.array([1e-9]))[0] + slope(np.array([-1e-9]))[0]) / 2
    low, high = reward.min() - betas * at_reference, reward.max() - betas * at_reference
    margin = betas * 1e-6 + 1e-9 * (abs(low) + abs(high))
    low, high = low - margin, high + margin  # all u ≥ 1 at the low end, all u ≤ 1 at the high one

    def ratios(multiplier: Array) -> Array:
        return np.exp(_log_ratio(slope, (reward - multiplier[:, None]) / betas[:, None]))

    for _ in range(200):
        middle = (low + high) / 2
        if ((middle == low) | (middle == high)).all():
            break
        heavy = ratios(middle) @ reference > 1
        low, high = np.where(heavy, middle, low), np.where(heavy, high, middle)
    more, less = ratios(low), ratios(high)
    surplus, deficit = more @ reference - 1, 1 - less @ reference
    both = surplus + deficit
    share = np.where(both > 0, deficit / np.where(both > 0, both, 1.0), 0.0)
    ratio = less + share[:, None] * (more - less)
    return ratio / (ratio @ reference)[:, None], (low + high) / 2


def _finish(
    slope: Callable[[Array], Array],
    divergence: Divergence | None,
    reward: Array,
    reference: Array,
    beta: float,
    ratio: Array,
    multiplier: float,
) -> Optimum:
    kept = ratio > GONE
    policy = np.where(kept, reference * ratio, 0.0)
    log_u = np.log(np.where(kept, ratio, 1.0))
    pull_up, pull_down = (reward - beta * slope(log_u + step) - multiplier for step in (-1e-9, 1e-9))
    inside = np.where((pull_up >= 0) & (pull_down <= 0), 0.0, np.minimum(abs(pull_up), abs(pull_down)))
    outside = np.maximum(reward - beta * slope(np.full_like(reward, -REACH)) - multiplier, 0.0)
    residual = float(np.max(np.where(kept, inside, outside)))
    value = (
        float("nan") if divergence is None else float(reference @ _generator(divergence, np.where(kept, ratio, 0.0)))
    )
    entropy = abs(float((policy[kept] * np.log(policy[kept])).sum()))
    dropped = tuple(int(i) for i in np.flatnonzero(~kept))
    return Optimum(policy, multiplier, float(policy @ reward) - beta * value, value, entropy, residual, dropped)


def _generator(divergence: Divergence, ratio: Array) -> Array:
    """f(u), continued to u = 0 by its limit."""
    with np.errstate(all="ignore"):
        value = np.asarray(NUMPY(divergence.f, {u: np.maximum(ratio, GONE)}), dtype=np.float64)
    return np.broadcast_to(value, ratio.shape)


def curve(coefficient: Coefficient) -> Callable[[Array], Array]:
    """C at log-ratios, cell by cell."""
    pieces = coefficient.along(log_ratio)

    def value(l: Array) -> Array:
        out = np.full(l.shape, np.nan)
        for (lo, hi), e in pieces:
            here = np.ones(l.shape, dtype=bool)
            if lo is not None:
                here &= l >= float(lo)
            if hi is not None:
                here &= l <= float(hi)
            with np.errstate(all="ignore"):
                out[here] = np.broadcast_to(np.asarray(NUMPY(e, {log_ratio: l[here]}), dtype=np.float64), l[here].shape)
        return out

    return value


def _log_ratio(slope: Callable[[Array], Array], wanted: Array) -> Array:
    """The l at which the never decreasing C passes the wanted value, ±REACH where it does not."""
    low, high = np.full(wanted.shape, -REACH), np.full(wanted.shape, REACH)
    for _ in range(70):
        middle = (low + high) / 2
        below = slope(middle) < wanted
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2
