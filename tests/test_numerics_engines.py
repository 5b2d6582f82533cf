"""Autodiff and enumeration: against each other, against sums written out in mpmath, and against wrong twins."""

import subprocess
import sys

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Abs, Function, Max, Min, Rational, Symbol, exp, sqrt, tanh

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.estimators import (
    ESTIMATORS,
    Estimator,
    as_loss,
    in_reward,
    k1,
    k2,
    k3,
    power,
    straight_through,
    w,
)
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import advantage, inside, log_ratio, log_weight, logp, logp_ref, sg
from kltheory.numerics import autodiff, enumeration
from kltheory.numerics.bridge import NO_PARAMETERS, NotNumeric
from kltheory.numerics.settings import FAMILIES, Settings, resampled, standard_settings
from kltheory.numerics.tolerance import residual

STANDARD = standard_settings()
POLICY, OLD = Sampler.POLICY, Sampler.OLD
pi, ref = exp(logp), exp(logp_ref)


def clip(x, lo, hi):
    return Min(Max(x, lo), hi)


def compare(gradients, coefficient, batches=STANDARD, parameters=NO_PARAMETERS):
    """The residual of gradients against the enumeration of a coefficient."""
    scale = enumeration.condition(coefficient, batches, parameters)
    return residual(gradients, enumeration.expected_gradient(coefficient, batches, parameters), scale, batches)


def engines(surrogate, sampler, parameters=NO_PARAMETERS):
    gradients = autodiff.expected_gradient(surrogate, STANDARD, sampler, parameters)
    return compare(gradients, surrogate.coefficient(sampler), STANDARD, parameters)


def family(name, batches=STANDARD):
    """The rows of one family, and how to take them from a result."""
    spans = [(s.family.index(name), s.family.index(name) + s.family.count(name)) for s in batches]
    return tuple(s.rows(*span) for s, span in zip(batches, spans, strict=True)), spans


# --- the engines agree ----------------------------------------------------------------------------------------------
ppo = Surrogate.of(-Min(w * advantage, clip(w, Rational(4, 5), Rational(6, 5)) * advantage))
PLACED = {
    **{f"{k.name} as loss, {x}": as_loss(k, x) for k in ESTIMATORS for x in (1, w, sg(w))},
    **{f"{k.name} in reward, {x}": in_reward(k, x) for k in ESTIMATORS for x in (1, w)},
    "h[1/2]": as_loss(power(Rational(1, 2)), sg(w)),
    "straight through": straight_through(k3, k2, w),
    "k2 clamped": as_loss(Estimator("k2 clamped", clip(k2.expr, -10, 10))),
    "k3 clamped": as_loss(Estimator("k3 clamped", clip(k3.expr, -10, 10)), w),
    "tanh": as_loss(Estimator("tanh", tanh(log_ratio)), w),
    "root": as_loss(Estimator("root", sqrt(1 + log_ratio**2))),
    "clipped surrogate": ppo,
    "GRPO": Surrogate.of(-w * advantage) + Rational(1, 25) * as_loss(k3),
}


@pytest.mark.parametrize("sampler", Sampler)
@pytest.mark.parametrize("surrogate", PLACED.values(), ids=PLACED.keys())
def test_autodiff_agrees_with_enumeration(surrogate, sampler):
    r = engines(surrogate, sampler)
    assert r.agrees, r
    assert r.value < 1e-13, "the tolerance leaves room"


def test_parameters_are_numbers_of_any_kind():
    beta, lam = Symbol("beta", positive=True), Symbol("lam", real=True)
    loss = beta * as_loss(Estimator("h", (exp(lam * log_ratio) - 1 - lam * log_ratio) / lam**2), w)
    exact = autodiff.expected_gradient(loss, STANDARD, OLD, {beta: Rational(1, 25), lam: Rational(-1, 2)})
    assert compare(exact, loss.coefficient(OLD), STANDARD, {beta: 0.04, lam: -0.5}).agrees
    assert engines(loss, OLD, {beta: 0.04, lam: -0.5}).agrees


@pytest.mark.parametrize("sampler", Sampler)
@pytest.mark.parametrize("surrogate", PLACED.values(), ids=PLACED.keys())
def test_scores_agree_action_by_action(surrogate, sampler):
    scores = autodiff.score(surrogate, STANDARD, sampler)
    closed = tuple(enumeration.values(surrogate.score(sampler), s) for s in STANDARD)
    assert residual(scores, closed, tuple(np.abs(c).max(axis=1) for c in closed), STANDARD).agrees


def test_the_derivative_of_log_softmax_is_delta_minus_policy():
    for batch in STANDARD[:2]:
        (jacobian,) = autodiff.log_softmax_jacobian(STANDARD, batch.size)
        expected = np.eye(batch.size) - np.exp(batch.logp)[:, None, :]
        assert np.abs(jacobian - expected).max() < 1e-15 * batch.size
        assert np.abs(jacobian + expected).max() > 1


def test_another_sampler_moves_what_depends_on_it_and_nothing_else():
    other = resampled(STANDARD)
    for before, after in zip(STANDARD, other, strict=True):
        assert np.abs(before.logp_old - after.logp_old).max(axis=1).min() > 0.1
        np.testing.assert_array_equal(before.policy, after.policy)
        assert np.abs(after.log_weight).max() < 6
    for weight, free in ((1, False), (sg(w), True)):
        left, right = (autodiff.expected_gradient(in_reward(k2, weight), s, OLD) for s in (STANDARD, other))
        scale = enumeration.condition(Coefficient.of(log_ratio**2), STANDARD)
        assert residual(left, right, scale, STANDARD).agrees is free


# --- against direct definitions -------------------------------------------------------------------------------------
def test_k3_as_loss_on_policy_has_the_gradient_of_forward_kl():
    forward = autodiff.objective_gradient(ref * (logp_ref - logp), STANDARD)
    assert compare(forward, as_loss(k3).coefficient(POLICY)).agrees
    assert residual(forward, autodiff.expected_gradient(as_loss(k3), STANDARD, POLICY), ones(), STANDARD).agrees


def test_k2_as_loss_on_policy_has_the_gradient_of_reverse_kl():
    reverse = autodiff.objective_gradient(pi * log_ratio, STANDARD)
    assert compare(reverse, as_loss(k2).coefficient(POLICY)).agrees
    scale = enumeration.condition(Coefficient.of(log_ratio), STANDARD)
    assert residual(reverse, autodiff.expected_gradient(as_loss(k2), STANDARD, POLICY), scale, STANDARD).agrees


def test_k1_as_loss_on_policy_has_no_gradient():
    zero = tuple(np.zeros_like(s.policy) for s in STANDARD)
    assert residual(autodiff.expected_gradient(as_loss(k1), STANDARD, POLICY), zero, ones(), STANDARD).agrees


def ones():
    return tuple(np.ones(len(s.family)) for s in STANDARD)


def test_values_are_plain_sums():
    values = enumeration.objective_value(pi * log_ratio, STANDARD)
    for batch, value in zip(STANDARD, values, strict=True):
        np.testing.assert_allclose(value, (np.exp(batch.logp) * batch.log_ratio).sum(axis=1), rtol=1e-14, atol=0)
    for k in (k1, k3):
        for sampler, x in ((POLICY, 1), (OLD, sg(w))):
            expected = enumeration.expectation(x * k.expr, STANDARD, sampler)
            assert residual(expected, values, tuple(map(np.abs, values)), STANDARD).agrees
    biased = enumeration.expectation(k2.expr, STANDARD, POLICY)
    assert residual(biased, values, ones(), STANDARD).value > 1


# --- the oracle: the same sums written out by hand, in 40 digits ----------------------------------------------------
E = mpmath.exp
SCORES = {
    "k1 loss": (as_loss(k1), lambda l, v, a: 1),
    "k2 loss": (as_loss(k2), lambda l, v, a: l),
    "k3 loss": (as_loss(k3), lambda l, v, a: 1 - E(-l)),
    "k3 loss, live weight": (as_loss(k3, w), lambda l, v, a: E(v) * (E(-l) - 1 + l + 1 - E(-l))),
    "k2 loss, detached weight": (as_loss(k2, sg(w)), lambda l, v, a: E(v) * l),
    "k1 reward": (in_reward(k1), lambda l, v, a: l),
    "k3 reward, weight": (in_reward(k3, w), lambda l, v, a: E(v) * (E(-l) - 1 + l)),
    "abs loss": (as_loss(Estimator("abs", Abs(log_ratio))), lambda l, v, a: mpmath.sign(l)),
    "clipped": (ppo, lambda l, v, a: 0 if (a > 0 and E(v) > 1.2) or (a < 0 and E(v) < 0.8) else -a * E(v)),
}
"""∂s/∂logp for one sample by hand, in ℓ, log w and the advantage."""


def by_hand(score, batch, i, sampler):
    """Σ_a μ_a (∂s/∂logp)_a (δ_aj − π_j), one component at a time."""
    rows = [[mpmath.mpf(float(v)) for v in x[i]] for x in (batch.policy, batch.reference, batch.old)]
    p, r, o = ([E(v) / mpmath.fsum(map(E, row)) for v in row] for row in rows)
    drew = p if sampler is POLICY else o
    n = range(batch.size)
    s = [score(mpmath.log(p[a] / r[a]), mpmath.log(p[a] / drew[a]), float(batch.advantage[i, a])) for a in n]
    return [mpmath.fsum(drew[a] * s[a] * ((a == j) - p[j]) for a in n) for j in n]


@pytest.mark.parametrize("sampler", Sampler)
@pytest.mark.parametrize(("surrogate", "score"), SCORES.values(), ids=SCORES.keys())
def test_both_engines_agree_with_sums_written_by_hand(surrogate, score, sampler):
    coefficient = surrogate.coefficient(sampler)
    engines = (
        autodiff.expected_gradient(surrogate, STANDARD, sampler),
        enumeration.expected_gradient(coefficient, STANDARD),
    )
    for k, name in zip((0, 1, 2, 0, 1), FAMILIES, strict=True):
        i = STANDARD[k].family.index(name) + k
        one = (STANDARD[k].rows(i, i + 1),)
        with mpmath.workdps(40):
            expected = np.array([by_hand(score, one[0], 0, sampler)], dtype=float)
        for gradients in engines:
            r = residual((gradients[k][i : i + 1],), (expected,), enumeration.condition(coefficient, one), one)
            assert r.agrees, r


# --- wrong on purpose -----------------------------------------------------------------------------------------------
swapped = Surrogate.of(exp(log_ratio) - 1 - log_ratio)
TWINS = {
    "k3 for k2": (as_loss(k3), as_loss(k2), POLICY),
    "sg dropped in the reward": (Surrogate(k3.expr * logp), in_reward(k3), POLICY),
    "sg dropped on the weight": (as_loss(k2, w), as_loss(k2, sg(w)), OLD),
    "policy and reference swapped": (swapped, as_loss(k3), POLICY),
    "weight forgotten": (in_reward(k1), in_reward(k1, w), OLD),
    "sampler mistaken": (as_loss(k3), as_loss(k3, sg(w)), OLD),
    "sign flipped": (-1 * as_loss(k2), as_loss(k2), POLICY),
    "off by a thousandth": (Rational(1001, 1000) * as_loss(k3), as_loss(k3), POLICY),
    "k1 as loss for its gradient": (as_loss(k1), in_reward(k1), POLICY),
    "a loss the sampler moves": (as_loss(k1), Surrogate.of(0), OLD),
}


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(("wrong", "right", "sampler"), TWINS.values(), ids=TWINS.keys())
def test_a_wrong_twin_is_told_apart_on_every_family(wrong, right, sampler, name):
    batches, spans = family(name)
    gradients = autodiff.expected_gradient(wrong, STANDARD, sampler)
    rows = tuple(g[slice(*span)] for g, span in zip(gradients, spans, strict=True))
    for one in range(len(batches)):
        assert compare(rows[one : one + 1], right.coefficient(sampler), batches[one : one + 1]).value > 1e-6


def test_a_twin_that_is_no_different_is_not():
    """k2 is even: swapping policy and reference changes nothing."""
    even = Surrogate.of((logp_ref - logp) ** 2 / 2)
    assert compare(autodiff.expected_gradient(even, STANDARD, POLICY), as_loss(k2).coefficient(POLICY)).agrees


def test_beyond_a_clamp_only_the_settings_that_reach_it_tell():
    gradients = autodiff.expected_gradient(PLACED["k2 clamped"], STANDARD, POLICY)
    far, near = family("far_apart"), family("near_reference")
    for (batches, spans), tells in ((far, True), (near, False)):
        rows = tuple(g[slice(*span)] for g, span in zip(gradients, spans, strict=True))
        assert (compare(rows, as_loss(k2).coefficient(POLICY), batches).value > 1e-6) is tells


# --- laws -----------------------------------------------------------------------------------------------------------
small = st.integers(-2, 2)
monomial = st.builds(
    lambda c, m, n, a, b, v: c * log_ratio**m * log_weight**n * exp(a * log_ratio + b * log_weight) * advantage**v,
    small, st.integers(0, 2), st.integers(0, 2), small, small, st.integers(0, 1),
)  # fmt: skip
formula = st.lists(monomial, min_size=1, max_size=3).map(sum)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(formula, formula, st.sampled_from(Sampler))
def test_random_surrogates(f, g, sampler):
    surrogate = Surrogate(f + sg(g) * logp)
    r = engines(surrogate, sampler)
    assert r.agrees, (surrogate, r)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(formula, st.integers(-5, 5))
def test_components_sum_to_zero_and_constants_do_not_count(f, c):
    coefficient, moved = Coefficient.of(f), Coefficient.of(f + c)
    gradients, scale = (
        enumeration.expected_gradient(coefficient, STANDARD),
        enumeration.condition(coefficient, STANDARD),
    )
    assert compare(gradients, moved).agrees
    sums = tuple(g.sum(axis=1) for g in gradients)
    assert residual(sums, tuple(map(np.zeros_like, sums)), scale, STANDARD).agrees


# --- edges ----------------------------------------------------------------------------------------------------------
def test_an_action_on_the_edge_of_a_cell_spoils_its_setting_and_no_other():
    policy = np.array([[1.0, 0.0, 2.0], [1.0, 0.0, 2.0]])
    reference = np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 0.5]])
    batch = Settings(policy, reference, policy + 1, policy, ("edge", "plain"))
    assert batch.log_ratio[0, 0] == 0
    (gradient,) = enumeration.expected_gradient(Coefficient.of(Abs(log_ratio)), (batch,))
    assert np.isnan(gradient[0]).all()
    assert np.isfinite(gradient[1]).all()


def test_rows_in_blocks_are_the_rows_at_once(monkeypatch):
    c = PLACED["k3 clamped"].coefficient(OLD)
    at_once = enumeration.expected_gradient(c, STANDARD), enumeration.condition(c, STANDARD)
    monkeypatch.setattr(enumeration, "BLOCK", 100)
    in_blocks = enumeration.expected_gradient(c, STANDARD), enumeration.condition(c, STANDARD)
    for a, b in zip(sum(at_once, ()), sum(in_blocks, ()), strict=True):
        np.testing.assert_array_equal(a, b)


def test_batches_do_not_mix():
    there = autodiff.expected_gradient(as_loss(k3, w), STANDARD, OLD)
    back = autodiff.expected_gradient(as_loss(k3, w), STANDARD[::-1], OLD)
    assert [g.shape for g in there] == [s.policy.shape for s in STANDARD]
    assert residual(there, back[::-1], ones(), STANDARD).agrees


def test_the_compiled_loss_has_the_same_gradient():
    import jax

    batch = STANDARD[2]
    for sampler in Sampler:
        with autodiff.scope():
            compiled = jax.jit(jax.grad(autodiff.loss(as_loss(k3, w), sampler)))
            gradient = np.asarray(compiled(batch.policy, batch.reference, batch.old, batch.advantage))
        assert compare((gradient,), as_loss(k3, w).coefficient(sampler), (batch,)).agrees


def test_large_batches_are_compiled_and_have_the_same_gradients(monkeypatch):
    beta = Symbol("beta", positive=True)
    weighted = Surrogate(beta * sg(inside * w * log_ratio) * logp)

    def gradients():
        yield autodiff.expected_gradient(weighted, STANDARD, OLD, {beta: Rational(1, 4)})
        yield autodiff.objective_gradient(beta * inside * pi * log_ratio, STANDARD, {beta: Rational(1, 2)})

    small = list(gradients())
    monkeypatch.setattr(autodiff, "COMPILE_FROM", 0)
    for one, other in zip(small, gradients(), strict=True):
        assert residual(one, other, tuple(1 + np.abs(g).max(axis=1) for g in one), STANDARD).agrees
        assert not residual(one, tuple(2 * g for g in other), ones(), STANDARD).agrees
    assert compare(small[0], weighted.coefficient(OLD), STANDARD, {beta: Rational(1, 4)}).agrees


def test_what_has_no_number_says_so():
    h = Surrogate.of(Function("h")(log_ratio))
    with pytest.raises(NotNumeric, match=r"h\(l\) stands for any function"):
        autodiff.expected_gradient(h, STANDARD)
    with pytest.raises(NotNumeric, match="stands for any function"):
        enumeration.expected_gradient(Coefficient.of(Function("h")(log_ratio)), STANDARD)
    with pytest.raises(NotNumeric, match="no value is given for beta"):
        autodiff.objective_gradient(Symbol("beta") * pi, STANDARD)


def test_outside_its_domain_a_formula_is_an_infinite_residual():
    partial = Surrogate.of(sqrt(log_ratio)).coefficient(POLICY, partial=True)
    gradients = autodiff.expected_gradient(Surrogate.of(sqrt(log_ratio)), STANDARD, POLICY)
    assert compare(gradients, partial, STANDARD).value == np.inf


ISOLATION = """
import sys
from kltheory.numerics import autodiff, balls, bridge, certificate, enumeration, rational, settings, tolerance, witness
assert not {"jax", "torch"} & set(sys.modules), "imported too early"
import jax
before = dict(jax.config.values)
from kltheory.calculus.estimators import as_loss, k1
(g, *_) = autodiff.expected_gradient(as_loss(k1), settings.standard_settings())
assert g.dtype == "float64", g.dtype
assert jax.config.values == before, "the configuration changed"
assert jax.numpy.ones(1).dtype == "float32"
"""


def test_jax_loads_on_first_use_and_its_configuration_is_left_alone():
    done = subprocess.run([sys.executable, "-c", ISOLATION], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_configuration_is_left_alone_after_an_error():
    import jax

    before = dict(jax.config.values)
    with pytest.raises(NotNumeric):
        autodiff.expected_gradient(Surrogate.of(Symbol("beta") * log_ratio), STANDARD)
    assert jax.config.values == before
    assert jax.numpy.ones(1).dtype == "float32"
