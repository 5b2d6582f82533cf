"""What several commands share: exit statuses, choosing theorems, a progress bar."""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from kltheory.cli.budget import SECONDS, limited
from kltheory.cli.supervisor import COULD_NOT_RUN

if TYPE_CHECKING:
    from fractions import Fraction

    from sympy import Expr

    from kltheory.proving.theorem import Theorem

NOTHING_RAN: Final = COULD_NOT_RUN.status
SCHEMA: Final = 1
"""Version of the JSON that ``list``, ``prove``, ``table`` and ``identify`` write."""

READING: Final = 10.0
"""Seconds that reading theorem files may take at least."""

PATHS: Final = click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
KEYWORD: Final = click.option(
    "-k", "keyword", default="", metavar="EXPR", help="Only names or catalogue numbers that match: k3 and not S5"
)

PARAM: Final = click.option(
    "--param",
    "parameters",
    multiple=True,
    metavar="NAME[=VALUE]",
    help="A constant of FORMULA, and its value: beta=0.04.",
)


def constants_of(parameters: Sequence[str], formulas: Sequence[str]) -> "dict[str, Expr]":
    """The constants of ``--param``, each of them in some formula. Raises UsageError."""
    from kltheory.calculus.formula.error import FormulaError
    from kltheory.calculus.formula.parse import constants

    try:
        found = constants(parameters)
    except FormulaError as e:
        raise click.UsageError(f"--param: {e}") from None
    if len(found) < len(parameters):
        raise click.UsageError("--param: a constant is given twice")
    for name in found:
        if not any(re.search(rf"\b{name}\b", formula) for formula in formulas):
            raise click.UsageError(f"--param {name}: no formula has that name")
    return found


def remarks_on(formulas: Sequence[str], declared: "dict[str, Expr]") -> list[str]:
    """What is to be said of how formulas were read."""
    from kltheory.calculus.formula.parse import read_formula
    from kltheory.report.typed import remarks

    return remarks(read_formula(f, declared) for f in formulas)


def chosen_theorems(paths: Sequence[Path], keyword: str, seconds: float = SECONDS) -> "list[Theorem]":
    """The theorems of the files, or of the library, that match; none at all is an error that ends the command.

    Reading them may take as long as a theorem, and at least :data:`READING` seconds.
    """
    from kltheory.proving.select import SelectionError, selector
    from kltheory.proving.theorem import CollectionError, collect, library

    try:
        with limited(max(seconds, READING), COULD_NOT_RUN):
            found = collect(paths or [library()])
        chosen = [t for t in found if not keyword or selector(keyword)(t)]
    except (CollectionError, SelectionError) as e:
        click.echo(f"error: {e}", err=True)
        raise SystemExit(NOTHING_RAN) from None
    if not chosen:
        where = ", ".join(map(str, paths)) or "the library"
        click.echo(f"error: no theorem in {where}" + (f" matches -k {keyword!r}" if keyword else ""), err=True)
        raise SystemExit(NOTHING_RAN)
    return chosen


def exact_rewards(text: str) -> "tuple[Fraction, ...]":
    """The numbers of ``--reward``. Raises UsageError."""
    from kltheory.report.exact import NotExact, exact, shortened

    words, wanted = text.replace(",", " ").split(), "write numbers with spaces between, '1 0 0'"
    if not words:
        raise click.UsageError(f"--reward {text!r}: {wanted}")
    try:
        return tuple(map(exact, words))
    except NotExact as e:
        raise click.UsageError(f"--reward {shortened(text)!r}: {wanted}; {e}") from None


def in_float64(name: str, numbers: "Iterable[Fraction]") -> list[float]:
    """Exact numbers for what computes in float64. Raises UsageError where it cannot hold one."""
    found = []
    for x in numbers:
        try:
            found.append(float(x))
        except OverflowError:
            raise click.UsageError(
                f"--{name} has a number too large for float64, which this command computes in"
            ) from None
        if x and not found[-1]:
            raise click.UsageError(f"--{name} has a number too small for float64, which this command computes in")
    return found


@contextmanager
def progress(total: int) -> Iterator[Any]:
    """A bar on standard error while it is a terminal; otherwise nothing."""
    if not sys.stderr.isatty():
        yield lambda name: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as bar:  # no thread
        task = bar.add_task("", total=total)
        yield lambda name: bar.update(task, advance=1, description=name, refresh=True)
