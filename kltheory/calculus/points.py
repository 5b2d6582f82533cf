"""Points of a region: rational ones, checked exactly."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from random import Random
from typing import Final

from sympy import Expr, Rational, Symbol, lambdify

from kltheory.calculus.enclosure import CannotEnclose, sign_of
from kltheory.calculus.ranges import UNKNOWN
from kltheory.calculus.reach import Bounds, Part, clip
from kltheory.calculus.roots import Root, between, compare
from kltheory.calculus.symbols import VARIABLES, log_ratio, log_weight, logp

Point = dict[Symbol, Rational]

TRIES: Final = 60
"""Random points that are tried, and then as many lines through random points."""


def sample(part: Part) -> Point | None:
    """A rational point of the part at which all three policies are probabilities, if one is found."""
    if any(g.has(*UNKNOWN) for g in part.conditions):
        return None
    symbols = {*VARIABLES[1:], *part.box, *(s for g in part.conditions for s in g.free_symbols)} - {logp}
    choices = {v: _choices(v, part.bounds(v)) for v in sorted(symbols, key=str)}
    random = Random(0)
    drawn = [{v: random.choice(c) for v, c in choices.items()} for _ in range(TRIES)]
    for at in drawn:
        at[logp] = _low(at, part.bounds(logp))
        if holds(part, at):
            return at
    guarded = sorted({s for g in part.conditions for s in g.free_symbols}, key=str)
    lines = (found for at in drawn for v in guarded for found in _on_line(part, at, v))
    return next((at for at in lines if holds(part, at)), None) if guarded else None


def _on_line(part: Part, at: Point, free: Symbol) -> Iterator[Point]:
    """Points at which the guards seem to have their signs, on the line through a point along one variable.

    A guard with two signs at neighbours of a grid has a zero between them; points are taken between all of these.
    """
    fixed = {v: x for v, x in at.items() if v != free}
    guards = [(lambdify(free, g.xreplace(fixed), "math"), s) for g, s in part.conditions.items()]
    grid = sorted(_choices(free, part.bounds(free)))
    zeros = [
        Rational(z) for f, _ in guards for pair in pairwise(grid) if (z := _zero(f, *map(float, pair))) is not None
    ]
    marks = sorted({*grid, *zeros})
    for x in (*marks, *(Rational(between(Root(None, a), Root(None, b))) for a, b in pairwise(marks))):
        if all(_sign_near(f, float(x)) == s for f, s in guards):
            found = {**fixed, free: x}
            yield found if free == logp else {**found, logp: min(found[logp], _low(found, part.bounds(logp)))}


def _zero(f: Callable[[float], float], lo: float, hi: float) -> float | None:
    """A float next to a zero of f between two floats at which it has two signs."""
    at_lo, at_hi = _sign_near(f, lo), _sign_near(f, hi)
    if at_lo * at_hi >= 0:
        return None
    while lo < (x := (lo + hi) / 2) < hi:
        lo, hi = (x, hi) if _sign_near(f, x) == at_lo else (lo, x)
    return lo


def _sign_near(f: Callable[[float], float], x: float) -> int:
    """The sign of a value in floats, 0 where there is none."""
    try:
        value = f(x)
    except (ArithmeticError, ValueError):
        return 0
    return (value > 0) - (value < 0)


def _low(at: Point, bounds: Bounds) -> Rational:
    """A log-probability below what the other two leave of it."""
    edge = Root(None, min(Rational(0), at[log_ratio], at[log_weight]))
    return Rational(between(*(clip(bounds, (None, edge)) or bounds)))


def holds(part: Part, at: Point) -> bool:
    """Whether a point is one of the part, and its three probabilities are below one."""
    within = at[logp] < min(Rational(0), at[log_ratio], at[log_weight])
    boxed = all(_is_between(at[v], *part.bounds(v)) for v in part.box)
    return within and boxed and all(_sign(g, at) == s for g, s in part.conditions.items())


def _is_between(x: Rational, lo: Root | None, hi: Root | None) -> bool:
    here = Root(None, x)
    return (lo is None or compare(lo, here) < 0) and (hi is None or compare(here, hi) < 0)


def _sign(guard: Expr, at: Point) -> int | None:
    try:
        return sign_of(guard, at)
    except CannotEnclose:
        return None


def _choices(v: Symbol, bounds: Bounds) -> list[Rational]:
    lo, hi = bounds
    steps = [*range(25), *(8 * k for k in (5, 8, 12, 20, 40))]
    grid = [Rational(s * k, 8) for k in steps for s in ((1,) if v.is_positive else (-1, 1)) if k or not v.is_positive]
    inner = [q for q in grid if (lo is None or float(lo) < q) and (hi is None or q < float(hi))]
    return [*inner, Rational(between(lo, hi))] if lo or hi else inner
