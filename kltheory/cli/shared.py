"""What several commands share: exit statuses, choosing theorems, a progress bar."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from kltheory.cli.budget import SECONDS, limited
from kltheory.cli.supervisor import COULD_NOT_RUN

if TYPE_CHECKING:
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


def rewards_of(text: str) -> list[float]:
    """The numbers of ``--reward``. Raises UsageError."""
    try:
        found = [float(word) for word in text.replace(",", " ").split()]
    except ValueError:
        found = []
    if not found or not all(map(isfinite, found)):
        raise click.UsageError(f"--reward {text!r}: write numbers with spaces between, '1 0 0'")
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
