"""Floats: correct rounding against balls, overflow and NaN against JAX; every true claim with a twin that fails."""

from fractions import Fraction

import flint
import jax
import numpy as np
import pytest
from sympy import Max, Min, Rational, S, exp, log, nan, oo
from sympy.codegen.cfunctions import expm1

from kltheory.calculus.estimators import as_loss, k1, k2, k3, straight_through
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import log_ratio as l
from kltheory.numerics import rounded
from kltheory.numerics.rounded import FORMATS
from kltheory.proving.engines import numerically
from kltheory.proving.floats import Computes, NegativeShare, OverflowsIff, evaluate, minus
from kltheory.proving.verdict import Status
from kltheory.proving.witnesses import find_witness

FROM_LEFT, BY_EXPM1 = minus(minus(exp(-l), 1), -l), minus(expm1(-l), -l)
CLAMPED = Surrogate(Min(Max(k3.expr, -10), 10))
HALF = (Rational(2, 5), Rational(1, 2))

PAIRS = {
    "signs": (NegativeShare(FROM_LEFT, -14, -1, *HALF), NegativeShare(BY_EXPM1, -14, -1, *HALF)),
    "never negative": (NegativeShare(BY_EXPM1, -14, 1, S(0), S(0)), NegativeShare(FROM_LEFT, -14, 1, S(0), S(0))),
    "one half is too much": (NegativeShare(FROM_LEFT, -14, 1, *HALF), NegativeShare(-FROM_LEFT, -14, 1, *HALF)),
    "float32": (OverflowsIff(exp(-l), -128 * log(2), "float32"), OverflowsIff(exp(-l), S(-89), "float32")),
    "one float further": (
        OverflowsIff(exp(-l), Rational(-88722835, 10**6), "float32"),
        OverflowsIff(exp(-l), Rational(-88722830, 10**6), "float32"),
    ),
    "bfloat16": (OverflowsIff(k3.expr, -128 * log(2), "bfloat16"), OverflowsIff(2 * k3.expr, S(-89), "bfloat16")),
    "float16": (OverflowsIff(exp(-l), -16 * log(2), "float16"), OverflowsIff(exp(-l), -128 * log(2), "float16")),
    "mirrored": (OverflowsIff(exp(-2 * l), -64 * log(2), "float32"), OverflowsIff(exp(2 * l), S(-60), "float32")),
    "clamp": (Computes(CLAMPED, S(-100), "float32", S(10), nan), Computes(CLAMPED, S(-100), "float32", S(10), S(0))),
    "no overflow": (
        Computes(CLAMPED, S(-50), "float32", S(10), S(0)),
        Computes(CLAMPED, S(-50), "float32", S(10), nan),
    ),
    "float16 clamp": (
        Computes(CLAMPED, S(-12), "float16", S(10), nan),
        Computes(CLAMPED, S(-12), "float32", S(10), nan),
    ),
    "infinite": (
        Computes(as_loss(k3), S(-100), "bfloat16", oo, -oo),
        Computes(as_loss(k3), S(-100), "bfloat16", -oo, -oo),
    ),
    "finite": (
        Computes(as_loss(k2), S(-100), "float32", S(5000), S(-100)),
        Computes(as_loss(k2), S(-100), "float32", S(5000), S(100)),
    ),
    "nan": (
        Computes(straight_through(k3, k2), oo, "float32", nan, oo),
        Computes(straight_through(k1, k2), S(3), "float32", nan, S(3)),
    ),
}
PAIRS["some roundings off"] = (
    Computes(as_loss(k3), -S.One / 4, "float16", exp(S.One / 4) - S(5) / 4, 1 - exp(S.One / 4)),
    Computes(as_loss(k3), -S.One / 4, "float16", exp(S.One / 4) - S(6) / 5, 1 - exp(S.One / 4)),
)
EACH = pytest.mark.parametrize("name", PAIRS)


@EACH
def test_the_model_tells_them_apart(name):
    true, false = PAIRS[name]
    assert type(true) is type(false)
    assert (true.decide(), false.decide()) == (True, False)


@EACH
def test_jax_tells_them_apart(name):
    true, false = PAIRS[name]
    assert {f.status for f in numerically(true)} == {Status.HOLDS}
    assert {f.status for f in numerically(false)} == {Status.FAILS}


DETAILS = {
    "never negative": "0.00% negative by JAX",
    "float32": "4097 of 8192 floats between -88.7541 and -88.6916 overflow",
    "clamp": "value 10, derivative nan by JAX",
    "finite": "value 5000, derivative -100 by JAX",
}


@pytest.mark.parametrize("name", DETAILS)
def test_jax_says_what_it_found(name):
    assert [(f.engine, f.detail) for f in numerically(PAIRS[name][0])] == [("points", DETAILS[name])]


def test_a_negative_k3_has_a_witness():
    found = find_witness(PAIRS["never negative"][1])
    x, value = np.float32(float(Fraction(found["l"]))), np.float32(found["left"]["mid"])
    assert np.float32(np.float32(np.exp(np.float64(-x))) - np.float32(1)) - -x == value < 0
    assert find_witness(PAIRS["never negative"][0]) is None


def test_a_rounded_difference_has_the_value_of_the_difference():
    assert minus(S(3), Rational(1, 3)).evalf() == Rational(8, 3).evalf()


# --- correct rounding -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("exponent", [-9, -14, -24, -40])
@pytest.mark.parametrize("name", ["exp", "expm1"])
def test_correct_rounding_is_the_nearest_float(name, exponent, side):
    """No float32 is nearer to the true value, by balls of 200 bits."""
    x = rounded.binade(exponent, side)[:: 2**23 // 97]
    with flint.ctx.workprec(200):
        for at, value in zip(x, getattr(rounded, name)(x), strict=True):
            true = getattr(flint.arb(float(at)), name)()
            gaps = [abs(true - float(v)) for v in (value, np.nextafter(value, -np.inf), np.nextafter(value, np.inf))]
            assert not gaps[0] > gaps[1]
            assert not gaps[0] > gaps[2]


def test_doubtful_numbers_are_enclosed(monkeypatch):
    x = rounded.binade(-9, 1)[:: 2**23 // 50].copy()
    plain = rounded.exp(x), rounded.expm1(x)
    monkeypatch.setattr(rounded, "ERROR", 1.0)  # everything is doubtful
    assert all(np.array_equal(a, b) for a, b in zip(plain, (rounded.exp(x), rounded.expm1(x)), strict=True))


def test_a_binade_is_every_float_of_it():
    x = rounded.binade(-14, -1)
    assert (len(x), x[0], x[-1]) == (
        2**23,
        np.float32(-(2.0**-14)),
        np.nextafter(np.float32(-(2.0**-13)), np.float32(0)),
    )
    assert np.array_equal(np.nextafter(x[:-1], np.float32(-1)), x[1:])


@pytest.mark.parametrize("name", ["exp", "expm1"])
def test_what_is_remembered_is_what_is_computed(name):
    """A run is remembered, what is one float shorter is not; a run with another float in it is another one."""
    function, run = getattr(rounded, name), rounded.binade(-14, -1)[: rounded.RUN]
    assert np.array_equal(function(run)[1:], function(run[1:]))
    other = run.copy()
    other[5] = np.float32(2.0**-9)
    assert function(other)[5] == function(other[5:6])[0] != function(run)[5]


@pytest.mark.parametrize("formula", [minus(minus(exp(l), 1), l), 2 * l + expm1(l), S(3)])
def test_formulas_are_evaluated_in_runs(formula):
    """At every float, also where the last run is shorter, and of a formula without l."""
    x, ends = rounded.binade(-14, 1)[7 : rounded.RUN + 10], (0, 1, rounded.RUN - 1, rounded.RUN, rounded.RUN + 2)
    values = evaluate(formula, x, rounded.exp, rounded.expm1)
    assert values.shape == x.shape
    assert [values[i] for i in ends] == [evaluate(formula, x[i : i + 1], rounded.exp, rounded.expm1)[0] for i in ends]


def test_the_polynomial_is_for_small_numbers_only():
    with pytest.raises(ValueError, match=r"only for 0 < \|x\| < 2\^-8"):
        rounded.exp(np.array([0.5], np.float32))


@pytest.mark.parametrize("name", FORMATS)
def test_formats(name):
    kind, info = FORMATS[name], jax.numpy.finfo(name)
    assert (kind.digits, kind.largest) == (info.nmant + 1, info.maxexp - 1)
    assert kind.overflow == Rational(*float(info.max).as_integer_ratio()) + Rational(2) ** (kind.largest - kind.digits)
    low, high = kind.neighbours(Fraction(-100, 3))
    assert low < Fraction(-100, 3) < high
    assert all(float(jax.numpy.asarray(float(v), dtype=name)) == float(v) for v in (low, high))


UNDECIDED = {
    "a clamp on its kink": Computes(Surrogate(Min(l, 1)), S(1), "float32", S(1), S(1)),
    "no rule for log": Computes(Surrogate(log(l)), S(2), "float32", log(2), S(1)),
    "too near the overflow": Computes(Surrogate(2**24 * l), Rational(2) ** 104, "float32", oo, S(1)),
    "no rounded meaning": NegativeShare(log(l), -14, 1, S(0), S(1)),
    "it does not fall with l": OverflowsIff(exp(-l) + 10 * l, -128 * log(2), "float32"),
}


@pytest.mark.parametrize("reason", UNDECIDED)
def test_what_cannot_be_decided_says_why(reason):
    with pytest.raises(Undecidable, match=reason):
        UNDECIDED[reason].decide()
