"""The bridges: one example per head, read by every engine and compared with SymPy's own evaluation."""

import numpy as np
import pytest
from sympy import (
    Abs,
    Add,
    And,
    E,
    Function,
    Heaviside,
    Max,
    Min,
    Mul,
    Not,
    Or,
    Piecewise,
    Pow,
    Rational,
    S,
    Symbol,
    asin,
    cosh,
    exp,
    false,
    log,
    pi,
    sign,
    sinh,
    sqrt,
    tan,
    tanh,
    true,
    zoo,
)  # fmt: skip
from sympy.codegen.cfunctions import expm1
from sympy.core.relational import Ge, Gt, Le, Lt
from sympy.functions.elementary.piecewise import ExprCondPair
from sympy.logic.boolalg import BooleanFalse, BooleanTrue

from kltheory.calculus import cells, enclosure
from kltheory.calculus.symbols import sg
from kltheory.numerics.autodiff import scope
from kltheory.numerics.balls import BALLS, Ambiguous, enclose, number, precision
from kltheory.numerics.bridge import NUMPY, NotNumeric, jax_bridge
from kltheory.numerics.dual import derivatives, moved, power

x, y = Symbol("x", real=True), Symbol("y", real=True)
POINTS = ({x: Rational(7, 5), y: Rational(-3, 4)}, {x: Rational(1, 3), y: Rational(5, 2)})


def choose(condition):
    return Piecewise((x * y, condition), (x - y, True))


EXAMPLES = {
    Add: x + y + 3,
    Mul: 2 * x * y / 7,
    Pow: x**2 / y + sqrt(x) + (x + 3) ** y + x ** Rational(5, 3) + y**-3,
    exp: exp(x - y / 2),
    log: log(x + y**2),
    asin: asin(x / 9),
    expm1: expm1(x - y / 2),
    sinh: sinh(x),
    cosh: cosh(y),
    tanh: tanh(x * y),
    Abs: Abs(y) + Abs(x),
    sign: sign(y) * x,
    Heaviside: Heaviside(y) * x + Heaviside(x),
    Min: Min(x, y, 2),
    Max: Max(x, y, -1),
    sg: sg(x * y),
    Gt: choose(x > y),
    Lt: choose(x < y),
    Ge: choose(x >= y),
    Le: choose(x <= y),
    And: choose(And(x > 0, y > 0)),
    Or: choose(Or(x > 1, y > 3)),
    Not: choose(Not(And(x > 0, y > 0), evaluate=False)),
    Piecewise: Piecewise((x, x > 1), (y, y > 5), (x * y, True)),
    ExprCondPair: choose(x > 1),
    BooleanTrue: choose(x > 1),
    BooleanFalse: choose(And(x > 1, false, evaluate=False)),
}
CONSTANTS = (pi * x, E * x, sqrt(2) * x + log(3), exp(Rational(1, 3)) * x, Rational(1, 3) * x, 0 * x + 5)


def exact(expr, at):
    return float(expr.replace(sg, lambda a: a).subs(at).doit().evalf(30))


def test_every_bridge_has_the_same_heads_and_every_head_an_example():
    with scope():
        assert NUMPY.heads.keys() == jax_bridge().heads.keys() == BALLS.heads.keys() == EXAMPLES.keys()


def test_the_bridges_cover_what_the_calculus_knows():
    assert {*cells.HEADS, *enclosure.HEADS} <= NUMPY.heads.keys()


@pytest.mark.parametrize("expr", [*EXAMPLES.values(), *CONSTANTS], ids=str)
def test_all_engines_read_an_expression_alike(expr):
    expected = np.array([exact(expr, at) for at in POINTS])
    at = {s: np.array([float(p[s]) for p in POINTS]) for s in (x, y)}
    np.testing.assert_allclose(np.broadcast_to(NUMPY(expr, at), 2), expected, rtol=1e-15, atol=1e-15)
    with scope():
        value = jax_bridge()(expr, {s: jax().numpy.asarray(v) for s, v in at.items()})
        np.testing.assert_allclose(np.broadcast_to(value, 2), expected, rtol=1e-15, atol=1e-15)
    with precision(128):
        for p, number in zip(POINTS, expected, strict=True):
            ball = enclose(expr, p)
            assert float(ball.rad()) < 1e-30
            assert float(ball.mid()) == pytest.approx(number, rel=1e-15)


@pytest.mark.parametrize("expr", [e for head, e in EXAMPLES.items() if head is not sg], ids=str)
def test_jax_differentiates_each_head_as_sympy_does(expr):
    with scope():
        for at in POINTS:
            derivative = jax().grad(lambda v, at=at: jax_bridge()(expr, {x: v, y: float(at[y])}) + 0 * v)(float(at[x]))
            step = {x: at[x] + Rational(1, 10**12), y: at[y]}, {x: at[x] - Rational(1, 10**12), y: at[y]}
            slope = [expr.subs(s).doit().evalf(40) for s in step]
            assert float(derivative) == pytest.approx(float((slope[0] - slope[1]) * 10**12 / 2), rel=1e-14, abs=1e-14)


@pytest.mark.parametrize("expr", [e for head, e in EXAMPLES.items() if head is not sg], ids=str)
def test_duals_of_balls_differentiate_each_head_as_sympy_does(expr):
    """Value, slope, and the slope's slope, each around what finite differences of 40 digits give."""
    with precision(128):
        for at in POINTS:
            found = BALLS(expr, {x: moved(number(at[x]), ("x",), 2), y: number(at[y])})
            h = Rational(1, 10**10)
            low, mid, high = (expr.subs({x: at[x] + k * h, y: at[y]}).doit().evalf(40) for k in (-1, 0, 1))
            expected = (mid, (high - low) / (2 * h), (high - 2 * mid + low) / h**2)
            for ball, number_ in zip(derivatives(found, "x", 2).values(), expected, strict=True):
                assert float(ball.rad()) < 1e-25
                assert float(ball) == pytest.approx(float(number_), rel=1e-12, abs=1e-12)


def test_sg_drops_the_first_slope_and_keeps_the_second():
    with precision(64):
        moving = moved(number(3), ("x",), 2)
        once, twice = (derivatives(x, "x", 2) for x in (BALLS(sg(x), {x: moving}), BALLS(x * sg(x), {x: moving})))
        assert [float(v) for v in once.values()] == [3, 0, 0]
        assert [float(v) for v in twice.values()] == [9, 3, 1]
        assert float(derivatives(BALLS(sg(x), {x: moving}).value, "x", 1)[1]) == 1


def test_natural_powers_of_a_ball_around_zero_have_a_value():
    with precision(64):
        around = number(Rational(1, 3)) * 3 - 1
        around = (around - around) * 1
        assert around.contains(0)
        assert not (around**2).is_finite(), "Arb's own"
        for base in (around, moved(around, ("x",), 1)):
            assert all(power(base, n).is_finite() for n in (1, 2, 3))
        assert not power(around, -1).is_finite()


def test_sg_has_a_value_and_no_derivative_in_jax():
    with scope():
        value, derivative = jax().value_and_grad(lambda v: jax_bridge()(x * sg(x), {x: v}))(3.0)
    assert (float(value), float(derivative)) == (9.0, 3.0)


@pytest.mark.parametrize(
    ("expr", "reason"),
    [
        (Function("h")(x), r"h\(x\) stands for any function"),
        (Function("h")(x).diff(x), "stands for any function"),
        (Symbol("beta") * x, "no value is given for beta"),
        (tan(x), r"tan in tan\(x\) has no numeric meaning here"),
        (x + zoo, "zoo is not a real number"),
        (x * sqrt(S(-2)), "I in .* has no numeric meaning here|not a real number"),
    ],
    ids=str,
)
def test_what_has_no_number_says_why(expr, reason):
    for bridge in (NUMPY, jax_bridge()):
        with pytest.raises(NotNumeric, match=reason):
            bridge(expr, {x: 1.5})


def test_balls_refuse_what_has_no_number_too():
    with precision(64), pytest.raises(NotNumeric, match="no value is given for beta"):
        enclose(Symbol("beta") * x, {x: Rational(3, 2)})


@pytest.mark.parametrize("expr", [sign(x), Heaviside(x), choose(x > 0), 1 / x, log(x), sqrt(x - 1)], ids=str)
def test_balls_do_not_guess(expr):
    with precision(64), pytest.raises(Ambiguous):
        enclose(expr, {x: Rational(0), y: Rational(1)})


def test_a_condition_that_is_always_true_is_read():
    assert NUMPY(Piecewise((x, true), (y, True), evaluate=False), {x: 2.0, y: 3.0}) == 2.0


def jax():
    import jax

    return jax
