"""How a report looks in a terminal: as wide as it is, what matters in colour. Elsewhere lines may have any length."""

import os
import re
import shutil
import sys
from typing import Final

import click

COLOURS: Final = {
    "ALARM": "red",
    "UNDECIDED": "magenta",
    "COULD NOT RUN": "red",
    "DIFFERENT": "red",
    "differs": "red",
    "undecided": "magenta",
    "answer": "green",
    "the same": "green",
    "to change": "cyan",
}
"""Of the labels that a line may begin with."""
LABEL: Final = re.compile(rf"^( *)({'|'.join(COLOURS)})\b( KL\d+)?", re.MULTILINE)


def coloured(report: str) -> str:
    """The report with its labels in colour; Click takes the colours away where they are not wanted."""
    return LABEL.sub(lambda m: m[1] + click.style(m[2] + (m[3] or ""), fg=COLOURS[m[2]], bold=True), report)


def columns_to_fill() -> int | None:
    """How wide a report may be: what COLUMNS says, else the terminal; ``None`` where there is none."""
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return int(said)
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
