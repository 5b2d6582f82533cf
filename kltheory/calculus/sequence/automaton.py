"""Weighted automata: the numbers in front of strings of letters in a sum of words.

A state is a place in a word: how many of its marks have been read. A letter stays in a gap or reads the next mark.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sympy import QQ, Add, Dummy, Expr, S

from kltheory.calculus.field import Field, exactly
from kltheory.calculus.moments import monomials
from kltheory.calculus.sequence.letters import Alphabet, Letter, is_of_the_past
from kltheory.calculus.sequence.words import Word

State = tuple[int, int]
Vector = dict[State, Any]
"""Numbers of states, those that are not zero."""
Reached = tuple[Vector, tuple[Letter, ...]]
"""A vector, and a string that reaches it."""


@dataclass(frozen=True, eq=False)
class Automaton:
    """The numbers are elements of a field over the parameters.

    Attributes:
        start: what the empty string reaches.
        final: the number with which each state counts.
        steps: for each letter and state, where it leads to, with a number.
        averages: for each letter without scores, its mean given the past: products of means to numbers.
    """

    start: Vector
    final: Vector
    steps: dict[Letter, dict[State, list[tuple[State, Any]]]]
    averages: dict[Letter, dict[Expr, Any]]

    @classmethod
    def of(cls, words: Sequence[Word]) -> "Automaton":
        """The automaton of a sum of words."""
        functions = dict.fromkeys(f for w in words for f in (*w.gaps, *w.marks))
        alphabet = Alphabet.of(functions)
        read = {f: alphabet.read(f) for f in functions}
        letters = dict.fromkeys(letter for parts in read.values() for letter in parts)
        averages = {a: _products(alphabet.average(a)) for a in letters if not a.scores}
        parts = (*read.values(), *averages.values())
        number = _numbers([S.One, *(w.factor for w in words), *(c for part in parts for c in part.values())])
        steps: dict[Letter, dict[State, list[tuple[State, Any]]]] = {a: {} for a in letters}
        for n, word in enumerate(words):
            moves = [(k, gap, k) for k, gap in enumerate(word.gaps)]
            moves += [(k, mark, k + 1) for k, mark in enumerate(word.marks)]
            for k, function, to in moves:
                for letter, c in read[function].items():
                    steps[letter].setdefault((n, k), []).append(((n, to), number[c]))
        return cls(
            {(n, 0): number[w.factor] for n, w in enumerate(words)},
            {(n, len(w.marks)): number[S.One] for n, w in enumerate(words)},
            steps,
            {a: {m: number[c] for m, c in part.items()} for a, part in averages.items()},
        )

    def read(self, row: Vector, letter: Letter) -> Vector:
        """What one letter more reaches."""
        out: Vector = {}
        for state, x in row.items():
            for to, c in self.steps[letter].get(state, ()):
                out[to] = out.get(to, 0) + x * c
        return _clean(out)

    def averaged(self, column: Vector) -> dict[Expr, Vector]:
        """How states count once one more letter is averaged: in front of each product of means."""
        out: dict[Expr, Vector] = {S.One: {}}
        for letter, average in self.averages.items():
            for state, targets in self.steps[letter].items():
                counted = sum(c * column[to] for to, c in targets if to in column)
                for product, x in average.items() if counted else ():
                    into = out.setdefault(product, {})
                    into[state] = into.get(state, 0) + x * counted
        return {product: _clean(vector) for product, vector in out.items()}

    def closure(self, rows: Iterable[Reached], letters: Sequence[Letter]) -> list[Reached]:
        """Independent vectors that span what strings of these letters reach from the given ones."""
        basis: dict[State, Vector] = {}
        todo, found = list(rows), list[Reached]()
        while todo:
            row, string = todo.pop(0)
            rest = _reduced(row, basis)
            if rest:
                pivot = next(iter(rest))
                basis[pivot] = {s: x / rest[pivot] for s, x in rest.items()}
                found.append((row, string))
                todo += [(self.read(row, letter), (*string, letter)) for letter in letters]
        return found


def completed(automaton: Automaton) -> list[Vector]:
    """How states count with n further letters averaged, n = 0, 1, ...: vectors that span all of these."""
    basis: dict[State, Vector] = {}
    column, found = automaton.final, list[Vector]()
    while rest := _reduced(column, basis):
        pivot = next(iter(rest))
        basis[pivot] = {s: x / rest[pivot] for s, x in rest.items()}
        found.append(column)
        column = automaton.averaged(column)[S.One]
    return found


def parts(row: Vector, column: Vector) -> Vector:
    """What a vector counts, state by state."""
    return {s: x * column[s] for s, x in row.items() if s in column}


def difference(a: Vector, b: Vector) -> Vector:
    """a - b."""
    return _clean({s: a.get(s, 0) - b.get(s, 0) for s in (a | b)})


def _reduced(row: Vector, basis: dict[State, Vector]) -> Vector:
    for pivot, other in basis.items():
        if c := row.get(pivot, 0):
            row = _clean({s: row.get(s, 0) - c * other.get(s, 0) for s in (row | other)})
    return row


def _clean(vector: Vector) -> Vector:
    return {s: x for s, x in vector.items() if x}


def _products(average: Expr) -> dict[Expr, Expr]:
    """A sum of products of means and functions of the past, or of functions of them: product to number."""
    return monomials(average, is_of_the_past) or {S.One: S.Zero}


def _numbers(numbers: Sequence[Expr]) -> dict[Expr, Any]:
    """Numbers, with parameters, as elements of one field; constants such as e count as parameters."""
    exact = {c: exactly(c) for c in numbers}
    field = Field.of(Add(*(Dummy() * c for c in exact.values())))
    rational = {c: field.rewrite(e) for c, e in exact.items()}
    symbols = sorted({s for e in rational.values() for s in e.free_symbols}, key=str)
    domain = QQ.frac_field(*symbols) if symbols else QQ
    return {c: domain.from_sympy(e) for c, e in rational.items()}
