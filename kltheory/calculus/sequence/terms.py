"""A gradient of a response taken apart: products over positions, summed over where a few marked positions stand.

Each sum over tokens is an index with a function at it, each exponential of a sum a factor at every position of a span
(a prefix weight is one), each discount a factor between two indices. Products only add indices.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from sympy import Add, Expr, Integer, Mul, Pow, S, exp

from kltheory.calculus.exact import Undecidable
from kltheory.calculus.moments import normal
from kltheory.calculus.sequence.language import Ahead, Future, Past, Total
from kltheory.calculus.sequence.loss import is_of_the_token

OPEN = (Past, Future, Total)
"""Sums that are taken apart; ``Ahead`` is known at its token, and stays."""


@dataclass(frozen=True)
class Span:
    """A factor at every position between two indices (``None``: the ends), and at the upper one where it is closed."""

    low: int | None
    high: int | None
    factor: Expr
    closed: bool = False


@dataclass(frozen=True)
class Term:
    """Σ over indices with some before others of Π functions at indices · Π spans, times what is free of positions."""

    factor: Expr = S.One
    marks: tuple[Expr, ...] = ()
    before: frozenset[tuple[int, int]] = frozenset()
    spans: tuple[Span, ...] = ()

    def at(self, index: int, function: Expr) -> "Term":
        """With one more factor at an index."""
        marks = (*self.marks[:index], self.marks[index] * function, *self.marks[index + 1 :])
        return replace(self, marks=marks)

    def orders(self) -> Iterator[tuple[frozenset[int], ...]]:
        """The orders in which the indices may stand, ties included."""
        return _orders(frozenset(range(len(self.marks))), self.before)


def _orders(left: frozenset[int], before: frozenset[tuple[int, int]]) -> Iterator[tuple[frozenset[int], ...]]:
    if not left:
        yield ()
        return
    free = [i for i in sorted(left) if not any(j in left for j, k in before if k == i)]
    for size in range(1, len(free) + 1):
        for first in map(frozenset, combinations(free, size)):
            for rest in _orders(left - first, before):
                yield first, *rest


def take_apart(expr: Expr, at: int | None = None, base: Term | None = None) -> Iterator[Term]:
    """``base`` times an expression that speaks of the token at an index, or, at ``None``, of the response.

    Raises:
        Undecidable: a sum over tokens is inside a function that is no polynomial or exponential of it.
    """
    for product in Add.make_args(expr.expand()):
        found = [base or Term()]
        for factor in Mul.make_args(product):
            found = [t for f in found for t in _times(f, factor, at)]
        yield from found


def _times(base: Term, factor: Expr, at: int | None) -> Iterator[Term]:
    if not _is_open(factor):
        yield _local(base, factor, at)
    elif isinstance(factor, OPEN):
        yield from _summed(base, factor, at)
    elif isinstance(factor, Pow) and isinstance(factor.exp, Integer) and factor.exp > 0:
        found = [base]
        for _ in range(int(factor.exp)):
            found = [t for f in found for t in take_apart(factor.base, at, f)]
        yield from found
    elif isinstance(factor, exp):
        yield _exponential(base, factor.args[0], at)
    else:
        raise Undecidable(f"{factor} is no product of sums over tokens and exponentials of them")


def _local(base: Term, factor: Expr, at: int | None) -> Term:
    factor = normal(factor)
    if not is_of_the_token(factor):
        return replace(base, factor=base.factor * factor)
    if at is None:
        raise Undecidable(f"{factor} speaks of one token, outside of any sum over tokens: write total({factor})")
    return base.at(at, factor)


def _summed(base: Term, node: Expr, at: int | None) -> Iterator[Term]:
    """One more index, and on to what is summed."""
    new = len(base.marks)
    order, spans = _place(node, at, new)
    base = Term(base.factor, (*base.marks, S.One), base.before | order, base.spans + spans)
    return take_apart(node.summand, new, base)


def _place(node: Expr, at: int | None, new: int) -> tuple[frozenset[tuple[int, int]], tuple[Span, ...]]:
    if isinstance(node, Total):
        return frozenset(), ()
    if at is None:
        raise Undecidable(f"{node} is relative to a token, outside of any sum over tokens")
    if isinstance(node, Past):
        return frozenset({(new, at)}), ()
    return frozenset({(at, new)}), () if node.discount == 1 else (Span(at, new, node.discount, closed=True),)


def _exponential(base: Term, addend: Expr, at: int | None) -> Term:
    """Times exp(addend), a number times one sum."""
    number, node = (
        Mul(*(f for f in Mul.make_args(addend) if not _is_open(f))),
        [f for f in Mul.make_args(addend) if _is_open(f)],
    )
    if len(node) != 1 or not isinstance(node[0], OPEN) or is_of_the_token(number) or _is_open(node[0].summand):
        raise Undecidable(f"exp({addend}) is no product over tokens")
    (s,) = node
    if isinstance(s, Future) and s.discount != 1:
        raise Undecidable(f"exp({addend}) discounts its exponents")
    factor = exp(normal(number * s.summand).expand())
    if isinstance(s, Total):
        return replace(base, spans=(*base.spans, Span(None, None, factor)))
    if at is None:
        raise Undecidable(f"{s} is relative to a token, outside of any sum over tokens")
    span = Span(None, at, factor) if isinstance(s, Past) else Span(at, None, factor)
    return replace(base, spans=(*base.spans, span))


def _is_open(expr: Expr) -> bool:
    if isinstance(expr, Ahead):
        return False
    return isinstance(expr, OPEN) or any(map(_is_open, expr.args))
