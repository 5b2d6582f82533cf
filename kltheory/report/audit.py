"""The report of an audit, for people: in the terminal, and as Markdown. What to hear first stands first."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from kltheory.audit.audited import Audit, Audited
from kltheory.audit.codes import Level
from kltheory.audit.target import Target
from kltheory.report.audit_facts import answer, arguments, coefficient, read
from kltheory.report.audit_tables import footnotes, short_tables, tables
from kltheory.report.columns import Fact, facts, indented, markdown_table, paragraphs
from kltheory.report.findings import in_markdown, said

COUNTED: Final = {Level.ALARM: "alarm", Level.UNDECIDED: "undecided", Level.FAILURE: "could not run"}


def plain(audit: Audit, width: int | None = None, details: bool = False) -> str:
    """The report in the terminal.

    Args:
        audit: what was found.
        width: of a line; as long as it is if ``None``.
        details: whether every row of every table and every note is shown.
    """
    show = _in_full if details else _in_short
    lines = [line for v in audit.variants for line in ("", *paragraphs([v.name or "as it is"], width), *show(v, width))]
    return "\n".join(
        [*paragraphs([called(audit.target)], width, "  "), *lines, "", *paragraphs(_tail(audit), width, "  ")]
    )


def called(target: Target, name: str = "") -> str:
    """What was called: name, version, file and line, framework."""
    framework = "PyTorch" if target.framework == "torch" else "JAX"
    shown = f"{target.name} ({name})" if name else target.name
    return " · ".join(filter(None, (shown, target.version, target.place, framework)))


def _verdict(v: Audited) -> Iterator[Fact]:
    """What it is, then alarms, then what is undecided."""
    if v.rows or v.pushes:
        yield "answer", answer(v)
    yield from said(v.alarms)
    yield from said(v.undecided)


def _in_short(v: Audited, width: int | None) -> Iterator[str]:
    if v.failure:
        yield from facts(said(v.findings), width, "  ")
        return
    notes = [f for f in v.notes if not f.code.probe]
    yield from facts([*_verdict(v), *read(v), ("arguments", arguments(v)), *said(notes)], width, "  ")
    for table in short_tables(v):
        yield ""
        yield from indented(table, width)
    if left := _left_out(v):
        yield ""
        yield from paragraphs([f"  --details shows {left}"], width, "  ")


def _left_out(v: Audited) -> str:
    """What the short report does not show."""
    probed = sum(bool(f.code.probe) for f in v.notes)
    notes = f"{probed} more note{'s' * (probed != 1)}" if probed else ""
    numbers = "the numbers behind each row" if v.rows or v.responses else ""
    return " and ".join(filter(None, (notes, numbers)))


def _in_full(v: Audited, width: int | None) -> Iterator[str]:
    if v.failure:
        yield from facts([*said(v.findings), ("arguments", arguments(v))], width, "  ")
        return
    cells = coefficient(v) or ""
    yield from facts([*_verdict(v), *read(v), ("coefficient", cells), ("arguments", arguments(v))], width, "  ")
    for table in tables(v):
        yield ""
        yield from indented(table, width)
    yield ""
    yield from paragraphs((f"  {line}" for line in footnotes(v)), width, "    ")
    yield from facts(said(v.notes), width, "  ")


def _tail(audit: Audit) -> Iterator[str]:
    yield from (f"hint: {hint}" for hint in audit.hints)
    counts = Counter(f.level for v in audit.variants for f in v.findings)
    number = [
        f"{n} {what}{'s' * (n != 1 and level is Level.ALARM)}"
        for level, what in COUNTED.items()
        if (n := counts[level])
    ]
    variants = f"{len(audit.variants)} variant{'s' * (len(audit.variants) != 1)}"
    yield f"{variants}: {', '.join(number) or 'nothing to report'}"


def markdown(audit: Audit) -> str:
    """The report as Markdown, in full, for an issue or a pull request."""
    lines = [f"### {called(audit.target)}"]
    for v in audit.variants:
        lines += ["", f"#### {v.name or 'as it is'}", ""]
        if v.failure:
            lines += [f"- {_spoken(*fact)}" for fact in said(v.findings)]
            continue
        cells = coefficient(v) or ""
        parts = [*_verdict(v), *read(v), ("coefficient", cells), ("arguments", arguments(v))]
        lines += [f"- {_spoken(*fact)}" for fact in parts if fact[1]]
        for head, *body in tables(v):
            lines += ["", *markdown_table(head, body)]
        lines += ["", *(f"- {line}" for line in footnotes(v)), *(f"- {_spoken(*fact)}" for fact in said(v.notes))]
    return "\n".join([*lines, "", *_tail(audit)])


def _spoken(label: str, text: str) -> str:
    """A fact in Markdown: formulas as code, what is wrong in bold."""
    return f"{label}: `{text}`" if label in ("computes", "coefficient") else in_markdown(label, text)
