"""Means over the vocabulary: taken apart, told apart, and differentiated, beside sums and autodiff."""

import pickle
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import coefficients, rationals
from sympy import Abs, Add, Function, Max, Mul, Piecewise, Rational, S, Symbol, exp, factor, log

from kltheory.calculus.concrete import over_vocabulary
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.moments import (
    NORMALISED,
    SCORE_SQUARE,
    At,
    E,
    Mean,
    covariance,
    erase,
    formulas,
    gradient_inner,
    map_means,
    mean,
    normal,
    optimal_baseline,
    trace_variance,
    variance,
)
from kltheory.calculus.relations import same_moment
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import advantage, inside, logp, logp_old, logp_ref, sg, weight
from kltheory.calculus.symbols import log_ratio as l
from kltheory.calculus.symbols import log_weight as lw
from kltheory.numerics import autodiff, enumeration
from kltheory.numerics.settings import standard_settings

POLICY, OLD = Sampler
SMALL = tuple(s for s in standard_settings() if s.size <= 5)
r, w, p = exp(-l), exp(lw), exp(logp)
a, b = Symbol("a", real=True), Symbol("b", real=True)
h, g = Function("h")(l), Function("g")(lw)


def enumerated(value):
    """E_π[value] by a sum in which no mean is a symbol."""
    return np.concatenate(enumeration.expectation(value, SMALL, POLICY))


def evaluated(expr):
    return np.concatenate(enumeration.moment(S(expr), SMALL))


def size(expr):
    """What rounding is relative to: the means of the magnitudes of the terms."""
    return 1 + sum(enumerated(Abs(term)) for term in Add.make_args(S(expr).expand()))


# --- taking apart -----------------------------------------------------------------------------------------------------
@given(coefficients())
@settings(max_examples=40, deadline=None)
def test_a_mean_taken_apart_is_the_sum_over_the_vocabulary(f):
    assert (abs(evaluated(mean(f)) - enumerated(f)) <= 1e-11 * size(f)).all()


@given(coefficients(), coefficients(), rationals())
@settings(max_examples=40, deadline=None)
def test_a_mean_is_linear(f, g, c):
    assert (mean(f + c * g) - mean(f) - c * mean(g)).expand() == 0


@given(coefficients(), coefficients())
@settings(max_examples=40, deadline=None)
def test_taking_apart_twice_is_taking_apart_once(f, g):
    for expr in (E(f) * E(g), covariance(f, g), E(f * E(g))):
        assert normal(normal(expr)) == normal(expr)


@given(coefficients())
@settings(max_examples=40, deadline=None)
def test_what_a_mean_is_made_of_has_no_number_in_front_and_no_sum(f):
    for m in mean(f).atoms(Mean):
        assert not m.integrand.is_Add
        assert m.integrand.as_coeff_Mul()[0] == 1
        assert m.integrand not in NORMALISED


ATOMS = [
    (0, 0),
    (a, a),
    (a * r, a),
    (r**2, Mean(r**2)),
    ((r - 1) ** 2, Mean(r**2) - 1),
    (exp(logp_ref - logp) + 1 / weight, 2),
    (exp(logp_old - logp), 1),
    (inside**2, Mean(inside)),
    ((inside + 1) ** 2 * l, 3 * Mean(inside * l) + Mean(l)),
    (exp(inside * l), 1 + Mean(inside * exp(l)) - Mean(inside)),
    (a * h + b * h, (a + b) * Mean(h)),
    (l * E(l), Mean(l) ** 2),
]


@pytest.mark.parametrize(("value", "apart"), ATOMS, ids=[str(v) for v, _ in ATOMS])
def test_atoms(value, apart):
    assert (normal(mean(S(value))) - apart).expand() == 0


def test_a_function_of_the_setting_is_its_own_mean():
    assert E(a + 1) == a + 1
    assert E(E(l)) == E(l)
    assert E(At(l, 2)) == At(l, 2)


# --- telling apart ----------------------------------------------------------------------------------------------------
SAME = [
    (E(r), 1, E(1 / r)),
    (E(1 / w), 1, E(w)),
    (E(logp_ref - logp), -E(l), E(l)),
    (E(r / w * w), 1, E(r / w)),
    (E(E(l) * l), E(l) ** 2, E(l**2)),
    (variance(l), E(l**2) - E(l) ** 2, E(l**2)),
    (covariance(l, r), E(l * r) - E(l), E(l * r)),
    (variance(a + b * h), b**2 * variance(h), b * variance(h)),
    (variance(h + g), variance(h) + variance(g) + 2 * covariance(h, g), variance(h) + variance(g)),
    (variance(inside), E(inside) * (1 - E(inside)), E(inside) ** 2),
    (E(inside * r) + E((1 - inside) * r), 1, 2),
    (E(SCORE_SQUARE), 1 - E(p), 1 - 2 * E(p)),
    (gradient_inner(h + a, g + b), gradient_inner(h, g), gradient_inner(h, h)),
    (trace_variance(a * h), a**2 * trace_variance(h), a * trace_variance(h)),
    (trace_variance(w * h, w), E(w * h**2 * SCORE_SQUARE) - gradient_inner(h, h), trace_variance(h)),
    (optimal_baseline(h + b), optimal_baseline(h) + b, optimal_baseline(h)),
    (optimal_baseline(w * (h + b), w), optimal_baseline(w * h, w) + b, optimal_baseline(w * h, w)),
    (1 / E(r**2) * E(r**2), 1, E(r**2)),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right", "wrong"), SAME, ids=[str(left)[:50] for left, _, _ in SAME])
def test_the_same_number_and_another_one(left, right, wrong):
    assert same_moment(S(left), S(right)) is True
    assert same_moment(S(right), S(left)) is True
    assert same_moment(S(left), S(wrong)) is False


@given(coefficients(), coefficients(), rationals(), rationals(zero=False))
@settings(max_examples=20, deadline=None)
def test_the_variance_of_a_line(f, g, c, d):
    assert same_moment(variance(c + d * f), d**2 * variance(f))
    assert same_moment(covariance(c + d * f, g), d * covariance(f, g))
    assert same_moment(variance(f + g), variance(f) + 2 * covariance(f, g) + variance(g))
    assert not same_moment(variance(c + d * f), d**2 * variance(f) + Rational(1, 10**9))


@given(coefficients(), coefficients())
@settings(max_examples=20, deadline=None)
def test_a_product_of_means_is_expanded_and_not_confused_with_the_mean_of_the_product(f, g):
    assert same_moment(E(f) * E(g), E(f * E(g)))
    assert same_moment(E(factor(f)) ** 2, E(f) ** 2)
    assert same_moment(E(f) * E(g) + E(l**3 * exp(l)), E(f) * E(g)) is False


@given(coefficients(), coefficients())
@settings(max_examples=20, deadline=None)
def test_a_yes_is_a_yes_in_numbers(f, g):
    """And a no is a no: the numbers differ on some setting."""
    left, right = covariance(f, g), E(f * g) - E(f) * E(g)
    scale = size((f * g).expand()) + size(f) * size(g)
    assert same_moment(left, right)
    assert (abs(evaluated(left) - evaluated(right)) <= 1e-10 * scale).all()
    assert abs(evaluated(right) - evaluated(right + E(l) ** 2)).max() > 1e-3


u = exp(l)
RELATED = [  # means that depend on each other: the same number, and another one
    (E(1 / (1 + u)) + E(u / (1 + u)), 1, 2),
    (E(Max(l, 0)) - E(l) / 2, E(Abs(l)) / 2, E(Abs(l))),
    (E(Piecewise((l, l > 0), (0, True))) + E(Piecewise((0, l > 0), (l, True))), E(l), 1),
    (E(1 / (1 + u)) * E(l), E(l) - E(u / (1 + u)) * E(l), E(u / (1 + u)) * E(l)),
    (E(Max(l, 0)) * E(w), E(w) * (E(l) + E(Abs(l))) / 2, E(w) * E(Abs(l))),
    (E(Max(logp_ref, 0)), 0, 1),
    (E(Abs(l - inside)) - E((1 - inside) * Abs(l)), E(inside * Abs(l - 1)), E(inside * Abs(l))),
    (At(u, 0) * At(1 / u, 0) * E(l), E(l), -E(l)),
    (At(l + logp, 0), At(l, 0) + At(logp, 0), At(l, 0) + At(logp, 1)),
    (At(2 * l, 0), 2 * At(l, 0), At(l, 0)),
    (At(-l, 1), -At(l, 1), At(l, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right", "wrong"), RELATED, ids=[str(left)[:50] for left, _, _ in RELATED])
def test_means_that_depend_on_each_other(left, right, wrong):
    assert same_moment(S(left), S(right)) is True
    assert same_moment(S(right), S(left)) is True
    try:
        assert same_moment(S(left), S(wrong)) is False
    except Undecidable as e:
        assert "is independent of the other means is not known" in str(e)  # noqa: PT017


OPEN = [(E(Abs(l)) * E(l), E(l)), (E(Max(l, lw)) ** 2, E(l)), (At(Abs(l), 0), At(l, 0))]


@pytest.mark.parametrize(("left", "right"), OPEN, ids=[str(left) for left, _ in OPEN])
def test_what_is_not_told_apart_says_so(left, right):
    assert same_moment(left, left)
    with pytest.raises(Undecidable, match="is independent of the other"):
        same_moment(left, S(right))


# --- the symbols ------------------------------------------------------------------------------------------------------
def test_a_mean_is_known_by_its_integrand():
    assert E(l) == Mean(l)
    assert E(l) != E(l + 1)
    assert {E(l): 1}[Mean(l)] == 1
    assert [str(m) for m in (E(p * r), E(w**2), At(p, 0), E(l * E(l)))] == [
        "E[π*exp(-l)]",
        "E[w**2]",
        "(π)[1]",
        "E[E[l]*l]",
    ]


@pytest.mark.parametrize("symbol", [E(l * r), At(l, 1), E(l * E(w))], ids=str)
def test_a_symbol_goes_to_another_process(symbol):
    back = pickle.loads(pickle.dumps(symbol))
    assert back == symbol
    assert back.integrand == symbol.integrand


def test_a_value_at_one_action_is_that_column():
    for s in SMALL:
        for j in range(3):
            (found,) = enumeration.moment(At(logp - 2 * l, j) + 0, (s,))
            assert np.allclose(found, (s.logp - 2 * s.log_ratio)[:, j], rtol=1e-13)


def test_a_logit_has_its_gradient_as_a_value_at_one_action():
    gradient = enumeration.moment(At(p * (l - E(l)), 1), SMALL)
    by_autodiff = autodiff.expected_gradient(Surrogate(l**2 / 2), SMALL, POLICY)
    for found, g in zip(gradient, by_autodiff, strict=True):
        assert np.allclose(found, g[:, 1], atol=1e-12)


def test_every_formula_within_is_seen_and_mapped():
    expr = E(l * E(lw)) + At(l, 0)
    assert set(formulas(expr)) == {expr, l, l * E(lw), lw}
    assert len(formulas(expr)) == 4
    assert map_means(expr, lambda f: f.xreplace({l: -l})) == E(-l * E(lw)) + At(-l, 0)
    assert erase(E(sg(l) * l) * sg(lw)) == E(l**2) * lw


# --- gradients through means ------------------------------------------------------------------------------------------
FACTORS = (l, r, l**2 / 2, w, lw, advantage, r * l, inside, log(1 + r))


@st.composite
def surrogates(draw):
    """Sums of products of a per-sample factor, a live mean and a detached one."""
    terms = draw(st.lists(st.tuples(*(st.sampled_from((S.One, *FACTORS)) for _ in range(3))), min_size=1, max_size=3))
    return Surrogate(Add(*(Mul(f, E(m), sg(E(d)) if d != 1 else d) for f, m, d in terms)))


@given(surrogates(), st.sampled_from(Sampler))
@settings(max_examples=40, deadline=None)
def test_a_live_mean_has_the_gradient_that_autodiff_gives_it(surrogate, sampler):
    closed = enumeration.expected_gradient(surrogate.coefficient(sampler), SMALL)
    for c, g in zip(closed, autodiff.expected_gradient(surrogate, SMALL, sampler), strict=True):
        scale = 1 + abs(g).max() + abs(c).max()
        assert abs(c - g).max() <= 1e-9 * scale


CHAIN = [
    (E(l), sg(E(l))),
    (E(l) ** 2, E(l) * sg(E(l))),
    (E(l * E(r * l)), E(l * sg(E(r * l)))),
    (l * E(l), l * sg(E(l))),
]


@pytest.mark.parametrize(("expr", "detached"), CHAIN, ids=[str(e) for e, _ in CHAIN])
def test_the_chain_rule_and_a_detached_twin(expr, detached):
    live, dead = Surrogate(expr), Surrogate(detached)
    assert not live.coefficient(POLICY).equals(dead.coefficient(POLICY))
    closed = enumeration.expected_gradient(live.coefficient(POLICY), SMALL)
    for c, g in zip(closed, autodiff.expected_gradient(live, SMALL, POLICY), strict=True):
        assert np.allclose(c, g, rtol=1e-10, atol=1e-10)


def test_a_live_mean_is_no_factor_of_a_sample():
    with pytest.raises(Undecidable, match=re.escape("E[l] carries a gradient of its own")):
        Surrogate(E(l) * l).score(POLICY)
    assert str(Surrogate(sg(E(l)) * l).score(POLICY)) == "E[l]"


def test_a_mean_is_spelled_out_over_a_vocabulary():
    logits = {"theta": (0.3, -0.2, 0.0), "phi": (1.1, 0.4, 0.0)}  # the last one is 0
    at = {Symbol(f"{name}{a}", real=True): x for name, xs in logits.items() for a, x in enumerate(xs)}
    p, q = (np.exp(xs) / np.exp(xs).sum() for xs in logits.values())
    assert abs(float(over_vocabulary(l**2, 3).xreplace(at)) - (p * np.log(p / q) ** 2).sum()) < 1e-15
