"""The command that reads a run's tokens: ``measure``."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kltheory.cli.audit import ARGUMENTS, SETTINGS
from kltheory.cli.budget import budget
from kltheory.cli.output import confirmed, write_file, write_json
from kltheory.cli.shared import PARAM, constants_of
from kltheory.cli.strangers import of_strangers
from kltheory.cli.supervisor import COULD_NOT_RUN
from kltheory.cli.terminal import coloured, columns_to_fill

if TYPE_CHECKING:
    from kltheory.runs.joined import Read
    from kltheory.runs.loss import Loss

TIMEOUT = 3600.0
NEEDS = "kltheory measure needs Polars: pip install 'kltheory[measure]'"


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("places", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@click.option("--formula", metavar="FORMULA", help="The loss of a token that was minimised, as for identify.")
@click.option("--loss", "target", metavar="TARGET", help="The same as a function, as for audit.")
@SETTINGS
@ARGUMENTS
@PARAM
@click.option("--columns", "columns", multiple=True, metavar="NAME=COLUMN", help="Which column is logp, logp_ref, …")
@click.option("--reader", metavar="NAME", help="What wrote the files, where they do not tell.")
@click.option(
    "--convert", "to", type=click.Path(path_type=Path), metavar="PARQUET", help="Write one Parquet file, and end."
)
@click.option(
    "--json", "json_target", is_flag=False, flag_value="-", metavar="[FILE]", callback=confirmed, help="Write JSON."
)
@click.option("--markdown", "as_markdown", is_flag=True, help="Write Markdown.")
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a page, with pictures over the steps.",
)
@budget(COULD_NOT_RUN, TIMEOUT)
def measure(
    places: Sequence[Path],
    formula: str | None,
    target: str | None,
    settings: Sequence[str],
    arguments: Sequence[str],
    parameters: tuple[str, ...],
    columns: Sequence[str],
    reader: str | None,
    to: Path | None,
    json_target: str | None,
    as_markdown: bool,
    page: Path | None,
) -> None:
    """Say what a run's tokens show: who drew them, how far the policy is, what a loss did at each.

    FILEs are Parquet, Arrow, CSV, JSON lines or NumPy archives with a row for each token, or what prime-rl, NeMo-RL,
    slime and open-instruct dump. Columns: step, response, logp, logp_ref, logp_old, advantage, mask, reward, group, ….

        kltheory measure rollouts.parquet --formula "-min(w*A, clamp(w,0.8,1.2)*A) + 0.04*k3"

        kltheory measure rollouts.parquet --loss trainer.py:loss --set beta=0.04

    Exit status: 0 nothing to report, 1 alarms, 3 could not run.
    """
    try:
        import polars  # noqa: F401
    except ModuleNotFoundError:
        COULD_NOT_RUN.say(NEEDS)
        raise SystemExit(COULD_NOT_RUN.status) from None
    from kltheory.report import run as report
    from kltheory.report import run_page
    from kltheory.runs.convert import convert
    from kltheory.runs.measured import measure as run
    from kltheory.runs.schema import NoRun

    _confirm_together(formula, target, settings, arguments, parameters)
    named = dict(_pair(text) for text in columns)
    try:
        if to is not None:
            for line in convert(places, to, reader, named).lines():
                click.echo(line, err=True)
            click.echo(f"{to} is written")
            return
        formula, notes = _read(target, settings, arguments) if target is not None else (formula, ())
        loss = None if formula is None else _loss(formula, parameters)
        measured = replace(run(places, loss, reader, named, progress=_say), notes=notes)
    except NoRun as e:
        COULD_NOT_RUN.say(str(e))
        raise SystemExit(COULD_NOT_RUN.status) from None
    if json_target is not None:
        write_json(report.to_json(measured), json_target)
    if page is not None:
        write_file(page, run_page.html(measured))
    if json_target != "-":
        click.echo(report.markdown(measured) if as_markdown else coloured(report.plain(measured, columns_to_fill())))
    raise SystemExit(report.status(measured))


def _confirm_together(
    formula: str | None,
    target: str | None,
    settings: Sequence[str],
    arguments: Sequence[str],
    parameters: Sequence[str],
) -> None:
    """Raise UsageError where an option has nothing to speak of: none is ignored."""
    if formula is not None and target is not None:
        raise click.UsageError("--formula and --loss are two ways to give one loss: give one of them")
    if target is None and (settings or arguments):
        raise click.UsageError("--set and --args are about the function of --loss")
    if formula is None and parameters:
        raise click.UsageError("--param is about the formula of --formula; --set gives a function its numbers")


def _pair(text: str) -> tuple[str, str]:
    name, found, column = text.partition("=")
    if not found:
        raise click.UsageError(f"--columns {text}: NAME=COLUMN is needed, such as logp_ref=ref_log_probs")
    return name, column


def _read(target: str, settings: Sequence[str], arguments: Sequence[str]) -> "Read":
    """The formula of a function, which runs in a process of its own. Raises NoRun."""

    def work() -> "Read":
        from kltheory.audit.variants import parse_arguments, parse_settings
        from kltheory.runs.joined import formula_of

        return formula_of(target, parse_settings(settings), parse_arguments(arguments))

    return of_strangers(work)


def _loss(formula: str, parameters: tuple[str, ...]) -> "Loss":
    from kltheory.calculus.formula.error import FormulaError
    from kltheory.calculus.formula.parse import read_formula
    from kltheory.runs.loss import Loss

    try:
        return Loss.typed(read_formula(formula, constants_of(parameters, [formula])))
    except FormulaError as e:
        COULD_NOT_RUN.say(f"this is not a formula\n{e}")
        raise SystemExit(COULD_NOT_RUN.status) from None


def _say(stage: str) -> None:
    """What comes next, where somebody looks."""
    if sys.stderr.isatty():
        click.echo(f"{stage} …", err=True)
