"""Every measure is what NumPy computes directly in float64, errors by clusters included; sums of parts add up."""

import numpy as np
import polars as pl
import pytest
from synthetic import CLEAN, drawn

from kltheory.calculus.estimators import k3
from kltheory.calculus.symbols import log_ratio
from kltheory.numerics.bridge import NUMPY
from kltheory.runs.moments import mean_of, merged, overall, sums
from kltheory.runs.quantiles import BINS, FEW, quantiles
from kltheory.runs.ratios import RATIOS, L, applicable, expm1
from kltheory.runs.responses import effective
from kltheory.runs.rows import checked

ROWS = drawn(1)
GOOD = ROWS.filter("mask")
l, log_w, drift = (
    (GOOD["logp"] - GOOD["logp_ref"]).to_numpy(),
    (GOOD["logp"] - GOOD["logp_old"]).to_numpy(),
    (GOOD["logp_old"] - GOOD["logp_sampler"]).to_numpy(),
)
w, A = np.exp(log_w), GOOD["advantage"].to_numpy()
DIRECT = {
    "k1": l,
    "k2": l**2 / 2,
    "k3": np.expm1(-l) + l,
    "abs_l": np.abs(l),
    "k1_weighted": w * l,
    "k3_weighted": w * (np.expm1(-l) + l),
    "reference_mass": np.expm1(-l),
    "reference_mass_weighted": w * np.expm1(-l),
    "chi2_reference": np.expm1(-2 * l),
    "weight_excess": np.expm1(log_w),
    "log_weight": log_w,
    "weight_squared": w**2,
    "moved": (np.abs(log_w) > 1e-6).astype(float),
    "drift": drift,
    "drift_abs": np.abs(drift),
    "drift_excess": np.expm1(drift),
    "surprise": -GOOD["logp"].to_numpy(),
    "advantage": A,
    "positive": (A > 0).astype(float),
    "no_advantage": (A == 0).astype(float),
}


def test_every_measure_has_its_direct_computation():
    assert set(DIRECT) == {r.name for r in RATIOS}


@pytest.mark.parametrize("name", DIRECT)
def test_a_mean_is_the_direct_one_and_its_error_that_of_groups(name, measured):
    mean = measured(ROWS).means[name]
    x = DIRECT[name]
    assert abs(mean.value - x.mean()) < 1e-12 * max(1.0, np.abs(x).max())
    groups = GOOD["group"].to_numpy()
    residual = np.array([(x[groups == g] - x.mean()).sum() for g in np.unique(groups)])
    k = len(residual)
    right = np.sqrt((residual**2).sum() * k / (k - 1)) / len(x)
    assert mean.clusters == k
    assert abs(mean.error - right) < 1e-9 * max(1e-3, right)
    by_token = x.std(ddof=1) / np.sqrt(len(x))
    assert name in ("moved", "advantage", "positive", "no_advantage", "surprise") or abs(by_token - right) > 1e-9


def test_a_wrong_mean_is_seen(measured):
    mean = measured(ROWS).means["k2"]
    assert abs(mean.value - (l**2).mean()) > 1e-3  # its twin without the half
    assert abs(mean.value - (ROWS["logp"] - ROWS["logp_ref"]).pow(2).mean() / 2) > 1e-6  # and without the mask


def test_steps_are_those_of_their_rows(measured):
    for step, mean in measured(ROWS).by_step("k3"):
        own = (GOOD["step"] == step).to_numpy()
        assert abs(mean.value - DIRECT["k3"][own].mean()) < 1e-13


def test_parts_of_a_run_add_up():
    ratios = applicable(frozenset(ROWS.columns))
    whole = sums(checked(ROWS.lazy()), ratios)
    parts = [ROWS.filter(pl.col("group") % 3 == k) for k in range(3)]
    added = merged(sums(checked(part.lazy()), ratios) for part in parts)
    for r in ratios:
        a, b = mean_of(overall(whole), r), mean_of(overall(added), r)
        assert (a.value, a.error, a.clusters) == pytest.approx((b.value, b.error, b.clusters), rel=1e-11, abs=1e-13)
    twice = merged([added, sums(checked(parts[0].lazy()), ratios)])
    assert overall(twice)["tokens"] > overall(whole)["tokens"]


def test_expm1_keeps_its_digits():
    x = np.array([-2000.0, -30.0, -1.0, -1e-9, -1e-300, 0.0, 1e-12, 0.3, 5.0])
    ours = pl.DataFrame({"x": x}).select(expm1(pl.col("x"))).to_series().to_numpy()
    assert np.abs(ours - np.expm1(x)).max() < 1e-13 * np.expm1(5.0)
    near = np.array([-1e-9, -1e-300, 1e-12])
    assert np.abs(ours[[3, 4, 6]] / np.expm1(near) - 1).max() < 1e-15
    assert np.abs((np.exp(near) - 1) / np.expm1(near) - 1).max() > 1e-5  # the plain formula


@pytest.mark.parametrize("seed", range(6))
def test_quantiles_are_order_statistics(seed):
    random = np.random.default_rng(seed)
    n = int(random.integers(1, 4 * FEW if seed == 0 else 3000))
    x = random.choice([random.normal(0, 1, n), random.integers(0, 3, n) * 1.0, random.standard_cauchy(n), np.zeros(n)])
    shares = [0.0, 0.001, 0.25, 0.5, 0.99, 0.999, 1.0]
    found = quantiles(pl.DataFrame({"x": x}).lazy(), pl.col("x"), shares)
    right = [float(np.quantile(x, q, method="inverted_cdf")) for q in shares]
    assert found == right


def test_quantiles_of_many_values_narrow_bin_by_bin(monkeypatch):
    monkeypatch.setattr("kltheory.runs.quantiles.FEW", 10)
    x = np.concatenate([np.random.default_rng(0).normal(0, 1e-9, 5000), [1e6, -1e6], np.full(2000, 0.25)])
    assert (np.abs(x) < 2e6 / BINS).sum() == len(x) - 2  # few bins hold all but two of them
    found = quantiles(pl.DataFrame({"x": x}).lazy(), pl.col("x"), [0.1, 0.5, 0.75, 0.9])
    assert found == [float(np.quantile(x, q, method="inverted_cdf")) for q in (0.1, 0.5, 0.75, 0.9)]


def test_effective_sizes():
    assert effective(np.zeros(7)) == pytest.approx(1.0, rel=1e-15, abs=0)
    assert effective(np.array([0.0, -800.0, -900.0])) == pytest.approx(1 / 3, rel=1e-15, abs=0)
    rho = np.exp([0.3, -0.2, 1.1])
    assert effective(np.log(rho)) == pytest.approx(rho.sum() ** 2 / (3 * (rho**2).sum()), rel=1e-14, abs=0)


def test_whole_responses(measured):
    found = measured(ROWS).responses
    assert found is not None
    per = GOOD.group_by("response", maintain_order=True).agg(
        n=pl.len(),
        log_rho=(pl.col("logp") - pl.col("logp_old")).sum(),
        reward=pl.col("reward").first(),
        group=pl.col("group").first(),
    )
    assert found.count == per.height
    assert found.tokens == (per["n"].mean(), per["n"].max())
    rho = np.exp(per["log_rho"].to_numpy())
    assert found.sample_size == pytest.approx(rho.sum() ** 2 / (len(rho) * (rho**2).sum()), rel=1e-12, abs=0)
    same = per.group_by("group").agg(gap=pl.col("reward").n_unique() == 1)["gap"].mean()
    assert found.of_one_mind == pytest.approx(same, rel=1e-12, abs=0)
    assert found.length_and_reward == pytest.approx(np.corrcoef(per["n"], per["reward"])[0, 1], rel=1e-9, abs=1e-12)


def test_the_formula_of_k3_is_the_measure():
    assert np.abs(NUMPY(k3.expr, {log_ratio: l}) - DIRECT["k3"]).max() < 1e-12


def test_columns_that_are_missing_switch_off_what_needs_them(measured):
    found = measured(ROWS.drop("logp_old", "reward", "group"))
    assert "weight_excess" not in found.means
    assert "k1" in found.means
    assert found.missing == ["logp_old", "reward", "group"]
    assert found.responses is not None
    assert (found.responses.sample_size, found.responses.of_one_mind) == (None, None)
    assert found.means["k1"].clusters == ROWS["response"].n_unique()  # no groups: responses


def test_a_plain_run_counts_what_it_should(measured):
    found = measured(drawn(2, CLEAN))
    assert found.run.total == found.run.good + found.run.masked
    assert found.run.masked == int((~drawn(2, CLEAN)["mask"]).sum())


def test_l_is_the_log_ratio():
    assert ROWS.select(L).to_series().to_list() == (ROWS["logp"] - ROWS["logp_ref"]).to_list()


def test_responses_of_one_length_are_in_one_class(measured):
    few = ROWS.filter(pl.col("position") < 3)
    found = measured(few).responses
    lengths = [most for most, _ in found.by_length]
    assert lengths == sorted(set(lengths))
    assert dict(measured(few.reverse()).responses.by_length) == pytest.approx(dict(found.by_length), rel=1e-12, abs=0)
