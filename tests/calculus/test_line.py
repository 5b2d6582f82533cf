"""Roots and signs on the whole line: tables, and agreement with 50 digits on random exponential polynomials."""

from fractions import Fraction
from itertools import pairwise

import mpmath
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import DIGITS, coefficients, points, value
from sympy import Abs, Add, E, Expr, Function, Rational, Symbol, cosh, exp, log, oo, sinh, sqrt, tanh

from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.line import limit, roots, sign_at, sign_between, signs
from kltheory.calculus.roots import Root, between, compare
from kltheory.calculus.symbols import log_ratio as l
from kltheory.calculus.symbols import log_weight as lw

u = exp(l)
k3 = exp(-l) - 1 + l

# What it shows: the formula, its roots and poles from left to right, its signs from left to right.
LINES: dict[str, tuple[Expr, list[float], list[int]]] = {
    "a constant": (Rational(-2, 3), [], [-1]),
    "zero": ((u + 1) ** 2 - exp(2 * l) - 2 * u - 1, [], [0]),
    "no roots": (exp(l) + exp(-l) + l**2, [], [1]),
    "no roots, bounded below": (exp(l) - l, [], [1]),
    "no roots, negative": (2 * l - exp(l) - exp(-l) - 3, [], [-1]),
    "linear": (2 * l - 3, [1.5], [-1, 1]),
    "one exponential": (u - 2, [0.6931471805599453], [-1, 1]),
    "never reached": (u + 2, [], [1]),
    "fractional exponent": (exp(l / 2) - 3, [2.1972245773362196], [-1, 1]),
    "quadratic in e^l": ((u - 2) * (u - 3), [0.6931471805599453, 1.0986122886681098], [1, -1, 1]),
    "golden ratio": (exp(2 * l) - u - 1, [0.48121182505960347], [-1, 1]),
    "algebraic": (l**2 - 2, [-1.4142135623730951, 1.4142135623730951], [1, -1, 1]),
    "k3 touches zero": (k3, [0], [1, 1]),
    "slope of k3": (1 - exp(-l), [0], [-1, 1]),
    "catalogue 108: clamp(k3, ., 10)": (k3 - 10, [-2.610868638149876, 10.999983298020258], [1, -1, 1]),
    "catalogue 109: clamp(k2, ., 10)": (l**2 / 2 - 10, [-4.47213595499958, 4.47213595499958], [1, -1, 1]),
    "catalogue 17: live w k2": (l + l**2 / 2, [-2, 0], [1, -1, 1]),
    "e^l against a chord": (u - 1 - 2 * l, [0, 1.2564312086261697], [1, -1, 1]),
    "e^l - 1": (u - 1, [0], [-1, 1]),
    "e^l - 1 - l": (u - 1 - l, [0], [1, 1]),
    "e^l to second order": (u - 1 - l - l**2 / 2, [0], [-1, 1]),
    "e^l to third order": (u - 1 - l - l**2 / 2 - l**3 / 6, [0], [1, 1]),
    "e^l to fourth order": (u - 1 - l - l**2 / 2 - l**3 / 6 - l**4 / 24, [0], [-1, 1]),
    "a hair below e^l": (u - 1 - l - Rational(1, 10**12), [-1.4142138957065069e-6, 1.4142132290398403e-6], [1, -1, 1]),
    "two roots closer than any float": (u - 1 - l - Rational(1, 10**50), [-1.4142e-25, 1.4142e-25], [1, -1, 1]),
    "two roots beside 1, closer than the enclosures": (u - E * l - Rational(1, 10**60), [1, 1], [1, -1, 1]),
    "double root at log 2": ((u - 2) ** 2 * (l + 5), [-5, 0.6931471805599453], [-1, 1, 1]),
    "triple root at log 2": ((u - 2) ** 3, [0.6931471805599453], [-1, 1]),
    "double root without a closed form": ((k3 - 1) ** 2, [-1.1461932206205825, 1.8414056604369606], [1, 1, 1]),
    "a pole": (1 / l, [0], [-1, 1]),
    "a double pole": (1 / (u - 1) ** 2, [0], [1, 1]),
    "a pole and a root": ((l - 1) / (u - 2), [0.6931471805599453, 1], [1, -1, 1]),
    "a removable pole": ((exp(2 * l) - 1) / (u - 1), [], [1]),
    "a pole that stays": (l / (u - 1), [0], [1, 1]),
    "tanh": (tanh(l) - Rational(1, 2), [0.5493061443340549], [-1, 1]),
    "cosh and sinh": (cosh(l) - 2 * sinh(l), [0.5493061443340549], [1, -1]),
    "large exponents": (exp(40 * l) - exp(39 * l) - 1, [0.068037908340354689], [-1, 1]),
    "a root far out": (u - 10**12 + l, [27.631021115900943], [-1, 1]),
    "a root far left": (exp(-l / 10) + l / 10 - 5, [-19.36847407220219, 49.93216188647903], [1, -1, 1]),
    "four thresholds": (
        u - l**3 - 1,
        [-0.825155469688556, 0, 1.5450072790732569, 4.5670368369459708],
        [1, -1, 1, -1, 1],
    ),
    "a constant e^20 beside l, as clamps leave it": (l + exp(20) - 11, [-485165184.4097903], [-1, 1]),
    "a constant e^20 as a factor": (l * exp(20) + 1 + 9 * exp(20), [-9.000000002061153], [-1, 1]),
    "e^l at e^3": (u - exp(3), [3], [-1, 1]),
    "a root at 2 that is only seen with e^2": (l * u - 2 * exp(2), [2], [-1, 1]),
    "roots of l and e^l that meet at 2": ((l - 2) * (u - exp(2)), [2], [1, 1]),
    "fractional powers of e": (exp(2 * l) - exp(Rational(1, 3)) * l - 1, [-0.38430940527413004, 0], [1, -1, 1]),
    "e beside everything": (l - u + 1 + E, [-3.6933944488969606, 1.6874620738749255], [-1, 1, -1]),
    "a clamp at 10000": (exp(-l) - 1 + l - 10000, [-9.211360987070071, 10001], [1, -1, 1]),
    "a rate without a short common denominator": (
        exp(Rational(123456789, 10**9) * l) - l,
        [1.1529710111276195, 26.564591671556602],
        [1, -1, 1],
    ),
    "two rates of eighteen digits": (exp(Rational(123456789012345678, 10**18) * l) / 2 + exp(l / 7), [], [1]),
    "2^l at a point that is tried": (2**l - Rational(1, 2), [-1], [-1, 1]),
    "l beside 2^l at a point that is tried": (l + 2**l - 3, [1], [-1, 1]),
    "the same at the first": (l + 2**l - 1, [0], [-1, 1]),
    "two rates that are roots, at 0": (exp(sqrt(2) * l) - exp(-sqrt(2) * l), [0], [-1, 1]),
    "a logarithm beyond what is tried": (log(l**2) - 20, [-22026.465794806718, 22026.465794806718], [1, -1, 1]),
    "e^l touches its tangent at 1": (u - E * l, [1], [1, 1]),
    "a factor touches the other one's root": ((l - 1) * (l * u - E), [1], [1, 1]),
    "an irrational threshold": (sqrt(2) * l - log(3), [0.7768361992120932], [-1, 1]),
    "e^l at an irrational": (u - sqrt(3), [0.5493061443340549], [-1, 1]),
    "softplus": (log(1 + u) - 1, [0.541324854612918], [-1, 1]),
    "softplus never reaches its asymptote": (l - log(1 + u), [], [-1]),
    "softplus against a line": (l - log(1 + u) + 1, [-0.541324854612918], [-1, 1]),
    "a root": (sqrt(1 + u) - 2, [1.0986122886681098], [-1, 1]),
    "two roots": (sqrt(1 + u) - sqrt(2 + l**2), [0], [-1, 1]),
    "an exponential of a square": (exp(l**2) - 2, [-0.8325546111576977, 0.8325546111576977], [1, -1, 1]),
    "an exponential of a square, at points that are tried": (exp(l**2) - E, [-1, 1], [1, -1, 1]),
    "an exponential of an exponential": (exp(u) - 3, [0.09404782761669901], [-1, 1]),
    "a logarithm that is infinite at 0": (
        l**2 * log(l**2) + l,
        [-1.4215299358831166, 0],
        [1, -1, 1],
    ),
    "a logarithm, squared": (log(1 + u) ** 2 - l - 2, [-1.9833786302011156, 1.7939806602849347], [1, -1, 1]),
    "a function of a logarithm, beside it": (
        exp(sqrt(2) * log(1 + u) ** 2) + log(1 + u) - 3,
        [0.12197749816086886],
        [-1, 1],
    ),
    "a logarithm as a factor": (l * log(1 + u) - log(2 + u), [1.1510335587896183], [-1, 1]),
    "a pole in an exponent": (exp(1 / l) - Rational(1, 2), [-1.4426950408889634, 0], [1, -1, 1]),
    "at which the sign alone changes": (exp(1 / l) - 1, [0], [-1, 1]),
    "a pole inside two exponents": (
        exp(-exp(1 / l)) - Rational(1, 2),
        [-2.7284167729011498, 0],
        [-1, 1, -1],
    ),
    "a pole in an exponent beside l": (exp(1 / l) - 3 + l**2, [-1.571845216200246, 0], [1, -1, 1]),
    "rates that are logarithms": (3**l + 2**l - 6, [1.193911477211586], [-1, 1]),
    "decaying": (l * exp(-l) - Rational(1, 3), [0.6190612867359452, 1.5121345516578424], [-1, 1, -1]),
}


@pytest.mark.parametrize("name", LINES)
def test_roots_and_signs(name):
    expr, where, expected = LINES[name]
    if is_zero(expr):
        assert signs(expr, l) == ((None, None, 0),)
        return
    rows = signs(expr, l)
    assert [float(r) for r in roots(expr, l)] == pytest.approx(where, rel=1e-13, abs=1e-16)
    assert [s for _, _, s in rows] == expected
    assert [(a and float(a), b and float(b)) for a, b, _ in rows] == [
        (a and float(a), b and float(b)) for a, b in pairwise([None, *roots(expr, l), None])
    ]


def _floats(expr: Expr) -> list[float]:
    return [float(r) for r in roots(expr, l)]


@pytest.mark.parametrize("name", LINES)
def test_mirrored_and_stretched(name):
    """t -> -t mirrors the table, t -> 2t halves it, and -f flips its signs."""
    expr, where, expected = LINES[name]
    assert _floats(expr.xreplace({l: -l})) == pytest.approx([-x for x in reversed(where)], rel=1e-13, abs=1e-16)
    assert [s for *_, s in signs(expr.xreplace({l: -l}), l)] == expected[::-1]
    assert _floats(expr.xreplace({l: 2 * l})) == pytest.approx([x / 2 for x in where], rel=1e-13, abs=1e-16)
    assert [s for *_, s in signs(-expr, l)] == [-s for s in expected]


@pytest.mark.parametrize("name", [n for n, (_, where, _) in LINES.items() if where and "pole" not in n])
def test_a_twin_moved_by_a_constant_has_other_roots(name):
    expr, where, _ = LINES[name]
    assert _floats(expr + 17) != pytest.approx(where, rel=1e-14, abs=1e-14)


EXACT: dict[str, tuple[Expr, list[Expr]]] = {
    "zero": (k3 * (u + 1), [Rational(0)]),
    "rational": (2 * l - 3, [Rational(3, 2)]),
    "rational, only seen with its exponential": (u + l - exp(-Rational(2, 5)) + Rational(2, 5), [-Rational(2, 5)]),
    "another one": (u + l - exp(Rational(18, 7)) - Rational(18, 7), [Rational(18, 7)]),
    "logarithm": (3 * exp(l / 2) - 2, [2 * log(Rational(2, 3))]),
    "two logarithms": (2 * exp(2 * l) - 5 * u + 2, [-log(2), log(2)]),
    "irrational": (exp(2 * l) - 2, [None]),
    "transcendental": (u + l, [None]),
}


@pytest.mark.parametrize("name", EXACT)
def test_roots_are_exact_where_they_have_a_short_form(name):
    expr, expected = EXACT[name]
    for root, exact in zip(roots(expr, l), expected, strict=True):
        assert (root.exact is None) == (exact is None)
        if exact is None:
            assert root.lo < root.hi
            assert float(root) == pytest.approx(float(root.lo)) == float(root.hi)
            assert root.expr.is_Float
        else:
            assert is_zero(root.expr - exact)
            assert not is_zero(root.expr - exact - 1)


@pytest.mark.parametrize(
    "expr",
    [Symbol("a", real=True) * l + 1, u - lw, Abs(l) - 1, Function("h")(l) - 1],
)
def test_what_is_no_elementary_function_is_refused(expr):
    with pytest.raises(Undecidable, match=r"is no elementary function of l alone"):
        signs(expr, l)


def test_more_derivatives_than_are_tried_are_refused():
    with pytest.raises(Undecidable, match="take more derivatives than are tried"):
        signs(sum(log(k + u) ** k * l**k for k in range(2, 9)) - 1, l)


def test_the_variable_can_be_any():
    assert [float(r) for r in roots(exp(lw) - 2, lw)] == pytest.approx([0.6931471805599453])
    with pytest.raises(Undecidable, match="is no elementary function of l alone"):
        roots(exp(lw) - lw, l)


# --- laws -----------------------------------------------------------------------------------------------------------
def _refined(root: Root, bits: int = 200) -> mpmath.mpf:
    """The root, to 50 digits and more."""
    with mpmath.workdps(DIGITS + 10):
        if root.exact is not None:
            return value(root.exact, {}) if root.exact.has(log) else mpmath.mpf(root.exact.p) / root.exact.q
        while root.hi - root.lo > Fraction(1, 2**bits):
            root.refine()
        return mpmath.mpf(root.lo.numerator) / root.lo.denominator


def _size(e: Expr, at: dict) -> mpmath.mpf:
    """What rounding is relative to: the terms by magnitude."""
    return 1 + sum(abs(value(term, at)) for term in Add.make_args(e.expand()))


def _sign(x: mpmath.mpf) -> int:
    return int(mpmath.sign(x))


def _row(rows, x):
    """The sign ``signs`` gives at x, by bisection over its rows."""
    return next(s for a, b, s in rows if (a is None or float(a) < x) and (b is None or x < float(b)))


@settings(deadline=None, max_examples=30)
@given(e=coefficients(l), at=st.lists(points(l, bound=6), min_size=8, max_size=8))
def test_signs_agree_with_fifty_digits_at_random_points(e, at):
    rows = signs(e, l)
    for p in at:
        v = value(e, p)
        if abs(v) > 1e-40:
            assert _sign(v) == _row(rows, p[l])
        else:
            assert v == 0
            assert rows == [(None, None, 0)]


@settings(deadline=None, max_examples=30)
@given(e=coefficients(l))
def test_signs_agree_with_fifty_digits_between_roots(e):
    assume(not is_zero(e))
    for a, b, s in signs(e, l):
        x = between(a, b)
        assert a is None or float(a) < x
        assert b is None or x < float(b)
        assert _sign(value(e, {l: Rational(x)})) == s


@settings(deadline=None, max_examples=30)
@given(e=coefficients(l, size=3), factor=coefficients(l, size=2, degree=1), power=st.sampled_from([-2, -1, 1, 2, 3]))
def test_every_root_is_a_sign_change_or_exactly_a_zero_or_a_pole(e, factor, power):
    assume(not is_zero(factor))
    product = e * factor**power
    for (_, root, left), (_, _, right) in pairwise(signs(product, l)):
        at = {l: _refined(root)}
        sizes = (abs(value(e, at)) / _size(e, at), abs(value(factor, at)) / _size(factor, at))
        assert min(sizes) < 1e-38
        assert left != 0 != right


@settings(deadline=None, max_examples=20)
@given(e=coefficients(l, size=5))
def test_no_sign_change_on_a_fine_grid_is_missed(e):
    assume(not is_zero(e))
    grid = [_sign(value(e, {l: Rational(2 * k + 1, 40)})) for k in range(-240, 240)]
    changes = sum(a != b for a, b in pairwise(grid))
    rows = signs(e, l)
    within = [(a, s) for a, _, s in rows if a is not None and abs(float(a)) < 11.9]
    assert changes <= len(within)
    assert grid[0] == _row(rows, -Rational(479, 40))
    assert grid[-1] == _row(rows, Rational(479, 40))


def test_the_grid_law_would_catch_a_missed_root():
    e = (u - 2) * (u - 3)
    grid = [_sign(value(e, {l: Rational(2 * k + 1, 40)})) for k in range(-240, 240)]
    assert sum(a != b for a, b in pairwise(grid)) == 2 > len(roots(u - 2, l))


# --- signs at a root of something else ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("expr", "at", "expected"),
    [
        (l, k3 - 10, [-1, 1]),
        (1 - exp(-l), k3 - 10, [-1, 1]),
        (k3 - 10, k3 - 10, [0, 0]),
        ((k3 - 10) * (l + 5), k3 - 10, [0, 0]),
        ((k3 - 10) ** 2 - 1, k3 - 10, [-1, -1]),
        ((k3 - 10) * l + 1, k3 - 10, [1, 1]),
        ((l - 5) ** 2 * (l + 3), k3 - 10, [1, 1]),
        ((l - 5) ** 3 * (l + 3), k3 - 10, [-1, 1]),
        ((l + 3) / (l - 5) ** 2, k3 - 10, [1, 1]),
        (u - 1 - l, l, [0]),
        (u - 1 - l - Rational(1, 10**30), l, [-1]),
        (exp(2 * l) - 4, u - 2, [0]),
        (exp(2 * l) - 4 + l - log(2) * 0, u - 2, [1]),
        (exp(l / 2) - Rational(14142136, 10**7), u - 2, [-1]),
        (exp(l / 2) - Rational(14142135, 10**7), u - 2, [1]),
        (u - 2, exp(l / 3) - 2, [1]),
        (u - 8, exp(l / 3) - 2, [0]),
        (l**2 - 2, exp(2 * l) - 2, [-1]),
    ],
)
def test_sign_at(expr, at, expected):
    assert [sign_at(expr, l, r) for r in roots(at, l)] == expected


@settings(deadline=None, max_examples=30)
@given(e=coefficients(l, size=3), f=coefficients(l, size=3))
def test_sign_at_agrees_with_fifty_digits(e, f):
    assume(not is_zero(e) and not is_zero(f))
    for root in roots(e, l):
        v = value(f, {l: _refined(root)})
        assert sign_at(f, l, root) == (_sign(v) if abs(v) > 1e-35 else 0)
        assert sign_at(e * (l**2 + l + 1), l, root) == 0


# --- the order of roots ---------------------------------------------------------------------------------------------
EQUAL: dict[str, tuple[Expr, Expr]] = {
    "log 4 = 2 log 2": (u - 4, exp(l / 2) - 2),
    "-log 2 = log 1/2": (2 * u - 1, exp(-l) - 2),
    "the same factor": (k3 - 10, (k3 - 10) * (l + 5)),
    "the same factor, squared": (k3 - 10, (k3 - 10) ** 2),
    "the same factor, in a quotient": (k3 - 10, (u - 7) / (k3 - 10)),
    "rearranged": (k3 - 10, 1 + (l - 11) * u),
    "zero of many kinds": (l, u - 1 - l - l**2 / 2),
    "a rational": (3 * l - 1, (6 * l - 2) * (u + l)),
    "a logarithm, on a curve that does not show it": (u - 2, l * u - 2 * log(2)),
    "an algebraic number": (l**2 - 2, (l**2 - 2) * (u - 1)),
}


@pytest.mark.parametrize("name", EQUAL)
def test_roots_of_different_formulas_can_be_equal(name):
    first, second = EQUAL[name]
    mine = roots(first, l)
    for r in mine:
        assert sum(compare(r, q) == 0 for q in roots(second, l)) == 1
        assert r in roots(second, l)
    shifted = roots(first + Rational(1, 10**12), l)
    assert all(compare(r, q) != 0 for r in mine for q in shifted)


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [
        (u - 2, 10 * l - 7),
        (10**6 * l - 693147, u - 2),
        (u - 2, u - 2 - Rational(1, 10**15)),
        (k3 * u - 10 * u + l * 0, 10 * l - 110),
        (exp(2 * l) - 2, 5 * l - 2),
        (l + u, l),
        (u + l, u + l - Rational(1, 10**50)),
        (u - 1 - l - Rational(1, 10**60), u - 1 - l - Rational(1, 10**50)),
    ],
)
def test_compare(smaller, larger):
    a, b = roots(smaller, l)[-1], roots(larger, l)[-1]
    assert compare(a, b) == -1
    assert compare(b, a) == 1
    assert a < b
    assert not b < a
    assert a != b


@settings(deadline=None, max_examples=20)
@given(e=coefficients(l, size=3), f=coefficients(l, size=3))
def test_compare_is_the_order_of_the_reals(e, f):
    assume(not is_zero(e) and not is_zero(f))
    found = [*roots(e, l), *roots(f, l)]
    for a in found:
        for b in found:
            gap = _refined(a) - _refined(b)
            assert compare(a, b) == (0 if abs(gap) < 1e-45 else _sign(gap))


def test_a_sign_between_two_roots_is_that_of_no_other_interval():
    first, second = roots(k3 - 10, l)
    assert sign_between(k3 - 10, l, first, second) == -1
    assert sign_between(k3 - 10, l, second, None) == 1
    assert sign_between(l, l, None, first) == -1


@pytest.mark.parametrize(
    ("expr", "left", "right"),
    [
        (l, -oo, oo),
        (k3, oo, oo),
        (1 - exp(-l), -oo, 1),
        (tanh(l / 1) * exp(2 * l) / exp(2 * l), -1, 1),
        ((2 * u + 3) / (5 * u + 7), Rational(3, 7), Rational(2, 5)),
        (u * l**3, 0, oo),
        (l**3 / (2 * l**3 + u), Rational(1, 2), 0),
        (-(l**2), -oo, -oo),
        (l**2 / (1 - l), oo, -oo),
        ((u + 1) ** 2 - exp(2 * l) - 2 * u, 1, 1),
        (l - l * (u + 2) / (u + 2), 0, 0),
    ],
)
def test_limits(expr, left, right):
    assert (limit(expr, l, -1), limit(expr, l, 1)) == (left, right)
    assert (limit(expr.xreplace({l: -l}), l, -1), limit(expr.xreplace({l: -l}), l, 1)) == (right, left)
