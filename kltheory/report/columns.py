"""Rows of texts in columns."""

from collections.abc import Iterable, Sequence


def columns(rows: Iterable[Sequence[str]], gap: str = "  ") -> list[str]:
    """One line a row, every column as wide as its widest text."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [gap.join(c.ljust(n) for c, n in zip(row, widths, strict=True)).rstrip() for row in rows]
