"""The settings have power: different, asymmetric, spread, and the tolerance is never loosened by accident."""

import math

import numpy as np
import pytest
from sympy import Max, Min

from kltheory.calculus.symbols import log_ratio, log_weight
from kltheory.numerics.critical import critical_points
from kltheory.numerics.rational import RationalSetting, small_settings
from kltheory.numerics.settings import FAMILIES, MAX_LOG_RATIO, MAX_LOG_WEIGHT, SIZES, Settings, standard_settings
from kltheory.numerics.tolerance import ATOL, residual

STANDARD = standard_settings()


def of_family(family):
    return [(s, [i for i, f in enumerate(s.family) if f == family]) for s in STANDARD]


def test_hundreds_of_settings_for_every_size_and_family():
    assert [s.size for s in STANDARD] == [3, 5, 17, 257] == list(SIZES)
    assert sum(len(s.family) for s in STANDARD) >= 200
    assert all(set(s.family) == set(FAMILIES) for s in STANDARD)
    assert standard_settings() is STANDARD


@pytest.mark.parametrize("s", STANDARD, ids=lambda s: f"V={s.size}")
def test_distributions_differ_and_are_no_permutations_of_each_other(s):
    for log_probs in (s.logp, s.logp_ref, s.logp_old):
        np.testing.assert_allclose(np.exp(log_probs).sum(axis=1), 1, rtol=0, atol=1e-14)
    for a, b in ((s.logp, s.logp_ref), (s.logp, s.logp_old), (s.logp_ref, s.logp_old)):
        assert np.abs(a - b).max(axis=1).min() > 0.05
        assert np.abs(np.sort(a, axis=1) - np.sort(b, axis=1)).max(axis=1).min() > 0.003
    assert (np.abs(np.exp(s.policy).sum(axis=1) - 1) > 1e-3).all(), "logits come with an offset"
    assert ((s.advantage > 0).any(axis=1) | (s.advantage < 0).any(axis=1)).all()
    assert np.abs(s.log_ratio).max() <= MAX_LOG_RATIO
    assert np.abs(s.log_weight).max() <= MAX_LOG_WEIGHT


def test_families_are_what_they_are_called():
    for s, rows in of_family("near_reference"):
        assert np.abs(s.log_ratio[rows]).max() < 1.5
    for s, rows in of_family("near_vertex"):
        assert np.exp(s.logp[rows]).max(axis=1).min() > 0.9
    for s, rows in of_family("far_apart"):
        assert np.abs(s.log_ratio[rows]).max(axis=1).mean() > 6
    assert all((s.log_ratio[rows] > 11).any() for s, rows in of_family("far_apart"))


def test_clamps_in_use_are_reached():
    l, w = (np.concatenate([getattr(s, name).ravel() for s in STANDARD]) for name in ("log_ratio", "log_weight"))
    for reached in (l > 11.01, l < -2.7, np.abs(l) > 4.48, w > np.log(1.2), w < np.log(0.8), np.abs(w) < 0.1):
        assert reached.sum() > 25


def test_settings_are_read_only_and_checked():
    a = np.zeros((2, 3))
    with pytest.raises(ValueError, match="read-only"):
        Settings(a, a, a, a, ("x", "y")).policy[0, 0] = 1.0
    with pytest.raises(ValueError, match=r"reference has shape \(2, 4\); expected \(N, V\) with N = 2 labels"):
        Settings(a, np.zeros((2, 4)), a, a, ("x", "y"))
    with pytest.raises(ValueError, match=r"policy has shape \(2, 3\); expected \(N, V\) with N = 1 labels"):
        Settings(a, a, a, a, ("x",))


# --- the tolerance --------------------------------------------------------------------------------------------------
def compare(left, right, scale=None):
    batch = Settings(*[np.zeros((2, 3))] * 4, ("a", "b"))
    return residual(
        (np.array(left),), (np.array(right),), (np.ones(2) if scale is None else np.array(scale),), (batch,)
    )


ZERO = [[0.0] * 3] * 2


def test_a_residual_is_absolute_and_says_where():
    r = compare([[1.0, 0, 0], [0, 0, 3e-12]], [[1.0, 0, 0], [0, 0, 0]])
    assert (r.value, r.family, r.size, r.index, r.component) == (3e-12, "b", 3, 1, 2)
    assert not r.agrees
    assert str(r) == "3.0e-12 at component 2 of b setting 1, V = 3"
    assert ATOL == 1e-12


def test_only_a_scale_above_one_divides():
    difference = [[0.0, 8e-12, 0.0], [0.0] * 3]
    assert compare(difference, ZERO, [1e-6, 1.0]).value == 8e-12
    assert compare(difference, ZERO, [16.0, 1.0]).value == 5e-13
    assert compare(difference, ZERO, [1.0, 1e9]).value == 8e-12, "each setting has its own scale"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_an_infinite_residual(bad):
    spoilt = [[0.0, 0.0, 0.0], [0.0, bad, 0.0]]
    assert compare(spoilt, ZERO).value == compare(ZERO, spoilt).value == compare(spoilt, spoilt).value == math.inf
    assert compare(ZERO, ZERO, [1.0, bad]).value == math.inf
    assert not compare(spoilt, spoilt).agrees


def test_nothing_to_compare_is_an_error():
    with pytest.raises(ValueError, match="nothing to compare"):
        residual((), (), (), ())
    with pytest.raises(ValueError, match=r"expected \(2, 3\)"):
        compare([[0.0] * 4] * 2, [[0.0] * 4] * 2)
    with pytest.raises(ValueError, match="zip"):
        residual((), (), (), STANDARD)


# --- the settings of witnesses --------------------------------------------------------------------------------------
def test_small_settings_differ_and_reach_every_case():
    cases = set()
    for s in small_settings():
        assert len(s.policy) >= 3
        assert len({tuple(sorted(p)) for p in (s.policy, s.reference, s.old)}) == 3
        assert min(s.advantage) < 0 < max(s.advantage)
        for p, r, o, a in zip(s.policy, s.reference, s.old, s.advantage, strict=True):
            assert p not in (r, o), "l = 0 and w = 1 lie on edges of cells"
            cases.add((p > r, "low" if 5 * p < 4 * o else "high" if 5 * p > 6 * o else "mid", a > 0))
    assert len(cases) == 2 * 3 * 2
    assert len(small_settings()[0].policy) == 3


def test_a_rational_setting_is_checked_and_printed_in_decimals():
    s = RationalSetting.of(".5 .3 .2", ".25 .7 .05", ".1 .1 .8", "1 -.5 .00001")
    assert s.to_json()["setting"]["advantage"] == ["1", "-0.5", "0.00001"]
    assert str(s).startswith("policy (0.5, 0.3, 0.2), reference (0.25, 0.7, 0.05)")
    for bad in (".5 .3 .3", "1.2 -.4 .2", ".5 .5"):
        with pytest.raises(ValueError, match="expected 3 positive numbers with sum 1"):
            RationalSetting.of(".5 .3 .2", bad, ".1 .1 .8", "1 2 3")


def test_critical_points_are_the_changes_of_sign_of_guards():
    points = critical_points((Min(log_ratio, 2) * Max(log_ratio, -1),), {})
    assert [round(x, 9) for v, x in points if v == log_ratio][:3] == [-1, 2, -2]
    assert {v for v, _ in points} == {log_ratio, log_weight}
