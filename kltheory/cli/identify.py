"""The commands about formulas: ``identify`` and ``table``."""

import click

from kltheory.__about__ import __version__
from kltheory.cli.budget import budget
from kltheory.cli.output import write_json
from kltheory.cli.shared import PARAM, SCHEMA, constants_of
from kltheory.cli.supervisor import UNDECIDED


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON list of rows.")
@click.option("--markdown", "as_markdown", is_flag=True, help="A Markdown table, the README's.")
@budget(UNDECIDED)
def table(as_json: bool, as_markdown: bool) -> None:
    """The class table: what each estimator descends, in each placement, on-policy and off-policy."""
    from kltheory.report.table import class_table, markdown, plain

    rows = list(class_table())
    if as_json:
        write_json([r.to_json() for r in rows], "-")
    else:
        click.echo(markdown(rows) if as_markdown else plain(rows))


@click.command(context_settings={"ignore_unknown_options": True})
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
@budget(UNDECIDED)
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
