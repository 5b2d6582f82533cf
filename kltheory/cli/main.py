"""The command line. A command imports what it needs when it runs: ``kltheory --help`` loads neither SymPy nor JAX."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kltheory.__about__ import __version__
from kltheory.cli.audit import audit, compare
from kltheory.cli.listing import list_
from kltheory.cli.optimum import optimum
from kltheory.cli.plot import plot
from kltheory.cli.report import report
from kltheory.cli.sequence import sequence
from kltheory.cli.shared import KEYWORD, PARAM, PATHS, SCHEMA, chosen_theorems, constants_of, progress, write_json
from kltheory.cli.variance import variance

if TYPE_CHECKING:
    from kltheory.proving.verdict import Report


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="A theorem file of your own works like the library: kltheory prove my_claims.py",
)
@click.version_option(__version__, "--version", prog_name="kltheory")
@click.pass_context
def cli(context: click.Context) -> None:
    """What a KL penalty in reinforcement learning of language models really optimises, by proof."""
    if os.environ.get("NO_COLOR"):
        context.color = False


@cli.command()
@PATHS
@KEYWORD
@click.option(
    "--json", "target", metavar="FILE", help="Also write the reports as JSON; - writes only JSON, to standard output."
)
@click.option("-j", "--jobs", type=click.IntRange(1), help="Processes to use (all cores).")
@click.option("--durations", type=click.IntRange(0), default=0, metavar="N", help="Also print the N slowest theorems.")
def prove(paths: tuple[Path, ...], keyword: str, target: str | None, jobs: int | None, durations: int) -> None:
    """Decide theorems: every claim by every engine, every mutant refuted.

    PATHS are theorem files or folders; without any, the library.

    Exit status: 0 all as expected, 1 something refuted or unexpected, 2 undecided, 3 nothing ran.
    """
    from kltheory.proving.run import run_all
    from kltheory.report import terminal

    start = time.perf_counter()
    theorems = chosen_theorems(paths, keyword)
    reports: list[Report] = []
    with progress(len(theorems)) as advance:
        for theorem, report in zip(theorems, run_all(theorems, jobs), strict=True):
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
        entries = [{**t.to_json(), **r.to_json()} for t, r in zip(theorems, reports, strict=True)]
        write_json({"schema": SCHEMA, "version": __version__, "summary": summary, "theorems": entries}, target)
    raise SystemExit(terminal.exit_code(reports))


@cli.command()
@click.argument("name")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--latex", is_flag=True, help="Write LaTeX.")
def explain(name: str, paths: tuple[Path, ...], latex: bool) -> None:
    """Derive theorem NAME step by step; each step is checked before it is printed."""
    from difflib import get_close_matches

    from kltheory.calculus.exact import Undecidable
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


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON list of rows.")
@click.option("--markdown", "as_markdown", is_flag=True, help="A Markdown table, the README's.")
def table(as_json: bool, as_markdown: bool) -> None:
    """The class table: what each estimator descends, in each placement, on-policy and off-policy."""
    from kltheory.report.table import class_table, markdown, plain

    rows = list(class_table())
    if as_json:
        write_json([r.to_json() for r in rows], "-")
    else:
        click.echo(markdown(rows) if as_markdown else plain(rows))


@cli.command(context_settings={"ignore_unknown_options": True})
@click.argument("formula")
@click.option(
    "--as",
    "placement",
    type=click.Choice(["loss", "reward"]),
    default="loss",
    help="Differentiated, or detached and times the score.",
)
@click.option(
    "--weight",
    type=click.Choice(["none", "detached", "live"]),
    default="none",
    help="The importance weight w = π/π_old in front.",
)
@PARAM
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def identify(formula: str, placement: str, weight: str, parameters: tuple[str, ...], as_json: bool) -> None:
    """Say what FORMULA descends.

    FORMULA is written in l (log-ratio), w, logp, logp_ref, logp_old, u = exp(l), r = exp(-l), the advantage A, the
    estimators k1, k2, k3, abs, constants such as beta and eps (any positive number, where --param gives none), sg(...),
    exp, log, sqrt, min, max, clamp, where and comparisons:

        kltheory identify "exp(-l) - 1 + l" --as loss

        kltheory identify "-min(w*A, clamp(w, 1-eps, 1+eps)*A) + beta*k3" --param eps=0.2
    """
    from kltheory.calculus.exact import Undecidable
    from kltheory.calculus.formula.error import FormulaError
    from kltheory.report.identification import identify_text

    try:
        found = identify_text(formula, placement, weight, constants_of(parameters, [formula]))
    except FormulaError as e:
        raise click.ClickException(f"this is not a formula\n{e}") from None
    except Undecidable as e:
        click.echo(f"UNDECIDED: {e}")
        raise SystemExit(2) from None
    if as_json:
        write_json({"schema": SCHEMA, "version": __version__, **found.to_json()}, "-")
    else:
        click.echo(found.plain())


cli.add_command(list_)
cli.add_command(audit)
cli.add_command(compare)
cli.add_command(variance)
cli.add_command(optimum)
cli.add_command(sequence)
cli.add_command(plot)
cli.add_command(report)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    try:
        cli.main(arguments, prog_name="kltheory")
    except SystemExit as e:
        return e.code if isinstance(e.code, int) else 1
    return 0
