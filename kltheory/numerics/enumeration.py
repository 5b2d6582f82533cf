"""The enumeration engine: the closed form π_j (C_j − Σ_i π_i C_i) of a coefficient, and plain sums over the vocabulary.

This is the oracle of expected gradients, in NumPy. Finite differences are not: they see through ``detach``.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import numpy as np
from sympy import Expr, Symbol, exp

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.moments import At, Mean
from kltheory.calculus.regions import Region
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import advantage, erase_sg, inside, log_ratio, log_weight, logp, to_quotients
from kltheory.numerics.bridge import NO_PARAMETERS, NUMPY, Parameters, floats
from kltheory.numerics.settings import Array, Settings

T = TypeVar("T")

SPREAD_FROM: Final = 1 << 20
"""Actions from which blocks are worked on by all cores."""
BLOCK: Final = 1 << 15
"""Actions worked on at a time, in whole rows: the temporaries of one block stay in cache."""

COLUMNS: Final[dict[Symbol, Callable[[Settings], Array]]] = {
    logp: lambda s: s.logp,
    log_ratio: lambda s: s.log_ratio,
    log_weight: lambda s: s.log_weight,
    advantage: lambda s: s.advantage,
    inside: lambda s: s.inside,
}
"""The canonical variables of a formula, each as an array of shape (N, V)."""


def expected_gradient(
    coefficient: Coefficient, settings: tuple[Settings, ...], parameters: Parameters = NO_PARAMETERS
) -> tuple[Array, ...]:
    """E_π[C ∇_logits log π] for each setting.

    Args:
        coefficient: C, cell by cell. An action in no cell, or on the edge of one, makes its setting NaN.
        settings: the batches.
        parameters: a number for every symbol of the formula that is not a per-sample variable.

    Returns:
        One float64 array of shape (N, V) for each batch.

    Raises:
        NotNumeric: the formula has a symbol without a value or a head without a number.
    """
    return tuple(_closed_form(coefficient, s, parameters) for s in settings)


def _closed_form(coefficient: Coefficient, settings: Settings, parameters: Parameters) -> Array:
    out = np.empty_like(settings.policy)

    def fill(start: int, p: Array, c: Array) -> None:
        rows = out[start : start + len(p)]
        np.subtract(c, _dot(p, c), out=rows)
        rows *= p

    _block_by_block(fill, coefficient, settings, parameters)
    return out


def condition(
    coefficient: Coefficient, settings: tuple[Settings, ...], parameters: Parameters = NO_PARAMETERS
) -> tuple[Array, ...]:
    """Σ_a |π_a C_a| for each setting, one array of shape (N,) for each batch: the scale of :mod:`.tolerance`."""

    def size(_: int, p: Array, c: Array) -> Array:
        return _dot(p, np.abs(c))[:, 0]

    return tuple(np.concatenate(_block_by_block(size, coefficient, s, parameters)) for s in settings)


def objective_value(
    summand: Expr, settings: tuple[Settings, ...], parameters: Parameters = NO_PARAMETERS
) -> tuple[Array, ...]:
    """Σ_a F(a) for each setting, one array of shape (N,) for each batch; ``sg`` is the identity. Raises as above."""
    canonical = to_quotients(erase_sg(summand))
    return tuple(_evaluate(canonical, s, parameters).sum(axis=-1) for s in settings)


def expectation(
    value: Expr,
    settings: tuple[Settings, ...],
    sampler: Sampler = Sampler.OLD,
    parameters: Parameters = NO_PARAMETERS,
) -> tuple[Array, ...]:
    """E[value], the sample drawn by ``sampler`` (who does not change what ``w`` means); shapes and errors as above."""
    drew = logp if sampler is Sampler.POLICY else logp - log_weight
    return objective_value(exp(drew) * value, settings, parameters)


def moment(expr: Expr, settings: tuple[Settings, ...], parameters: Parameters = NO_PARAMETERS) -> tuple[Array, ...]:
    """A formula in means, a number of each setting: one array of shape (N,) for each batch; errors as above."""
    return tuple(_evaluate(expr, s, parameters)[:, 0] for s in settings)


def _dot(p: Array, c: Array) -> Array:
    return (p * c).sum(axis=-1, keepdims=True)


def _block_by_block(
    work: Callable[[int, Array, Array], T], coefficient: Coefficient, settings: Settings, parameters: Parameters
) -> list[T]:
    """What is made of the first row's number, probabilities and coefficient, some rows at a time; on all cores."""
    n, step = len(settings.family), max(1, BLOCK // settings.size)

    def one(start: int) -> T:
        rows = settings if step >= n else settings.rows(start, start + step)
        return work(start, rows.probability, values(coefficient, rows, parameters))

    first, *others = range(0, n, step)  # the first one refines thresholds, which the others read
    done = [one(first)]
    if settings.policy.size < SPREAD_FROM:
        return done + [one(start) for start in others]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return done + list(pool.map(one, others))


def values(coefficient: Coefficient, settings: Settings, parameters: Parameters = NO_PARAMETERS) -> Array:
    """C at every action, shape (N, V); NaN in no cell or on the edge of one."""
    if len(coefficient.cells) == 1 and coefficient.cells[0][0].is_everything:
        return _evaluate(coefficient.cells[0][1], settings, parameters)
    out = np.full(settings.policy.shape, np.nan)
    for region, expr in coefficient.cells:
        inside = _inside(region, settings, parameters)
        out[inside] = _evaluate(expr, settings, parameters, inside)
    return out


def _inside(
    region: Region, settings: Settings, parameters: Parameters
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which actions lie in the open region, shape (N, V)."""
    inside = np.ones(settings.policy.shape, dtype=bool)
    for variable, column in COLUMNS.items():
        lo, hi = region.bounds(variable)
        if region.is_cut(variable) and lo is not None:
            inside &= column(settings) > float(lo)
        if region.is_cut(variable) and hi is not None:
            inside &= column(settings) < float(hi)
    for guard, sign in region.conditions.items():
        inside &= sign * _evaluate(guard, settings, parameters) > 0
    return inside


def _evaluate(expr: Expr, settings: Settings, parameters: Parameters, where: Any = ...) -> Array:
    """A formula at every action, shape (N, V), or at the chosen ones."""
    symbols = expr.free_symbols
    at = {v: column(settings)[where] for v, column in COLUMNS.items() if v in symbols}
    for m in (s for s in symbols if isinstance(s, Mean)):
        average = _dot(np.exp(settings.logp), _evaluate(m.integrand, settings, parameters))
        at[m] = np.broadcast_to(average, settings.policy.shape)[where]
    for v in (s for s in symbols if isinstance(s, At)):
        at[v] = np.broadcast_to(_evaluate(v.integrand, settings, parameters)[:, [v.action]], settings.policy.shape)[
            where
        ]
    with np.errstate(all="ignore"):
        value = np.asarray(NUMPY(expr, {**floats(parameters), **at}), dtype=np.float64)
    return np.broadcast_to(value, settings.policy[where].shape)
