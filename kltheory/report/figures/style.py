"""One style for all figures: told apart by the colour-blind and in grey, and files that do not vary."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#7F7F7F")
"""Okabe and Ito's palette (Color Universal Design, 2008), dark ones first."""
DASHES: Final = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (7, 2, 1, 2)), (0, (3, 1)), (0, (1, 3)), "-", (0, (5, 1, 1, 1)))
"""A line is told by its dashes as well as by its colour."""
SUFFIXES: Final = (".svg", ".png", ".pdf")

SETTINGS: Final[dict[Any, Any]] = {
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.which": "major",
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "kltheory",
    "savefig.dpi": 150,
}


class NoMatplotlib(Exception):
    """Matplotlib is not installed; the message says how to install it."""


@dataclass(frozen=True)
class Picture:
    """A figure with its name, what it shows, and what to look at in it.

    Attributes:
        name: the kind, as in ``kltheory plot``.
        title: one line.
        caption: what a reader sees, in a sentence or two.
        figure: a ``matplotlib.figure.Figure``.
    """

    name: str
    title: str
    caption: str
    figure: Any

    def svg(self) -> str:
        """The figure as SVG text, the same every time: without prologue, and with ids of its own, for a page."""
        with styled():
            file = io.StringIO()
            self.figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        text = file.getvalue()
        text = text[text.index("<svg") :]
        for mark in ('id="', "url(#", 'href="#'):
            text = text.replace(mark, f"{mark}{self.name}-")
        return text

    def _repr_svg_(self) -> str:
        """What a notebook shows."""
        return self.svg()

    def file(self, suffix: str) -> bytes:
        """The content of a file in the format of that suffix, one of :data:`SUFFIXES`."""
        if suffix == ".svg":
            return f'<?xml version="1.0" encoding="utf-8"?>\n{self.svg()}'.encode()
        content = io.BytesIO()
        with styled():
            undated = {"Software": None} if suffix == ".png" else {"CreationDate": None}
            self.figure.savefig(content, format=suffix[1:], metadata=undated)
        return content.getvalue()

    def save(self, path: Path) -> None:
        """Write it in the format of the file's suffix.

        Raises:
            ValueError: no such format.
            OSError: it cannot be written.
        """
        path.write_bytes(self.file(suffix_of(path)))


def suffix_of(path: Path) -> str:
    """The suffix of a figure's file. Raises ValueError where there is no such format."""
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path}: expected a file name that ends in {', '.join(SUFFIXES)}")
    return path.suffix


@contextmanager
def styled() -> Iterator[None]:
    """The settings of this module, for the body only.

    Raises:
        NoMatplotlib: it is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        raise NoMatplotlib("figures need Matplotlib: pip install 'kltheory[plot]'") from None
    with mpl.rc_context(SETTINGS):
        yield


def panels(rows: int, columns: int, width: float, height: float, **kwargs: Any) -> tuple[Any, Any]:
    """A figure with a grid of axes, shape (rows, columns), in inches; call it within :func:`styled`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **kwargs)


def line(n: int) -> dict[str, Any]:
    """Colour and dashes of the n-th series."""
    return {"color": COLOURS[n % len(COLOURS)], "linestyle": DASHES[n % len(DASHES)]}
