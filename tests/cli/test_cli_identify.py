"""``kltheory identify``: what typed formulas descend; no text is slow, evaluated, or answered by a traceback."""

import json
import re

import pytest
from effort import within

from kltheory.__about__ import __version__

ROW = {
    "estimator", "placement", "weight", "sampler", "coefficient", "gradient_of", "title", "is_divergence",
    "depends_on_sampler", "f", "base", "objective", "obstacle", "reason", "sampler_reason",
    "advantage", "penalty",
}  # fmt: skip

# formula, options, (on-policy, off-policy) names, each as in the class table
NAMED = [
    ("l", "", "zero", "-kl_old_policy"),
    ("l", "--as reward", "reverse_kl", "none"),
    ("l**2/2", "", "reverse_kl", "none"),
    ("l**2/2", "--weight detached", "reverse_kl", "reverse_kl"),
    ("exp(-l) - 1 + l", "", "forward_kl", "none"),
    ("exp(-l) - 1 + l", "--as loss --weight detached", "forward_kl", "forward_kl"),
    ("exp(-l) - 1 + l", "--as loss --weight live", "reverse_kl", "reverse_kl"),
    ("exp(-l) - 1 + l", "--as reward", "reverse_kl - forward_kl", "none"),
    ("exp(l) - 1 - l", "", "1/2*pearson_chi2", "none"),
    ("abs(l)", "", "2*total_variation", "none"),
    ("-l", "", "zero", "kl_old_policy"),
    ("-l", "--as reward", "-reverse_kl", "none"),
    ("--l", "--as reward", "reverse_kl", "none"),
    ("-1*(l)", "--as=reward", "-reverse_kl", "none"),
    ("0", "", "zero", "zero"),
    ("sg(l)*logp", "", "reverse_kl", "none"),
    ("w*sg(l)", "", "reverse_kl", "reverse_kl"),
    ("logp - logp_ref", "--as reward", "reverse_kl", "none"),
    ("w*log(w)", "", "zero", "kl_policy_old"),
    ("k1", "", "zero", "-kl_old_policy"),
    ("k3", "--weight detached", "forward_kl", "forward_kl"),
    ("abs", "", "2*total_variation", "none"),
    ("beta*k3", "", "beta*forward_kl", "none"),
    ("beta*k3", "--param beta", "beta*forward_kl", "none"),
    ("beta*k3", "--param beta=0.04", "1/25*forward_kl", "none"),
    ("(1 - gap)*k2", "--param gap=0.9", "1/10*reverse_kl", "none"),
    ("w*k1 + strength*k2", "--param strength=1/3", "4/3*reverse_kl", "none"),
    ("k3.detach() + k2 - k2.detach()", "", "reverse_kl", "none"),
    ("logp - ref_logp", "--as reward", "reverse_kl", "none"),
    ("0.5*(logprobs - ref_logprobs).pow(2)", "", "reverse_kl", "none"),
    ("w*log_w", "", "zero", "kl_policy_old"),
    ("(l > 0)*l - (l < 0)*l", "", "2*total_variation", "none"),
    ("l if l > 0 else -l", "", "2*total_variation", "none"),
    ("-A*logp", "", "-expected_advantage", "none"),
    ("-A*w + w*k3/10", "", "-expected_advantage + 1/10*reverse_kl", "-expected_advantage + 1/10*reverse_kl"),
    ("-min(w*A, clamp(w, 0.8, 1.2)*A)", "", "-expected_advantage", "none"),
]


@pytest.mark.parametrize(("formula", "options", "on", "off"), NAMED, ids=[f"{f} {o}" for f, o, _, _ in NAMED])
def test_a_formula_is_named(formula, options, on, off, call):
    data = json.loads(call("identify", formula, *options.split(), "--json").stdout)
    assert set(data) == {"schema", "version", "formula", "read_as", "notes", "undefined", "rows"}
    assert (data["schema"], data["version"], data["formula"]) == (1, __version__, formula)
    assert [row["sampler"] for row in data["rows"]] == ["policy", "old"]
    assert all(set(row) == ROW for row in data["rows"])
    assert [row["gradient_of"] for row in data["rows"]] == [on, off]


WHOLE = [
    # formula, what is descended off-policy, and what else is said
    ("-A*w", "-E_π[A]", ["whoever sampled: C is free of w"]),
    (
        "-A*logp",
        "E_old[A*Φ(w)], Φ(w) = -log(w)",
        ["for A < 0 there is no lower bound: it falls for ever as w falls to 0"],
    ),
    (
        "-min(w*A, clamp(w, 0.8, 1.2)*A)",
        "E_old[A*Φ(w)], Φ(w) = where(w < 6/5, -w, -6/5) for A > 0; where(w < 4/5, -4/5, -w) for A < 0",
        [
            "-E_π[A] where w < 6/5, for A > 0; where 4/5 < w, for A < 0",
            "nothing where 6/5 < w, for A > 0; where w < 4/5, for A < 0",
            "a number added to every advantage changes the expected gradient: no baseline is free",
        ],
    ),
    ("-A*w + abs(log(w))", "-E_π[A], plus Σ π_old f(π/π_old), f(u) = where(u < 1, -log(u), log(u))", []),
    ("-A*w + k3", "-E_π[A], plus E_old[l - 1 + exp(-l)]", []),
    ("-max(A, 0)*w", "E_old[A*Φ(w)], Φ(w) = -w for A > 0; 0 for A < 0", ["nothing everywhere, for A < 0"]),
    ("-A*min(logp, -1)", "Σ_a A*F with ∂F/∂π = C/A: no closed form found", []),
    ("-A*min(w, c)", "Σ_a A*F with ∂F/∂π = C/A: needs a number for c", []),
]


@pytest.mark.parametrize(("formula", "descends", "said"), WHOLE, ids=[f for f, *_ in WHOLE])
def test_what_becomes_of_the_advantage_is_said(formula, descends, said, call):
    lines = [line.strip() for line in call("identify", formula).stdout.split("off-policy")[1].splitlines()]
    assert f"descends     {descends}" in lines
    assert set(said) <= set(lines)
    assert not any("not an f-divergence" in line for line in lines)


def test_the_parts_of_a_whole_loss_are_data(call):
    on, off = json.loads(call("identify", "-A*logp + k3/10", "--json").stdout)["rows"]
    assert on["penalty"] == {"gradient_of": "1/10*forward_kl", "title": "1/10 KL(π_ref‖π)"}
    assert off["penalty"]["gradient_of"] == "none"
    good, bad = off["advantage"]
    assert good == {"sign": 1, "coefficient": "-1/w", "potential": "-log(w)", "dead": [], "bounded_below": True}
    assert bad == {**good, "sign": -1, "bounded_below": False}
    assert json.loads(call("identify", "k3", "--json").stdout)["rows"][0]["advantage"] == []


TEXT = [
    ("exp(-l) - 1 + l", "KL(π_ref‖π)", "f is convex: an f-divergence"),
    ("l", "0 (no gradient)", "the coefficient is constant: in expectation nothing is descended"),
    ("exp(l)*0 + l**4", "Σ π_ref f(π/π_ref), f(u) = ", "f is convex: an f-divergence"),
    ("l**3", "Σ π_ref f(π/π_ref), f(u) = ", "not an f-divergence: C falls where l < 0"),
    ("-l**2", "-2 KL(π‖π_ref)", "f is concave: minus an f-divergence, pushed away from"),
    ("min(l**2, 1)", "Σ π_ref f(π/π_ref)", "not an f-divergence: C falls at l = -1"),
    ("log(l**2)", "nothing that is finite on both sides of a pole", "not an f-divergence: C is infinite at l = 0"),
    ("clamp(w, -1, 1)*l**2", "Σ π_ref f(π/π_ref)", "always on the kink of min(1, w): both sides share the gradient"),
    ("w*l", "KL(π‖π_ref)", "f is convex: an f-divergence"),
    # thresholds and limits that are logarithms of sums, and an f that is infinite at one
    ("clamp(softplus(max(1/2, l)), -20, 20)", "where(u < exp(1/2), 0, ", "C falls at l = log(-1 + exp(20))"),
    ("where(l > 0, 1/expm1(l), 0)", "no closed form found", "not an f-divergence: C falls at l = 0"),
]


@pytest.mark.parametrize(("formula", "title", "note"), TEXT, ids=[f for f, _, _ in TEXT])
def test_what_a_person_reads(formula, title, note, call):
    shown = call("identify", formula)
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert lines[0] == f"{formula}, placed in the loss"
    on_policy = lines[1 : lines.index("  off-policy")]
    assert [line.split()[0] for line in on_policy[:3]] == ["on-policy", "coefficient", "descends"]
    assert title in on_policy[2]
    assert note in " ".join(" ".join(on_policy).split())


@pytest.mark.parametrize(
    ("formula", "base"), [("min(w, 2)", "π_old"), ("log(w)**3", "π_old"), ("w**2", "π_old"), ("w*l**3", "π_ref")]
)
def test_an_objective_is_measured_from_the_policy_that_it_depends_on(formula, base, call):
    off_policy = call("identify", formula).stdout.split("off-policy")[1]
    other = {"π_old": "π_ref", "π_ref": "π_old"}[base]
    assert f"π/{base}" in off_policy
    assert f"π/{other}" not in off_policy


def test_who_sampled_matters_or_does_not(call):
    weighted = call("identify", "l**2/2", "--weight", "detached").stdout
    assert "it depends on who sampled: C moves with w" in call("identify", "l**2/2").stdout
    assert "it depends on who sampled" not in weighted
    assert "whoever sampled: C is free of w" in weighted


LEFT, RIGHT = (f"where {side}, so no policy but the reference has a loss" for side in ("l < 0", "0 < l"))
UNDEFINED = [  # on-policy and off-policy; empty where it has a value
    ("sqrt(l)", LEFT, LEFT),
    ("log(l)", LEFT, LEFT),
    ("log(1 - exp(l))", RIGHT, RIGHT),
    ("where(l > -2, 0, log(l + 5))", "where l < -5", "where l < -5"),
    ("max(log(l + 5), 0)", "where l < -5", "where l < -5"),
    ("log(l + w)", "where l < -1", "where l + w < 0"),
    ("sqrt(2 - w)*l", "", "where 2 < w"),
    ("1/log(w)", "everywhere", ""),
    ("log(logp)", "everywhere", "everywhere"),
    ("where(l > 0, sqrt(l), sqrt(-l))", "", ""),
    ("log(1 - exp(logp))", "", ""),
    ("log(1 + u)", "", ""),
    # what cancels as it is read, or as a branch is put in, is undefined nevertheless
    ("log(l) - log(l)", LEFT, LEFT),
    ("sqrt(l)**2", LEFT, LEFT),
    ("0*log(l)", LEFT, LEFT),
    ("(l > 0)*log(l)", LEFT, LEFT),
    ("max(l, 0)/sqrt(l)", LEFT, LEFT),
    ("relu(l)*log(relu(l))", LEFT, LEFT),
    ("max(l, 0)/max(l, 0)", LEFT, LEFT),
    ("pow(relu(l), -1)*relu(l)", LEFT, LEFT),
    ("0*log(2 - w)", "", "where 2 < w"),
    ("1/((1 + l)**2 - 1 - 2*l - l**2)", "everywhere", "everywhere"),
    ("where(l > 0, log(l) - log(l), l)", "", ""),
    ("where(l > -1, log(l) - log(l), l)", "where -1 < l < 0", "where -1 < l < 0"),
    ("where(l > 0, max(log(l), 0), 0)", "", ""),
    ("where(l > 0, l, log(-l) - log(-l))", "", ""),
    # a root of what is zero throughout has a value and no derivative
    ("sqrt(log(w))", "everywhere", "where w < 1"),
    ("where(l > 2, sqrt(w - 1), l)", "where 2 < l", "where 2 < l and w < 1"),
    ("where(w > 1, sqrt(w - 1), l)", "", ""),
    ("where(l > 0 and w > 2, sqrt(w - 2)**2, l)", "", ""),
    ("l/l", "", ""),
    ("where(l > 1, sqrt(w - 1)**2, l)", "", "where 1 < l and w < 1"),
    ("where(l > 1, log(w) - log(log(w)), l)", "where 1 < l", "where 1 < l and w < 1"),
]


@pytest.mark.parametrize(("formula", "on", "off"), UNDEFINED, ids=[f for f, *_ in UNDEFINED])
def test_a_formula_without_a_value_says_where(formula, on, off, call):
    shown = call("identify", formula)
    assert shown.exit_code == 0
    data = json.loads(call("identify", formula, "--json").stdout)
    assert set(data["undefined"]) == {who for who, where in (("policy", on), ("old", off)) if where}
    assert {row["sampler"] for row in data["rows"]} == {"policy", "old"} - set(data["undefined"])
    for part, where in zip(shown.stdout.split("  off-policy\n"), (on, off), strict=True):
        assert (f"undefined    {where}\n" in f"{part}\n") == bool(where)
        assert ("descends" in part) != bool(where)


PPO = "min(A*w, A*clamp(w, 0.8, 1.2))"
CLIPPED = [
    (f"where(A<0, -max({PPO}, 3*A), -{PPO})", "-A", {"0 where w < 4/5 and A < 0", "-A where w < 6/5 and 0 < A"}),
    (f"-max({PPO}, 3*A)", "-A where A < 0; 0 where 0 < A", {"0 where 4/5 < w and 0 < A", "0 where 3 < w and A < 0"}),
    ("-min(A*w, A*clamp(w, 1-eps, 1+eps))", "-A", {"-A where eps + w - 1 > 0 and eps - w + 1 > 0"}),
    ("-A*w*(abs(w - 1) < 0.2)", "-A", {"-A where 4/5 < w < 6/5", "0 where w < 4/5", "0 where 6/5 < w"}),
    ("where((w > 0.5) & (w < 2), -w*A, 0)", "-A", {"-A where 1/2 < w < 2", "0 where w < 1/2", "0 where 2 < w"}),
]


@pytest.mark.parametrize(("formula", "on", "off"), CLIPPED, ids=[f for f, _, _ in CLIPPED])
def test_clipped_losses_are_cut_up(formula, on, off, call):
    on_policy, off_policy = json.loads(call("identify", formula, "--json").stdout)["rows"]
    assert on_policy["coefficient"] == on
    assert off <= set(off_policy["coefficient"].split("; "))


def test_what_was_read_is_shown(call):
    lines = call("identify", "beta*k2 + 0*adv + (logp - ref_logp)", "--param", "beta=0.04").stdout.splitlines()
    assert lines[:6] == [
        "beta*k2 + 0*adv + (logp - ref_logp), placed in the loss",
        "  read as        l**2/50 + logp - logp_ref",
        "                 beta is 1/25",
        "                 k2 is l**2/2",
        "                 adv is read as A, the advantage",
        "                 ref_logp is read as logp_ref = log π_ref",
    ]
    data = json.loads(call("identify", "beta*k2", "--json").stdout)
    assert (data["read_as"], data["notes"]) == ("beta*l**2/2", ["beta is a positive constant", "k2 is l**2/2"])


PARAMETERS = [
    (("k3", "--param", "beta=1"), "--param beta: no formula has that name"),
    (("beta*k3", "--param", "bet=1"), "--param bet: no formula has that name"),
    (("beta*k3", "--param", "beta=1", "--param", "beta=2"), "a constant is given twice"),
    (("beta*k3", "--param", "beta=l"), "the value of beta is a number, such as 0.04 or 1/5, not l"),
    (("beta*k3", "--param", "beta=gamma"), "the value of beta is a number"),
    (("beta*k3", "--param", "beta="), "the value of beta: the formula is empty"),
    (("beta*k3", "--param", "beta=1/0"), "the value of beta: division by zero"),
    (("l*k3", "--param", "l=2"), "a parameter cannot be called 'l'"),
    (("ratio*k3", "--param", "ratio"), "a parameter cannot be called 'ratio'"),
    (("ref_logp", "--param", "ref_logp=1"), "a parameter cannot be called 'ref_logp'"),
    (("l", "--param", "2x"), "a parameter's name is letters"),
]


@pytest.mark.parametrize(("arguments", "message"), PARAMETERS, ids=[" ".join(a) for a, _ in PARAMETERS])
def test_a_parameter_that_means_nothing_is_an_error(arguments, message, call):
    shown = call("identify", *arguments)
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert message in shown.stderr


@pytest.mark.parametrize("formula", ["where(logp_ref < l, l**2, 0)", "min(logp_ref, l)**2", "min(w, l - logp_ref)"])
def test_a_step_along_log_pi_alone_is_found(formula, call):
    on_policy = json.loads(call("identify", formula, "--json").stdout)["rows"][0]
    assert (on_policy["is_divergence"], on_policy["base"], on_policy["reason"]) == (False, None, "")


def test_the_placement_is_repeated(call):
    shown = call("identify", "l", "--as", "reward", "--weight", "detached")
    assert shown.stdout.startswith("l, placed in the reward, detached weight w\n")


# --- texts that are no formula ----------------------------------------------------------------------------------------
# text, column of the caret from 0 (None: no caret), what the message says
BAD = [
    ("", None, "the formula is empty"),
    ("l +", 3, "missing after '+'"),
    ("exp(l", 3, "this '(' is never closed"),
    ("l l", 2, "an operator is missing before 'l'"),
    ("kl + 1", 0, "unknown name 'kl'"),
    ("l + ratio", 4, "which ratio? write w for π/π_old (PPO's), u for π/π_ref, r for π_ref/π"),
    ("l + nan", 4, "unknown name 'nan'"),
    ("inf", 0, "unknown name 'inf'"),
    ("sin(l)", 0, "unknown function 'sin'"),
    ("l^2", 1, "write ** for a power"),
    ("l; l", 1, "the character ';'"),
    ("__import__('os').system('true')", 11, "is not part of a formula"),
    ("l.__class__", 0, "an attribute ('.__class__') is not part of a formula"),
    ("[l for l in l]", 0, "the character '['"),
    ("lambda: l", 0, "the word 'lambda' is not part of a formula"),
    ("1/0", 2, "division by zero"),
    ("log(0)", 0, "log of what is never positive"),
    ("exp(l, l)", 0, "exp: too many positional arguments"),
    ("clamp(l)", 0, "a clamp needs a bound"),
    ("l\nl", 1, "write the formula on one line"),
]


@pytest.mark.parametrize(("text", "column", "message"), BAD, ids=[repr(t) for t, _, _ in BAD])
def test_a_bad_formula_shows_where_and_what_to_write(text, column, message, call):
    shown = call("identify", text)
    assert shown.exit_code == 1
    assert shown.stdout == ""
    assert shown.stderr.startswith("Error: this is not a formula\n")
    assert message in shown.stderr
    if column is not None:
        lines = shown.stderr.splitlines()
        assert lines[1][:60] == re.sub("[^ -~]", "�", text)[:60]
        assert lines[2] == " " * column + "^"


def test_what_is_allowed_is_said(call):
    shown = call("identify", "foo")
    for word in ("l", "w", "logp", "logp_ref", "logp_old", "exp", "log", "abs", "min", "max", "clamp", "sqrt", "sg"):
        assert re.search(rf"allowed: .*\b{word}\b", shown.stderr)


HOSTILE = {
    "10 kB of parentheses": "(" * 5000 + "l" + ")" * 5000,
    "10 kB of open parentheses": "(" * 10_000,
    "10 kB of minus signs": "-" * 10_000 + "l",
    "10 kB of sums": "+".join(["l"] * 5000),
    "2 kB of parentheses": "(" * 999 + "l" + ")" * 999,
    "2 kB of powers": "**".join(["l"] * 600),
    "a tower": "9**9**9",
    "a higher tower": "9**9**9**9**9",
    "a tower of l": "l**l**l**l",
    "a tower of exp": "exp(" * 30 + "l" + ")" * 30,
    "a product of sums": "*".join(["(1 + l + w + A)"] * 60),
    "a power of a sum": "(1 + l + w + A + logp)**64",
    "many corners": " + ".join(f"abs(l - {i})" for i in range(60)),
    "a long number": "9" * 1900,
    "a large exponent": "1e999999999*l",
    "not a number": "nan",
    "infinity": "inf - inf",
    "a name": "x" * 1900,
    "unicode": "ℓ" * 1900,
    "nul": "l\0l",
    "quotes": "'" * 1999,
    "a call": "exit()",
    "a format": "{l.__class__}",
    "escape": "\x1b[31ml",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_ends_soon_in_a_message(text, call):
    call("identify", "l")  # what is loaded on first use
    shown = within(2_000_000, lambda: call("identify", text))
    assert shown.exit_code == 1
    assert shown.stderr.startswith("Error: this is not a formula\n")
    assert len(shown.output) < 3000
    assert "\x1b" not in shown.output


ODD = {
    "a long sum": "+".join(f"exp({i}*l)" for i in range(1, 40)),
    "a high power": "l**64",
    "exp of exp": "exp(exp(exp(l)))",
    "no real value": "log(-exp(l) - 1 + l*0)",
    "a pole": "1/l",
    "a root": "sqrt(l)",
    "a kink": "abs(l - 1) + abs(l + 1)",
    "a clamp of a weight": "clamp(w, 0.8, 1.2)*l",
    "an advantage": "-A*w",
    "nested min": "min(" * 40 + "l" + ", w)" * 40,
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_an_odd_formula_ends_soon_in_an_answer(text, call):
    call("identify", "l")
    shown = within(20_000_000, lambda: call("identify", text))
    assert shown.exit_code in (0, 1, 2)
    assert shown.output


def test_a_text_in_a_process_of_its_own(command):
    done = command("identify", "(" * 10_000)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: this is not a formula\n")
    minus = command("identify", "-l")
    assert minus.returncode == 0
    assert minus.stdout.startswith("-l, placed in the loss\n")
