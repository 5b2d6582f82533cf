"""The command that solves for the best policy: ``optimum``."""

from typing import TYPE_CHECKING, Any, Final

import click

from kltheory.__about__ import __version__
from kltheory.cli.budget import budget
from kltheory.cli.output import write_json
from kltheory.cli.shared import PARAM, SCHEMA, constants_of, exact_rewards, remarks_on
from kltheory.cli.supervisor import UNDECIDED

if TYPE_CHECKING:
    from fractions import Fraction

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


class Positive(click.FloatRange):
    """A positive number, exact as it is typed."""

    def __init__(self) -> None:
        super().__init__(0, min_open=True)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """A fraction; what is none ends the command."""
        from kltheory.report.exact import NotExact, exact

        try:
            found = exact(str(value))
        except NotExact as e:
            self.fail(f"{e}.", param, ctx)
        return found if found > 0 else super().convert(value, param, ctx)


@click.command()
@click.option("--reward", required=True, metavar="A", help="One reward for each action: '1 0 0'.")
@click.option("--reference", required=True, metavar="P", help="Probabilities of the reference: '.1 .6 .3'.")
@click.option("--beta", required=True, type=Positive(), help="Weight of the penalty.")
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
    beta: "Fraction",
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
        probabilities = distribution("reference", reference)
    except BadSetting as e:
        raise click.UsageError(str(e)) from None
    rewards = exact_rewards(reward)
    if len(rewards) != len(probabilities):
        raise click.UsageError(
            f"--reward has {len(rewards)} numbers and --reference has {len(probabilities)}: one for each action"
        )
    declared = constants_of(parameters, losses)
    try:
        chosen = [Penalty.named(n) for n in dict.fromkeys(names or (() if losses else NAMES))]
        chosen += [Penalty.of_loss(f, declared) for f in dict.fromkeys(losses)]
        found = optima(chosen, rewards, probabilities, beta)
    except FormulaError as e:
        raise click.ClickException(f"this is not a formula\n{e}") from None
    except (NoNumber, NoOptimum) as e:
        raise click.ClickException(str(e)) from None
    notes = remarks_on(losses, declared)
    if as_json:
        write_json({"schema": SCHEMA, "version": __version__, "notes": notes, **found.to_json()}, "-")
    else:
        click.echo("\n".join([found.plain(), *([""] if notes else []), *notes]))
