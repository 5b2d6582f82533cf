"""``kltheory optimum``: the figures people quote, the errors they make, and no better policy anywhere near."""

import json
import re
from fractions import Fraction

import numpy as np
import pytest
from click.testing import CliRunner
from sympy import log

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import DIVERGENCES, u
from kltheory.calculus.regions import Region
from kltheory.calculus.symbols import log_ratio as l
from kltheory.cli.main import cli
from kltheory.cli.optimum import NAMES
from kltheory.numerics.bridge import NUMPY
from kltheory.numerics.optimum import optimum
from kltheory.report.optimum import NoOptimum, Penalty, optima

BANDIT = ["optimum", "--reward", "1 0 0", "--reference", ".1 .6 .3"]


def run(*arguments: str):
    return CliRunner().invoke(cli, [*arguments])


def solved(*arguments: str) -> dict:
    result = run(*BANDIT, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


@pytest.mark.parametrize(
    ("beta", "name", "best"),
    [(".1", "reverse_kl", 0.9996), (".1", "forward_kl", 0.911), ("1", "reverse_kl", 0.232), ("1", "forward_kl", 0.316)],
)
def test_crossover_of_reverse_and_forward_kl(beta, name, best):
    (found,) = solved("--beta", beta, "--divergence", name)["optima"]
    assert abs(found["policy"][0] - best) < 5e-4
    assert found["divergence"] == name


def test_closed_forms_in_numbers():
    forward, reverse = (solved("--beta", ".5", "--divergence", n)["optima"][0] for n in ("forward_kl", "reverse_kl"))
    tilt = np.array([0.1, 0.6, 0.3]) * np.exp(np.array([1, 0, 0]) / 0.5)
    np.testing.assert_allclose(reverse["policy"], tilt / tilt.sum(), rtol=1e-12)
    reciprocal = 1 / (np.array(forward["policy"]) / np.array([0.1, 0.6, 0.3]))
    assert abs((reciprocal[1] - reciprocal[0]) * 0.5 - 1) < 1e-12  # β/u = Λ - A


def test_a_loss_is_the_divergence_it_descends():
    both = solved("--beta", ".3", "--divergence", "forward_kl", "--loss", "exp(-l) - 1 + l")["optima"]
    np.testing.assert_allclose(both[0]["policy"], both[1]["policy"], rtol=1e-12)
    assert both[1]["divergence"] == "forward_kl"


def test_a_constant_scales_a_loss():
    half = solved("--beta", ".6", "--loss", "c*k3", "--param", "c=1/2")["optima"]
    np.testing.assert_allclose(half[0]["policy"], solved("--beta", ".3", "--loss", "k3")["optima"][0]["policy"], 1e-12)
    assert (
        "\nc is 1/2\nk3 is l - 1 + exp(-l)\n" in run(*BANDIT, "--beta", "1", "--loss", "c*k3", "--param", "c=.5").output
    )


@pytest.mark.parametrize("divergence", DIVERGENCES, ids=lambda d: d.name)
@pytest.mark.parametrize("beta", [0.05, 0.4, 3.0])
def test_no_policy_nearby_is_better(divergence, beta):
    random = np.random.default_rng([5, 7])
    reward, reference = random.normal(0, 1, 6), random.dirichlet(np.ones(6))
    found = optimum(divergence.coefficient, divergence, reward, reference, beta)
    assert abs(found.policy.sum() - 1) < 1e-12
    assert found.residual < 1e-7

    def objective(p: np.ndarray) -> float:
        with np.errstate(all="ignore"):
            f = NUMPY(divergence.f, {u: np.maximum(p / reference, 1e-200)})
        return float(p @ reward - beta * (reference @ f))

    assert abs(objective(found.policy) - found.objective) < 1e-9
    others = [(1 - t) * found.policy + t * q for t in (1e-4, 1e-2, 0.3, 1) for q in random.dirichlet(np.ones(6), 50)]
    assert max(map(objective, others)) <= found.objective + 1e-12
    if divergence.name not in ("total_variation", "pearson_chi2"):  # whose optima may stay at a corner
        wrong = optimum(divergence.coefficient, divergence, reward, reference, 2 * beta)
        assert objective(wrong.policy) < found.objective - 1e-7


def test_a_quadratic_penalty_gives_actions_up():
    found = run(
        "optimum", "--reward", "3 0 -3", "--reference", ".3 .4 .3", "--beta", ".5", "--divergence", "pearson_chi2"
    )
    assert found.exit_code == 0
    assert "0 where that is negative" in found.output


def test_an_exponential_tilt_that_underflows_is_not_called_negative():
    tiny = run(
        "optimum", "--reward", "1 0 -5", "--reference", ".3 .4 .3", "--beta", ".001", "--divergence", "reverse_kl"
    )
    assert tiny.exit_code == 0
    assert "u = exp(y" in tiny.output
    assert "negative" not in tiny.output


@pytest.mark.parametrize(("loss", "closed"), [("l**2", True), ("exp(l) - l", True), ("l**4", False)])
def test_no_closed_form_takes_a_root_of_a_negative_number(loss, closed):
    assert (Penalty.of_loss(loss).formula is not None) == closed


def test_without_a_penalty_named_all_are_shown():
    assert [o["divergence"] for o in solved("--beta", "1")["optima"]] == list(NAMES) == [d.name for d in DIVERGENCES]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["optimum", "--reward", "1 0", "--reference", ".1 .6 .3", "--beta", "1"],
            "has 2 numbers and --reference has 3",
        ),
        (["optimum", "--reward", "1 x", "--reference", ".5 .5", "--beta", "1"], "write numbers with spaces between"),
        (["optimum", "--reward", "1 0", "--reference", ".5 .6", "--beta", "1"], "sums to 1.1"),
        (["optimum", "--reward", "1 0", "--reference", ".5 .5", "--beta", "0"], "0.0 is not in the range"),
        ([*BANDIT, "--beta", "1", "--loss", "l +"], "this is not a formula"),
        ([*BANDIT, "--beta", "1", "--loss", "l"], "is constant: it is no penalty"),
        ([*BANDIT, "--beta", "1", "--loss", "beta*k3"], "beta has no number here; give it one, as in --param beta=0.1"),
        ([*BANDIT, "--beta", "1", "--loss", "k3", "--param", "c=1"], "--param c: no formula has that name"),
        (
            [*BANDIT, "--beta", "1", "--loss", "l**3/6"],
            "descends no f-divergence: C falls where l < 0, where C = l**2/2",
        ),
        ([*BANDIT, "--beta", "nan"], "nan is not finite"),
        ([*BANDIT, "--beta", "inf"], "inf is not finite"),
        ([*BANDIT, "--beta", "-1"], "-1.0 is not in the range"),
        ([*BANDIT, "--beta", "one"], "'one' is no number"),
        ([*BANDIT, "--beta", "1e99999999"], "1e99999999 has more than 1000 digits"),
        (["optimum", "--reward", "inf 0", "--reference", ".5 .5", "--beta", "1"], "inf is not finite"),
        (["optimum", "--reward", "", "--reference", ".5 .5", "--beta", "1"], "write numbers with spaces between"),
        (["optimum", "--reward", "1", "--reference", "1", "--beta", "1"], "at least two probabilities"),
        ([*BANDIT, "--beta", "1", "--loss", "logp**2"], "depends on logp: a penalty is one of l alone"),
        ([*BANDIT, "--beta", "1", "--loss", "A*l"], "depends on A: a penalty is one of l alone"),
        ([*BANDIT, "--beta", "1", "--loss", "l*logp"], "depends on"),
        ([*BANDIT, "--beta", "1", "--loss", "sqrt(l)"], "sqrt(l) is undefined where l < 0"),
        (
            [*BANDIT, "--beta", "1", "--loss", "-log(l**2)"],
            "no f-divergence: C is infinite at l = 0, where C = -2/l",
        ),
        ([*BANDIT, "--beta", "1", "--loss", "(l + 3)**2.5"], "is undefined where l < -3"),
    ],
)
def test_errors_say_what_to_write(arguments, words):
    result = run(*arguments)
    assert result.exit_code in (1, 2)
    assert words in result.output


# --- true, or silent --------------------------------------------------------------------------------------------------
def strict(*arguments: str) -> dict:
    """What is written, as JSON and nothing more."""
    result = run("optimum", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


def test_rewards_at_the_end_of_float64():
    found = strict("--reward", "1e308 -1e308", "--reference", ".5 .5", "--beta", "1")
    assert found["reward"] == [1e308, -1e308]
    for entry in found["optima"]:
        assert entry["policy"][0] == 1
        assert entry["objective"] == 1e308
        assert entry["residual"] == 0
        assert (entry["log_ratio"][1] is None) is (entry["dropped"] == [1])
    assert {e["divergence"] for e in found["optima"] if e["dropped"]} == {"total_variation", "pearson_chi2"}


def test_what_is_small_is_not_given_up():
    found = run(
        "optimum", "--reward", "1 0 -5", "--reference", ".3 .4 .3", "--beta", ".001", "--divergence", "reverse_kl"
    )
    assert found.output.splitlines()[1].split()[1:4] == ["1", "6.7679e-435", "1.7104e-2606"]
    (entry,) = strict("--reward", "1 0 -5", "--reference", ".3 .4 .3", "--beta", ".001", "--divergence", "reverse_kl")[
        "optima"
    ]
    assert entry["dropped"] == []
    assert entry["policy"] == [1, 0, 0]
    assert entry["log_ratio"][1:] == pytest.approx([-1000 - np.log(0.3), -6000 - np.log(0.3)], rel=1e-15)


def test_far_more_penalty_than_reward():
    """Second order: D = Var[A]/(2 β²) for the reverse KL, and E[A] - β D = E[A] + Var[A]/(2 β)."""
    (entry,) = strict(*BANDIT[1:], "--beta", "1e200", "--divergence", "reverse_kl")["optima"]
    assert entry["value"] == "4.5e-402"
    assert entry["policy"] == pytest.approx([0.1, 0.6, 0.3], rel=1e-15)
    assert entry["log_ratio"] == pytest.approx([9e-201, -1e-201, -1e-201], rel=1e-12)


def test_without_a_closed_form_there_is_no_value():
    (entry,) = strict(*BANDIT[1:], "--beta", "1", "--loss", "exp(exp(2*l))")["optima"]
    assert (entry["value"], entry["objective"]) == (None, None)
    line = run(*BANDIT, "--beta", "1", "--loss", "exp(exp(2*l))").output.splitlines()[1]
    assert line.split()[-4:-2] == ["-", "-"]


def test_ten_thousand_actions():
    n = 10_000
    reward, reference = " ".join(["1"] + ["0"] * (n - 1)), " ".join([f"1/{n}"] * n)
    (entry,) = strict("--reward", reward, "--reference", reference, "--beta", ".1", "--divergence", "reverse_kl")[
        "optima"
    ]
    assert entry["policy"][0] == pytest.approx(np.exp(10) / (np.exp(10) + n - 1), rel=1e-15)
    assert sum(entry["policy"]) == pytest.approx(1, rel=1e-12)


def test_no_policy_is_claimed_that_does_not_balance_the_rewards():
    hole = Penalty("hole", Coefficient(((Region(), log(l + 3)),)), None)
    assert optima([hole], [Fraction(1), Fraction(0)], [Fraction(1, 2)] * 2, Fraction(10)).rows[0][1].residual == 0
    with pytest.raises(
        NoOptimum, match=re.escape("hole: no policy balances these rewards; log(l + 3) has no value there")
    ):
        optima([hole], [Fraction(100), Fraction(0)], [Fraction(1, 2)] * 2, Fraction(1, 10))
