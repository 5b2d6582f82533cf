"""Gaussians, lengths, equations and rounding errors: true rows, their wrong twins, and what cannot be decided."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Function, Rational, S, Symbol, cos, exp, log, sign, sqrt
from sympy.codegen.cfunctions import expm1

from kltheory.calculus.exact import Undecidable
from kltheory.calculus.gaussian import Gaussian, expectation, x
from kltheory.calculus.symbols import log_ratio as l
from kltheory.numerics.bridge import NUMPY
from kltheory.proving.continuous import FiniteIff, GaussianMean, GeometricFiniteIff, GeometricSum
from kltheory.proving.engines import numerically
from kltheory.proving.equations import Forces
from kltheory.proving.instances import instances
from kltheory.proving.precision import AccurateIn
from kltheory.proving.verdict import Status
from kltheory.proving.witnesses import find_witness

m, s, t = (Symbol(name, positive=True) for name in "mst")
a, b = Symbol("a", positive=True), Symbol("b", positive=True)
n = Symbol("n", integer=True, nonnegative=True)
c, d, k = (Symbol(name, real=True) for name in "cdk")
h = Function("h")(l)
SLOPE = 1 - exp(-l)

ROWS = [
    # true, its twin
    (GaussianMean(x**2, m**2 + s**2, m, s**2), GaussianMean(x**2, m**2, m, s**2)),
    (GaussianMean(x**4, 3 * s**4, S.Zero, s**2), GaussianMean(x**4, 2 * s**4, S.Zero, s**2)),
    (GaussianMean(exp(m * x), exp(m**2 / 2), S.Zero, S.One), GaussianMean(exp(m * x), exp(m**2), S.Zero, S.One)),
    (
        GaussianMean(x * exp(-(x**2) / 2 + x), exp(Rational(1, 4)) / (2 * sqrt(2)), S.Zero, S.One),
        GaussianMean(x * exp(-(x**2) / 2 + x), exp(Rational(1, 4)) / 2, S.Zero, S.One),
    ),
    (FiniteIff(exp(x**2 / (2 * t**2)), t**2 - s**2, m, s**2), FiniteIff(exp(x**2 / (2 * t**2)), s**2 - t**2, m, s**2)),
    (FiniteIff(x**6 * exp(3 * x), S.One, m, s**2), FiniteIff(x**6 * exp(3 * x), -S.One, m, s**2)),
    (GeometricSum((1 - a) * a**n, S.One, n), GeometricSum((1 - a) * a**n, 1 - a, n)),
    (
        GeometricSum(a**n + a ** (2 * n), 1 / (1 - a) + 1 / (1 - a**2), n),
        GeometricSum(a**n + a ** (2 * n), 1 / (1 - a), n),
    ),
    (GeometricFiniteIff(b ** (2 * n) / a**n, a - b**2, n), GeometricFiniteIff(b ** (2 * n) / a**n, a - b, n)),
    (GeometricFiniteIff((n + 2) ** 4 * a**n, 1 - a, n), GeometricFiniteIff((n + 2) ** 4 * a**n, a - 1, n)),
    (GeometricFiniteIff(n**2 * b ** (2 * n) / a**n, a - b**2, n), GeometricFiniteIff(n**2 * b**n / a**n, a - b**2, n)),
    (Forces(h.diff(l) - k, k * l + c, (c,)), Forces(h.diff(l) - k, 2 * k * l + c, (c,))),
    (Forces(h.diff(l) - h, c * exp(l), (c,)), Forces(h.diff(l) - h, c * exp(l), ())),
    (Forces(h.diff(l, 2) - h, c * exp(l) + k * exp(-l), (c, k)), Forces(h.diff(l, 2) - h, c * exp(l), (c,))),
    (
        AccurateIn(-expm1(-l), SLOPE, "float32", -14, Rational(1, 10**6)),
        AccurateIn(SLOPE, SLOPE, "float32", -14, Rational(1, 10**6)),
    ),
    (
        AccurateIn(SLOPE, SLOPE, "float64", -14, Rational(1, 10**10)),
        AccurateIn(exp(-l) - 1, SLOPE, "float64", -14, Rational(1, 10**10)),
    ),
    (Forces(h.diff(l) - k, k * l + c + d, (c, d)), Forces(h.diff(l) - k, k * l + c - c, (c, d))),
    (GeometricSum((-S(1) / 2) ** n, Rational(2, 3), n), GeometricSum(S(2) ** n, -S.One, n)),
    (GeometricFiniteIff((-S(1) / 2) ** n, S.One, n), GeometricFiniteIff((-S(2)) ** n, S.One, n)),
    (GeometricFiniteIff(n * (-a) ** n, 1 - a, n), GeometricFiniteIff(n * (-a) ** n, a - 1, n)),
]
IDS = [f"{i}-{type(true).__name__}" for i, (true, _) in enumerate(ROWS)]


def seen(claim):
    return [f.status for f in numerically(instances(claim)[0])]


@pytest.mark.parametrize(("true", "twin"), ROWS, ids=IDS)
def test_the_calculus_and_the_numbers_tell_them_apart(true, twin):
    assert true.decide()
    assert not twin.decide()
    assert set(seen(true)) == {Status.HOLDS}
    assert Status.FAILS in seen(twin)
    assert str(true)
    assert str(true) != str(twin)


def test_an_overflow_is_an_infinite_error():
    claim = AccurateIn(exp(l), exp(l), "float16", 4, Rational(1, 100))
    assert claim.worst()[1:] == (inf, inf)
    assert not claim.decide()
    assert replace(claim, exponent=2).decide()


def test_the_witness_of_an_error_is_above_the_bound():
    true, twin = next((true, twin) for true, twin in ROWS if isinstance(true, AccurateIn))
    assert find_witness(true) is None
    assert find_witness(twin)["text"].endswith("the relative error in float32 is 0.000933115, above 1e-06")


def test_a_density_integrates_to_one_but_for_its_constant():
    grid = np.linspace(-20, 20, 4001)
    density = np.exp(NUMPY(Gaussian(Rational(1, 2), Rational(1, 3)).log_density(), {x: grid}))
    assert abs(density.sum() * (grid[1] - grid[0]) - np.sqrt(2 * np.pi)) < 1e-12


def test_tails_say_which_conditions_they_met():
    details = [f.detail for f in numerically(next(true for true, _ in ROWS if isinstance(true, FiniteIff)))]
    assert details == ["0 settings where the tails say otherwise; conditions met: [False, True]"]


TEXTS = [  # of rows above, by their number
    (0, "E[x**2] = m**2 + s**2 for x ~ N(m, s**2)"),
    (4, "E[exp(x**2/(2*t**2))] < ∞ iff -s**2 + t**2 > 0, for x ~ N(m, s**2)"),
    (6, "Σ_n a**n*(1 - a) = 1"),
    (8, "Σ_n b**(2*n)/a**n < ∞ iff a - b**2 > 0"),
    (11, "-k + Derivative(h(l), l) = 0 for every l iff h(l) = c + k*l, any c"),
    (14, "-expm1(-l) in float32 is 1 - exp(-l) within a factor 1 ± 1/1000000 where 2^-14 ≤ |l| < 2^-13"),
]


@pytest.mark.parametrize(("number", "text"), TEXTS)
def test_claims_in_words(number, text):
    assert str(ROWS[number][0]) == text


UNDECIDED = [
    (GaussianMean(exp(x**2 / 2), S.One, S.Zero, S.One), "does not exist"),
    (GaussianMean(cos(x), S.One, m, s**2), "is no polynomial"),
    (GaussianMean(exp(x**3), S.One, m, s**2), "no quadratic"),
    (GaussianMean(exp(x**2), S.One, S.Zero, S.One), "does not exist"),
    (GaussianMean(x * log(x), S.One, m, s**2), "no polynomial times"),
    (GeometricSum(a ** (n**2), S.One, n), "no geometric sequence"),
    (GeometricFiniteIff(a**n + b**n, 1 - a, n), "several terms"),
    (GeometricFiniteIff(a**n / (n + 1), 1 - a, n), "no polynomial in n"),
    (GeometricFiniteIff(a ** (n**2), 1 - a, n), "no polynomial in n"),
    (Forces(h**2 - k, k, ()), "not linear"),
    (Forces(h.subs(l, -l) - k, k, ()), "another argument"),
    (Forces(l * h.diff(l) - k, k, ()), "constant coefficients"),
    (Forces(h.diff(l) - k, k * l + c**2, (c,)), "not linear in its constants"),
    (Forces(h.diff(l) - c, c * l + c, (c,)), "occur in the equation"),
    (Forces(k * h.diff(l), c, (c,)), "may be zero"),
    (Forces(h.diff(l) + 1 / l**2, 1 / l + c, (c,)), "may have no value, or a corner"),
    (Forces(h.diff(l) - sign(l), abs(l) + c, (c,)), "may have no value, or a corner"),
    (Forces(h - sqrt(l), sqrt(l), ()), "may have no value, or a corner"),
    (Forces(h.diff(l) - k, k * l + a, (a,)), "the constant a is not any real number"),
    (GeometricFiniteIff(k**n, 1 - k, n), "the sign of k is not known"),
]


@pytest.mark.parametrize(("claim", "words"), UNDECIDED, ids=[f"{i}-{w}" for i, (_, w) in enumerate(UNDECIDED)])
def test_what_is_not_decided_says_why(claim, words):
    with pytest.raises(Undecidable, match=words):
        claim.decide()


def test_an_equation_without_the_function_forces_nothing():
    assert not Forces(k, k, ()).decide()


SMALL = st.integers(-3, 3).map(lambda i: Rational(i, 2))


@settings(deadline=None, max_examples=30)
@given(p=st.lists(SMALL, min_size=1, max_size=4), linear=SMALL, square=st.integers(-3, 1), mean=SMALL)
def test_expectations_are_what_quadrature_gives(p, linear, square, mean):
    integrand = sum((q * x**i for i, q in enumerate(p)), S.Zero) * exp(linear * x + Rational(square, 4) * x**2)
    exact = float(expectation(integrand, Gaussian(mean, S.One)).value)
    grid = np.linspace(-60, 60, 60_001)
    density = np.exp(-((grid - float(mean)) ** 2) / 2) / np.sqrt(2 * np.pi)
    with np.errstate(over="ignore", invalid="ignore"):
        terms = density * NUMPY(integrand, {x: grid})
    assert abs(np.nansum(terms) * (grid[1] - grid[0]) - exact) <= 1e-9 * max(1.0, abs(exact))
