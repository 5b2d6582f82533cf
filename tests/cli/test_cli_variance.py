"""``kltheory variance``: what is printed, as text and as JSON, and what is refused, in words."""

import json

import pytest

from kltheory.__about__ import __version__
from kltheory.calculus.divergence import DIVERGENCES
from kltheory.cli.variance import TARGETS

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
]


@pytest.mark.parametrize(("options", "status", "message"), REFUSED, ids=[m[:40] for *_, m in REFUSED])
def test_what_is_refused_says_why(options, status, message, call):
    shown = call("variance", *options)
    assert (shown.exit_code, shown.stdout) == (status, "")
    assert message in shown.stderr


def test_a_kink_on_which_the_policy_stands_is_undecided(call):
    shown = call("variance", *SHARP, "min(w, 1)*l")
    assert shown.exit_code == 2
    assert shown.stdout.startswith("UNDECIDED: ")


def test_a_random_setting_is_the_same_tomorrow_and_another_seed_is_not(call):
    first, again, other = (call("variance", "l**2/2", "--random", seed).stdout for seed in (7, 7, 8))
    assert first == again != other
