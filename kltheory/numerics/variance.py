"""Bias and variance of one sample's gradient on given settings: the closed forms of ``calculus.moments``, in balls.

A sample's gradient is c·∇log π. Its *factor* c, evaluated action by action, takes the place of the advantage in the
closed forms, so that a factor cut into cells is no case of its own. Gradients are in logits. However peaked the policy,
numbers are known to more digits than float64 has: :func:`.enclosed.settled` says what is 0, and what has no value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from flint import arb
from sympy import Expr, S, exp

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.moments import E, gradient_inner, optimal_baseline, trace_variance
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import advantage, log_weight
from kltheory.numerics.balls import precision
from kltheory.numerics.enclosed import PRECISIONS, Balls, Columns, Setting, each, moments, settled, values

SQUARED_NORM = gradient_inner(advantage, advantage)
"""‖E_π[C ∇log π]‖², with the coefficient C as the advantage."""


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
    """Of one sample's gradient, an array of N balls each: its trace variance, b*, and the variance b* leaves."""

    variance: Balls
    baseline: Balls
    least: Balls


def noise(score: Coefficient, sampler: Sampler, setting: Setting) -> Noise:
    """The three numbers of every setting.

    A best baseline leaves nothing of a factor b w, with one b for all actions; and nothing of any factor where there
    are two actions: the two samples (c_1 - b w_1) π_2 (1, -1) and -(c_2 - b w_2) π_1 (1, -1) are the same for one b.
    """
    multiple = score.map(lambda c: c / weight_of(sampler))
    nothing = setting.size == 2 or _is_constant(multiple) or _is_the_same(multiple, setting)
    forms = closed_forms(sampler)[: 2 if nothing else 3]
    variance, baseline, *least = settled(lambda x: moments(forms, _as_advantage(score, x)), setting)
    return Noise(variance, baseline, _zeros(setting) if nothing else least[0])


def variance(score: Coefficient, sampler: Sampler, setting: Setting) -> Balls:
    """The trace variance alone, N balls."""
    return settled(lambda x: moments(closed_forms(sampler)[:1], _as_advantage(score, x)), setting)[0]


def gradient_norm(coefficient: Coefficient, setting: Setting) -> Balls:
    """‖E_π[C ∇log π]‖ of every setting, N balls: of a difference of coefficients, the bias."""
    if _is_constant(coefficient):
        return _zeros(setting)
    return _root(settled(lambda x: moments((SQUARED_NORM,), _as_difference(coefficient, x)), setting)[0])


def value_spread(value: Expr, sampler: Sampler, setting: Setting) -> tuple[Balls, Balls]:
    """Mean and standard deviation of a per-sample value, N balls each."""
    w, cells = weight_of(sampler), Coefficient.of(value, partial=True)
    mean = E(advantage / w)
    (average,) = settled(lambda x: moments((mean,), _as_advantage(cells, x)), setting)
    if _is_constant(cells):
        return average, _zeros(setting)
    square = E((advantage - mean) ** 2 / w)
    return average, _root(settled(lambda x: moments((square,), _as_difference(cells, x)), setting)[0])


@dataclass(frozen=True)
class Cost:
    """What an estimator costs: the variance of the mean of N samples, and the square of the bias where it counts."""

    score: Coefficient
    bias: Coefficient | None
    samples: int

    def of(self, sampler: Sampler, columns: Columns) -> Balls:
        """On every setting, N balls."""
        (spread,) = moments(closed_forms(sampler)[:1], _as_advantage(self.score, columns))
        error = spread / self.samples
        return error if self.bias is None else error + moments((SQUARED_NORM,), _as_difference(self.bias, columns))[0]


def costs(chosen: Sequence[Cost], sampler: Sampler, setting: Setting) -> Balls:
    """Of every estimator on every setting, shape (M, N)."""
    return np.array(settled(lambda x: tuple(c.of(sampler, x) for c in chosen), setting), dtype=object)


def _as_advantage(c: Coefficient, columns: Columns) -> Columns:
    return columns.having(values(c, columns))


def _as_difference(c: Coefficient, columns: Columns) -> Columns:
    """C less what it is at the first action, where a constant does not count: exactly 0 where all are one number."""
    found = values(c, columns)
    return columns.having(found - found[:, :1])


def _is_constant(c: Coefficient) -> bool:
    """Whether it is known to be one number for all policies."""
    try:
        return c.is_constant()
    except Undecidable:
        return False


def _is_the_same(c: Coefficient, setting: Setting) -> bool:
    """Whether it plainly is the same number at all actions, as where the policy is the reference."""
    with precision(PRECISIONS[0]):
        found = _as_difference(c, setting.columns()).at[advantage]
    return all(x.is_zero() for x in found.flat)


def _zeros(setting: Setting) -> Balls:
    return np.array([arb(0)] * setting.count, dtype=object)


def _root(squares: Balls) -> Balls:
    with precision(PRECISIONS[0]):
        return each(lambda x: x.nonnegative_part().sqrt())(squares)
