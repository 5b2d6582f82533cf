"""``kltheory variance``: what is printed, as text and as JSON, and what is refused, in words."""

import json
import re
from math import log

import pytest

from kltheory.__about__ import __version__
from kltheory.calculus.divergence import DIVERGENCES
from kltheory.cli.variance import TARGETS
from kltheory.report import variance

SHARP = ("--policy", ".9 .05 .05", "--reference", ".5 .25 .25")
KEYS = {
    "schema", "version", "notes", "setting", "sampler", "target", "target_value", "target_norm", "samples",
    "estimators", "best", "path",
}  # fmt: skip
ESTIMATOR = {
    "name", "factor", "unbiased", "bias", "relative_bias", "variance", "baseline", "variance_with_baseline",
    "mean_square_error", "value",
}  # fmt: skip


def test_the_targets_are_the_divergences():
    """Written out in the command, so that its help does not load SymPy."""
    assert tuple(d.name for d in DIVERGENCES) == TARGETS


@pytest.mark.parametrize(
    "options", [SHARP, (*SHARP, "--old", ".6 .2 .2"), ("--random", 3), ("--random", 3, "--size", 9)]
)
def test_json_is_the_interface_that_is_documented(options, call):
    shown = call("variance", *options, "--json")
    assert shown.exit_code == 0
    data = json.loads(shown.stdout)
    assert set(data) == KEYS
    assert (data["schema"], data["version"], data["target"]) == (1, __version__, "reverse_kl")
    assert data["sampler"] == ("old" if "--old" in options else "policy")
    assert all(set(e) == ESTIMATOR for e in data["estimators"])
    assert all(set(e["value"]) == {"mean", "bias", "std", "unbiased"} for e in data["estimators"])
    assert set(data["best"]) == set(data["path"]) == {"variance", "mean_square_error"}
    assert {len(p) for p in data["setting"].values()} == {3 if "--random" not in options else 9 if 9 in options else 5}


def test_the_same_numbers_as_text(call):
    data = json.loads(call("variance", *SHARP, "--json").stdout)
    text = call("variance", *SHARP).stdout
    for entry in data["estimators"]:
        assert any(
            line.startswith(entry["name"] + "  ") and f"{entry['variance']:.5g}" in line for line in text.splitlines()
        )
    flip = data["path"]["variance"][1]
    assert flip["names"] == ["w k1 as loss"]
    assert f"    from t = {flip['from_t']:.6g} on: w k1 as loss" in text.splitlines()


def test_formulas_of_ones_own(call):
    arguments = ("variance", "-l", "exp(-l) - 1 + l", *SHARP, "--as", "loss", "--target", "forward_kl", "--samples", 8)
    data = json.loads(call(*arguments, "--json").stdout)
    assert [(e["name"], e["factor"], e["unbiased"]) for e in data["estimators"]] == [
        ("-l", "-1", False),
        ("exp(-l) - 1 + l", "1 - exp(-l)", True),
    ]
    assert (data["samples"], data["target"]) == (8, "forward_kl")
    assert "MSE, N = 8" in call(*arguments).stdout


def test_estimators_and_constants_by_name(call):
    typed = (("l", "l**2/2", "exp(-l) - 1 + l", "l/4"), ("k1", "k2", "k3", "beta*k1"))
    plain, named = (json.loads(call("variance", *f, *SHARP, *more, "--json").stdout) for f, more in zip(
        typed, ((), ("--param", "beta=0.25")), strict=True
    ))  # fmt: skip
    assert (plain["notes"], named["notes"][0]) == ([], "k1 is l")
    assert [{**e, "name": ""} for e in plain["estimators"]] == [{**e, "name": ""} for e in named["estimators"]]
    shown = call("variance", "beta*k1", *SHARP, "--param", "beta=0.25").stdout
    assert shown.endswith("\n\nbeta is 1/4\nk1 is l\n")


def test_a_placement_and_a_weight(call):
    options = (*SHARP, "--old", ".6 .2 .2", "--json")
    rows = [json.loads(call("variance", "l", *options, *more).stdout)["estimators"][0] for more in PLACED]
    assert [row["factor"] for row in rows] == ["1", "l*w + w", "w", "l", "l*w"]
    assert [row["unbiased"] for row in rows] == [False, True, False, False, True]


PLACED = [
    (), ("--weight", "live"), ("--weight", "detached"), ("--as", "reward"), ("--as", "reward", "--weight", "detached"),
]  # fmt: skip

HALF = ("--reference", ".5 .5")
REFUSED = [
    ((), 2, "give --policy '.6 .3 .1' and --reference '.2 .5 .3', or --random SEED"),
    (("--policy", ".6 .4"), 2, "give --policy '.6 .3 .1' and --reference"),
    (("--policy", ".6 .3", "--reference", ".5 .5"), 2, "--policy sums to 0.9, not to 1"),
    (("--policy", ".6 .4", "--reference", ".2 .3 .5"), 2, "--reference has 3 probabilities and --policy has 2"),
    (("--policy", "six", "--reference", ".5 .5"), 2, "write probabilities with spaces between"),
    ((*SHARP, "--random", 3), 2, "--random draws all distributions"),
    ((*SHARP, "--size", 3), 2, "--size goes with --random"),
    ((*SHARP, "--sampler", "old"), 2, "--sampler old needs --old"),
    ((*SHARP, "--old", ".6 .2 .2", "--sampler", "policy"), 2, "--old is the policy that sampled"),
    ((*SHARP, "--as", "reward"), 2, "--as and --weight place a FORMULA, and there is none"),
    ((*SHARP, "--target", "kl"), 2, "'kl' is not one of 'reverse_kl'"),
    ((*SHARP, "exp(l"), 1, "this is not a formula"),
    ((*SHARP, "foo"), 1, "allowed: "),
    ((*SHARP, "beta*k3"), 1, "beta*k3: beta has no number here; give it one, as in --param beta=0.1"),
    ((*SHARP, "k3", "--param", "beta=2"), 2, "--param beta: no formula has that name"),
    ((*SHARP, "A*l"), 1, "A*l has the advantage A, which has no number here"),
    (("--policy", ".6 .4", "--reference", ".6 .4", "abs(l)"), 1, "abs(l) is on a kink at action 1, l = 0"),
    ((*SHARP, "--polcy", ".6 .4"), 1, "this is not a formula"),
    (("--random", 3, "--policy", ""), 2, "--random draws all distributions"),
    (("--policy", "nan 1", "--reference", ".5 .5"), 2, "'nan 1': write probabilities with spaces between"),
    (("--policy", "1e-999999999 1", "--reference", ".5 .5"), 2, "1e-999999999 has more than 1000 digits"),
    (("--policy", f"1e-20 0.{'9' * 19}", "--reference", ".5 .5"), 2, "--policy sums to 1 - 9e-20, not to 1"),
    ((*SHARP, "sqrt(l)"), 1, "sqrt(l) is undefined at action 2, l = -1.60944"),
    ((*SHARP, "log(l)"), 1, "log(l) is undefined at action 2"),
    ((*SHARP, "exp(exp(exp(exp(9*l))))"), 1, "is too large to compute with at action 1, l = 0.587787"),
    (
        (*SHARP, "l", "--target", "total_variation", "--reference", ".9 .04 .06"),
        1,
        "TV(π, π_ref) is on a kink at action 1",
    ),
    (
        ("--policy", ".9 .1", "--reference", ".5 .5", "min(u, 1.8)"),
        1,
        "min(u, 1.8) is on a kink at action 1, l = 0.587787",
    ),
    (("--policy", ".6 .4", *HALF, "--old", ".5 .5", "min(w, 1.2)"), 1, "min(w, 1.2) is on a kink at action 1"),
]


@pytest.mark.parametrize(("options", "status", "message"), REFUSED, ids=[m[:40] for *_, m in REFUSED])
def test_what_is_refused_says_why(options, status, message, call):
    shown = call("variance", *options)
    assert (shown.exit_code, shown.stdout) == (status, "")
    assert message in shown.stderr


def test_on_a_kink_that_holds_throughout_both_sides_share_the_gradient(call):
    """On-policy w is 1: min(w, 1) has half the slope of w, as torch and JAX have it."""
    assert "min(w, 1)*l = (1 + w)*l/2" in call("variance", *SHARP, "min(w, 1)*l", "(1 + w)*l/2").stdout
    assert "min(w, 1)*l = w*l" not in call("variance", *SHARP, "min(w, 1)*l", "w*l").stdout


def test_a_random_setting_is_the_same_tomorrow_and_another_seed_is_not(call):
    first, again, other = (call("variance", "l**2/2", "--random", seed).stdout for seed in (7, 7, 8))
    assert first == again != other


# --- true, or silent --------------------------------------------------------------------------------------------------
def strict(call, *arguments):
    """What is written, as JSON and nothing more."""
    shown = call("variance", *arguments, "--json")
    assert shown.exit_code == 0, shown.output
    return json.loads(shown.stdout, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


def test_a_peaked_policy(call):
    """With two actions one baseline, (c_1 π_2 + c_2 π_1)/(w_1 π_2 + w_2 π_1), takes all the noise."""
    peaked = ("--policy", "0.99999999 0.00000001", *HALF)
    data = strict(call, "l**2/2", "exp(-l)-1+l", *peaked, "--old", ".5 .5")
    first = data["estimators"][0]
    assert data["setting"]["policy"] == [0.99999999, 1e-08]
    assert first["variance_with_baseline"] == 0
    one, two = 0.99999999, 1e-8
    best = (two * log(2 * one) + one * log(2 * two)) / (4 * one * two)
    assert first["baseline"] == pytest.approx(best, rel=1e-15)
    assert all(e["variance"] > 0 == e["variance_with_baseline"] for e in data["estimators"])
    lines = call("variance", "l**2/2", *peaked).stdout.splitlines()
    assert "policy     0.99999999 1e-08" in lines


def test_numbers_that_float64_does_not_hold(call):
    data = strict(call, "exp(1000*l)", "l**2/2", *SHARP, "--samples", 10**30)
    huge, plain = data["estimators"]
    assert re.fullmatch(r"4\.7352\d*e\+513", huge["variance"])
    assert huge["bias"] == pytest.approx(2.0644e257, rel=1e-4)
    assert plain["variance"] == pytest.approx(0.39024, rel=1e-4)
    assert data["best"]["variance"] == ["l**2/2"]
    assert "4.7353e+513" in call("variance", "exp(1000*l)", *SHARP).stdout
    rare = ("--policy", f"1e-320 0.{'9' * 320}", *HALF)
    assert strict(call, "l", *rare)["setting"]["policy"] == ["1e-320", 1.0]
    assert "policy     1e-320 1-1e-320" in call("variance", "l", *rare).stdout.splitlines()


ZEROS = [
    (("l**2/2", "--policy", ".6 .4", "--reference", ".6 .4"), "variance", "baseline", "variance_with_baseline", "bias"),
    (("l", "--policy", ".6 .4", "--reference", ".5 .5"), "variance_with_baseline"),
    (("exp(-l)", "--policy", "1/3 2/3", "--reference", "2/3 1/3"), "variance_with_baseline"),
    (("u + 1/u", "--as", "reward", "--policy", "1/3 2/3", "--reference", "2/3 1/3"), "variance_with_baseline"),
]


@pytest.mark.parametrize(("options", *("names",)), [(row[0], row[1:]) for row in ZEROS])
def test_zero_is_exactly_zero(options, names, call):
    (entry,) = strict(call, *options)["estimators"]
    assert {name: entry[name] for name in names} == dict.fromkeys(names, 0)


def test_values_that_are_zero_and_one_that_is_not(call):
    thirds = ("--policy", "1/3 2/3", "--reference", "2/3 1/3")
    same, mirrored, near = (
        e["value"] for e in strict(call, "1 - 1/u", "l**2", "l**2 + l*1e-25", *thirds)["estimators"]
    )
    assert same["mean"] == 0 != same["std"]
    assert mirrored["std"] == 0 != mirrored["mean"]
    assert near["std"] == pytest.approx(2 * log(2) * 1e-25 * 8**0.5 / 3, rel=1e-12)


def test_a_corner_on_which_a_reward_stands_is_none(call):
    (entry,) = strict(call, "min(u, 1.8)", "--as", "reward", "--policy", ".9 .1", *HALF)["estimators"]
    assert entry["value"]["mean"] == pytest.approx(0.9 * 1.8 + 0.1 * 0.2, rel=1e-15)


def test_along_the_path_an_estimator_may_have_no_value(call):
    path = strict(call, "sqrt(l + 2)", *SHARP)["path"]["mean_square_error"]
    assert [row["names"] for row in path] == [["sqrt(l + 2)"], []]
    assert 1 < path[1]["from_t"] < 2
    assert " on: none has a value" in call("variance", "sqrt(l + 2)", *SHARP).stdout


def test_with_very_many_actions_the_path_is_coarse_or_not_looked_at(call, monkeypatch):
    along = "along π_t ∝ π_ref^(1-t) π^t"
    assert f"{along}, t from 0 to 3; this setting is t = 1" in call("variance", "l", *SHARP).stdout
    monkeypatch.setattr(variance, "LOOKS", 60)
    assert f"{along}, t from 0 to 3, in 20 steps; this setting is t = 1" in call("variance", "l", *SHARP).stdout
    monkeypatch.setattr(variance, "LOOKS", 59)
    assert f"{along}: not looked at with so many actions" in call("variance", "l", *SHARP).stdout
    assert strict(call, "l", *SHARP)["path"] == {"variance": [], "mean_square_error": []}


def test_a_formula_typed_twice_is_one(call):
    assert [e["name"] for e in strict(call, "l", "l", *SHARP)["estimators"]] == ["l"]
