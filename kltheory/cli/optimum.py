"""The command that solves for the best policy: ``optimum``."""

from typing import Final

import click

from kltheory.__about__ import __version__
from kltheory.cli.budget import budget
from kltheory.cli.output import write_json
from kltheory.cli.shared import PARAM, SCHEMA, constants_of, remarks_on, rewards_of
from kltheory.cli.supervisor import UNDECIDED

NAMES: Final = (
    "reverse_kl",
    "forward_kl",
    "jeffreys",
    "total_variation",
    "pearson_chi2",
    "neyman_chi2",
    "squared_hellinger",
    "jensen_shannon",
)


@click.command()
@click.option("--reward", required=True, metavar="A", help="One reward for each action: '1 0 0'.")
@click.option("--reference", required=True, metavar="P", help="Probabilities of the reference: '.1 .6 .3'.")
@click.option("--beta", required=True, type=click.FloatRange(0, min_open=True), help="Weight of the penalty.")
@click.option(
    "--divergence", "names", multiple=True, type=click.Choice(NAMES), help="Penalty, several times for several (all)."
)
@click.option("--loss", "losses", multiple=True, metavar="FORMULA", help="What FORMULA descends as a loss, as penalty.")
@PARAM
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@budget(UNDECIDED)
def optimum(
    reward: str,
    reference: str,
    beta: float,
    names: tuple[str, ...],
    losses: tuple[str, ...],
    parameters: tuple[str, ...],
    as_json: bool,
) -> None:
    """The policy that maximises E[A] - β D, for each divergence D.

        kltheory optimum --reward '1 0 0' --reference '.1 .6 .3' --beta .1 --divergence reverse_kl --loss "exp(-l)-1+l"

    Exit status: 0 an answer, 1 not a formula or no penalty, 2 undecided or wrong options.
    """
    from kltheory.calculus.formula.error import FormulaError
    from kltheory.report.optimum import NoOptimum, Penalty, optima
    from kltheory.report.setting import BadSetting, distribution
    from kltheory.report.typed import NoNumber

    try:
        probabilities = [float(p) for p in distribution("reference", reference)]
    except BadSetting as e:
        raise click.UsageError(str(e)) from None
    rewards = rewards_of(reward)
    if len(rewards) != len(probabilities):
        raise click.UsageError(
            f"--reward has {len(rewards)} numbers and --reference has {len(probabilities)}: one for each action"
        )
    declared = constants_of(parameters, losses)
    try:
        chosen = [Penalty.named(n) for n in (names or (() if losses else NAMES))]
        chosen += [Penalty.of_loss(f, declared) for f in losses]
    except FormulaError as e:
        raise click.ClickException(f"this is not a formula\n{e}") from None
    except (NoNumber, NoOptimum) as e:
        raise click.ClickException(str(e)) from None
    found = optima(chosen, rewards, probabilities, beta)
    notes = remarks_on(losses, declared)
    if as_json:
        write_json({"schema": SCHEMA, "version": __version__, "notes": notes, **found.to_json()}, "-")
    else:
        click.echo("\n".join([found.plain(), *([""] if notes else []), *notes]))
