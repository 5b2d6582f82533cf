"""What several commands share: exit statuses, JSON, a progress bar."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

NOTHING_RAN: Final = 3
SCHEMA: Final = 1
"""Version of the JSON that ``list``, ``prove``, ``table`` and ``identify`` write."""


def write_json(data: Any, target: str) -> None:
    """Write JSON to a file, or to standard output for ``-``. Raises ClickException."""
    text = json.dumps(data, ensure_ascii=False, indent=2)
    if target == "-":
        click.echo(text)
    else:
        try:
            Path(target).write_text(text + "\n", encoding="utf-8")
        except OSError as e:
            raise click.ClickException(f"cannot write {target}: {e.strerror}") from None


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
