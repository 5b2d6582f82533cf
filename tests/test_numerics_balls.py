"""Certificates: what they prove is so, and they prove nothing that is not."""

import json
from dataclasses import replace
from fractions import Fraction

import flint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Max, Min, Piecewise, Rational, S, Symbol, exp, log, sqrt

from kltheory.calculus.divergence import Objective, forward_kl, reverse_kl
from kltheory.calculus.estimators import Estimator, as_loss, in_reward, k1, k2, k3, w
from kltheory.calculus.moments import At, E, variance
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import advantage, log_ratio, logp, logp_ref, sg
from kltheory.numerics.balls import Ambiguous, number, precision
from kltheory.numerics.bridge import NotNumeric
from kltheory.numerics.certificate import Ball, Point, certify
from kltheory.numerics.rational import RationalSetting, pairs_of_log_ratios, small_settings
from kltheory.numerics.witness import (
    GRADIENT,
    POINT,
    VALUE,
    certified_moment,
    gradient,
    moment,
    points,
    search,
    together,
    value,
)

RKL, FKL = reverse_kl.objective, forward_kl.objective
NOTHING = Objective(S.Zero)
KNOWN = RationalSetting.of(".4 .3 .2 .1", ".1 .2 .3 .4", ".3 .4 .1 .2", "1 -1 .5 .2")
ON, OFF = Sampler.POLICY, Sampler.OLD


def clip(v, lo, hi):
    return Min(Max(v, lo), hi)


def find_witness(left, right, sampler=ON, at=None):
    return search(GRADIENT, tuple(gradient(side, sampler, at or {}) for side in (left, right)))


# --- known values ---------------------------------------------------------------------------------------------------
def test_gradients_of_a_known_setting():
    with precision(128):
        forward, reverse = (gradient(side, ON)(KNOWN) for side in (FKL, RKL))
        assert list(forward) == list(range(4))
        assert all(g.contains(flint.fmpq(n, 10)) for g, n in zip(forward.values(), (3, 1, -1, -3), strict=True))
        assert [round(float(g), 5) for g in reverse.values()] == [0.37194, -0.01529, -0.17238, -0.18427]
        assert all(float(g.rad()) < 1e-30 for g in (*forward.values(), *reverse.values()))
        assert round(float(value(RKL)(KNOWN)[None]), 6) == round(0.456434819, 6)


def test_parameters_are_exact():
    beta = Symbol("beta", positive=True)
    with precision(128):
        assert gradient(beta * FKL, ON, {beta: 0.1})(KNOWN)[0].contains(flint.fmpq(3, 100)), "0.1 is one tenth"
        assert gradient(beta * FKL, ON, {beta: Rational(1, 3)})(KNOWN)[0].contains(flint.fmpq(1, 10))


EDGE = RationalSetting.of(".3 .5 .2", ".2 .6 .2", ".1 .1 .8", "1 1 1")


def test_kinks_are_not_guessed():
    """u = 3/2 at the first action: the clip has a value there, and no derivative; behind sg none is asked for."""
    clipped = clip(exp(log_ratio), Rational(1, 3), Rational(3, 2))
    loss, behind = Surrogate(clipped), Surrogate(sg(clipped) * logp)
    sides = together(gradient(loss, ON), gradient(NOTHING, ON))
    with precision(64):
        assert all(x.is_finite() for x in sides(small_settings()[0])[0].values())
        assert not any(x.is_finite() for x in sides(EDGE)[0].values())
        assert points(clipped)(EDGE)[0].contains(flint.fmpq(3, 2))
        assert all(x.is_finite() for x in gradient(behind, ON)(EDGE).values())
    assert certify(GRADIENT, sides, EDGE) is None
    with precision(64), pytest.raises(Ambiguous):
        points(Piecewise((log_ratio, exp(log_ratio) < Rational(3, 2)), (0, True)))(EDGE)


def test_two_formulas_of_one_slope_have_it_at_a_tie():
    """On-policy w is 1 and both arguments of the minimum are A w: no kink, whatever a ball says of their difference."""
    assert find_witness(PPO, Surrogate(-advantage * logp)) is None
    assert find_witness(PPO, Surrogate(advantage * logp)) is not None


def test_a_mean_moves_and_a_detached_one_does_not():
    """E[l] live is KL(π‖π_ref), whoever sampled, and E[sg(l)] through the policy alone; behind sg it is a number."""
    live, still = Surrogate(E(log_ratio)), Surrogate(sg(E(log_ratio)))
    assert find_witness(live, RKL, OFF) is None
    assert find_witness(still, NOTHING, OFF) is None
    assert find_witness(live, NOTHING, OFF) is not None
    assert find_witness(Surrogate(E(sg(log_ratio))), RKL, OFF) is None, "the weights of the mean move"


# --- certificates ---------------------------------------------------------------------------------------------------
def test_k3_as_loss_is_not_reverse_kl():
    found = find_witness(as_loss(k3), RKL)
    assert found is not None
    assert len(found.place.policy) >= 3
    assert abs(float(found.difference.mid)) > 0.1, "a clear one"
    assert json.loads(json.dumps(found.to_json())) == found.to_json()
    assert set(found.to_json()) == {"quantity", "setting", "component", "left", "right", "difference", "bits"}
    assert f"component {found.component} of the gradient is" in str(found)
    p, r, j = found.place.policy, found.place.reference, found.component
    with precision(64):
        assert Fraction(found.left.mid) == pytest.approx(p[j] - r[j])
        assert not number(Fraction(found.difference.mid)).contains(0)
    assert abs(Fraction(found.difference.mid)) > Fraction(found.difference.rad)


beta = Symbol("beta", positive=True)
PPO = Surrogate.of(-Min(w * advantage, clip(w, Rational(4, 5), Rational(6, 5)) * advantage))
K2_CLAMPED = as_loss(Estimator("k2 clamped", clip(k2.expr, -10, 10)))
K3_CLAMPED = as_loss(Estimator("k3 clamped", clip(k3.expr, -10, 10)))
FAR = as_loss(Estimator("beyond 11", Max(log_ratio - 11, 0) ** 2))
EQUAL = {
    "itself": (RKL, RKL, ON),
    "up to a constant": (RKL, RKL + Objective(sqrt(S(2)) * exp(logp)), ON),
    "k3 as loss": (as_loss(k3), FKL, ON),
    "k2 as loss": (as_loss(k2), in_reward(k1), ON),
    "nothing": (as_loss(k1), NOTHING, ON),
    "clipped": (PPO, 1 * PPO, OFF),
    "clamped": (K3_CLAMPED, K3_CLAMPED, ON),
    "off-policy": (as_loss(k3, w), RKL, OFF),
}
DIFFERENT = {
    "direction": (FKL, RKL, ON),
    "sign": (RKL, -1 * RKL, ON),
    "a millionth": (RKL, Rational(1000001, 1000000) * RKL, ON),
    "weight": (in_reward(k1), RKL, OFF),
    "clip": (PPO, Surrogate(-advantage * logp), OFF),
    "clamp of k2": (K2_CLAMPED, RKL, ON),
    "clamp of k3": (K3_CLAMPED, FKL, ON),
    "clamp of k3, right side": (K3_CLAMPED, K3_CLAMPED + FAR, ON),
    "a parameter": (beta * RKL, RKL, ON),
    "dropped sg": (Surrogate(log_ratio * logp), RKL, ON),
}


@pytest.mark.parametrize(("left", "right", "sampler"), EQUAL.values(), ids=EQUAL.keys())
def test_equal_gradients_are_never_certified_different(left, right, sampler):
    assert find_witness(left, right, sampler) is None


@pytest.mark.parametrize(("left", "right", "sampler"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_different_gradients_have_a_witness(left, right, sampler):
    found = find_witness(left, right, sampler, {beta: 0.5})
    assert found is not None
    assert abs(Fraction(found.difference.mid)) > Fraction(found.difference.rad)
    sides = together(*(gradient(side, sampler, {beta: 0.5}) for side in (left, right)))
    assert certify(GRADIENT, sides, found.place) == found
    sign = 1 if found.is_positive else -1
    assert certify(GRADIENT, sides, found.place, sign) == replace(found, sign=sign)
    assert certify(GRADIENT, together(*[gradient(left, sampler, {beta: 0.5})] * 2), found.place) is None


def test_functions_differ_at_a_point_where_gradients_do_not():
    moved = RKL + Objective(exp(logp))
    found = search(POINT, (points(log_ratio), points(log_ratio + 1)))
    assert find_witness(RKL, moved) is None
    assert found is not None
    assert str(found).partition(": ")[2].startswith(f"the value at action {found.component} is ")
    assert search(POINT, (points(log_ratio), points(log_ratio))) is None


def test_values():
    kl = Objective(exp(logp) * log_ratio)
    assert search(VALUE, (value(kl), value(Objective(exp(logp) * k3.expr)))) is None
    found = search(VALUE, (value(kl), value(Objective.of(exp(logp_ref) * -log_ratio))))
    assert found is not None
    assert found.component is None
    assert "the value is" in str(found)


def test_moments():
    spread_of_l = variance(log_ratio)
    assert search(VALUE, (moment(spread_of_l), moment(E(log_ratio**2) - E(log_ratio) ** 2))) is None
    assert search(VALUE, (moment(spread_of_l), moment(E(log_ratio**2)))) is not None
    assert certified_moment(spread_of_l, KNOWN, 1) is not None
    assert certified_moment(spread_of_l, KNOWN, -1) is None, "a variance is not negative"
    at_first = certified_moment(At(log_ratio, 0) - log(4), KNOWN)
    assert at_first is None, "log(.4/.1) is log 4"
    with pytest.raises(NotNumeric, match="stands outside of any mean"):
        certified_moment(log_ratio, KNOWN)


def test_a_certificate_takes_the_precision_it_needs():
    def sides(point):
        x = number(point.l)
        return {None: x.exp()}, {None: 1 + x}

    tiny = certify(VALUE, sides, Point(Fraction(1, 10**30)))
    assert tiny is not None
    assert tiny.bits > 128
    assert tiny.is_positive
    assert tiny.to_json()["l"] == f"1/{10**30}"
    assert certify(VALUE, lambda p: (sides(p)[0], sides(p)[0]), Point(Fraction(1, 3))) is None


def test_pairs_of_log_ratios_are_what_they_are_called():
    for s in pairs_of_log_ratios():
        low, high = (float(p / q) for p, q in zip(s.policy[:2], s.reference[:2], strict=True))
        assert 1.25 < high / low < 1.31, "a quarter, nearly"
    assert len(set(pairs_of_log_ratios())) == len(pairs_of_log_ratios()) == 96


# --- printing ---------------------------------------------------------------------------------------------------------
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
