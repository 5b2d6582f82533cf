"""Verdicts: what a report says of a theorem, and which of its claims, twins and explanations make it unexpected."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest
from sympy import Rational, S, cos, sin

from kltheory.calculus.divergence import forward_kl, reverse_kl
from kltheory.calculus.estimators import as_loss, in_reward, k1, k2, k3
from kltheory.calculus.symbols import log_ratio as l
from kltheory.proving import engines
from kltheory.proving.claims import NO_GRADIENT, OLD, POLICY, IsDivergence, SameGradient, SameScore
from kltheory.proving.run import run, run_all
from kltheory.proving.scalars import HasSign, Identity, Limit
from kltheory.proving.theorem import Refuted, Statement, Theorem
from kltheory.proving.verdict import Finding, Status, Verdict
from kltheory.report.terminal import details, exit_code, line, summary

RKL, FKL = reverse_kl.objective, forward_kl.objective

TRUE = SameGradient(as_loss(k2), RKL, POLICY)
FALSE = SameGradient(as_loss(k3), RKL, POLICY)
NO_LIMIT = Limit(1 - k3.expr, S.Infinity, S.One)
UNKNOWN = Identity(sin(l) ** 2 + cos(l) ** 2, S.One)
ZERO = SameGradient(as_loss(k1), NO_GRADIENT, POLICY)
ZERO_HARMLESS = dict.fromkeys(("flip_sign", "scale", "detach", "swap_direction"), "0 stays 0")

PROVED, REFUTED, UNDECIDED = Verdict


@dataclass(frozen=True)
class Case:
    """A theorem, what is to be said of it, and the exit status of a run with it alone."""

    name: str
    build: Callable[[], Statement]
    verdict: Verdict
    exit: int
    problems: tuple[str, ...] = ()
    witness: bool = False
    harmless: Mapping[str, str] = field(default_factory=dict)

    @property
    def theorem(self) -> Theorem:
        return Theorem(self.name, "A statement.", self.build, harmless=self.harmless)

    def __str__(self) -> str:
        return self.name


def raising() -> Statement:
    raise ZeroDivisionError("no such coefficient")


CASES = [
    # --- as expected, each beside what is wrong by one thing
    Case("true", lambda: TRUE, PROVED, 0),
    Case("false", lambda: FALSE, REFUTED, 1, ("symbolic: fails", "autodiff: fails", "expected PROVED"), True),
    Case("undecidable", lambda: UNKNOWN, UNDECIDED, 2, ("symbolic: undecided: sin(l)", "expected PROVED")),
    Case("false, uncertified", lambda: NO_LIMIT, UNDECIDED, 2, ("symbolic: fails", "points: fails", "expected PROVED")),
    Case("two true", lambda: (TRUE, SameScore(as_loss(k2), in_reward(k1), OLD)), PROVED, 0),
    Case("second false", lambda: [TRUE, FALSE], REFUTED, 1, ("symbolic: fails", "expected PROVED"), True),
    Case("second unknown", lambda: [TRUE, UNKNOWN], UNDECIDED, 2, ("symbolic: undecided",)),
    Case("one false, one unknown", lambda: [UNKNOWN, FALSE], REFUTED, 1, ("symbolic: fails",), True),
    # --- statements that are made and are false
    Case("refuted", lambda: Refuted(FALSE, corrected=SameGradient(as_loss(k3), FKL, POLICY)), REFUTED, 0, (), True),
    Case("refuted but true", lambda: Refuted(TRUE, corrected=TRUE), PROVED, 1, ("expected REFUTED",)),
    Case("refuted but unknown", lambda: Refuted(UNKNOWN, corrected=TRUE), UNDECIDED, 2, ("expected REFUTED",)),
    Case(
        "correction false",
        lambda: Refuted(FALSE, corrected=SameGradient(as_loss(k3), in_reward(k1), POLICY)),
        REFUTED,
        1,
        ("the corrected claim: symbolic: fails", "the corrected claim: autodiff: fails"),
        True,
    ),
    Case(
        "correction unknown",
        lambda: Refuted(FALSE, corrected=UNKNOWN),
        REFUTED,
        1,
        ("the corrected claim: symbolic: undecided",),
        True,
    ),
    Case(
        "refuted without a certificate",
        lambda: Refuted(NO_LIMIT, corrected=TRUE),
        UNDECIDED,
        2,
        ("expected REFUTED",),
    ),
    # --- mutants
    Case("harmless", lambda: ZERO, PROVED, 0, (), harmless=ZERO_HARMLESS),
    Case("survivors", lambda: ZERO, PROVED, 1, tuple(f"mutant {m} survives, unexplained" for m in ZERO_HARMLESS)),
    Case(
        "one survivor",
        lambda: ZERO,
        PROVED,
        1,
        ("mutant scale survives, unexplained: C: [2] = [0]",),
        harmless={name: why for name, why in ZERO_HARMLESS.items() if name != "scale"},
    ),
    Case(
        "stale",
        lambda: TRUE,
        PROVED,
        1,
        ("harmless names scale, which needs no explanation",),
        harmless={"scale": "a reason nobody needs"},
    ),
    Case(
        "misspelt",
        lambda: TRUE,
        PROVED,
        1,
        ("harmless names flip_sing, which needs no explanation",),
        harmless={"flip_sing": "a reason for nothing"},
    ),
    Case(
        "the kind says so",
        lambda: HasSign(k3.expr, 1),
        PROVED,
        1,
        ("harmless names scale, which needs no explanation",),
        harmless={"scale": "in other words", "swap_direction": "mirrored, k3 is not negative either"},
    ),
    Case(
        "an excuse for what is refuted",
        lambda: TRUE,
        PROVED,
        1,
        ("harmless names add_k2, which needs no explanation",),
        harmless={"add_k2": "no gradient to speak of"},
    ),
    Case("vacuous", lambda: HasSign(S.Zero, 1), PROVED, 1, ("vacuous: no mutant was refuted",)),
    # --- what is wrong with the file
    Case("crash", raising, UNDECIDED, 2, ("ZeroDivisionError: no such coefficient",)),
]  # fmt: skip
EACH = pytest.mark.parametrize("case", CASES, ids=str)


def report_of(theorem: Theorem):
    (report,) = run_all([theorem], 1)
    return report


@EACH
def test_verdict(case):
    report = report_of(case.theorem)
    assert report.verdict is case.verdict, report
    assert report.as_expected is (case.exit == 0), report.problems
    assert exit_code([report]) == case.exit
    assert (report.witness is not None) is case.witness
    for problem in case.problems:
        assert any(p.startswith(problem) for p in report.problems), report.problems
    assert bool(report.problems) is bool(case.problems)
    assert report.name == case.name


@EACH
def test_what_a_person_reads(case):
    report = report_of(case.theorem)
    shown = [re.sub(r"\x1b\[[0-9;]*m", "", text) for text in (line(case.theorem, report), *details(report))]
    assert shown[0].startswith(f"{case.verdict.value:<9} {case.name}")
    assert [f"          problem: {p}" in shown for p in report.problems] == [True] * len(report.problems)
    assert any("counterexample at policy (" in text for text in shown) is case.witness
    assert any(text.startswith("          undecided: ") for text in shown) is (case.verdict is UNDECIDED)
    said = "all as expected" if case.exit == 0 else "1 not as expected"
    assert f"1 {case.verdict.value}; {said}" in summary([report], 0.0)


def test_an_undecided_theorem_says_why():
    assert report_of(Theorem("t", "s", lambda: UNKNOWN)).reason.startswith("sin(l)**2 + cos(l)**2 - 1 is not formally")
    for stated in (NO_LIMIT, Refuted(NO_LIMIT, corrected=TRUE)):
        report = report_of(Theorem("t", "s", lambda stated=stated: stated))
        assert report.reason == "the symbolic engine and points refute it, and no counterexample was certified"


EXITS = [
    ((), 3),
    (("true",), 0),
    (("true", "refuted", "harmless"), 0),
    (("true", "undecidable"), 2),
    (("undecidable", "false"), 1),
    (("false", "undecidable"), 1),
    (("undecidable", "stale"), 1),
    (("crash", "true"), 2),
]


@pytest.mark.parametrize(("names", "status"), EXITS, ids=["+".join(names) or "nothing" for names, _ in EXITS])
def test_the_exit_status_of_several(names, status):
    reports = {case.name: report_of(case.theorem) for case in CASES if case.name in names}
    assert exit_code([reports[name] for name in names]) == status


def test_a_crash_of_one_theorem_is_the_report_of_that_theorem():
    reports = list(run_all([case.theorem for case in CASES if case.name in ("true", "crash", "refuted")], 1))
    assert [r.name for r in reports] == ["true", "refuted", "crash"]
    assert [r.verdict for r in reports] == [PROVED, REFUTED, UNDECIDED]


# --- engines that disagree --------------------------------------------------------------------------------------------
def test_a_proof_that_an_engine_contradicts_is_no_proof(monkeypatch):
    forced = Finding("autodiff", Status.FAILS, 0.5, "forced")
    monkeypatch.setitem(engines.NUMERIC, SameGradient, lambda claim, at: iter([forced]))
    report = run(Theorem("t", "s", lambda: TRUE))
    assert report.verdict is UNDECIDED
    assert report.reason == "the symbolic engine proves it, and autodiff disagrees"
    assert not report.as_expected


def test_a_false_proof_is_caught_by_the_other_engines(monkeypatch):
    monkeypatch.setattr(SameGradient, "decide", lambda self: True)
    report = run(Theorem("t", "s", lambda: FALSE))
    assert report.verdict is UNDECIDED
    assert report.reason == "the symbolic engine proves it, and concrete, autodiff, enumeration disagrees"


def test_a_refutation_that_nothing_confirms_is_none(monkeypatch):
    monkeypatch.setattr(SameGradient, "decide", lambda self: False)
    true, false = (run(Theorem("t", "s", lambda c=c: c)) for c in (TRUE, FALSE))
    assert (true.verdict, true.witness) == (UNDECIDED, None)
    assert true.reason == (
        "the symbolic engine refutes it, concrete, autodiff and enumeration hold, and no counterexample was certified"
    )
    assert false.verdict is REFUTED
    assert false.witness["text"].startswith("at policy (")


def test_a_refutation_without_a_counterexample_is_none(monkeypatch):
    monkeypatch.setattr("kltheory.proving.halves.find_witness", lambda claim: None)
    report = run(Theorem("t", "s", lambda: FALSE))
    assert report.verdict is UNDECIDED
    assert report.reason == (
        "the symbolic engine, concrete, autodiff and enumeration refute it, and no counterexample was certified"
    )


def test_a_proof_that_a_counterexample_contradicts_is_no_refutation(monkeypatch):
    monkeypatch.setattr(SameGradient, "decide", lambda self: True)
    monkeypatch.setattr("kltheory.proving.halves.concretely", lambda c: Finding("concrete", Status.HOLDS))
    monkeypatch.setitem(engines.NUMERIC, SameGradient, lambda c, at: iter([Finding("autodiff", Status.HOLDS)]))
    report = run(Theorem("t", "s", lambda: Refuted(FALSE, corrected=TRUE)))
    assert (report.verdict, report.witness) == (UNDECIDED, None)
    assert report.reason == "the symbolic engine proves it, and a certified counterexample disagrees"


def test_a_false_proof_is_caught_where_only_points_can_see(monkeypatch):
    monkeypatch.setattr(HasSign, "decide", lambda self: True)
    assert run(Theorem("t", "s", lambda: HasSign(l, 1))).verdict is UNDECIDED


def test_engines_that_see_nothing_leave_mutants_that_nobody_refutes(monkeypatch):
    monkeypatch.setitem(engines.NUMERIC, IsDivergence, lambda claim, at: iter([Finding("points", Status.HOLDS)]))
    monkeypatch.setattr("kltheory.proving.run.find_witness", lambda claim: None)
    report = run(Theorem("t", "s", lambda: IsDivergence(as_loss(k3), POLICY)))
    assert report.verdict is PROVED
    assert not any(m.killed_by for m in report.mutants)
    assert any(p.startswith("vacuous") for p in report.problems)


def test_a_claim_that_is_wrong_by_one_part_in_a_billion_is_seen_by_every_engine():
    claim = SameGradient((1 + Rational(1, 10**9)) * as_loss(k2), RKL, POLICY)
    report = run(Theorem("t", "s", lambda: claim))
    assert {f.engine: f.status for f in report.findings} == dict.fromkeys(
        ("symbolic", "concrete", "autodiff", "enumeration"), Status.FAILS
    )


# --- reports as data --------------------------------------------------------------------------------------------------
def test_the_report_as_json_has_the_documented_keys():
    report = report_of(Theorem("t", "s", lambda: Refuted(FALSE, corrected=SameGradient(as_loss(k3), FKL, POLICY))))
    data = report.to_json()
    assert set(data) == {
        "hypotheses", "verdict", "as_expected", "reason", "engines", "mutants", "witness", "seconds", "problems",
    }  # fmt: skip
    assert data["verdict"] == "REFUTED"
    assert {e["name"]: e["status"] for e in data["engines"]}["autodiff"] == "fails"
    assert all(set(e) == {"name", "status", "residual", "detail"} for e in data["engines"])
    assert all(set(m) == {"name", "claim", "killed_by", "explained", "undecided"} for m in data["mutants"])
    assert data["witness"]["text"].startswith("at policy (")
    assert data["seconds"] > 0
