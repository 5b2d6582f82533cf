"""The report on a run: what was found first, then means with their errors, quantiles, whole responses, and a loss."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from kltheory.__about__ import __version__
from kltheory.report.columns import Fact, facts, indented, markdown_table, paragraphs
from kltheory.report.findings import in_markdown, said
from kltheory.runs.findings import findings
from kltheory.runs.measured import SHARES, Measured
from kltheory.runs.moments import Mean
from kltheory.runs.ratios import Ratio
from kltheory.runs.schema import VERSION

SCHEMA: Final = 1
Rows = list[tuple[str, ...]]


def to_json(m: Measured) -> dict[str, Any]:
    """Plain data; see docs/json.md."""
    return {
        "schema": SCHEMA,
        "version": __version__,
        "columns_version": VERSION,
        "reader": m.reader.name,
        "files": m.files,
        "rows": {
            "total": m.run.total,
            "masked": m.run.masked,
            "good": m.run.good,
            "faults": m.run.faults,
            "lost": list(m.lost),
        },
        "findings": [f.to_json() for f in findings(m)],
        "means": {name: _mean(mean) for name, mean in m.means.items()},
        "steps": {name: [{"step": step, **_mean(mean)} for step, mean in m.by_step(name)] for name in m.means},
        "quantiles": {name: dict(zip(map(str, SHARES), values, strict=True)) for name, values in m.spread.items()},
        "responses": None if m.responses is None else dict(vars(m.responses)),
        "loss": None if m.pulled is None else {"name": m.pulled.name, "top": m.pulled.top, "endless": m.pulled.endless},
        "missing": m.missing,
        "notes": notes(m),
    }


def _mean(mean: Mean) -> dict[str, float | int]:
    return {"value": mean.value, "error": mean.error, "clusters": mean.clusters}


def plain(m: Measured, width: int | None = None) -> str:
    """For people, in lines of at most so many characters; as long as they are if ``None``."""
    lines = [*paragraphs([head(m)], width, "  "), "", *facts(_answers(m), width)]
    for title, table in tables(m):
        lines += ["", *paragraphs([title], width, "  "), *indented(table, width)]
    return "\n".join(lines)


def markdown(m: Measured) -> str:
    """The same as Markdown."""
    lines = [f"### {head(m)}", "", *(f"- {in_markdown(*fact)}" for fact in _answers(m))]
    for title, (names, *body) in tables(m):
        lines += ["", f"#### {title}", "", *markdown_table(names, body)]
    return "\n".join(lines)


def head(m: Measured) -> str:
    """What was read, in a line."""
    files = "1 file" if m.files == 1 else f"{m.files} files"
    steps = "1 step" if m.table.height == 1 else f"{m.table.height} steps"
    return f"{m.run.good:,} tokens that count, of {m.run.total:,}, in {steps}; {files} ({m.reader.name})"


def _answers(m: Measured) -> Iterator[Fact]:
    every = findings(m)
    if not any(f.level for f in every):
        yield "answer", "nothing to report"
    yield from said(replace(f, text=f"{f.code.meaning}: {f.text}") for f in every)
    yield from (("note", note) for note in notes(m))


def notes(m: Measured) -> list[str]:
    """What was assumed of the loss, and what a reader of these files should know."""
    return [*m.notes, *filter(None, [m.reader.says])]


def tables(m: Measured) -> Iterator[tuple[str, Rows]]:
    """All tables, each with its title; the first row is the head."""
    means = m.means
    if m.pulled is not None:
        yield f"{m.pulled.name}, at these tokens", [MEANS, *_means(m.pulled.ratios, means)]
    yield "means over tokens, with the standard error of whole responses or groups", [MEANS, *_means(m.ratios, means)]
    if m.spread:
        names = ("quantiles", *(f"{q:.1%}" for q in SHARES))
        yield "quantiles over tokens", [names, *((n, *(f"{x:.4g}" for x in v)) for n, v in m.spread.items())]
    if m.responses is not None:
        yield "whole responses", [("what", "value"), *_responses(m)]


MEANS: Final = ("mean", "value", "± error", "what it is")


def _means(ratios: tuple[Ratio, ...], means: dict[str, Mean]) -> Iterator[tuple[str, ...]]:
    for r in ratios:
        yield r.name, f"{means[r.name].value:.5g}", f"{means[r.name].error:.1g}", r.title


def _responses(m: Measured) -> Iterator[tuple[str, str]]:
    r = m.responses
    assert r is not None
    yield "responses", f"{r.count:,}"
    yield "tokens each, on average and at most", f"{r.tokens[0]:.5g}, {r.tokens[1]:,}"
    told: dict[str, float | int | None] = {
        "share that ended by itself": r.finished,
        "share that counts, by weights of responses": r.sample_size,
        "groups": r.groups,
        "groups of one mind": r.of_one_mind,
        "correlation of length and reward": r.length_and_reward,
    }
    yield from ((name, f"{x:.4g}") for name, x in told.items() if x is not None)
    for most, share in r.by_length:
        yield f"share that counts, up to {most:,} tokens", f"{share:.4g}"


def status(m: Measured) -> int:
    """The exit status: of the worst finding."""
    return max((int(f.level) for f in findings(m)), default=0)
