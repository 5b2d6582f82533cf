"""Divergences and their names: every one is recognised from its coefficient, at any scale, and nothing else is."""

import mpmath
import pytest
from hypothesis import given, settings
from strategies import clamp, coefficients, holds, value
from sympy import Abs, Expr, Max, Piecewise, Rational, S, Symbol, exp, log, sqrt

from kltheory.calculus.cells import split
from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import (
    DIVERGENCES,
    Divergence,
    Objective,
    cressie_read,
    forward_kl,
    jensen_shannon,
    neyman_chi2,
    pearson_chi2,
    reverse_kl,
    squared_hellinger,
    total_variation,
    u,
)
from kltheory.calculus.estimators import Estimator, as_loss, in_reward, k1, k2, k3, k_abs, power, w
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.identify import Identification, identify
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import advantage as A
from kltheory.calculus.symbols import log_ratio as l
from kltheory.calculus.symbols import log_weight as lw
from kltheory.calculus.symbols import logp, sg

POLICY, OLD = Sampler
ALL = (*DIVERGENCES, *(d.from_old() for d in DIVERGENCES))
SMOOTH = [d for d in DIVERGENCES if d is not total_variation]
lam = Symbol("lam", positive=True)
c = Symbol("c", positive=True)
LAMBDAS = [S(2), S(10), S(-3), *(Rational(p, q) for p, q in [(1, 3), (3, 2), (-7, 5)]), lam]
by_name = pytest.mark.parametrize("d", ALL, ids=lambda d: d.name)


# --- the divergences themselves -------------------------------------------------------------------------------------
@by_name
def test_generators_are_convex_and_vanish_at_one(d: Divergence):
    assert is_zero(d.f.subs(u, 1))
    assert d.coefficient.slope() == 1
    assert (-d.coefficient).slope() == -1


@by_name
def test_generator_and_sum_have_the_same_coefficient(d: Divergence):
    assert d.objective.coefficient().equals(d.coefficient)
    assert not d.objective.coefficient().equals(2 * d.coefficient)


def test_coefficients_tell_all_divergences_apart():
    for i, d in enumerate(ALL):
        for j, e in enumerate(ALL):
            assert d.coefficient.equals(e.coefficient) == (i == j)
    assert not reverse_kl.coefficient.equals(forward_kl.coefficient)


# Written by hand from the textbook definition, term of the sum by term: π, ref, old -> value.
DIRECT = {
    "reverse_kl": lambda p, q: p * log(p / q),
    "forward_kl": lambda p, q: q * log(q / p),
    "jeffreys": lambda p, q: (p - q) * log(p / q),
    "total_variation": lambda p, q: Abs(p - q) / 2,
    "pearson_chi2": lambda p, q: p**2 / q - 2 * p + q,
    "neyman_chi2": lambda p, q: q**2 / p - 2 * q + p,
    "squared_hellinger": lambda p, q: (sqrt(p) - sqrt(q)) ** 2,
    "jensen_shannon": lambda p, q: p * log(2 * p / (p + q)) / 2 + q * log(2 * q / (p + q)) / 2,
}


@pytest.mark.parametrize("d", DIVERGENCES, ids=lambda d: d.name)
def test_values_are_those_of_the_definition(d: Divergence):
    p, q = Rational(3, 10), Rational(1, 7)
    expected = value(DIRECT[d.name](p, q), {})
    at = {logp: value(log(p), {}), l: value(log(p / q), {}), lw: value(log(p / q), {})}
    for same in (d, d.from_old()):
        assert abs(value(same.objective.summand, at) - expected) < 1e-15
        assert abs(value(same.objective.summand, at | {l: at[l] / 2, lw: at[lw] / 2}) - expected) > 1e-3


def test_from_old_moves_the_base():
    assert reverse_kl.from_old().name == "kl_policy_old"
    assert forward_kl.from_old().name == "kl_old_policy"
    assert forward_kl.from_old().title == "KL(π_old‖π)"
    for d in DIVERGENCES:
        assert d.from_old().coefficient.sole_variable == lw
        assert d.coefficient.sole_variable == l
        assert d.from_old().coefficient.equals(d.coefficient.map(lambda e: e.xreplace({l: lw}))) or d is total_variation


def test_the_cressie_read_family_holds_the_named_ones():
    for lam_value, d, scale in [
        (1, pearson_chi2, Rational(1, 2)),
        (-2, neyman_chi2, Rational(1, 2)),
        (-Rational(1, 2), squared_hellinger, 2),
    ]:
        assert cressie_read(S(lam_value)).coefficient.equals(scale * d.coefficient)
        assert not cressie_read(S(lam_value) + 3).coefficient.equals(scale * d.coefficient)
    assert cressie_read(lam).coefficient.slope() == 1


def _gaps(f: Expr, expected: Coefficient) -> set[int]:
    """f'(u) − C(log u) to 25 digits, at points of every cell: one value when f integrates C modulo a constant."""
    points = [Rational(k, 13) for k in range(-281, 281, 23)]
    cells = [next(e for r, e in expected.cells if holds(r, {l: x})) for x in points]
    slope = f.diff(u)
    with mpmath.workdps(40):
        return {
            int(mpmath.nint(10**25 * (value(slope, {u: value(exp(x), {})}) - value(e, {l: x, lw: S.Zero}))))
            for x, e in zip(points, cells, strict=True)
        }


# --- names ----------------------------------------------------------------------------------------------------------
def _explains(found: Identification, expected: Coefficient) -> None:
    """f integrates C, the objective's gradient is C, and the named combination is C: modulo constants."""
    if found.f is not None and found.f.has(Piecewise):
        assert len(_gaps(found.f, expected)) == 1
        assert len(_gaps(found.f, expected * 2)) > 1
    elif found.f is not None:
        base = expected.sole_variable
        slope = Coefficient(tuple(split(found.f.diff(u).xreplace({u: exp(base)}))))
        assert slope.equals(expected)
        assert slope.equals(expected * 2) == expected.is_constant()
    if found.f is not None:
        assert is_zero(found.f.doit().xreplace({u: S.One}))
    if found.objective is not None:
        assert found.objective.coefficient().equals(expected)
        assert not found.objective.coefficient().equals(expected * 2)
    if found.terms is not None:
        total = sum((a * d.coefficient for a, d in found.terms), Coefficient.of(0))
        assert total.equals(expected)


@by_name
def test_identify_returns_the_divergence(d: Divergence):
    found = identify(d.coefficient)
    assert found.terms == ((1, d),)
    assert (found.name, found.title) == (d.name, d.title)
    assert found.is_divergence
    assert found.slope == 1
    assert found.f == d.f or is_zero(found.f - d.f)
    _explains(found, d.coefficient)


@by_name
def test_identify_returns_it_from_the_sum(d: Divergence):
    found = identify(d.objective.coefficient())
    assert found.name == d.name
    _explains(found, d.coefficient)


@pytest.mark.parametrize("scale", [-Rational(3, 7), c, sqrt(2)], ids=str)
@pytest.mark.parametrize("d", [*DIVERGENCES, forward_kl.from_old(), total_variation.from_old()], ids=lambda d: d.name)
def test_identify_up_to_scale(d: Divergence, scale: Expr):
    found = identify(d.coefficient * scale + Coefficient.of(c + 3))
    ((found_scale, found_divergence),) = found.terms
    assert found_divergence == d
    assert is_zero(found_scale - scale)
    if not d.name.startswith("total_variation") or scale.is_Rational:
        assert found.is_divergence == (scale != -Rational(3, 7))
    assert found.name == (f"{scale}*{d.name}" if scale != sqrt(2) else f"(sqrt(2))*{d.name}")


@pytest.mark.parametrize("lam_value", LAMBDAS, ids=str)
def test_identify_the_power_family(lam_value):
    """Catalogue 16: h_λ as loss descends CR_λ."""
    for coefficient in (cressie_read(lam_value).coefficient, as_loss(power(lam_value)).coefficient(POLICY)):
        found = identify(coefficient)
        assert found.name == f"cressie_read[{lam_value}]"
        assert found.is_divergence
        _explains(found, coefficient)
    assert identify(cressie_read(lam_value).coefficient * 3).name == f"3*cressie_read[{lam_value}]"


def test_identify_off_policy_powers():
    found = identify(Coefficient.of(exp(3 * lw) / 3))
    assert found.terms == ((1, cressie_read(S(3)).from_old()),)


COMBINATIONS: dict[str, tuple[Coefficient, str, bool]] = {
    "difference": (reverse_kl.coefficient - forward_kl.coefficient, "reverse_kl - forward_kl", False),
    "sum": (reverse_kl.coefficient + 2 * forward_kl.coefficient, "reverse_kl + 2*forward_kl", True),
    "jeffreys": (reverse_kl.coefficient + forward_kl.coefficient, "jeffreys", True),
    "with a power": (Coefficient.of(l + exp(3 * l)), "reverse_kl + 3*cressie_read[3]", True),
    "regularised": (Coefficient.of(l / 10 + c * exp(-l)), "1/10*reverse_kl - c*forward_kl", None),
    "two references": (reverse_kl.coefficient - forward_kl.from_old().coefficient, "reverse_kl - kl_old_policy", False),
    "catalogue 75": (Coefficient.of(l - lw), "reverse_kl - kl_policy_old", False),
}


def test_poles_are_asked_for_where_there_is_one_quotient():
    assert [move.where for move in identify(Coefficient.of(1 / l)).poles] == ["at l = 0"]
    assert identify(Coefficient.of(1 / l + lw)).poles == ()


@pytest.mark.parametrize("name", COMBINATIONS)
def test_combinations(name):
    coefficient, expected, convex = COMBINATIONS[name]
    found = identify(coefficient)
    signed = {f"{'-' if a.could_extract_minus_sign() else '+'}{abs(a)}{d.name}" for a, d in found.terms}
    wanted = {f"{'-' if a.could_extract_minus_sign() else '+'}{abs(a)}{d.name}" for a, d in _parse(expected)}
    assert signed == wanted
    assert found.is_divergence is convex
    _explains(found, coefficient)
    _not_explained_by_a_twin(found, coefficient)


def _parse(text: str) -> list[tuple[Expr, Divergence]]:
    """``a*name - b*name`` back to terms."""
    named = {d.name: d for d in ALL} | {"cressie_read[3]": cressie_read(S(3))}
    words = text.replace(" - ", " + -").split(" + ")
    out = []
    for word in words:
        scale, _, name = word.rpartition("*")
        name = name if scale else word
        sign = -1 if name.startswith("-") or scale.startswith("-") else 1
        number = scale.lstrip("-")
        out.append((sign * (c if number == "c" else Rational(number or 1)), named[name.lstrip("-")]))
    return out


def _not_explained_by_a_twin(found: Identification, coefficient: Coefficient) -> None:
    total = sum((a * d.coefficient for a, d in found.terms[1:]), Coefficient.of(0))
    assert not total.equals(coefficient)


# Coefficients of losses in use, that belong to no divergence (catalogue 17, 19, 66, 108, 109).
NO_DIVERGENCE: dict[str, tuple[Coefficient, Expr | None]] = {
    "k2 in reward": (in_reward(k2).coefficient(POLICY), u * log(u) ** 2 / 2 - u * log(u) + u - 1),
    "|l| in reward": (in_reward(k_abs).coefficient(POLICY), None),
    "live w k2": (as_loss(k2, w).coefficient(OLD), u * log(u) ** 2 / 2),
    "live w |l|": (as_loss(k_abs, w).coefficient(OLD), None),
    "k3 in reward": (in_reward(k3).coefficient(POLICY), u * log(u) + log(u)),
    "clamped k3": (as_loss(Estimator("k", clamp(k3.expr, -10, 10))).coefficient(POLICY), None),
    "clamped k2": (as_loss(Estimator("k", clamp(k2.expr, -10, 10))).coefficient(POLICY), None),
    "clamped k1": (as_loss(Estimator("k", clamp(k1.expr, -10, 10))).coefficient(POLICY), None),
    "minus the reverse KL": (-reverse_kl.coefficient, -u * log(u)),
    "k1, no weight, off-policy": (as_loss(k1).coefficient(OLD), log(u)),
    "a rational one": (Coefficient.of(exp(l) / (1 + exp(2 * l))), log((1 + u**2) / 2) / 2),
}


@pytest.mark.parametrize("name", NO_DIVERGENCE)
def test_no_divergence(name):
    coefficient, f = NO_DIVERGENCE[name]
    found = identify(coefficient)
    assert found.is_divergence is False
    assert found.slope in (None, -1)
    if f is not None:
        assert is_zero(found.f - f)
        assert not is_zero(found.f - 2 * f)
    _explains(found, coefficient)


# Unnamed, and still convex: said so, and f printed.
UNNAMED: dict[str, Coefficient] = {
    "cubic": Coefficient.of(l**3),
    "sigmoid": Coefficient.of(exp(l) / (1 + exp(l))),
    "hinge": Coefficient.of(Max(l, 0)),
    "clamped coefficient": Coefficient.of(clamp(l, -2, 2)),
    "JS + RKL": reverse_kl.coefficient + jensen_shannon.coefficient,
    "TV + RKL": reverse_kl.coefficient + total_variation.coefficient,
}


@pytest.mark.parametrize("name", UNNAMED)
def test_unnamed_divergences(name):
    found = identify(UNNAMED[name])
    assert found.name == "none"
    assert found.title == "no named divergence"
    assert found.is_divergence
    _explains(found, UNNAMED[name])


def test_zero():
    losses = (as_loss(k1).coefficient(POLICY), as_loss(k1, sg(w)).coefficient(OLD))
    for nothing in (Coefficient.of(0), Coefficient.of(3), *losses):
        found = identify(nothing)
        assert (found.name, found.title, found.f, found.slope, found.is_divergence) == ("zero", "0", 0, 0, False)
    assert identify(Coefficient.of(l / 10**9)).name == "1/1000000000*reverse_kl"


# --- objectives of more than one quotient ---------------------------------------------------------------------------
OBJECTIVES: dict[str, Coefficient] = {
    "k2, no weight, off-policy": as_loss(k2).coefficient(OLD),
    "k3, no weight, off-policy": as_loss(k3).coefficient(OLD),
    "k2 in reward, no weight, off-policy": in_reward(k2).coefficient(OLD),
    "the probability itself": Coefficient.of(exp(logp)),
    "MiniMax: π - π_ref": Coefficient.of(exp(logp) - exp(logp - l)),
    "entropy": Coefficient.of(logp),
    "1 - π": Surrogate.of(exp(logp - l) - exp(logp) + l).coefficient(POLICY),
    "w l": Coefficient.of(exp(lw) * l),
    "l log w": Coefficient.of(l * lw + logp**2),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives(name):
    found = identify(OBJECTIVES[name])
    assert found.objective is not None
    assert found.f is None
    _explains(found, OBJECTIVES[name])


def test_minimax_objective_is_half_the_squared_distance():
    """Catalogue S7."""
    half_square = Objective.of((exp(logp) - exp(logp - l)) ** 2 / 2)
    assert half_square.coefficient().equals(OBJECTIVES["MiniMax: π - π_ref"])
    assert not half_square.coefficient().equals(reverse_kl.coefficient)


@settings(deadline=None, max_examples=12)
@given(e=coefficients(l, size=3))
def test_any_polynomial_exponential_coefficient_is_integrated(e):
    """The potential theorem (catalogue 15): any C(l) is the gradient of Σ π_ref f(π/π_ref)."""
    coefficient = Coefficient.of(e)
    found = identify(coefficient)
    assert found.f is not None
    assert Coefficient.of(found.f.diff(u).xreplace({u: exp(l)})).equals(coefficient)


@settings(deadline=None, max_examples=12)
@given(e=coefficients(l, lw, logp, size=2))
def test_any_coefficient_at_all_is_integrated(e):
    coefficient = Coefficient.of(e)
    found = identify(coefficient)
    if found.objective is not None:
        assert found.objective.coefficient().equals(coefficient)
    else:
        assert found.f is not None or found.slope == 0 or coefficient.sole_variable == logp


def test_a_coefficient_with_an_advantage_has_no_objective_of_the_policies_alone():
    found = identify(Coefficient.of(A))
    assert found.terms is None
    assert found.name == "expected_advantage"
    assert found.is_divergence is False


def test_undecided_is_not_no():
    found = identify(Coefficient.of(Symbol("a", real=True) * l))
    assert found.is_divergence is None
    assert "depends on parameters" in found.reason
    assert identify(Coefficient.of(l)).reason == ""


def test_nothing_is_named_by_accident():
    for near in (l + l**2 / 10**9, l + A**2 / 10**9, 1 - exp(-l) + l**3, Max(l, -(10**6)), Abs(l), l * exp(l)):
        assert identify(Coefficient.of(near)).name == "none", near


def test_undecidable_coefficients_are_refused():
    with pytest.raises(Undecidable, match="whether that is empty is not known"):
        identify(Coefficient.of(Max(0, clamp(l - lw, 0, 1) * clamp(lw - A, 0, 1) * clamp(A - l, 0, 1))))
