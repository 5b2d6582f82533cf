"""Rows of texts in columns, and texts beside their labels: for the terminal, as wide as it is, and in Markdown.

No word is ever cut: what does not fit a line goes on in the next, and a table whose words do not fit becomes a list.
"""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import zip_longest
from typing import Final

Row = Sequence[str]
Fact = tuple[str, str]
"""A label, and the text beside it."""
LEAST: Final = 20
"""Columns that a text beside a label has at least; a terminal that is narrower wraps it by itself."""


def columns(rows: Iterable[Row], gap: str = "  ", width: int | None = None) -> list[str]:
    """A table, every column as wide as its widest text; where that is wider than ``width``, wrapped, or a list.

    Args:
        rows: the first is the head.
        gap: what stands between two columns.
        width: of the whole table; as wide as it is if ``None``.
    """
    rows = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if width is not None:
        narrow = _narrowed(rows, widths, width - len(gap) * (len(widths) - 1))
        if narrow is None:
            return list(_listed(rows, width))
        widths = narrow
    return [gap.join(c.ljust(n) for c, n in zip(line, widths, strict=True)).rstrip() for line in _lines(rows, widths)]


def indented(rows: Iterable[Row], width: int | None = None) -> list[str]:
    """A table two columns from the edge."""
    return [f"  {line}".rstrip() for line in columns(rows, width=None if width is None else width - 2)]


def _narrowed(rows: Sequence[Row], widths: list[int], room: int) -> list[int] | None:
    """Widths that fit the room, the widest columns narrower; ``None`` where that would cut a word."""
    least = [
        max((len(word) for text in column for word in text.split()), default=0) for column in zip(*rows, strict=True)
    ]
    if sum(least) > room:
        return None
    widths = list(widths)
    while sum(widths) > room:
        i = max((i for i in range(len(widths)) if widths[i] > least[i]), key=lambda i: widths[i])
        widths[i] -= 1
    return widths


def _lines(rows: Iterable[Row], widths: Sequence[int]) -> Iterator[Row]:
    for row in rows:
        wrapped = [wrap(text, n) for text, n in zip(row, widths, strict=True)]
        yield from zip_longest(*wrapped, fillvalue="")


def _listed(rows: Sequence[Row], width: int) -> Iterator[str]:
    """Each row as a paragraph, its cells after what the head calls them."""
    head, *body = rows
    said = (" · ".join(f"{h} {c}" for h, c in zip(head, row, strict=True) if c) for row in body)
    yield from paragraphs(said, width, "  ")


def facts(pairs: Iterable[Fact], width: int | None = None, indent: str = "") -> list[str]:
    """Texts beside their labels, the labels in one column; those without a text are left out.

    Args:
        pairs: label and text; lines of a text stay lines.
        width: of the whole, indentation included; as wide as it is if ``None``.
        indent: what stands before each line.
    """
    shown = [(label, text) for label, text in pairs if text]
    beside = max((len(label) for label, _ in shown), default=0) + 2
    room = None if width is None else max(width - len(indent) - beside, LEAST)
    return [
        f"{indent}{(label if i == 0 else '').ljust(beside)}{line}".rstrip()
        for label, text in shown
        for i, line in enumerate(line for part in text.splitlines() for line in wrap(part, room))
    ]


def wrap(text: str, width: int | None) -> list[str]:
    """The text in lines of at most so many characters, broken at spaces alone."""
    if width is None or len(text) <= width:
        return [text]
    return textwrap.wrap(text, max(width, 1), break_long_words=False, break_on_hyphens=False)


def paragraphs(lines: Iterable[str], width: int | None, indent: str = "") -> list[str]:
    """Lines, each wrapped, what follows its first line indented."""
    fits = partial(textwrap.wrap, break_long_words=False, break_on_hyphens=False, subsequent_indent=indent)
    return [part for line in lines for part in ([line] if width is None else fits(line, width) or [""])]


def markdown_table(head: Sequence[str], rows: Iterable[Row]) -> list[str]:
    """The lines of a table in Markdown, bars in its cells escaped."""
    lines = (" | ".join(c.replace("|", "\\|") for c in row) for row in rows)
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *(f"| {line} |" for line in lines)]
