"""The command line: what each command prints, as text and as JSON, and the status with which it ends."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from users_file import MY_CLAIMS, invoke

from kltheory.__about__ import __version__
from kltheory.cli import cli, main
from kltheory.proving.theorem import collect, library

COMMANDS = (
    "prove",
    "list",
    "explain",
    "table",
    "identify",
    "audit",
    "compare",
    "measure",
    "variance",
    "optimum",
    "sequence",
    *("plot", "report"),
)
THEOREM = {"name", "catalogue", "statement", "sources", "about", "hypotheses", "expected", "reason"}
REPORT = {"verdict", "as_expected", "reason", "engines", "mutants", "witness", "seconds", "problems"}
SUMMARY = {"PROVED", "REFUTED", "UNDECIDED", "theorems", "unexpected", "seconds"}
ROW = {
    "estimator", "placement", "weight", "sampler", "coefficient", "gradient_of", "title", "is_divergence",
    "depends_on_sampler",
}  # fmt: skip


# --- help and version -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_everywhere(name, flag, call):
    shown = call(*filter(None, (name, flag)))
    assert shown.exit_code == 0
    assert shown.stdout.startswith(f"Usage: kltheory {name}".rstrip())
    assert "-h, --help" in shown.stdout


def test_every_command_is_in_the_table_of_these_tests():
    assert set(cli.commands) == set(COMMANDS)


def test_version(call):
    assert call("--version").stdout == f"kltheory, version {__version__}\n"


def test_help_of_prove_lists_its_statuses(call):
    shown = " ".join(call("prove", "-h").stdout.split())
    assert "0 all as expected, 1 something refuted or unexpected, 2 undecided, 3 nothing ran" in shown


MISUSE = [
    (["nonsense"], "No such command 'nonsense'"),
    (["prove", "--nonsense"], "No such option"),
    (["prove", "-j", "0"], "0 is not in the range"),
    (["explain"], "Missing argument 'NAME'"),
    (["identify"], "Missing argument 'FORMULA'"),
    (["identify", "l", "--as", "penalty"], "'penalty' is not one of 'loss', 'reward'"),
    (["identify", "l", "--weight", "truncated"], "'truncated' is not one of 'none', 'detached', 'live'"),
    (["variance"], "give --policy '.6 .3 .1' and --reference '.2 .5 .3', or --random SEED"),
    (["explain", "k3_as_loss_eq_grad_forward"], "did you mean k3_as_loss_eq_grad_forward_kl_of_on_policy"),
    (["explain", "zzz"], "there is no theorem zzz; kltheory list names them all"),
]


@pytest.mark.parametrize(("arguments", "message"), MISUSE, ids=[" ".join(a) for a, _ in MISUSE])
def test_misuse_is_a_message(arguments, message, call):
    shown = call(*arguments)
    assert shown.exit_code == 2
    assert message in shown.stderr
    assert shown.stdout == ""


def test_main_returns_the_status(capsys):
    assert [main(["--version"]), main(["nonsense"]), main(["list", "-k", "("])] == [0, 2, 3]
    assert capsys.readouterr().out == f"kltheory, version {__version__}\n"


# --- list -------------------------------------------------------------------------------------------------------------
def test_list_names_every_theorem(call):
    shown = call("list")
    assert shown.exit_code == 0
    heads = [line for line in shown.stdout.splitlines() if not line.startswith(" ")]
    assert [line.split(" ")[0] for line in heads] == [t.name for t in collect([library()])]


def test_list_shows_number_statement_and_source(call):
    assert call("list", "-k", "k2_as_loss_eq_k1_in_reward").stdout.splitlines() == [
        "k2_as_loss_eq_k1_in_reward [S4, 5, 3]",
        "    k2 as a loss and k1 in the reward have the same gradient in every sample, hence in expectation, "
        "whoever sampled.",
        "    Assumed: on-policy and off-policy; full support; any vocabulary size",
        "    Source: arXiv 2510.01555, Theorem 5.1; github.com/verl-project/verl/pull/2953",
    ]


def test_list_as_json_is_the_interface_that_is_documented(call):
    entries = json.loads(call("list", "--json").stdout)
    assert [e["name"] for e in entries] == [t.name for t in collect([library()])]
    for entry in entries:
        assert set(entry) == THEOREM
        assert isinstance(entry["statement"], str)
        assert entry["statement"]
        assert all(
            isinstance(text, str) for key in ("catalogue", "sources", "about", "hypotheses") for text in entry[key]
        )
        assert entry["expected"] in ("PROVED", "REFUTED")
        assert entry["reason"] == ""
    assert {"15", "S4"} <= {number for e in entries for number in e["catalogue"]}


CHOICES = [
    ("S7", lambda name, numbers: "S7" in numbers),
    ("15", lambda name, numbers: "15" in numbers),
    ("k3 and not (S5 or 66)", lambda name, numbers: "k3" in name and not {"S5", "66"} & set(numbers)),
    ("natural or taylor", lambda name, numbers: "natural" in name or "taylor" in name),
]


@pytest.mark.parametrize(("expression", "wanted"), CHOICES, ids=[e for e, _ in CHOICES])
def test_an_expression_chooses_from_the_library(expression, wanted, call):
    names = [e["name"] for e in json.loads(call("list", "--json", "-k", expression).stdout)]
    assert names == [t.name for t in collect([library()]) if wanted(t.name, t.catalogue)]
    assert names


NOTHING = [
    (["-k", "no_such_theorem"], "error: no theorem in the library matches -k 'no_such_theorem'\n"),
    (["-k", "(k1"], "error: cannot read -k '(k1': write words joined by and, or, not and parentheses\n"),
    (["-k", "__import__('os')"], "error: cannot read -k \"__import__('os')\": write words joined by"),
    (["{tmp}/none.py"], "error: no such file or folder: {tmp}/none.py\n"),
    (["{tmp}/empty.py"], "error: no theorem in {tmp}/empty.py\n"),
    (["{tmp}/empty.py", "-k", "k1"], "error: no theorem in {tmp}/empty.py matches -k 'k1'\n"),
    (["{tmp}/folder"], "error: no theorem in {tmp}/folder\n"),
    (["{tmp}/notes.txt"], "error: {tmp}/notes.txt is not a Python file\n"),
    (["{tmp}/broken.py"], "error: {tmp}/broken.py could not be imported: SyntaxError: invalid syntax"),
    (["{tmp}/silent.py"], "error: {tmp}/silent.py could not be imported: TypeError: theorem t has no statement"),
]


@pytest.mark.parametrize("name", ["prove", "list"])
@pytest.mark.parametrize(("arguments", "message"), NOTHING, ids=[" ".join(a) for a, _ in NOTHING])
def test_nothing_ran_is_an_error(name, arguments, message, call, tmp_path):
    (tmp_path / "folder").mkdir()
    for file, text in (("empty.py", ""), ("notes.txt", "x"), ("broken.py", "def (")):
        (tmp_path / file).write_text(text)
    (tmp_path / "silent.py").write_text(
        "from kltheory.proving.vocabulary import *\n@theorem()\ndef t():\n    return None"
    )
    shown = call(name, *(a.format(tmp=tmp_path) for a in arguments))
    assert shown.exit_code == 3
    assert shown.stderr.startswith(message.format(tmp=tmp_path))
    assert shown.stdout == ""


# --- prove ------------------------------------------------------------------------------------------------------------
STATUSES = [
    ("forward", 0, "1 theorem: 1 PROVED; all as expected; "),
    ("reverse", 1, "1 theorem: 1 REFUTED; 1 not as expected; "),
    ("pythagoras", 2, "1 theorem: 1 UNDECIDED; 1 not as expected; "),
    ("forward or pythagoras", 2, "2 theorems: 1 PROVED, 1 UNDECIDED; 1 not as expected; "),
    ("k3 or pythagoras", 1, "3 theorems: 1 PROVED, 1 REFUTED, 1 UNDECIDED; 2 not as expected; "),
]


@cache
def proved(expression):
    """The status, text and JSON of a run over what an expression chooses from a user's file; one run for all looks."""
    with TemporaryDirectory() as folder:
        file, target = Path(folder, "my_claims.py"), Path(folder, "reports.json")
        file.write_text(MY_CLAIMS, encoding="utf-8")
        shown = invoke("prove", file, "-j", 1, "-k", expression, "--json", target)
        return shown.exit_code, shown.stdout, json.loads(target.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("expression", "status", "summary"), STATUSES, ids=[e for e, _, _ in STATUSES])
def test_the_status_of_a_users_file(expression, status, summary):
    found, shown, _ = proved(expression)
    assert found == status
    assert shown.splitlines()[-1].startswith(summary)


def test_one_line_a_theorem_and_what_went_wrong_under_it():
    _, shown, _ = proved("k3 or pythagoras")
    lines = shown.splitlines()
    assert lines[0].startswith("PROVED    k3_as_loss_eq_grad_forward_kl [4]  symbolic, concrete, autodiff ")
    assert "; mutants 5 refuted of " in lines[0]
    assert lines[1].startswith("REFUTED   k3_as_loss_eq_grad_reverse_kl  symbolic differs, concrete differs, autodiff ")
    assert lines[2].startswith("          counterexample at policy (")
    assert lines[3].startswith("          problem: symbolic: fails")
    assert any(line.startswith("          undecided: sin(l)**2 + cos(l)**2 - 1 is not formally") for line in lines)


def test_prove_as_json_is_the_interface_that_is_documented(call, claims):
    shown = call("prove", claims, "-j", 1, "--json", "-")
    assert shown.exit_code == 1
    data = json.loads(shown.stdout)
    assert set(data) == {"schema", "version", "summary", "theorems"}
    assert (data["schema"], data["version"]) == (1, __version__)
    assert set(data["summary"]) == SUMMARY
    assert {k: v for k, v in data["summary"].items() if k != "seconds"} == {
        "PROVED": 1, "REFUTED": 1, "UNDECIDED": 1, "theorems": 3, "unexpected": 2,
    }  # fmt: skip
    proved, refuted, undecided = data["theorems"]
    for entry in data["theorems"]:
        assert set(entry) == THEOREM | REPORT
        assert all(set(e) == {"name", "status", "residual", "detail"} for e in entry["engines"])
        assert all(set(m) == {"name", "claim", "killed_by", "explained", "undecided"} for m in entry["mutants"])
    assert (proved["name"], proved["catalogue"], proved["verdict"]) == (
        "k3_as_loss_eq_grad_forward_kl",
        ["4"],
        "PROVED",
    )
    assert 0 <= {e["name"]: e["residual"] for e in proved["engines"]}["autodiff"] < 1e-12
    assert proved["witness"] is None
    assert len(refuted["witness"]["setting"]["policy"]) >= 3
    assert not undecided["as_expected"]
    assert undecided["reason"]


def test_json_beside_the_text():
    status, shown, data = proved("forward")
    assert status == 0
    assert shown.startswith("PROVED ")
    assert data["summary"]["PROVED"] == 1


def test_a_users_file_in_the_folder_where_the_user_is(command, claims):
    done = command("prove", "my_claims.py", cwd=claims.parent)
    assert done.returncode == 1
    assert [line.split()[:2] for line in done.stdout.splitlines() if not line.startswith(" ")][:3] == [
        ["PROVED", "k3_as_loss_eq_grad_forward_kl"],
        ["REFUTED", "k3_as_loss_eq_grad_reverse_kl"],
        ["UNDECIDED", "pythagoras"],
    ]
    assert done.stderr == "", "no progress, no warning in a pipe"


@pytest.mark.slow
@pytest.mark.parametrize("file", ["bounded.py", "logits.py"])
def test_a_file_of_the_library_runs_on_its_own(file, tmp_path):
    path = library() / file
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{len(collect([path]))} theorems: " in done.stdout.splitlines()[-1]
    assert "all as expected" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("file", sorted(p.name for p in library().glob("*.py")))
def test_every_file_of_the_library_can_run_on_its_own(file):
    text = Path(library(), file).read_text(encoding="utf-8")
    assert text.endswith(TAIL)


TAIL = """
if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
"""


# --- explain ----------------------------------------------------------------------------------------------------------
def test_explain_goes_from_the_surrogate_to_the_logits(call):
    shown = call("explain", "k3_as_loss_eq_grad_forward_kl_of_on_policy")
    assert shown.exit_code == 0
    steps = [
        "k3_as_loss_eq_grad_forward_kl_of_on_policy. On-policy, k3 as a loss",
        "Assumed: on-policy; full support; any vocabulary size",
        "Left is the surrogate: s = l - 1 + exp(-l)",
        "∂s/∂logp = 1 - exp(-l)",
        "C = 1 - exp(-l)",
        "Right is the sum over the vocabulary of: F = -l*π_ref",
        "differ by the constant 1, and E_π[∇log π] = 0",
        "this is KL(π_ref‖π), convex: an f-divergence: f(u) = -log(u)",
        "In logits the gradient is π_j (C_j - Σ_i π_i C_i)",
    ]
    places = [shown.stdout.find(step) for step in steps]
    assert -1 not in places
    assert places == sorted(places)


def test_explain_a_refutation_shows_the_counterexample_and_what_is_true(call):
    lines = call("explain", "k3_as_loss_eq_grad_reverse_kl_of_on_policy").stdout.splitlines()
    found = [
        i for i, line in enumerate(lines) if line.startswith("Counterexample, enclosed in ball arithmetic: at policy")
    ]
    assert len(found) == 1
    assert lines[found[0] + 1] == "What is true instead"


def test_explain_a_theorem_of_a_users_file(call, claims):
    shown = call("explain", "k3_as_loss_eq_grad_forward_kl", claims)
    assert shown.exit_code == 0
    assert "KL(π_ref‖π)" in shown.stdout
    assert call("explain", "k1_as_loss_eq_zero_of_on_policy", claims).exit_code == 2


# --- table ------------------------------------------------------------------------------------------------------------
def test_table(call):
    text, markdown = call("table").stdout.splitlines(), call("table", "--markdown").stdout.splitlines()
    rows = json.loads(call("table", "--json").stdout)
    assert all(set(row) == ROW for row in rows)
    assert len(rows) == len(text) - 1 == 2 * (len(markdown) - 2)
    assert [line.split()[:4] for line in text[1:]] == [
        [row["estimator"], row["placement"], row["weight"], row["sampler"]] for row in rows
    ]


# --- output for machines ----------------------------------------------------------------------------------------------
ANSI = "\x1b["


@pytest.mark.parametrize(
    "arguments",
    [["list", "-k", "S4"], ["prove", "-k", "k2_as_loss_eq_k1_in_reward", "-j", "1"], ["table"], ["nonsense"]],
    ids=" ".join,
)
def test_a_pipe_gets_no_colours(arguments, command):
    done = command(*arguments)
    assert ANSI not in done.stdout + done.stderr


TERMINAL = """
import pty, sys
code = "from kltheory.cli import main; raise SystemExit(main(['list', '-k', 'S4']))"
raise SystemExit(pty.spawn([sys.executable, "-c", code]))
"""


@pytest.mark.parametrize(("no_colour", "coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_colours_unless_it_says_no(no_colour, coloured):
    environment = {**os.environ, "NO_COLOR": no_colour, "TERM": "xterm"}
    done = subprocess.run(
        [sys.executable, "-c", TERMINAL],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert "k2_as_loss_eq_grad_reverse_kl_of_on_policy" in done.stdout
    assert (ANSI in done.stdout) is coloured
    assert (f"{ANSI}1mk2_as_loss_eq_k1_in_reward{ANSI}0m [S4, 5, 3]" in done.stdout) is coloured
