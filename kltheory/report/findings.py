"""Findings for people, of an audit as of a run: each beside its code, then what to change."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from kltheory.audit.codes import Level
from kltheory.audit.finding import Finding
from kltheory.report.columns import Fact

LABELS: Final = {Level.ALARM: "ALARM", Level.UNDECIDED: "UNDECIDED", Level.FAILURE: "COULD NOT RUN", Level.NOTE: "note"}
"""What stands before the code of a finding."""


def labelled(findings: Iterable[Finding]) -> Iterator[Fact]:
    """Findings beside their codes."""
    return ((f"{LABELS[f.level]} {f.code.number}", f.text) for f in findings)


def said(findings: Iterable[Finding]) -> Iterator[Fact]:
    """The same, each code followed by what to change."""
    for code, same in groupby(findings, key=lambda f: f.code):
        yield from labelled(same)
        if code.change and code.level is not Level.NOTE:
            yield "  to change", code.change


def in_markdown(label: str, text: str) -> str:
    """A fact as it stands in a list, the level of a finding in bold."""
    word, code = label.partition(" KL")[::2]
    return f"**{word.lower()}** KL{code} {text}" if code else f"{label.strip()}: {text}" if label else text
