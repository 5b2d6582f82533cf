"""Rows of texts in columns, for the terminal and in Markdown."""

from collections.abc import Iterable, Sequence


def columns(rows: Iterable[Sequence[str]], gap: str = "  ") -> list[str]:
    """One line a row, every column as wide as its widest text."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [gap.join(c.ljust(n) for c, n in zip(row, widths, strict=True)).rstrip() for row in rows]


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table in Markdown, bars in its cells escaped."""
    lines = (" | ".join(c.replace("|", "\\|") for c in row) for row in rows)
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *(f"| {line} |" for line in lines)]
