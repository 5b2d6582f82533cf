"""Letters: the independent functions of one position that the words of a response are made of.

A letter is a product of generators in the token's variables, times a number of its row (means over the vocabulary
there, functions of the past), times scores. Different letters are different functions, so a function of the token is
one combination of letters.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from sympy import Expr, Mul, S, Symbol, exp

from kltheory.calculus.combinations import combinations
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.moments import NORMALISED, Mean, is_product, mean, monomials, normal
from kltheory.calculus.sequence.language import SUMS, length
from kltheory.calculus.sequence.loss import SCORES, Carried, PastValue, is_of_the_token
from kltheory.calculus.symbols import inside, logp

inverse_length: Final = Symbol("1/N", positive=True)
"""1/N inside a letter: w^(1/N) is a function of the token like any other."""


@dataclass(frozen=True)
class Letter:
    """scores · of_token · of_row."""

    scores: frozenset[Symbol]
    of_token: Expr
    of_row: Expr

    def __str__(self) -> str:
        return str(Mul(*self.scores, self.of_token, self.of_row))


COUNTS: Final = {Mean(exp(-logp)): Symbol("V"), Mean(inside * exp(-logp)): Symbol("|S|")}
"""Means that are the same number after every prefix: how many actions there are, and how many of them in S."""


@dataclass
class Alphabet:
    """How functions of a position are read.

    Attributes:
        parts: a function of the token to independent ones, where there are relations between some of them.
    """

    parts: dict[Expr, dict[Expr, Expr]] = field(default_factory=dict)

    @classmethod
    def of(cls, functions: Iterable[Expr]) -> "Alphabet":
        """The alphabet of these functions of a position; functions with corners are told apart cell by cell."""
        functions = list(functions)
        made = cls()
        tokens = {letter.of_token for f in functions for letter in made.read(f)}
        means = {m for f in functions for letter in made.read(f) for m in letter.of_row.atoms(Mean)}
        integrands = {m.integrand for m in means}
        if not all(is_product(t) for t in (tokens | integrands) - {S.One}):
            every = [*NORMALISED, *sorted((tokens | integrands) - set(NORMALISED), key=str)]
            rows = zip(every, combinations(every), strict=True)
            made.parts = {e: {every[i]: c for i, c in row.items()} for e, row in rows}
        return made

    def read(self, function: Expr) -> dict[Letter, Expr]:
        """The function as a combination of letters, each with a number that is free of the position."""
        found: dict[Letter, Expr] = {}
        plain = self._in_parts(function.xreplace({length: 1 / inverse_length}))
        for product, number in monomials(plain, is_of_the_token).items():
            scores, token, row = _taken_apart(product)
            for of_token, c in self.parts.get(token, {token: S.One}).items():
                letter = Letter(scores, of_token, row)
                found[letter] = found.get(letter, S.Zero) + number * c
        return {letter: c for letter, c in found.items() if c != 0}

    def average(self, letter: Letter) -> Expr:
        """The mean of a letter without scores, given the past: a polynomial in independent means."""
        return self._in_parts(normal(mean(letter.of_token) * letter.of_row)).expand()

    def _in_parts(self, function: Expr) -> Expr:
        """The function with every mean in it that there are relations of written by independent ones, and by counts."""
        known = {
            m: sum((c * (S.One if f in NORMALISED else Mean(f)) for f, c in self.parts[m.integrand].items()), S.Zero)
            for m in function.atoms(Mean)
            if m.integrand in self.parts
        }
        return function.xreplace(known).xreplace(COUNTS)


def is_of_the_past(expr: Expr) -> bool:
    """Whether means over the vocabulary or functions of the past are in it."""
    return bool(expr.atoms(Mean, PastValue))


def _taken_apart(product: Expr) -> tuple[frozenset[Symbol], Expr, Expr]:
    """The scores in a product of generators, what is of the row, and what is of the token."""
    scores, row, token = set[Symbol](), S.One, S.One
    for factor in Mul.make_args(product):
        symbols = factor.free_symbols
        if factor in SCORES:
            scores.add(factor)
        elif symbols and all(isinstance(s, Mean | PastValue) for s in symbols) and not factor.has(*SUMS):
            row *= factor
        elif symbols & {*SCORES} or any(isinstance(s, Mean | PastValue) for s in symbols) or factor.has(Carried):
            raise Undecidable(f"{factor} is no product of a function of the token and one of its row")
        else:
            token *= factor
    return frozenset(scores), token, row
