"""The command that compares estimators by their noise: ``variance``."""

from typing import TYPE_CHECKING, Final

import click

from kltheory.__about__ import __version__
from kltheory.cli.budget import budget
from kltheory.cli.output import write_json
from kltheory.cli.shared import PARAM, SCHEMA, constants_of, remarks_on
from kltheory.cli.supervisor import UNDECIDED

if TYPE_CHECKING:
    from kltheory.report.variance import Setting

TARGETS: Final = (
    "reverse_kl",
    "forward_kl",
    "jeffreys",
    "total_variation",
    "pearson_chi2",
    "neyman_chi2",
    "squared_hellinger",
    "jensen_shannon",
)
SIZE: Final = 5


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("formulas", nargs=-1, metavar="[FORMULA]...")
@click.option("--policy", metavar="P", help="Probabilities of the policy: '.6 .3 .1'.")
@click.option("--reference", metavar="P", help="Those of the reference.")
@click.option("--old", metavar="P", help="Those of the policy that sampled.")
@click.option("--random", "seed", type=click.IntRange(0), metavar="SEED", help="Draw them instead.")
@click.option("--size", type=click.IntRange(2, 10000), help=f"Actions to draw ({SIZE}).")
@click.option(
    "--sampler", type=click.Choice(["policy", "old"]), help="Who drew the samples (old where --old is given)."
)
@click.option(
    "--as",
    "placement",
    type=click.Choice(["loss", "reward"]),
    help="FORMULAs differentiated (loss), or detached and times the score.",
)
@click.option("--weight", type=click.Choice(["none", "detached", "live"]), help="The importance weight in front.")
@click.option("--target", type=click.Choice(TARGETS), default=TARGETS[0], show_default=True, help="What is estimated.")
@click.option("--samples", type=click.IntRange(1), default=1, show_default=True, help="N of the mean square error.")
@PARAM
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@budget(UNDECIDED)
def variance(
    formulas: tuple[str, ...],
    policy: str | None,
    reference: str | None,
    old: str | None,
    seed: int | None,
    size: int | None,
    sampler: str | None,
    placement: str | None,
    weight: str | None,
    target: str,
    samples: int,
    parameters: tuple[str, ...],
    as_json: bool,
) -> None:
    """Bias and variance of gradient estimators side by side, exact.

    FORMULA is written as for identify; without any, the estimators in use: k1, k2, k3, in loss and reward, with w.

        kltheory variance --policy '.9 .05 .05' --reference '.5 .25 .25'

    Exit status: 0 an answer, 1 not a formula, 2 undecided or wrong options.
    """
    from kltheory.calculus.exact import Undecidable
    from kltheory.calculus.formula.error import FormulaError
    from kltheory.calculus.surrogate import Sampler
    from kltheory.report import variance_text
    from kltheory.report.candidates import Candidate, usual
    from kltheory.report.typed import NoNumber
    from kltheory.report.variance import compare

    setting = _setting(policy, reference, old, seed, size)
    who = _sampler(sampler, old, seed)
    if not formulas and (placement or weight):
        raise click.UsageError("--as and --weight place a FORMULA, and there is none")
    declared = constants_of(parameters, formulas)
    try:
        typed = [Candidate.typed(f, placement or "loss", weight or "none", declared) for f in dict.fromkeys(formulas)]
        found = compare(typed or usual(), setting, Sampler(who), target, samples)
    except FormulaError as e:
        raise click.ClickException(f"this is not a formula\n{e}") from None
    except NoNumber as e:
        raise click.ClickException(str(e)) from None
    except Undecidable as e:
        click.echo(f"UNDECIDED: {e}")
        raise SystemExit(2) from None
    notes = remarks_on(formulas, declared)
    if as_json:
        write_json({"schema": SCHEMA, "version": __version__, "notes": notes, **variance_text.to_json(found)}, "-")
    else:
        click.echo("\n".join([variance_text.plain(found), *([""] if notes else []), *notes]))


def _setting(
    policy: str | None, reference: str | None, old: str | None, seed: int | None, size: int | None
) -> "Setting":
    from kltheory.report.setting import BadSetting, drawn, typed

    if seed is not None:
        if (policy, reference, old) != (None, None, None):
            raise click.UsageError("--random draws all distributions: leave out --policy, --reference and --old")
        return drawn(seed, size or SIZE)
    if size:
        raise click.UsageError("--size goes with --random")
    if policy is None or reference is None:
        raise click.UsageError("give --policy '.6 .3 .1' and --reference '.2 .5 .3', or --random SEED")
    try:
        return typed(policy, reference, old)
    except BadSetting as e:
        raise click.UsageError(str(e)) from None


def _sampler(sampler: str | None, old: str | None, seed: int | None) -> str:
    if sampler == "old" and old is None and seed is None:
        raise click.UsageError("--sampler old needs --old, the distribution that sampled")
    if sampler == "policy" and old is not None:
        raise click.UsageError("--old is the policy that sampled, and --sampler policy says that the policy itself did")
    return sampler or ("policy" if old is None else "old")
