"""Small prefix trees with rational probabilities: all responses of a few tokens, and how probable each is."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property, lru_cache
from typing import Any, ClassVar, Final

from kltheory.numerics.balls import number

Tokens = tuple[int, ...]
Row = tuple[Fraction, ...]
Rows = Callable[[Tokens], tuple[Any, ...]]
"""Prefix to the probabilities of the next token, in the order of the vocabulary: fractions, or numbers that move."""

PRIME: Final = 9973
"""For tables without a pattern."""


@dataclass(frozen=True, eq=False)
class ResponseTree:
    """A prefix tree with rational probabilities.

    Attributes:
        size: V.
        horizon: the maximum length T.
        eos: the token that ends a response; ``None`` where all have length T.
        policy: the policy's rows.
        reference: the reference's.
        old: those of the policy that sampled.
        advantage: a number for each action, where a response is one token.
    """

    preposition: ClassVar[str] = "on"
    size: int
    horizon: int
    eos: int | None
    policy: Rows
    reference: Rows
    old: Rows
    advantage: Row = ()

    @cached_property
    def responses(self) -> tuple[Tokens, ...]:
        """All of them."""
        return tuple(self.continuations(()))

    @cached_property
    def prefixes(self) -> tuple[Tokens, ...]:
        """Where a token is drawn."""
        return tuple(sorted({y[:t] for y in self.responses for t in range(len(y))}))

    def continuations(self, prefix: Tokens) -> Iterator[Tokens]:
        """The responses that begin with the prefix."""
        if len(prefix) == self.horizon or (prefix and prefix[-1] == self.eos):
            yield prefix
            return
        for token in range(self.size):
            yield from self.continuations((*prefix, token))

    def probability(self, rows: Rows, response: Tokens, given: int = 0) -> Any:
        """That of the response given its first tokens, a ball."""
        product = Fraction(1)
        for t in range(given, len(response)):
            product *= rows(response[:t])[response[t]]
        return number(product)

    def to_json(self) -> dict[str, Any]:
        """``tree``: the token that ends a response or null, and the rows by prefix, fractions with spaces between."""
        rows = {"policy": self.policy, "reference": self.reference, "old": self.old}
        tables = {
            name: {" ".join(map(str, p)): _text(row(p), " ") for p in self.prefixes} for name, row in rows.items()
        }
        return {"tree": {"eos": self.eos, **tables}}

    def __str__(self) -> str:
        ends = "" if self.eos is None else f", token {self.eos} ends"
        rows = {"policy": self.policy, "reference": self.reference, "old": self.old}
        first = "; ".join(f"{name} {_text(row(()), ', ')}" for name, row in rows.items())
        return f"the tree of V = {self.size}, T = {self.horizon}{ends}, first {first}"


def _text(row: Row, between: str) -> str:
    return between.join(map(str, row))


def pseudorandom(seed: Tokens) -> Fraction:
    """A number between -1 and 1, the same for the same seed."""
    n = 1
    for s in seed:
        n = (n * 5347 + s * 2917 + 1171) ** 3 % PRIME
    return Fraction(2 * n - PRIME, PRIME)


def pseudorandom_rows(size: int, seed: int) -> Rows:
    """Rows without a pattern, the largest probability up to 16 times the smallest."""

    @cache
    def row(prefix: Tokens) -> Row:
        weights = [1 + int(8 * (1 + pseudorandom((seed, *prefix, 3 * seed + a)))) for a in range(size)]
        return tuple(Fraction(x, sum(weights)) for x in weights)

    return row


def same_row(row: tuple[Any, ...]) -> Rows:
    """The same row after every prefix."""
    return lambda prefix: row


def rows_of(table: Mapping[str, str]) -> Rows:
    """Rows from texts: prefix, tokens without spaces, to probabilities, as ``{"": ".5 .5", "0": ".9 .1"}``."""
    rows = {tuple(map(int, prefix)): tuple(map(Fraction, row.split())) for prefix, row in table.items()}
    return rows.__getitem__


SHAPES: Final = {
    False: ((2, 3, 0, (13, 11, 9)), (3, 2, None, (12, 19, 3)), (3, 3, 1, (18, 23, 5))),
    True: ((2, 3, None, (13, 11, 9)), (3, 2, None, (12, 19, 3))),
}
"""V, T, the token that ends, and seeds whose rows are far apart; all of one length or not."""


@lru_cache(maxsize=2)
def small_trees(fixed_length: bool) -> tuple[ResponseTree, ...]:
    """A few trees to look at, all responses of one length or not."""
    drawn = [(v, t, eos, [pseudorandom_rows(v, seed) for seed in seeds]) for v, t, eos, seeds in SHAPES[fixed_length]]
    return tuple(ResponseTree(v, t, eos, policy, reference, old) for v, t, eos, (policy, reference, old) in drawn)
