"""What several commands share: exit statuses, choosing theorems, JSON, a progress bar."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isfinite, isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from fractions import Fraction

    from kltheory.proving.theorem import Theorem

NOTHING_RAN: Final = 3
SCHEMA: Final = 1
"""Version of the JSON that ``list``, ``prove``, ``table`` and ``identify`` write."""


PATHS: Final = click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
KEYWORD: Final = click.option(
    "-k", "keyword", default="", metavar="EXPR", help="Only names or catalogue numbers that match: k3 and not S5"
)


def chosen_theorems(paths: Sequence[Path], keyword: str) -> "list[Theorem]":
    """The theorems of the files, or of the library, that match; none at all is an error that ends the command."""
    from kltheory.proving.select import SelectionError, selector
    from kltheory.proving.theorem import CollectionError, collect, library

    try:
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


def write_json(data: Any, target: str) -> None:
    """Write JSON to a file, or to standard output for ``-``; numbers JSON has no word for are texts (docs/json.md).

    Raises ClickException.
    """
    text = json.dumps(_finite(data), ensure_ascii=False, indent=2, allow_nan=False)
    if target == "-":
        click.echo(text)
    else:
        try:
            Path(target).write_text(text + "\n", encoding="utf-8")
        except OSError as e:
            raise click.ClickException(f"cannot write {target}: {e.strerror}") from None


def _finite(data: Any) -> Any:
    """The data with ``infinite``, ``-infinite`` and ``undefined`` for the floats that are no numbers."""
    if isinstance(data, Mapping):
        return {key: _finite(x) for key, x in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(x) for x in data]
    if isinstance(data, float) and not isfinite(data):
        return "undefined" if isnan(data) else "infinite" if data > 0 else "-infinite"
    return data


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
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda name: bar.update(task, advance=1, description=name)
