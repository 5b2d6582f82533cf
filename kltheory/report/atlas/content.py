"""What the atlas holds: theorems with their derivations and evidence, in the catalogue's order; tables; audits."""

import json
import os
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Any, Final

from kltheory.proving.pool import Lost, each
from kltheory.proving.theorem import Theorem, collect
from kltheory.proving.verdict import Report, Status, Verdict
from kltheory.report.coverage import Coverage, by_section
from kltheory.report.explain import Step, explain
from kltheory.report.figures.style import Picture
from kltheory.report.table import Row, class_table

MARKS: Final = {Status.HOLDS: "holds", Status.FAILS: "differs", Status.UNDECIDED: "undecided"}


class BadAudit(Exception):
    """A file is no report of ``kltheory audit --json``; the message says why."""


@dataclass(frozen=True)
class Entry:
    """A theorem, its report, and its derivation line by line."""

    theorem: Theorem
    report: Report
    steps: tuple[Step, ...]

    @property
    def verdict(self) -> str:
        """What was found: PROVED, REFUTED, UNDECIDED."""
        return self.report.verdict.value

    @property
    def evidence(self) -> list[str]:
        """A line for each engine, for the mutants, and for what is not as expected."""
        lines = [
            f"{f.engine}: {MARKS[f.status]}"
            + (f", largest difference {f.residual:.0e}" if f.residual is not None else "")
            + (f" ({f.detail})" if f.detail and f.status is not Status.HOLDS else "")
            for f in self.report.findings
            if f.status is not Status.NOT_APPLICABLE
        ]
        killed = sum(bool(m.killed_by) for m in self.report.mutants)
        lines.append(f"wrong-on-purpose twins: {killed} of {len(self.report.mutants)} refuted")
        lines += [f"twin {m.name} is harmless: {m.explained}" for m in self.report.mutants if m.explained]
        lines += [f"twin {m.name} is not decided: {m.undecided}" for m in self.report.mutants if m.undecided]
        lines += [f"undecided: {self.report.reason}"] if self.report.verdict is Verdict.UNDECIDED else []
        return lines + [f"problem: {p}" for p in self.report.problems]

    @property
    def place(self) -> str:
        """The file and line of the declaration, from the folder of theorems on."""
        file = Path(self.theorem.file)
        return f"{file.parent.name}/{file.name}:{self.theorem.line}"


@dataclass(frozen=True)
class Section:
    """One section of the catalogue; a theorem stands where its first number belongs."""

    title: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Atlas:
    """All that is shown."""

    version: str
    entries: tuple[Entry, ...]
    figures: tuple[Picture, ...] = ()
    audits: tuple[dict[str, Any], ...] = field(default=())

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """Each theorem once."""
        entries = {e.theorem.name: e for e in self.entries}
        out = []
        for group in by_section([e.theorem for e in self.entries]):
            found = tuple(entries.pop(t.name) for t in group.theorems if t.name in entries)
            out += [Section(group.title, found)] if found else []
        return tuple(out)

    @property
    def counts(self) -> dict[str, int]:
        """Verdict to number of theorems."""
        return {v.value: n for v in Verdict if (n := sum(e.report.verdict is v for e in self.entries))}

    @property
    def coverage(self) -> Coverage:
        """The catalogue beside these theorems."""
        return Coverage.of([e.theorem for e in self.entries])

    @cached_property
    def table(self) -> tuple[Row, ...]:
        """The class table."""
        return tuple(class_table())


def entries(
    reports: Sequence[tuple[Theorem, Report]], workers: int | None, limit: float = inf
) -> Generator[Entry, None, None]:
    """Theorems with their derivations, derived in parallel, in the same order; what fails, or takes too long, says so.

    Args:
        reports: what was found of each theorem.
        workers: how many processes, all cores by default; one without a limit is this one.
        limit: seconds for each derivation.
    """
    named = [(t.file, t.name) for t, _ in reports]
    count = min(workers or os.cpu_count() or 1, len(named))
    if count <= 1 and limit == inf:
        yield from (Entry(t, r, _derived(name)) for (t, r), name in zip(reports, named, strict=True))
        return
    with closing(each(_derived, named, count, limit)) as derived:
        for (t, r), steps in zip(reports, derived, strict=True):
            lost = isinstance(steps, Lost)
            yield Entry(t, r, (Step(f"There is no derivation: {steps.reason}"),) if lost else steps)


def _derived(named: tuple[str, str]) -> tuple[Step, ...]:
    """In a worker: theorems are functions of files, so they are collected again rather than sent."""
    file, name = named
    found = next(t for t in collect([Path(file)]) if t.name == name)
    return () if found.failure else tuple(explain(found))


def audit_of(path: Path) -> dict[str, Any]:
    """A report that ``kltheory audit --json`` wrote.

    Raises:
        BadAudit: the file cannot be read, or holds something else.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as e:
        raise BadAudit(f"{path}: {e}") from None
    if not (isinstance(data, dict) and {"target", "framework", "variants"} <= set(data)):
        raise BadAudit(f"{path}: not what kltheory audit --json writes")
    return data
