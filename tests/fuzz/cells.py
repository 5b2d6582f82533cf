"""Printed cells: ``e where c; e where c``, evaluated as they are read."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from fuzz.complaint import SHOWN
from fuzz.dual import Dual
from fuzz.evaluate import Context, compiled, condition


@dataclass(frozen=True)
class Cell:
    """A text, and the condition under which it holds; none: everywhere."""

    text: str
    where: str


@lru_cache(maxsize=4096)
def cells(text: str) -> tuple[Cell, ...]:
    """The cells of a coefficient."""
    parts = [part.partition(" where ") for part in text.split("; ")]
    return tuple(Cell(e, "" if c == "everywhere" else c) for e, _, c in parts)


class Unclear(ArithmeticError):
    """Too close to a printed threshold."""


def holds(where: str, names: Mapping[str, Dual]) -> bool:
    """Whether a printed condition holds at a point. Raises Unclear close to a threshold."""
    if where in ("", "everywhere"):
        return True
    c = Context(names)
    found = condition(where)(c)
    if c.gap < SHOWN or c.ties:
        raise Unclear
    return found


def at(text: str, names: Mapping[str, Dual]) -> list[Dual]:
    """The values of the cells in which a point lies: one, if they are a partition."""
    inside = [cell for cell in cells(text) if holds(cell.where, names)]
    return [compiled(cell.text)(Context(names)) for cell in inside]
