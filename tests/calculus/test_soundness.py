"""Expressions that once got a wrong answer, or none: branches of roots, hidden generators, poles, idle cuts."""

import contextlib

import mpmath
import pytest
from sympy import (
    Abs,
    E,
    Float,
    Function,
    Max,
    Min,
    Rational,
    S,
    Symbol,
    cos,
    cosh,
    exp,
    expand,
    log,
    nan,
    oo,
    sign,
    sin,
    sinh,
    sqrt,
    tanh,
    zoo,
)

from kltheory.calculus.cells import split
from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import cressie_read
from kltheory.calculus.estimators import Estimator, as_loss
from kltheory.calculus.exact import Undecidable, is_constant, is_zero, normal_form
from kltheory.calculus.identify import identify
from kltheory.calculus.line import roots, sign_at
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import log_ratio as l
from kltheory.calculus.symbols import log_weight as lw
from kltheory.calculus.symbols import logp

u = exp(l)
lam = Symbol("lam", real=True)
h = Function("h")
R = sqrt(1 + u)


def decided(e):
    try:
        return is_zero(e)
    except Undecidable:
        return "undecidable"


# --- wrong yes ---
@pytest.mark.parametrize(
    "e",
    [
        sqrt(l**2 - 2 * l + 1) - (l - 1),
        sqrt(exp(2 * l) - 2 * u + 1) - (u - 1),
    ],
)
def test_wrong_yes(e):
    assert decided(e) is not True


# --- wrong no (a yes, or undecidable, is fine) ---
@pytest.mark.parametrize(
    "e",
    [
        exp(0.5 * l) - exp(l / 2),
        exp(0.1 * l) * exp(0.2 * l) - exp(Rational(3, 10) * l),
        exp(l) ** Float("0.5") - exp(l / 2),
        12**lam - 2 ** (2 * lam) * 3**lam,
        exp((l + lam) * log(6)) - exp((l + lam) * (log(2) + log(3))),
        exp(l / (1 + sqrt(2))) - exp(l * (sqrt(2) - 1)),
        exp(l * sqrt(3 + 2 * sqrt(2))) - exp(l * (1 + sqrt(2))),
        exp(l * cosh(1)) - exp(l * (E + 1 / E) / 2),
        exp(l * sin(1) ** 2 + l * cos(1) ** 2) - u,
        exp(l * sin(lw) ** 2 + l * cos(lw) ** 2) - u,
        sqrt(1 + u + sin(lw) ** 2 + cos(lw) ** 2) - sqrt(2 + u),
        sqrt(expand((1 - u) * (2 - u))) - sqrt(1 - u) * sqrt(2 - u),
        sqrt(1 + R) * sqrt(R - 1) - exp(l / 2),
        sqrt(u + 2 + 2 * R) - 1 - R,
        log(1 + R) + log(R - 1) - l,
        h(l * (l + 1)) - h(l**2 + l),
    ],
)
def test_wrong_no(e):
    assert decided(e) is not False


# --- a division by zero, or an infinite number, is refused ---
@pytest.mark.parametrize("e", [1 / ((1 + R) * (R - 1) - u) - 1, zoo, oo, nan, zoo * l])
def test_not_a_number(e):
    with pytest.raises(Undecidable):
        normal_form(e)
    with pytest.raises(Undecidable):
        is_constant(e)
    with pytest.raises(Undecidable):
        is_zero(e)


@pytest.mark.parametrize("bad", [0, -1])
def test_cressie_read_refuses_its_poles(bad):
    with pytest.raises(ValueError, match="is the limit"):
        cressie_read(S(bad))


# --- undecided, though easy ---
@pytest.mark.parametrize(
    "e",
    [
        tanh(l / 2) - (u - 1) / (u + 1),
        sinh(l / 2) + cosh(l / 2) - exp(l / 2),
        E * exp(l / 2) - exp(l / 2 + 1),
    ],
)
def test_yes(e):
    assert decided(e) is True


def test_tanh_half_is_named_or_printed():
    assert identify(Coefficient.of(2 * tanh(l / 2))).is_divergence


def test_decimal_exponents():
    found = identify(as_loss(Estimator("m", l + 2 * exp(-0.5 * l))).coefficient(Sampler.POLICY))
    assert found.name == "squared_hellinger"
    assert Coefficient.of(exp(0.5 * l)).equals(Coefficient.of(exp(l / 2)))


# --- signs of generators ---
@pytest.mark.parametrize("g", [log(1 - exp(logp)), h(l)])
def test_a_generator_is_not_positive(g):
    try:
        cells = split(Abs(g))
    except Undecidable:
        return
    assert any((e + g).expand() == 0 for _, e in cells)


# --- sampling a region ---
def test_a_sample_never_raises_cannot_enclose():
    with contextlib.suppress(Undecidable):
        assert not Coefficient.of(Abs(h(l) - lam)).is_zero()


def test_a_far_region_is_not_empty():
    assert not Coefficient.of(Max(l - exp(lw) - 3, 0)).is_constant()


# --- equal roots over different denominators ---
@pytest.mark.parametrize("f", [exp(2 * l) - 2, exp(2 * l) + l - 2])
def test_roots_over_different_denominators(f):
    (r,) = roots(f, l)
    assert sign_at(exp(l / 2) * f, l, r) == 0
    assert Coefficient.of(exp(l / 2) * Max(f, 0)).slope() in (1, None)


def test_near_double_root():
    with mpmath.workdps(60):
        c = mpmath.findroot(lambda t: mpmath.exp(t) - t - 2, 1.1)
        v = mpmath.exp(c) - c**2 / 2 - 2 * c
        for k in (14, 18, 25, 40):
            near = Rational(int(mpmath.floor(v * mpmath.mpf(10) ** k)), 10**k)
            assert len(roots(exp(l) - l**2 / 2 - 2 * l - near, l)) in (1, 3)


def test_a_root_far_from_the_last_critical_point():
    assert len(roots(exp(-l) - 10**30 - l, l)) == 1


# --- cuts that cut nothing ---
def test_cuts_that_cut_nothing():
    nothing = Max(l, 0) + Min(l, 0) - l + Max(lw, 0) + Min(lw, 0) - lw
    assert not Coefficient.of(nothing).depends_on(l)
    assert Coefficient.of(l + Max(lw, 0) + Min(lw, 0) - lw).slope() == 1
    assert identify(Coefficient.of(l + nothing)).name == "reverse_kl"
    assert identify(Coefficient.of(sign(l) + Max(l, 1) + Min(l, 1) - l)).name == "2*total_variation"


def test_slope_with_a_constant_scale():
    c = Symbol("c", positive=True)
    assert Coefficient.of(c * sign(l)).slope() == 1
    assert Coefficient.of(sqrt(2) * sign(l)).slope() == 1
    assert Coefficient.of(sqrt(2) * Max(l, 0)).slope() == 1
