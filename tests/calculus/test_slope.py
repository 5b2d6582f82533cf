"""How a coefficient moves: pieces, jumps and poles; f is convex iff it never falls."""

from itertools import pairwise

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import DIGITS, clamp, formulas, value, where
from sympy import Abs, Expr, Max, Min, Rational, S, Symbol, exp, log, sign, sqrt

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.slope import Move, slope_of
from kltheory.calculus.symbols import log_ratio as l
from kltheory.calculus.symbols import log_weight as lw

u, w = exp(l), exp(lw)
k3 = exp(-l) - 1 + l

# A formula, and its moves from left to right: 1 up, -1 down, None infinite, with the place.
MOVES: dict[str, tuple[Expr, list[tuple[int | None, str]]]] = {
    "constant": (S(3), []),
    "k1": (l, [(1, "everywhere")]),
    "falling": (exp(-l), [(-1, "everywhere")]),
    "k3": (k3, [(-1, "where l < 0"), (1, "where 0 < l")]),
    "k2 with a live weight": (l + l**2 / 2, [(-1, "where l < -1"), (1, "where -1 < l")]),
    "a clamp": (clamp(l, -1, 2), [(1, "where -1 < l < 2")]),
    "a step up": (sign(l), [(1, "at l = 0")]),
    "a step down": (-sign(l - 1), [(-1, "at l = 1")]),
    "a step in w": (where(w > 2, S.One, S.Zero), [(1, "at log w = log(2)")]),
    "a kink is no jump": (Abs(l), [(-1, "where l < 0"), (1, "where 0 < l")]),
    "a jump beside a slope": (where(l > 1, l - 5, l), [(1, "where l < 1"), (-1, "at l = 1"), (1, "where 1 < l")]),
    "a pole that falls": (1 / l, [(None, "at l = 0"), (-1, "where l < 0"), (-1, "where 0 < l")]),
    "a pole that rises on both sides": (-1 / l, [(None, "at l = 0"), (1, "where l < 0"), (1, "where 0 < l")]),
    "a double pole": (1 / l**2, [(None, "at l = 0"), (1, "where l < 0"), (-1, "where 0 < l")]),
    "a pole at log 2": (1 / (2 - u), [(None, "at l = log(2)"), (1, "where l < log(2)"), (1, "where log(2) < l")]),
    "a pole without a short form": (
        -1 / (u - 3 + l),
        [(None, "at l = 0.79206"), (1, "where l < 0.79206"), (1, "where 0.79206 < l")],
    ),
    "a removable pole": ((exp(2 * l) - 1) / (u - 1), [(1, "everywhere")]),
    "a pole that stays removable": (l / (u - 1), [(-1, "where l < 0"), (-1, "where 0 < l")]),
    "a logarithm that is infinite": (log(l**2), [(None, "at l = 0"), (-1, "where l < 0"), (1, "where 0 < l")]),
    "a pole outside of its piece": (where(l > 1, 1 / l, l), [(1, "where l < 1"), (-1, "where 1 < l")]),
    "a jump that is none": (where(l > 0, log(Max(l, Rational(1, 9)) * 9), S.Zero), [(1, "where 1/9 < l")]),
    "down to minus infinity": (where(l > 0, log(l), S.Zero), [(-1, "at l = 0"), (1, "where 0 < l")]),
    "up from minus infinity": (where(l < 0, log(-l), S.One), [(-1, "where l < 0"), (1, "at l = 0")]),
    "up to infinity": (where(l > 0, -log(l), S.Zero), [(1, "at l = 0"), (-1, "where 0 < l")]),
    "a root with an edge": (where(l > 0, sqrt(l), S.Zero), [(1, "where 0 < l")]),
    "by the weight": (Min(w, 2), [(1, "where w < 2")]),
}


@pytest.mark.parametrize("name", MOVES)
def test_moves(name):
    expr, expected = MOVES[name]
    assert [(m.direction, m.where) for m in Coefficient.of(expr).moves] == expected


@pytest.mark.parametrize("name", MOVES)
def test_a_mirrored_function_moves_the_other_way(name):
    expr, _ = MOVES[name]
    slope, mirrored = Coefficient.of(expr).slope(), Coefficient.of(-expr).slope()
    assert mirrored == (None if slope is None else -slope)


# A formula, and whether it never falls.
CONVEX = {
    "k1": (l, True),
    "a constant": (S(2), True),
    "TV": (sign(l), True),
    "two steps up": (sign(l) + sign(l - 1), True),
    "a step up and one down": (sign(l) - sign(l - 1), False),
    "a pole": (-1 / l, False),
    "a pole from both sides": (-1 / l**2, False),
    "falls at one point only": (where(l > 3, u - 10**6, u), False),
    "a flat piece": (clamp(l, 0, 1), True),
    "flat, then down": (Min(0, -l), False),
}


@pytest.mark.parametrize("name", CONVEX)
def test_never_falls(name):
    expr, expected = CONVEX[name]
    assert Coefficient.of(expr).is_nondecreasing() is expected


@pytest.mark.parametrize(
    ("directions", "expected"), [((), 0), ((1,), 1), ((1, 1), 1), ((-1,), -1), ((1, -1), None), ((1, None), None)]
)
def test_slope_of(directions, expected):
    assert slope_of([Move(d, "") for d in directions]) == expected


def test_a_sign_that_depends_on_parameters_is_not_decided():
    with pytest.raises(Undecidable, match="depends on parameters"):
        Coefficient.of(Symbol("lam", real=True) * l).slope()


def test_a_limit_that_depends_on_parameters_is_not_decided():
    p = Symbol("p", positive=True)
    with pytest.raises(Undecidable, match="the limit of"):
        Coefficient.of(Abs(l) ** (2 * p) * p / l).slope()


def test_two_variables_have_no_slope():
    with pytest.raises(Undecidable, match="depends on l, log_w"):
        Coefficient.of(l + lw).slope()


@settings(deadline=None, max_examples=40)
@given(expr=formulas(l, leaves=4), places=st.lists(st.integers(-40, 40), min_size=6, max_size=6, unique=True))
def test_what_never_falls_does_not_at_random_points(expr, places):
    try:
        slope = Coefficient.of(expr).slope()
    except Undecidable:
        return
    values = [value(expr, {l: Rational(2 * k + 1, 16)}) for k in sorted(places)]
    with mpmath.workdps(DIGITS):
        steps = [int(mpmath.sign(b - a)) * (abs(b - a) > 1e-30) for a, b in pairwise(values)]
    assert not (slope in (0, 1) and -1 in steps)
    assert not (slope in (0, -1) and 1 in steps)
