"""The commands about theorems: ``prove`` and ``explain``."""

import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kltheory.__about__ import __version__
from kltheory.cli.budget import EACH, budget
from kltheory.cli.output import confirmed, write_json
from kltheory.cli.shared import KEYWORD, PATHS, SCHEMA, chosen_theorems, progress
from kltheory.cli.supervisor import UNDECIDED

if TYPE_CHECKING:
    from kltheory.proving.verdict import Report


@click.command()
@PATHS
@KEYWORD
@click.option(
    "--json",
    "target",
    metavar="FILE",
    callback=confirmed,
    help="Also write the reports as JSON; - writes only JSON, to standard output.",
)
@EACH
@click.option("-j", "--jobs", type=click.IntRange(1), help="Processes to use (all cores).")
@click.option("--durations", type=click.IntRange(0), default=0, metavar="N", help="Also print the N slowest theorems.")
def prove(
    paths: tuple[Path, ...], keyword: str, target: str | None, timeout: float, jobs: int | None, durations: int
) -> None:
    """Decide theorems: every claim by every engine, every mutant refuted.

    PATHS are theorem files or folders; without any, the library.

    Exit status: 0 all as expected, 1 something refuted or unexpected, 2 undecided, 3 nothing ran.
    """
    from kltheory.proving.run import run_all
    from kltheory.report import terminal

    start = time.perf_counter()
    theorems = chosen_theorems(paths, keyword, timeout)
    reports: list[Report] = []
    with progress(len(theorems)) as advance, closing(run_all(theorems, jobs, timeout)) as found:
        for theorem, report in zip(theorems, found, strict=True):
            reports.append(report)
            advance(theorem.name)
            if target != "-":
                click.echo("\n".join([terminal.line(theorem, report), *terminal.details(report)]))
    seconds = time.perf_counter() - start
    if target != "-":
        if durations:
            click.echo("\n".join(terminal.durations(reports, durations)))
        click.echo(terminal.summary(reports, seconds))
    if target:
        counts = {v: sum(r.verdict.value == v for r in reports) for v in ("PROVED", "REFUTED", "UNDECIDED")}
        unexpected = sum(not r.as_expected for r in reports)
        summary = {**counts, "theorems": len(reports), "unexpected": unexpected, "seconds": round(seconds, 3)}
        pairs = zip(theorems, reports, strict=True)
        entries = [{**t.heading(), "expected": r.expected.value, **r.to_json()} for t, r in pairs]
        write_json({"schema": SCHEMA, "version": __version__, "summary": summary, "theorems": entries}, target)
    raise SystemExit(terminal.exit_code(reports))


@click.command()
@click.argument("name")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--latex", is_flag=True, help="Write LaTeX.")
@budget(UNDECIDED)
def explain(name: str, paths: tuple[Path, ...], latex: bool) -> None:
    """Derive theorem NAME step by step; each step is checked before it is printed."""
    from difflib import get_close_matches

    from kltheory.calculus.exact import Undecidable
    from kltheory.proving.endings import reason_of
    from kltheory.report.explain import WrongStep
    from kltheory.report.explain import explain as derive

    theorems = {t.name: t for t in chosen_theorems(paths, "")}
    if name not in theorems:
        close = get_close_matches(name, theorems, 3, 0.4) or [n for n in theorems if name in n][:3]
        hint = f"; did you mean {', '.join(close)}?" if close else "; kltheory list names them all"
        raise click.UsageError(f"there is no theorem {name}{hint}")
    if theorems[name].failure:
        click.echo(f"UNDECIDED: {theorems[name].failure}", err=True)
        raise SystemExit(2)
    try:
        for step in derive(theorems[name]):
            click.echo(step.latex() if latex else step.plain())
    except (Undecidable, WrongStep) as e:
        click.echo(f"UNDECIDED: {e}", err=True)
        raise SystemExit(2) from None
    except (AttributeError, TypeError, ValueError, ArithmeticError) as e:  # its claim is none that can be looked at
        click.echo(f"UNDECIDED: {reason_of(e)}", err=True)
        raise SystemExit(2) from None
