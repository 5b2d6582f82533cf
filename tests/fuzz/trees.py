"""Small trees of responses: three policies after every prefix, and directions in which the first of them moves."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from typing import Any

import mpmath

Prefix = tuple[int, ...]
Rows = Mapping[Prefix, tuple[Any, ...]]


@dataclass(frozen=True)
class Tree:
    """Logits of three policies after every prefix, a function of the past, and two directions of the parameters.

    Token 0 ends a response where ``ends``; every response ends at ``length``.
    """

    size: int
    length: int
    ends: bool
    policy: Rows
    reference: Rows
    old: Rows
    baseline: Mapping[Prefix, float]
    directions: tuple[Rows, Rows]

    @cached_property
    def responses(self) -> tuple[Prefix, ...]:
        """Every response."""
        return tuple(y for y in _prefixes(self.size, self.length, self.ends) if self.is_over(y))

    def is_over(self, y: Prefix) -> bool:
        """Whether nothing follows."""
        return len(y) == self.length or (self.ends and bool(y) and y[-1] == 0)

    def moved(self, a: int, step: Any) -> "Tree":
        """The policy's parameters a step further in one of the directions."""
        policy = {
            past: tuple(mpmath.mpf(z) + step * d for z, d in zip(row, self.directions[a][past], strict=True))
            for past, row in self.policy.items()
        }
        return replace(self, policy=policy)


def _prefixes(size: int, length: int, ends: bool) -> list[Prefix]:
    found, layer = [()], [()]
    for _ in range(length):
        layer = [(*y, a) for y in layer if not (ends and y and y[-1] == 0) for a in range(size)]
        found += layer
    return found


def tree(r: Random, size: int, length: int, ends: bool) -> Tree:
    """A random tree."""
    inner = [y for y in _prefixes(size, length, ends) if len(y) < length and not (ends and y and y[-1] == 0)]

    def rows(spread: float) -> Rows:
        return {y: tuple(r.gauss(0, spread) for _ in range(size)) for y in inner}

    spread = r.choice((0.7, 1.5))
    past = {y: r.gauss(0, 1) for y in inner}
    return Tree(size, length, ends, rows(spread), rows(spread), rows(spread), past, (rows(1), rows(1)))


def trees(r: Random, fixed_length: bool) -> list[Tree]:
    """Shapes in which differences show: few tokens and several steps."""
    shapes = ((2, 1), (2, 2), (3, 2), (2, 3), (2, 4)) if fixed_length else ((2, 2), (3, 2), (2, 3), (2, 4))
    return [tree(r, size, length, not fixed_length) for size, length in shapes]
