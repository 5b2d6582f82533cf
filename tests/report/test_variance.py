"""Bias and variance: the closed forms beside explicit covariance matrices, and what is said of who is best."""

import json
import re
from fractions import Fraction

import numpy as np
import pytest
from flint import arb
from sympy import exp

from kltheory.calculus.estimators import as_loss, in_reward, k1, k2, k3, w
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import log_ratio as l
from kltheory.calculus.symbols import sg
from kltheory.numerics import autodiff, least, variance
from kltheory.numerics.enclosed import floats
from kltheory.numerics.path import Path
from kltheory.numerics.settings import standard_settings
from kltheory.report import variance_text
from kltheory.report.candidates import Candidate, NoNumber, usual
from kltheory.report.setting import BadSetting, drawn, typed
from kltheory.report.variance import END, TARGETS, compare, names

POLICY, OLD = Sampler
SHARPENED = typed(".9 .05 .05", ".5 .25 .25")
ODD = tuple(
    Candidate.typed(t, "loss", "none") for t in ("min(l**2/2, 0.3)", "abs(l)", "sg(w)*min(l, 1)*logp", "l**3/w")
)
EACH = pytest.mark.parametrize("candidate", [*usual(), *ODD], ids=lambda c: c.name)


# --- explicit covariance ----------------------------------------------------------------------------------------------
def explicit(surrogate, sampler, settings, baseline=0.0):
    """Mean and trace of the covariance of the gradients (c - b w)(e_a - π), a row for each action; c by autodiff."""
    (c,) = autodiff.score(surrogate, (settings,), sampler)
    (p,), (q,) = np.exp(settings.logp), np.exp(settings.logp if sampler is POLICY else settings.logp_old)
    gradients = (c[0] - baseline * p / q)[:, None] * (np.eye(len(p)) - p)
    mean = q @ gradients
    covariance = (gradients - mean).T @ np.diag(q) @ (gradients - mean)
    return mean, float(np.trace(covariance))


@EACH
@pytest.mark.parametrize("sampler", Sampler)
@pytest.mark.parametrize("size", [2, 5, 30])
def test_the_closed_forms_are_the_covariance_matrix(candidate, sampler, size):
    setting = drawn(size, size)
    (line,) = compare([candidate], setting, sampler).lines
    mean, trace = explicit(candidate.surrogate, sampler, setting)
    (goal,) = autodiff.objective_gradient(TARGETS["reverse_kl"].objective.summand, (setting,))
    assert float(line.variance) == pytest.approx(trace, rel=1e-10)
    assert float(line.bias) == pytest.approx(float(np.linalg.norm(mean - goal[0])), abs=1e-12)
    best = float(line.baseline)
    at = [explicit(candidate.surrogate, sampler, setting, best + d)[1] for d in (-1e-3, 0, 1e-3)]
    assert float(line.least) == pytest.approx(at[1], rel=1e-9, abs=1e-12)
    assert at[1] < min(at[0], at[2])
    moved, _ = explicit(candidate.surrogate, sampler, setting, best)
    assert np.allclose(moved, mean, atol=1e-12)


@pytest.mark.parametrize("sampler", Sampler)
def test_the_closed_forms_on_standard_settings(sampler):
    score = as_loss(k3, w).score(sampler)
    for s in standard_settings()[:2]:
        found = variance.noise(score, sampler, s)
        for i in range(0, len(s.family), 7):
            _, trace = explicit(as_loss(k3, w), sampler, s.rows(i, i + 1))
            assert float(found.variance[i]) == pytest.approx(trace, rel=1e-9)
            assert found.least[i] <= found.variance[i]


@EACH
@pytest.mark.parametrize("sampler", Sampler)
def test_a_value_has_its_mean_and_deviation(candidate, sampler):
    setting = drawn(4, 6)
    (line,) = compare([candidate], setting, sampler).lines
    q, x = np.exp((setting.logp if sampler is POLICY else setting.logp_old)[0]), {"l": setting.log_ratio[0]}
    x["w"] = np.exp(setting.log_weight[0]) if sampler is OLD else np.ones(6)
    text = str(candidate.value).replace("log_w", "np.log(w)").replace("logp", "p").replace("Abs", "np.abs")
    text = text.replace("Min(", "np.minimum(").replace("exp(", "np.exp(")
    values = eval(text, {"np": np, "p": setting.logp[0], **x})  # noqa: S307 (formulas of this file)
    assert float(line.mean) == pytest.approx(float(q @ values))
    assert float(line.std) == pytest.approx(float(np.sqrt(q @ (values - q @ values) ** 2)))


def test_the_numbers_of_the_sharpened_policy():
    """Those of the theorems w_k1_is_noisier_than_w_k3 and mean_as_baseline_lowers_the_variance (proofs/variance.py)."""
    kl = sum(float(p) * np.log(float(p / q)) for p, q in zip(SHARPENED.policy, SHARPENED.reference, strict=True))
    shown = [as_loss(k1, w), as_loss(k3, w), Surrogate(sg(l - round(kl, 12)) * Surrogate.of(l).expr)]
    lines = compare([Candidate(str(i), s, l) for i, s in enumerate(shown)], SHARPENED, POLICY).lines
    assert [round(float(line.variance), 7) for line in lines] == [0.0390743, 0.3902412, 0.6126473]


# --- bias -------------------------------------------------------------------------------------------------------------
UNBIASED = [
    (POLICY, "reverse_kl", {0, 1, 3, 5, 6, 7}),
    (OLD, "reverse_kl", {1, 5, 6, 7}),
    (POLICY, "forward_kl", {4}),
    (OLD, "forward_kl", set()),
    (POLICY, "total_variation", set()),
]


@pytest.mark.parametrize(("sampler", "target", "unbiased"), UNBIASED, ids=[f"{s.name}-{t}" for s, t, _ in UNBIASED])
def test_who_is_unbiased(sampler, target, unbiased):
    found = compare(usual(), drawn(3, 4), sampler, target)
    assert {i for i, line in enumerate(found.lines) if line.unbiased} == unbiased
    for line in found.lines:
        assert (line.bias == 0) is line.unbiased
        assert line.unbiased or float(line.bias) > 1e-4


def test_an_unbiased_value_is_one_for_every_policy():
    found = {line.candidate.name: line for line in compare(usual(), drawn(3, 4), OLD).lines}
    assert {n for n, line in found.items() if line.unbiased_value} == {"w k1 in reward", "w k1 as loss", "w k3 as loss"}
    for line in found.values():
        assert line.unbiased_value is line.value_bias.is_zero()
        target = compare((), drawn(3, 4), OLD).target_value
        assert float(line.mean - target) == pytest.approx(float(line.value_bias), abs=1e-12)


# --- who is best ------------------------------------------------------------------------------------------------------
def test_estimators_with_the_same_factor_stand_together():
    groups = compare(usual(), SHARPENED, POLICY).groups
    assert [names(g) for g in groups] == [
        "k1 in reward = w k1 in reward = k2 as loss = w k3 as loss = sg(w) k2 as loss",
        "k1 as loss",
        "k3 as loss",
        "w k1 as loss",
        "k3 in reward",
    ]
    assert len(compare(usual(), SHARPENED, OLD).groups) == 6


def test_where_the_best_one_changes_both_are_as_noisy():
    found = compare(usual(), SHARPENED, POLICY)
    (_, first), (t, second) = found.path("variance")
    assert (names(first)[:12], names(second)) == ("k1 in reward", "w k1 as loss")

    def at(t, group):
        return float(variance.variance(group[0].score, POLICY, Path(SHARPENED, (t,)))[0])

    assert at(t, first) == pytest.approx(at(t, second), rel=1e-6)
    assert at(t - 0.01, first) < at(t - 0.01, second)
    assert at(t + 0.01, first) > at(t + 0.01, second)
    assert at(1.0, second) == pytest.approx(float(found.lines[5].variance))


@pytest.mark.parametrize("sampler", Sampler)
@pytest.mark.parametrize("kind", ["variance", "mean_square_error"])
@pytest.mark.parametrize("seed", range(4))
def test_the_path_says_who_is_best_at_every_t(kind, sampler, seed):
    found = compare(usual(), drawn(seed, 4), sampler, samples=3)
    path = found.path(kind)
    for t in (0.1, 0.4, 1.0, 1.7, 2.9):
        rows, costs = Path(found.setting, (t,)), {}
        for g in found.unbiased if kind == "variance" else found.groups:
            bias = variance.gradient_norm(g[0].difference, rows)[0]
            noise = variance.variance(g[0].score, sampler, rows)[0]
            costs[names(g)] = noise if kind == "variance" else bias**2 + noise / 3
        said = [names(g) for start, g in path if start <= t][-1]
        assert costs[said] <= min(costs.values()) * (1 + 1e-6)


def test_the_path_goes_through_the_reference_and_the_policy():
    s = drawn(8, 5)
    rows = {str(v): floats(x) for v, x in Path(s, (0.0, 1.0, 2.0)).columns().at.items()}
    logp_ref, logp_old = rows["logp"] - rows["l"], rows["logp"] - rows["log_w"]
    assert not rows["l"][0].any()
    assert np.allclose(rows["logp"][1], s.logp)
    assert np.allclose(np.diff(rows["l"][2]), 2 * np.diff(s.log_ratio[0]))
    assert np.allclose(np.exp(rows["logp"]).sum(axis=-1), 1)
    assert np.allclose(logp_ref, s.logp_ref)
    assert np.allclose(logp_old, s.logp_old)


def test_at_the_reference_nothing_flickers():
    found = compare(usual(), typed(".6 .4", ".6 .4"), POLICY)
    assert [len(found.path(kind)) for kind in ("variance", "mean_square_error")] == [1, 1]
    assert [n for n, _ in found.by_samples()] == [1]


def about(x, radius=0.0):
    return arb(float(x), radius)


LINES = [
    (lambda t: [t, 1 - t], 0, [(0.5, 0, 1)]),
    (lambda t: [t, t + 1], 0, []),
    (lambda t: [(t - 1.5) ** 2, 0.25], 1, [(1.0, 1, 0), (2.0, 0, 1)]),
    (lambda t: [np.exp(t), 2.0, 5 - t], 0, [(np.log(2), 0, 1), (3.0, 1, 2)]),
    (lambda t: [0 if t < 1.2345 else 1.0, np.nan if t < 0.5 else 0.5], 0, [(1.2345, 0, 1)]),
    (lambda t: [about(t, 1e-9), about(t * (1 - 1e-12), 1e-9)], 0, []),
    (lambda t: [about(t), about(t * (1 - 1e-12))], 1, []),
    (lambda t: [1.0 if t < 1 else np.nan, np.nan if t < 2 else 3.0], 0, [(1.0, 0, None), (2.0, None, 1)]),
    (lambda t: [np.nan if abs(t - 1) < 1e-9 else 1.0, 2.0], 0, []),
    (lambda t: [np.inf, np.nan], None, []),
]


@pytest.mark.parametrize(("costs", "first", "wanted"), LINES)
def test_changes_are_found_by_bisection(costs, first, wanted):
    def table(grid):
        return np.array([[x if isinstance(x, arb) else about(x) for x in costs(t)] for t in grid], dtype=object).T

    start, found = least.flips(table, [0.01 * k for k in range(1, 400)])
    assert start == first
    assert [(f.before, f.after) for f in found] == [(a, b) for _, a, b in wanted]
    assert [f.t for f in found] == pytest.approx([t for t, _, _ in wanted], abs=1e-7)


@pytest.mark.parametrize("seed", range(20))
def test_the_number_of_samples_beside_trying_them_all(seed):
    random = np.random.default_rng(seed)
    bias, spread = random.uniform(0, 1, 5) * (random.random(5) < 0.8), random.uniform(0.1, 30, 5)
    found = least.by_samples(bias, spread)
    for n in range(1, 3000, 7):
        said = [who for start, who in found if start <= n][-1]
        errors = bias**2 + spread / n
        assert errors[said] <= errors.min() * (1 + 1e-12)
    assert [start for start, _ in found] == sorted({start for start, _ in found})


SAMPLES = [
    ([2, 1, 0], [1, 4, 7], [(1, 0), (2, 1), (4, 2)]),  # the lines cross at N = 1 and at 3
    ([2, 1, 0], [1, 1, 5], [(1, 1), (5, 2)]),
    ([0, 0], [1, 1], [(1, 0)]),
    ([arb(1, 1e-30), 1], [arb(1, 1e-30), 1], [(1, 0)]),  # nothing certain
    ([1, 0], [1, "1e400"], [(1, 0), (10**400, 1)]),
]


@pytest.mark.parametrize(("bias", "spread", "wanted"), SAMPLES)
def test_ties_and_far_numbers_of_samples(bias, spread, wanted):
    found = least.by_samples([arb(b) for b in bias], [arb(v) for v in spread])
    assert [who for _, who in found] == [who for _, who in wanted]
    assert all(abs(n - m) * 10**9 <= m for (n, _), (m, _) in zip(found, wanted, strict=True))


def test_without_a_cost_nobody_leads():
    with pytest.raises(ValueError, match="no finite cost"):
        least.leader([arb("nan"), arb("inf")])


# --- what is refused --------------------------------------------------------------------------------------------------
def test_a_kink_has_no_gradient():
    with pytest.raises(NoNumber, match=re.escape("abs(l) is on a kink at action 1, l = 0: no gradient")):
        compare([Candidate.typed("abs(l)", "loss", "none")], typed(".6 .4", ".6 .4"), POLICY)


def test_an_advantage_has_no_number():
    with pytest.raises(NoNumber, match=re.escape("-A*w has the advantage A, which has no number here")):
        Candidate.typed("-A*w", "loss", "none")


BAD = [
    (".6 .3 .2", ".2 .5 .3", None, "--policy sums to 1.1, not to 1; with the others as they are the last is 0.1"),
    ("1/3 1/3", ".5 .5", None, "--policy sums to 2/3, not to 1; with the others as they are the last is 2/3"),
    (".9 .3 .1", ".2 .5 .3", None, "--policy sums to 1.3, not to 1"),
    (".6 .4", ".2 .5 .3", None, "--reference has 3 probabilities and --policy has 2: one for each action"),
    (".6 .4", ".5 .5", "1", "--old '1': at least two probabilities, one for each action"),
    ("a .4", ".5 .5", None, "--policy 'a .4': write probabilities with spaces between, '.6 .3 .1' or '1/3 2/3'"),
    ("1/0 .4", ".5 .5", None, "--policy '1/0 .4': write probabilities"),
    ("1 0", ".5 .5", None, "--policy: 0 is not positive; every action needs some probability (full support)"),
    ("1.5 -.5", ".5 .5", None, "--policy: -.5 is not positive"),
]


@pytest.mark.parametrize(("policy", "reference", "old", "message"), BAD, ids=[m[:40] for *_, m in BAD])
def test_a_bad_setting_is_a_message(policy, reference, old, message):
    with pytest.raises(BadSetting, match=f"^{re.escape(message)}"):
        typed(policy, reference, old)


def test_a_setting_in_decimals_and_fractions():
    s = typed(".5, .25, .25", "1/3 1/3 1/3")
    assert s.policy == s.old == (Fraction(1, 2), Fraction(1, 4), Fraction(1, 4))
    assert s.reference == (Fraction(1, 3),) * 3
    assert typed("0.99999999 1e-8", "1e-320 " + "0." + "9" * 320).reference[0] == Fraction(1, 10**320)
    assert np.allclose(drawn(5, 7).logp, drawn(5, 7).logp)
    assert not np.allclose(drawn(5, 7).logp, drawn(6, 7).logp)


# --- text and JSON ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sampler", Sampler)
def test_json_is_finite_and_says_what_the_text_says(sampler):
    found = compare([*usual(), *ODD], drawn(1, 5), sampler, samples=16)
    data, text = variance_text.to_json(found), variance_text.plain(found)
    json.dumps(data, allow_nan=False)
    table = {row.split("  ")[0]: row.split() for row in text.split("\n\n")[1].splitlines()[1:]}
    assert list(table) == [entry["name"] for entry in data["estimators"]]
    for entry in data["estimators"]:
        shown = [float(x) for x in table[entry["name"]][-4:]]
        keys = ("variance", "baseline", "variance_with_baseline", "mean_square_error")
        assert shown == pytest.approx([entry[key] for key in keys], rel=1e-4)
    assert data["best"]["variance"][0] in text
    assert [e["mean_square_error"] for e in data["estimators"]] == pytest.approx(
        [e["bias"] ** 2 + e["variance"] / 16 for e in data["estimators"]]
    )
    for rows in data["path"].values():
        assert [row["from_t"] for row in rows] == sorted(row["from_t"] for row in rows)
        assert all(0 <= row["from_t"] <= END for row in rows)
    assert len(data["setting"]["policy"]) == 5


def test_what_a_person_reads():
    lines = variance_text.plain(compare(usual(), SHARPENED, POLICY)).splitlines()
    assert lines[:3] == [
        "3 actions; samples from the policy; target KL(π‖π_ref) = 0.36806, with a gradient of length 0.24219 in logits",
        "policy     0.9 0.05 0.05",
        "reference  0.5 0.25 0.25",
    ]
    assert "w k1 as loss      l + 1            0 always  0         0.039074" in "\n".join(lines)
    assert "least variance of the unbiased: w k1 as loss" in lines
    assert lines[-1] == "    from t = 1.31679 on: k1 as loss"


def test_nobody_is_unbiased():
    found = compare([Candidate("k3", as_loss(k3), k3.expr)], SHARPENED, POLICY)
    text = variance_text.plain(found)
    assert "least variance of the unbiased: none here is unbiased" in text
    assert variance_text.to_json(found)["best"]["variance"] == []
    assert variance_text.to_json(found)["path"]["variance"] == []


def test_placements_of_a_typed_formula():
    for place, weight, wanted in [
        ("loss", "none", as_loss(k2)),
        ("loss", "live", as_loss(k2, w)),
        ("loss", "detached", as_loss(k2, sg(w))),
        ("reward", "none", in_reward(k2)),
        ("reward", "detached", in_reward(k2, w)),
    ]:
        found = Candidate.typed("l**2/2", place, weight)
        assert (found.surrogate.score(OLD) - wanted.score(OLD)).is_zero()
        assert found.value == (
            k2.expr if weight == "none" else exp(Candidate.typed("log(w)", "loss", "none").value) * k2.expr
        )
