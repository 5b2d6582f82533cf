"""The library: every theorem as its author expects, by every engine; and no engine, mutant or number left out."""

import os
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from string import ascii_lowercase

import pytest

from kltheory.proving.theorem import collect, library

LIBRARY = {t.name: t for t in collect([library()])}


def of_every_theorem(holds):
    """One test for all theorems, which are reports of one run; it names those for which a check fails, and why."""

    def test(library_reports):
        assert library_reports
        wrong = {}
        for name, report in library_reports.items():
            try:
                holds(report)
            except (AssertionError, LookupError, TypeError, ValueError) as e:
                wrong[name] = f"{type(e).__name__}: {e}"
        assert wrong == {}

    return test


NUMBERS = {
    *("S1", "S2", "S3", "S4", "S5", "S6", "S7"),
    *map(str, (1, 2, 3, 4, 5, 6, 7, 8, 12, 15, 16, 17, 24, 29, 66, 67, 68)),
}
"""What the library has to settle."""

BY_NUMBERS = {"concrete", "autodiff", "enumeration", "points"}

FALSE = {
    "k3_as_loss_eq_grad_reverse_kl_of_on_policy": "component",
    "live_weighted_k2_as_loss_eq_grad_reverse_kl": "component",
    "detached_weighted_k3_as_loss_eq_grad_reverse_kl": "component",
    "mean_of_k2_eq_reverse_kl": "the value is",
    "k2_in_reward_descends_a_divergence": "C falls by",
}
"""Statements that people make and that must come out refuted, with what their witness speaks of."""


def test_the_library_runs(library_run):
    assert library_run.status == 0, library_run.printed


NEEDED = """
from test_library import test_the_library_runs

def test_one(library_reports):
    assert library_reports

def test_other(library_reports):
    assert library_reports
"""


def test_a_library_that_cannot_run_is_one_failure_that_shows_why(tmp_path):
    """The fixtures as they are, with a run that fails, and that would fail twice if it ran twice."""
    broken = f"open({str(tmp_path / 'ran')!r}, 'x'); raise SystemExit('no engine today')"
    fixtures = Path(__file__).with_name("conftest.py").read_text(encoding="utf-8")
    assert fixtures.count('RUN = """') == 1
    head, tail = fixtures.split('RUN = """')
    _, rest = tail.split('"""', 1)
    (tmp_path / "conftest.py").write_text(f"{head}RUN = {broken!r}\n{rest}", encoding="utf-8")
    (tmp_path / "test_mine.py").write_text(NEEDED, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "test_mine.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 2 skipped" in done.stdout, done.stdout + done.stderr
    assert "no engine today" in done.stdout
    assert "FileExistsError" not in done.stdout


ROOT = Path(__file__).parents[2]


@of_every_theorem
def test_theorem_is_as_expected(report):
    assert report["problems"] == []
    assert report["as_expected"]
    assert report["verdict"] == report["expected"]


@of_every_theorem
def test_theorem_was_looked_at_by_more_than_the_calculus(report):
    seen = {e["name"]: e for e in report["engines"] if e["status"] != "not applicable"}
    assert "symbolic" in seen
    assert BY_NUMBERS & set(seen)
    wanted = "holds" if report["verdict"] == "PROVED" else "fails"
    assert {e["status"] for e in seen.values()} == {wanted}
    residuals = [e["residual"] for e in seen.values() if e["residual"] is not None]
    assert all(r <= 1e-12 if wanted == "holds" else r > 1e-3 for r in residuals)


@of_every_theorem
def test_theorem_could_have_failed(report):
    mutants = report["mutants"]
    assert all(sum(map(bool, (m["killed_by"], m["explained"], m["undecided"]))) == 1 for m in mutants)
    killed = [m for m in mutants if m["killed_by"]]
    assert killed
    alone = [m for m in killed if len(m["killed_by"]) < 2]
    assert all(m["killed_by"] != ["symbolic"] for m in alone), "where the calculus says no, it takes two"


@of_every_theorem
def test_what_is_refuted_has_a_witness(report):
    witness = report["witness"]
    assert (witness is not None) == (report["verdict"] == "REFUTED")
    if witness is None:
        return
    ball = witness["difference"]
    assert abs(float(ball["mid"])) > float(ball["rad"])
    if "setting" in witness:
        assert all(len(column) >= 3 for column in witness["setting"].values())
        policies = [tuple(map(Fraction, witness["setting"][who])) for who in ("policy", "reference", "old")]
        assert len(set(policies)) == 3


def test_the_message_names_the_theorem_and_what_is_wrong():
    """The twin: one report of two is wrong."""
    reports = {"good": {"problems": [], "as_expected": True, "verdict": "PROVED", "expected": "PROVED"}}
    reports["bad"] = reports["good"] | {"problems": ["vacuous"]}
    with pytest.raises(AssertionError, match=r"'bad': .*vacuous") as caught:
        test_theorem_is_as_expected(reports)
    assert "good" not in str(caught.value)


@pytest.mark.parametrize(("name", "words"), FALSE.items())
def test_what_people_state_and_is_false(name, words, library_reports):
    assert library_reports[name]["verdict"] == "REFUTED"
    assert words in library_reports[name]["witness"]["text"]


def test_reports_are_in_the_order_of_the_theorems(library_reports):
    assert list(library_reports) == list(LIBRARY)


def parts(report):
    """Numbers that a theorem cites, whole or in part."""
    return {number.rstrip(ascii_lowercase) for number in report["catalogue"]}


@pytest.mark.parametrize("number", sorted(NUMBERS))
def test_the_catalogue_is_settled(number, library_reports):
    assert [r["name"] for r in library_reports.values() if number in parts(r) and r["as_expected"]]


def test_every_engine_takes_part(library_reports):
    used = {e["name"] for r in library_reports.values() for e in r["engines"] if e["status"] != "not applicable"}
    assert used == {"symbolic", *BY_NUMBERS}


def test_mutants_are_refuted_or_explained(library_reports):
    every = [m for r in library_reports.values() for m in r["mutants"]]
    assert len(every) >= 400
    assert all(m["killed_by"] or m["explained"] or m["undecided"] for m in every)
    assert sum(bool(m["undecided"]) for m in every) <= 5
    assert sum(bool(m["killed_by"]) for m in every) / len(every) > 0.8


README = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")


def test_the_readme_shows_this_run(library_reports):
    reports = library_reports.values()
    mutants = [m for r in reports for m in r["mutants"]]
    killed, harmless = (sum(bool(m[key]) for m in mutants) for key in ("killed_by", "explained"))
    proved, refuted = (sum(r["verdict"] == v for r in reports) for v in ("PROVED", "REFUTED"))
    assert f"\n{len(reports)} theorems: {proved} PROVED, {refuted} REFUTED; all as expected; {killed} of " in README
    assert f"{killed} of {len(mutants)} mutants refuted, {harmless} harmless" in README


def test_the_readme_shows_these_lines(library_reports):
    lines = re.findall(
        r"^(PROVED|REFUTED) +(\w+) .*; mutants (\d+) refuted(?: \+ (\d+) harmless)? of (\d+)$", README, re.M
    )
    shown = [line for line in lines if line[1] in library_reports]
    assert len(shown) >= 3
    for verdict, name, *counts in shown:
        mutants = library_reports[name]["mutants"]
        killed = sum(bool(m["killed_by"]) for m in mutants)
        assert (verdict, *map(int, (c or "0" for c in counts))) == (
            library_reports[name]["verdict"],
            killed,
            len(mutants) - killed,
            len(mutants),
        )


# --- one process or several -------------------------------------------------------------------------------------------
MIXED = '''
from kltheory.proving.vocabulary import *

@theorem()
def third():
    """True."""
    return SameGradient(as_loss(k2), reverse_kl.objective, POLICY)

@theorem()
def first():
    """False."""
    return SameGradient(as_loss(k3), reverse_kl.objective, POLICY)

@theorem()
def crash():
    """Neither."""
    raise ZeroDivisionError("no such coefficient")

@theorem(harmless={"scale": "a reason nobody needs"})
def second():
    """True."""
    return SameScore(as_loss(k2), in_reward(k1), OLD), Identity(k3.expr, k3.expr)
'''

COMPARE = """
import dataclasses, sys
from pathlib import Path
from kltheory.proving.run import run_all
from kltheory.proving.theorem import collect

def strip(report):
    findings = tuple(dataclasses.replace(f, residual=None) for f in report.findings)
    return dataclasses.replace(report, seconds=0.0, findings=findings)

theorems = collect([Path(sys.argv[1])])
parallel = list(map(strip, run_all(theorems, 2)))
serial = list(map(strip, run_all(theorems, 1)))  # last: JAX starts in this process
assert parallel == serial, (parallel, serial)
print(*(r.name for r in serial))
"""


def test_one_process_and_several_say_the_same_in_the_same_order(tmp_path):
    file = tmp_path / "mixed.py"
    file.write_text(MIXED, encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", COMPARE, file], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("third first crash second\n", "")
