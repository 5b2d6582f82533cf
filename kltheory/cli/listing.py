"""``kltheory list``: the theorems, by file, section or source, and how much of the catalogue they settle."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kltheory.__about__ import __version__
from kltheory.cli.budget import budget
from kltheory.cli.output import write_json
from kltheory.cli.shared import KEYWORD, PATHS, SCHEMA, chosen_theorems
from kltheory.cli.supervisor import COULD_NOT_RUN

if TYPE_CHECKING:
    from kltheory.proving.theorem import Theorem
    from kltheory.report.coverage import Group


@click.command("list")
@PATHS
@KEYWORD
@click.option("--by", type=click.Choice(["section", "source"]), help="Group them, with the verdict each expects.")
@click.option("--missing", is_flag=True, help="What of the catalogue is not settled, and why.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON; its keys are in docs/json.md.")
@budget(COULD_NOT_RUN)
def list_(paths: tuple[Path, ...], keyword: str, by: str | None, missing: bool, as_json: bool) -> None:
    """Name the theorems: catalogue numbers, statement, source.

    Exit status: 0; 2 when a theorem cannot be built, and so states nothing; 3 when there is none.
    """
    from kltheory.report import coverage

    theorems = chosen_theorems(paths, keyword)
    if missing and by:
        raise click.UsageError("--missing and --by are two questions: ask one")
    if missing:
        found = coverage.Coverage.of(theorems)
        write_json({**HEAD, **found.to_json()}, "-") if as_json else click.echo(found.plain())
    elif by:
        groups = list(coverage.GROUPINGS[by](theorems))
        _write_groups(groups, as_json, coverage.Coverage.of(theorems).summary())
    elif as_json:
        write_json([t.to_json() for t in theorems], "-")
    else:
        click.echo("\n".join(line for t in theorems for line in _lines(t)))
    if (by or as_json) and not missing and any(t.failure for t in theorems):
        raise SystemExit(2)


HEAD = {"schema": SCHEMA, "version": __version__}


def _lines(t: "Theorem") -> list[str]:
    numbers = f" [{', '.join(t.catalogue)}]" if t.catalogue else ""
    assumed = t.hypotheses if t.failure else t.assumptions
    notes = [("Assumed", assumed), ("About", t.about), ("Source", t.sources)]
    shown = [f"    {what}: {'; '.join(texts)}" for what, texts in notes if texts]
    return [click.style(t.name, bold=True) + numbers, f"    {t.statement}", *shown]


def _write_groups(groups: "list[Group]", as_json: bool, summary: str) -> None:
    if as_json:
        write_json({**HEAD, "groups": [g.to_json() for g in groups]}, "-")
        return
    for g in groups:
        click.echo(click.style(g.title, bold=True))
        click.echo("\n".join(f"    {line}" for line in g.lines()))
    click.echo(summary)
