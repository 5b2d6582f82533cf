"""What a person writes wrongly in a theorem file: each is told where it is, what arrived, and what to write."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sympy import S, Symbol, sin, sqrt

from kltheory.calculus.estimators import as_loss, in_reward, k1, k2, w
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import advantage
from kltheory.calculus.symbols import log_ratio as l
from kltheory.cli import cli
from kltheory.proving.claims import OLD, POLICY, SameGradient, SameScore
from kltheory.proving.endings import ended, reason_of
from kltheory.proving.run import run, run_all
from kltheory.proving.scalars import HasSign, Identity
from kltheory.proving.statement import Refuted, StatementError, written
from kltheory.proving.theorem import CollectionError, Theorem, collect, theorem
from kltheory.proving.verdict import Verdict
from kltheory.report.terminal import durations, summary

HEAD = "from kltheory.proving.vocabulary import *\n"
TRUE = SameScore(as_loss(k2), in_reward(k1), OLD)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def make(text: str) -> Path:
        file = tmp_path / "mine.py"
        file.write_text(HEAD + text, encoding="utf-8")
        return file

    return make


def call(*arguments: object) -> Result:
    result = CliRunner().invoke(cli, list(map(str, arguments)), prog_name="kltheory")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


# --- definitions ------------------------------------------------------------------------------------------------------
DEFINED = '@theorem()\ndef {0}():\n    """A."""\n    return SameScore(as_loss(k2), in_reward(k1), OLD)\n'


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (DEFINED.format("one") + DEFINED.format("two") + DEFINED.format("one"), "lines 2 and 10"),
        ("for _ in range(2):\n" + re.sub("^", "    ", DEFINED.format("one").strip(), flags=re.M), "lines 3 and 3"),
        (DEFINED.format("one") + "kept = one\n" + DEFINED.format("one"), "lines 2 and 7"),
    ],
    ids=["rebound", "loop", "rebound though kept"],
)
def test_two_theorems_of_one_name_in_one_file(text, lines, write):
    file = write(text)
    for _ in range(2):
        with pytest.raises(CollectionError) as caught:
            collect([file])
        assert str(caught.value) == f"two theorems are called one in {file}: {lines}; rename one"
    shown = call("prove", file)
    assert (shown.exit_code, shown.stdout) == (3, "")
    assert shown.stderr.startswith("error: two theorems are called one")


def test_a_file_that_was_mended_and_a_file_that_ran_itself_are_collected(write):
    """The registry of definitions is of one run of a file: running it once more defines nothing twice."""
    file = write(DEFINED.format("one") + DEFINED.format("one"))
    with pytest.raises(CollectionError, match="two theorems"):
        collect([file])
    file = write(DEFINED.format("one") + DEFINED.format("two") + "alias = one\n")
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), {})  # noqa: S102 (as __main__ does)
    assert [(t.name, t.line) for t in collect([file])] == [("one", 2), ("two", 6)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('@theorem\ndef t():\n    """A."""\n', "{file}:2: write @theorem() above t, with brackets"),
        ("@theorem()\ndef t():\n    pass\n", "theorem t has no statement: write it as the docstring ({file}:2)"),
        ('@theorem()\ndef t(k):\n    """A."""\n', "theorem t takes arguments: let it take none ({file}:2)"),
        ('@theorem()\ndef t(k=k1):\n    """A."""\n', "theorem t takes arguments: let it take none ({file}:2)"),
    ],
    ids=["no brackets", "no docstring", "argument", "argument with a default"],
)
def test_a_definition_that_is_none(text, message, write):
    file = write(text)
    with pytest.raises(CollectionError) as caught:
        collect([file])
    assert str(caught.value) == f"{file} could not be imported: TypeError: {message.format(file=file)}"


# --- what a theorem returns -------------------------------------------------------------------------------------------
RETURNED = [
    (None, "None"),
    (True, "True"),
    ([], "[]"),
    ((), "()"),
    ("k2 is k1", "'k2 is k1'"),
    ([TRUE, None], "None in a list"),
    ((TRUE, S.One), "1 in a tuple"),
    ([Refuted(TRUE, TRUE)], "Refuted("),
    (Refuted(TRUE, None), "None in a Refuted"),
    (Refuted([TRUE], TRUE), "[SameScore("),
    (SameScore, "<class 'kltheory.proving.claims.SameScore'>"),
    ({TRUE}, "{SameScore("),
]


@pytest.mark.parametrize(("value", "shown"), RETURNED, ids=[s for _, s in RETURNED])
def test_what_is_no_statement(value, shown):
    made = Theorem("t", "s", lambda: value, file="f.py", line=7)
    with pytest.raises(StatementError) as caught:
        made.claims()
    assert str(caught.value).startswith(f"f.py:7: theorem t returns {shown}")
    assert str(caught.value).endswith(
        "; return a claim, a list of one claim or more, or Refuted(claim, corrected=claim)"
    )
    (report,) = run_all([made], 1)
    assert report.verdict is Verdict.UNDECIDED
    assert report.reason == made.failure == f"StatementError: {caught.value}"
    assert report.problems


BROKEN = (
    DEFINED.format("good")
    + '@theorem(catalogue="4", source="J. Doe 1999")\ndef empty():\n    """A."""\n    return []\n'
    + '@theorem()\ndef crash():\n    """A."""\n    raise ZeroDivisionError("no such coefficient")\n'
)
LEAVING = '@theorem()\ndef leaves():\n    """A."""\n    raise SystemExit(0)\n'


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_theorem_that_ends_the_process_does_not_end_the_run(jobs, write):
    file = write(LEAVING + DEFINED.format("good"))
    code = "import sys; from kltheory.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "prove", file, "-j", str(jobs)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "undecided: SystemExit: 0" in done.stdout
    assert "2 theorems: 1 PROVED, 1 UNDECIDED; 1 not as expected" in done.stdout


REASONS = {"good": "", "empty": "StatementError: {file}:6: theorem empty", "crash": "ZeroDivisionError: no such coe"}


def test_one_broken_theorem_stops_neither_list_nor_prove(write):
    file = write(BROKEN)
    for arguments in (["list", "--json"], ["list", "--by", "section", "--json"], ["prove", "-j", 1, "--json", "-"]):
        command, *options = arguments
        shown = call(command, file, *options)
        assert shown.exit_code == 2
        data = json.loads(shown.stdout)
        data = {"theorems": data} if isinstance(data, list) else data
        groups = data.get("groups", [data])
        found = [t for g in groups for t in g["theorems"]]
        assert {t["name"]: t["expected"] for t in found} == {
            "good": "PROVED",
            "empty": "UNDECIDED",
            "crash": "UNDECIDED",
        }
        for t in found:
            assert t["reason"].startswith(REASONS[t["name"]].format(file=file))
            assert bool(t["reason"]) is (t["name"] != "good")
    for name in ("empty", "crash"):
        shown = call("explain", name, file)
        assert (shown.exit_code, shown.stdout) == (2, "")
        assert shown.stderr.startswith(f"UNDECIDED: {REASONS[name].format(file=file)}")
    assert call("list", file).exit_code == 0
    shown = call("list", file, "--by", "source")
    assert shown.exit_code == 2
    assert re.search(r"^    UNDECIDED crash  ZeroDivisionError: no such coefficient$", shown.stdout, re.M)


# --- claims that nothing can look at ----------------------------------------------------------------------------------
def problems(claim) -> tuple[str, ...]:
    report = run(Theorem("t", "s", lambda: claim))
    assert not report.as_expected
    return report.problems


def test_an_interval_in_which_no_setting_lies_is_a_problem():
    claim = HasSign(l**2, 1, above=S(1), below=S(1) + S(10) ** -9)
    assert claim.decide()
    assert f"points: fails: no setting lies in the interval ({claim.above}, {claim.below})" in problems(claim)


@pytest.mark.parametrize(("above", "below"), [(S(5), S.Infinity), (S(20), S.Infinity), (S(-30), S(-25))])
def test_settings_lie_in_the_interval_that_a_claim_names(above, below):
    assert run(Theorem("t", "s", lambda: HasSign(l**2, 1, above=above, below=below))).as_expected
    assert run(Theorem("t", "s", lambda: HasSign(-(l**2), 1, above=above, below=below))).verdict is Verdict.REFUTED


def test_a_claim_that_only_the_calculus_can_look_at_is_a_problem():
    unseen = Identity(sin(l) + l, l + sin(l))
    assert any(p.startswith("no engine beside the calculus looked at") for p in problems(unseen))
    assert any(p.startswith("no engine beside the calculus looked at") for p in problems([TRUE, unseen]))


def test_a_claim_without_a_formula_is_written_nevertheless():
    claim = SameGradient(Surrogate(sqrt(l) * advantage), Surrogate(w * advantage), POLICY)
    assert written(claim).startswith("SameGradient of ")
    assert "(no formula: " in written(claim)
    assert written(TRUE) == str(TRUE)
    assert run(Theorem("t", "s", lambda: claim)).verdict is Verdict.UNDECIDED


# --- the end of a run -------------------------------------------------------------------------------------------------
def test_one_theorem_is_one():
    reports = [run(Theorem("t", "s", lambda: TRUE))]
    assert summary(reports, 0).startswith("1 theorem: 1 PROVED; ")
    assert summary(2 * reports, 0).startswith("2 theorems: 2 PROVED; ")
    assert summary([], 0).startswith("0 theorems: ")


def test_the_slowest_theorems_are_named(write):
    file = write(DEFINED.format("one") + DEFINED.format("two"))
    lines = call("prove", file, "-j", 1, "--durations", 5).stdout.splitlines()
    assert lines[2] == "slowest 2:"
    assert {line.split()[-1] for line in lines[3:5]} == {"one", "two"}
    seconds = [float(line.split()[0]) for line in lines[3:5]]
    assert seconds == sorted(seconds, reverse=True)
    assert call("prove", file, "-j", 1, "--durations", 1).stdout.splitlines()[2] == "slowest 1:"
    assert "slowest" not in call("prove", file, "-j", 1).stdout
    assert durations([], 3) == ["slowest 0:"]


def test_a_theorem_may_be_decorated_by_calling():
    def named():
        """A."""
        return Identity(Symbol("a"), Symbol("a"))

    assert theorem()(named).claims() == (named(),)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (reason_of(ValueError()), "ValueError"),
        (reason_of(ValueError("one\n  two")), "ValueError: one two"),
        (ended(3), "it ended the process (exit status 3)"),
        (ended(-9), "it was killed by SIGKILL, perhaps for want of memory"),
        (ended(-15), "it was killed by SIGTERM"),
        (ended(-99), "it was killed by signal 99"),
    ],
)
def test_ends_in_words(words, expected):
    assert words == expected
