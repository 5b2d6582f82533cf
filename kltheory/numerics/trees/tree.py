"""Prefix trees: all responses up to a length, in blocks of arrays.

Nodes are prefixes, numbered level by level: (V^t - 1)/(V - 1) plus the prefix read as a number in base V. A response
ends with its first end-of-sequence token, which counts, or at the maximum length.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Integers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Block:
    """Some responses, one a row; positions after the end have mask 0, node 0 and token 0."""

    nodes: Integers
    tokens: Integers
    mask: np.ndarray[Any, np.dtype[np.float64]]

    @property
    def columns(self) -> tuple[Integers, Integers, Any]:
        """The three arrays, for what takes no objects."""
        return self.nodes, self.tokens, self.mask


@dataclass(frozen=True)
class Tree:
    """All responses over a vocabulary of ``size`` tokens, of at most ``horizon`` tokens; ``eos`` ends one, if given.

    Raises:
        ValueError: fewer than two tokens, no position, or an ``eos`` outside of the vocabulary.
    """

    size: int
    horizon: int
    eos: int | None = None

    def __post_init__(self) -> None:
        if self.size < 2 or self.horizon < 1 or not (self.eos is None or 0 <= self.eos < self.size):
            raise ValueError(f"{self}: expected size ≥ 2, horizon ≥ 1 and eos a token")

    def start(self, level: int) -> int:
        """The number of the first node of a level."""
        return (self.size**level - 1) // (self.size - 1)

    @property
    def nodes(self) -> int:
        """How many prefixes there are to draw a token after; with ``eos`` some are never met."""
        return self.start(self.horizon)

    @property
    def responses(self) -> int:
        """How many responses there are."""
        return sum(count for _, count in self._kinds())

    def _kinds(self) -> list[tuple[int, int]]:
        """Lengths, and how many responses have it."""
        if self.eos is None:
            return [(self.horizon, self.size**self.horizon)]
        other = self.size - 1
        early = [(n, other ** (n - 1)) for n in range(1, self.horizon)]
        return [*early, (self.horizon, other ** (self.horizon - 1) * self.size)]

    def blocks(self, rows: int) -> Iterator[Block]:
        """The responses, each once, shorter ones first, ``rows`` at a time: all blocks but the last have one shape."""
        for first in range(0, self.responses, rows):
            parts, start = [], 0
            for length, count in self._kinds():
                low, high = max(first, start), min(first + rows, start + count)
                if low < high:
                    parts.append(self._block(length, np.arange(low, high) - start).columns)
                start += count
            yield Block(*map(np.concatenate, zip(*parts, strict=True)))

    def _block(self, length: int, number: Integers) -> Block:
        tokens = np.zeros((len(number), self.horizon), dtype=np.int64)
        for t in reversed(range(length)):
            base = self._choices(t, length)
            digit, number = number % base, number // base
            tokens[:, t] = self._token(digit, t, length)
        mask = np.broadcast_to((np.arange(self.horizon) < length).astype(np.float64), tokens.shape)
        nodes, code = np.zeros_like(tokens), np.zeros(len(tokens), dtype=np.int64)
        for t in range(length):
            nodes[:, t] = self.start(t) + code
            code = code * self.size + tokens[:, t]
        return Block(nodes, tokens, mask)

    def _choices(self, t: int, length: int) -> int:
        if self.eos is None or t == self.horizon - 1:
            return self.size
        return 1 if t == length - 1 else self.size - 1

    def _token(self, digit: Integers, t: int, length: int) -> Integers:
        if self.eos is None or t == self.horizon - 1:
            return digit
        return np.full_like(digit, self.eos) if t == length - 1 else digit + (digit >= self.eos)

    def children(self, values: np.ndarray[Any, np.dtype[np.float64]], level: int) -> Any:
        """Of an array over the nodes of the next level: by node of this one and token."""
        return values.reshape(self.size**level, self.size)
