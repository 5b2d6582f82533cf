"""Reports as lines of text: one a theorem, a summary, and what went wrong."""

from collections import Counter
from collections.abc import Sequence

import click

from kltheory.proving.theorem import Theorem
from kltheory.proving.verdict import Finding, Report, Status, Verdict

COLOURS = {Verdict.PROVED: "green", Verdict.REFUTED: "yellow", Verdict.UNDECIDED: "magenta"}


def line(theorem: Theorem, report: Report) -> str:
    """One line: verdict, name, catalogue numbers, engines with their largest residual, mutants killed."""
    verdict = click.style(
        f"{report.verdict.value:<9}", fg=COLOURS[report.verdict] if report.as_expected else "red", bold=True
    )
    numbers = f" [{', '.join(theorem.catalogue)}]" if theorem.catalogue else ""
    engines = ", ".join(_engine(f) for f in report.findings if f.status is not Status.NOT_APPLICABLE)
    killed = sum(bool(m.killed_by) for m in report.mutants)
    others = {"harmless": sum(bool(m.explained) for m in report.mutants)}
    others["undecided"] = sum(bool(m.undecided) for m in report.mutants)
    rest = "".join(f" + {count} {what}" for what, count in others.items() if count)
    mutants = f"; mutants {killed} refuted{rest} of {len(report.mutants)}"
    return f"{verdict} {theorem.name}{numbers}  {engines}{mutants}"


def _engine(found: Finding) -> str:
    mark = {Status.HOLDS: "", Status.FAILS: " differs", Status.UNDECIDED: " undecided"}[found.status]
    residual = f" {found.residual:.0e}" if found.residual is not None else ""
    return f"{found.engine}{mark}{residual}"


def details(report: Report) -> list[str]:
    """What is printed under the line: the witness, the reason, the problems."""
    lines = [f"counterexample {report.witness['text']}"] if report.witness else []
    lines += [f"undecided: {report.reason}"] if report.reason and report.verdict is Verdict.UNDECIDED else []
    lines += [click.style(f"problem: {p}", fg="red") for p in report.problems]
    return [f"          {x}" for x in lines]


def summary(reports: Sequence[Report], seconds: float) -> str:
    """The last line."""
    counts = Counter(r.verdict for r in reports)
    verdicts = ", ".join(f"{counts[v]} {v.value}" for v in Verdict if counts[v])
    unexpected = sum(not r.as_expected for r in reports)
    outcome = f"{unexpected} not as expected" if unexpected else "all as expected"
    mutants = [m for r in reports for m in r.mutants]
    killed, harmless = sum(bool(m.killed_by) for m in mutants), sum(bool(m.explained) for m in mutants)
    undecided = sum(bool(m.undecided) for m in mutants)
    tested = f"{killed} of {len(mutants)} mutants refuted, {harmless} harmless" + (
        f", {undecided} undecided" if undecided else ""
    )
    theorems = "1 theorem" if len(reports) == 1 else f"{len(reports)} theorems"
    return f"{theorems}: {verdicts}; {outcome}; {tested}; {seconds:.1f} s"


def durations(reports: Sequence[Report], number: int) -> list[str]:
    """The slowest theorems, all engines and mutants together; with several workers these seconds overlap."""
    slowest = sorted(reports, key=lambda r: -r.seconds)[:number]
    return [f"slowest {len(slowest)}:", *(f"{r.seconds:8.2f} s  {r.name}" for r in slowest)]


def exit_code(reports: Sequence[Report]) -> int:
    """0 all as expected, 1 something refuted or unexpected, 2 undecided, 3 nothing ran."""
    if not reports:
        return 3
    wrong = [r for r in reports if not r.as_expected]
    if any(r.verdict is not Verdict.UNDECIDED for r in wrong):
        return 1
    return 2 if wrong else 0
