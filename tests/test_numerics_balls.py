"""Certificates: what they prove is so, and they prove nothing that is not."""

import json
from fractions import Fraction

import flint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Max, Min, Rational, S, Symbol, exp, log, sqrt

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.estimators import Estimator, as_loss, in_reward, k1, k2, k3, w
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import advantage, log_ratio, logp, logp_ref
from kltheory.numerics.balls import Ambiguous, number, precision
from kltheory.numerics.certificate import Ball, certified_sign, certify_scalar
from kltheory.numerics.rational import RationalSetting, small_settings
from kltheory.numerics.witness import (
    certify_difference,
    find_pointwise_witness,
    find_value_witness,
    find_witness,
    gradient,
    value,
)

RKL, FKL = Coefficient.of(log_ratio), Coefficient.of(-exp(-log_ratio))
KNOWN = RationalSetting.of(".4 .3 .2 .1", ".1 .2 .3 .4", ".3 .4 .1 .2", "1 -1 .5 .2")
x = Symbol("x", real=True)


def clip(v, lo, hi):
    return Min(Max(v, lo), hi)


# --- known values ---------------------------------------------------------------------------------------------------
def test_gradients_of_a_known_setting():
    with precision(128):
        forward, reverse = gradient(FKL, KNOWN), gradient(RKL, KNOWN)
        assert all(g.contains(flint.fmpq(n, 10)) for g, n in zip(forward, (3, 1, -1, -3), strict=True))
        assert [round(float(g), 5) for g in reverse] == [0.37194, -0.01529, -0.17238, -0.18427]
        assert all(float(g.rad()) < 1e-30 for g in forward + reverse)
        assert round(float(value(exp(logp) * log_ratio, KNOWN)), 6) == round(0.456434819, 6)


def test_parameters_are_exact():
    beta = Symbol("beta", positive=True)
    with precision(128):
        assert gradient(beta * FKL, KNOWN, {beta: 0.1})[0].contains(flint.fmpq(3, 100)), "0.1 is one tenth"
        assert gradient(beta * FKL, KNOWN, {beta: Rational(1, 3)})[0].contains(flint.fmpq(1, 10))


def test_regions_are_decided_and_their_edges_are_not():
    c = Coefficient.of(clip(exp(log_ratio), Rational(1, 3), Rational(3, 2)))
    with precision(64):
        assert len(gradient(c, small_settings()[0])) == 3
        with pytest.raises(Ambiguous):
            gradient(c, RationalSetting.of(".3 .5 .2", ".2 .6 .2", ".1 .1 .8", "1 1 1"))


# --- certificates ---------------------------------------------------------------------------------------------------
def test_k3_as_loss_is_not_reverse_kl():
    found = find_witness(as_loss(k3).coefficient(Sampler.POLICY), RKL)
    assert found is not None
    assert len(found.setting.policy) >= 3
    assert abs(float(found.difference.mid)) > 0.1, "a clear one"
    assert json.loads(json.dumps(found.to_json())) == found.to_json()
    assert set(found.to_json()) == {"quantity", "setting", "component", "left", "right", "difference", "bits"}
    assert f"component {found.component} of the gradient is" in str(found)
    p, r, j = found.setting.policy, found.setting.reference, found.component
    with precision(64):
        assert Fraction(found.left.mid) == pytest.approx(p[j] - r[j])
        assert not number(Fraction(found.difference.mid)).contains(0)
    assert abs(Fraction(found.difference.mid)) > Fraction(found.difference.rad)


beta = Symbol("beta", positive=True)
ppo = Surrogate.of(-Min(w * advantage, clip(w, Rational(4, 5), Rational(6, 5)) * advantage)).coefficient()
k2_clamped = as_loss(Estimator("k2 clamped", clip(k2.expr, -10, 10))).coefficient(Sampler.POLICY)
k3_clamped = as_loss(Estimator("k3 clamped", clip(k3.expr, -10, 10))).coefficient(Sampler.POLICY)
EQUAL = {
    "itself": (RKL, RKL),
    "up to a constant": (RKL, Coefficient.of(log_ratio + sqrt(S(2)))),
    "k3 as loss": (as_loss(k3).coefficient(Sampler.POLICY), FKL),
    "k2 as loss": (as_loss(k2).coefficient(Sampler.POLICY), in_reward(k1).coefficient(Sampler.POLICY)),
    "nothing": (as_loss(k1).coefficient(Sampler.POLICY), Coefficient.of(0)),
    "clipped": (ppo, 1 * ppo),
    "clamped": (k3_clamped, k3_clamped),
    "expanded": (Coefficient.of((log_ratio + 1) ** 2), Coefficient.of(log_ratio**2 + 2 * log_ratio)),
}
DIFFERENT = {
    "direction": (FKL, RKL),
    "sign": (RKL, -RKL),
    "a millionth": (RKL, Rational(1000001, 1000000) * RKL),
    "weight": (in_reward(k1).coefficient(), RKL),
    "clip": (ppo, Coefficient.of(-advantage)),
    "clamp of k2": (k2_clamped, RKL),
    "clamp of k3": (k3_clamped, FKL),
    "clamp of k3, right side": (k3_clamped, k3_clamped + Coefficient.of(Max(log_ratio, 11))),
    "a parameter": (beta * RKL, RKL),
}


@pytest.mark.parametrize(("left", "right"), EQUAL.values(), ids=EQUAL.keys())
def test_equal_gradients_are_never_certified_different(left, right):
    assert find_witness(left, right) is None


@pytest.mark.parametrize(("left", "right"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_different_gradients_have_a_witness(left, right):
    found = find_witness(left, right, {beta: 0.5})
    assert found is not None
    assert abs(Fraction(found.difference.mid)) > Fraction(found.difference.rad)
    assert certify_difference(left, right, found.setting, {beta: 0.5}) == found
    assert certify_difference(left, left, found.setting, {beta: 0.5}) is None


def test_functions_differ_at_a_point_where_gradients_do_not():
    moved = RKL + Coefficient.of(1)
    found = find_pointwise_witness(RKL, moved)
    assert find_witness(RKL, moved) is None
    assert found is not None
    assert str(found).partition(": ")[2].startswith(f"the value at action {found.component} is ")
    assert find_pointwise_witness(RKL, RKL) is None


def test_values():
    kl = exp(logp) * log_ratio
    assert find_value_witness(kl, exp(logp) * k3.expr) is None
    found = find_value_witness(kl, exp(logp_ref) * -log_ratio)
    assert found is not None
    assert found.component is None
    assert "the value is" in str(found)


# --- single numbers -------------------------------------------------------------------------------------------------
def test_signs_of_numbers():
    assert certified_sign(exp(x) - 2, {x: Fraction(7, 10)}) == 1
    assert certified_sign(exp(x) - 2, {x: Fraction(69, 100)}) == -1
    assert certified_sign(log(exp(x)) - x, {x: Fraction(1, 3)}) is None
    tiny = certify_scalar(exp(x) - 1 - x, {x: Fraction(1, 10**30)})
    assert tiny is not None
    assert tiny.bits > 128
    assert tiny.sign == 1
    assert tiny.to_json()["at"] == {"x": f"1/{10**30}"}
    assert json.loads(json.dumps(tiny.to_json())) == tiny.to_json()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.fractions(min_value=-100, max_value=100, max_denominator=10**6), st.integers(20, 200), st.integers(1, 25))
def test_a_printed_ball_contains_the_ball(q, bits, digits):
    with precision(bits):
        ball = (number(q) / 7).exp() - 1
        printed = Ball.of(ball, digits)
    with precision(600):
        wide = flint.arb(number(Fraction(printed.mid)), number(Fraction(printed.rad)))
        assert wide.contains(ball)


def test_the_precision_is_given_back():
    before = flint.ctx.prec
    assert find_witness(FKL, RKL) is not None
    with pytest.raises(Ambiguous), precision(200):
        raise Ambiguous
    assert flint.ctx.prec == before
