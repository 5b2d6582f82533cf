"""Settings drawn from a claim: actions on both sides of each threshold, pole and change of sign in its formulas.

The standard settings keep within a dozen nats of the reference. What happens at l = 1000, or where w passes 1e9, is
seen by nobody who does not go there; here the formulas say where.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Final

import mpmath
import numpy as np
from sympy import Abs, Add, Expr, Heaviside, Max, Min, Number, Piecewise, Pow, Symbol, log, preorder_traversal, sign
from sympy.core.relational import Relational

from kltheory.calculus.symbols import advantage, erase_sg, log_ratio, log_weight, logp, to_quotients
from kltheory.numerics.bridge import NUMPY, NotNumeric, Parameters, floats
from kltheory.numerics.rational import RationalSetting
from kltheory.numerics.settings import Array, Settings

MOVING: Final = (log_ratio, log_weight, logp)
ROWS: Final = 48
"""Settings drawn for a claim; always as many, so that nothing is compiled anew."""
MOST: Final = 6
"""Points of one variable that are taken, those of guards first."""
SIDES: Final = (1e-3, 0.25)
"""How far to the left and to the right of a point its actions are, in nats."""
LINE: Final = np.sinh(np.linspace(-8.5, 8.5, 601))
"""Where guards are evaluated to find their changes of sign: to 2400 nats."""

Points = tuple[tuple[Symbol, float], ...]
"""A variable and where something happens along it."""


def critical_points(formulas: Iterable[Expr], parameters: Parameters) -> Points:
    """Where guards, arguments of logarithms and denominators change their sign, and the numbers in the formulas."""
    places = [_places(e) for e in formulas]
    guards = list(dict.fromkeys(g for found, _ in places for g in found))
    numbers = sorted(set[float]().union(*(found for _, found in places)), reverse=True)
    found: list[tuple[Symbol, float]] = []
    for v in MOVING:
        at = [x for g in guards if v in g.free_symbols for x in _changes(g, v, tuple(floats(parameters).items()))]
        at += [s * x for c in numbers for x in (c, np.log(c)) for s in (1, -1)] if v != logp else []
        reached = [float(x) for x in dict.fromkeys(at) if abs(x) < LINE[-1] and (v != logp or x < 0)]
        found += [(v, x) for x in reached[:MOST]]
    return tuple(found)


@lru_cache(maxsize=1024)
def _places(formula: Expr) -> tuple[list[Expr], set[float]]:
    """The guards of a formula that move, and the sizes of its numbers; mutants share a side, which is read once."""
    expr = to_quotients(erase_sg(formula))
    sizes = {abs(float(c)) for c in expr.atoms(Number) if c.is_finite and c != 0}
    return [g for g in _guards(expr) if g.free_symbols & set(MOVING)], sizes


def _guards(expr: Expr) -> Iterator[Expr]:
    for node in preorder_traversal(expr):
        if isinstance(node, Abs | sign | Heaviside | log):
            yield node.args[0]
        elif isinstance(node, Min | Max):
            yield from (node.args[0] - other for other in node.args[1:])
        elif isinstance(node, Piecewise):
            yield from (r.lhs - r.rhs for r in node.atoms(Relational))
        elif isinstance(node, Pow) and node.exp.is_negative and isinstance(node.base, Add):
            yield node.base


@lru_cache(maxsize=1024)
def _changes(guard: Expr, v: Symbol, parameters: tuple[tuple[Symbol, float], ...]) -> list[float]:
    """Where a guard changes its sign along one variable, the others near 0 and the probability small."""
    others = {log_ratio: 0.3, log_weight: -0.2, logp: -4.0, advantage: 0.7, **dict(parameters)}
    if guard.free_symbols - others.keys():
        return []

    def value(x: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.sign(np.broadcast_to(np.asarray(NUMPY(guard, {**others, v: x}), dtype=float), x.shape))

    try:
        signs = value(LINE)
        (places,) = np.nonzero(signs[1:] * signs[:-1] < 0)
        low, high = LINE[places], LINE[places + 1]
        for _ in range(60):
            middle = (low + high) / 2
            left = value(middle) == value(low)
            low, high = np.where(left, middle, low), np.where(left, high, middle)
    except NotNumeric:
        return []
    on_the_line = LINE[1:-1][(signs[1:-1] == 0) & (signs[:-2] * signs[2:] != 0)]
    return [float(x) for x in (*on_the_line, *(low + high) / 2)]


@lru_cache(maxsize=256)
def drawn_settings(points: Points) -> Settings:
    """Four actions, the first two on both sides of a point, the others where the rest of the probability lies."""
    rows = [row for point in points or ((log_ratio, 0.0),) for side in SIDES for row in _rows(*point, side)]
    policy, reference, old = (np.array([rows[i % len(rows)][k] for i in range(ROWS)]) for k in range(3))
    advantages = np.random.default_rng(2510).normal(0.2, 1.3, policy.shape)
    return Settings(policy, reference, old, advantages, ("drawn",) * ROWS, extreme=True)


def _rows(v: Symbol, x: float, side: float) -> Iterator[tuple[Array, Array, Array]]:
    """Log-probabilities of policy, reference and old policy."""
    ratio, weight = np.array([0.3, -0.4]), np.array([-0.2, 0.5])
    if v == logp:  # two actions cannot both be likely
        for likely in (x - side, min(x + side, -1e-9)):
            policy = np.array([likely, np.log(-np.expm1(likely)) - 3])
            yield _filled(policy, policy - np.array([0.0, 0.3]), policy + np.array([-0.1, 0.2]))
        return
    wanted = np.array([x - side, x + side])
    ratio, weight = (wanted, weight) if v == log_ratio else (ratio, wanted)
    policy = np.array([-2.1, -2.4]) + np.minimum(np.minimum(ratio, weight), 0)
    yield _filled(policy, policy - ratio, policy - weight)


def _filled(*first: Array) -> tuple[Array, Array, Array]:
    """With two more actions that take the probability that is left."""
    rest = ([0.6, 0.4], [0.3, 0.7], [0.5, 0.5])
    left = (np.log1p(-np.exp(row).sum()) + np.log(r) for row, r in zip(first, rest, strict=True))
    policy, reference, old = (np.concatenate(pair) for pair in zip(first, left, strict=True))
    return policy, reference, old


@lru_cache(maxsize=256)
def drawn_rationals(points: Points) -> tuple[RationalSetting, ...]:
    """The same in exact numbers of few digits, for witnesses; where the rows differ at all."""
    s = drawn_settings(points)
    columns = ([_exact(row[:3]) for row in table] for table in (s.logp, s.logp_ref, s.logp_old))
    advantages = ([Fraction(f"{a:.2g}") for a in row[:4]] for row in s.advantage)
    return tuple(dict.fromkeys(RationalSetting(*row) for row in zip(*columns, map(tuple, advantages), strict=True)))


def _exact(first: Array) -> tuple[Fraction, ...]:
    """Probabilities to six digits, the last one what is left."""
    with mpmath.workdps(30):
        shown = [Fraction(mpmath.nstr(mpmath.exp(float(x)), 6, min_fixed=1, max_fixed=1)) for x in first]
    return (*shown, 1 - sum(shown, Fraction(0)))
