"""The command that draws: ``plot``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from kltheory.cli.budget import budget
from kltheory.cli.output import confirm_file, write_file
from kltheory.cli.shared import PARAM, constants_of, exact_rewards, in_float64, remarks_on
from kltheory.cli.supervisor import UNDECIDED

if TYPE_CHECKING:
    from sympy import Expr

    from kltheory.report.figures.style import Picture

TAKES: Final = {
    "table": (),
    "coefficient": (),
    "field": ("reference",),
    "variance": ("policy", "reference"),
    "drift": ("policy", "reference"),
    "optimum": ("reward", "reference"),
}
"""Kind to the options it knows."""


@click.command()
@click.argument("kind", type=click.Choice([*TAKES, "all"]))
@click.argument("formulas", nargs=-1, metavar="[FORMULA]...")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="FILE.svg, .png or .pdf; a folder for all.")
@click.option("--policy", metavar="P", help="Of variance and drift: probabilities, '.5 .3 .2'.")
@click.option("--reference", metavar="P", help="Of field, variance, drift and optimum.")
@click.option("--reward", metavar="A", help="Of optimum: one for each action, '1 0 0'.")
@PARAM
@budget(UNDECIDED)
def plot(
    kind: str,
    formulas: tuple[str, ...],
    output: Path | None,
    policy: str | None,
    reference: str | None,
    reward: str | None,
    parameters: tuple[str, ...],
) -> None:
    """Draw a figure from the calculus.

    \b
    table        what each estimator descends, in every placement
    coefficient  what multiplies the score against the log-ratio, of FORMULAs or of the usual estimators
    field        where each penalty drives a policy of three actions
    variance     bias and noise against the distance from the reference
    drift        off-policy, with and without weights
    optimum      where reward and penalty balance, against beta

        kltheory plot coefficient "exp(-l) - 1 + l" "l**2/2" -o curves.svg

    Figures need Matplotlib: pip install 'kltheory[plot]'. Exit status: 0 drawn, 1 not drawn, 2 undecided or wrong
    options.
    """  # noqa: D301 (\b keeps the lines apart: Click reads it)
    from kltheory.calculus.exact import Undecidable
    from kltheory.calculus.formula.error import FormulaError
    from kltheory.report.figures.style import NoMatplotlib, suffix_of
    from kltheory.report.typed import NoNumber

    if formulas and kind != "coefficient":
        raise click.UsageError(f"{kind} takes no formula; coefficient does")
    declared = constants_of(parameters, formulas)
    options = {"policy": policy, "reference": reference, "reward": reward}
    given = {name: _numbers(name, text) for name, text in options.items() if text is not None}
    if kind == "all":
        if given:
            raise click.UsageError("all are drawn as they are: name one kind to give it numbers")
        folder = output or Path("figures")
        targets = {k: folder / f"{k}.svg" for k in TAKES}
    else:
        targets = {kind: output or Path(f"{kind}.svg")}
    try:
        for path in targets.values():
            suffix_of(path)
            if kind == "all":
                path.parent.mkdir(parents=True, exist_ok=True)
            confirm_file(path)
        for name, path in targets.items():
            drawn = _drawn(name, formulas, declared, given)
            write_file(path, drawn.file(path.suffix))
            click.echo("\n".join([f"{path}: {drawn.title}", *remarks_on(formulas, declared)]))
    except FormulaError as e:
        raise click.ClickException(f"this is not a formula\n{e}") from None
    except (NoMatplotlib, NoNumber, Undecidable) as e:
        raise click.ClickException(str(e)) from None
    except ValueError as e:
        raise click.UsageError(str(e)) from None
    except OSError as e:
        raise click.ClickException(f"cannot write {e.filename}: {e.strerror}") from None


def _drawn(kind: str, formulas: Sequence[str], declared: "dict[str, Expr]", given: dict[str, list[float]]) -> "Picture":
    from kltheory.report.figures.kinds import KINDS

    if unknown := [name for name in given if name not in TAKES[kind]]:
        raise ValueError(f"{kind} takes no --{unknown[0]}")
    return KINDS[kind](formulas, declared) if formulas else KINDS[kind](**given)


def _numbers(name: str, text: str) -> list[float]:
    from kltheory.report.setting import BadSetting, distribution

    try:
        return in_float64(name, exact_rewards(text) if name == "reward" else distribution(name, text))
    except BadSetting as e:
        raise click.UsageError(str(e)) from None
