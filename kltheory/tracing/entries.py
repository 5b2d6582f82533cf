"""Entries: the expressions and truth values that stand for the numbers of an array, in either framework.

They are real and finite unless they are literally infinite, as in the mathematics.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

import numpy as np
from sympy import Add, And, Basic, Dummy, Expr, Not, Or, Piecewise, S, Symbol, preorder_traversal, sign, sympify
from sympy.core.relational import Relational
from sympy.functions.elementary.piecewise import ExprCondPair
from sympy.logic.boolalg import Boolean, Xor

from kltheory.calculus.symbols import sg
from kltheory.tracing.trace import Exprs

Entry = Any
"""What an array holds: an expression, or a truth value such as ``x > 0``."""
Operation = Callable[..., Any]


class NoExpression(NotImplementedError):
    """The result has no expression in the entries; the message says why."""


class Unknown(Dummy):
    """An entry without an expression; its name says why. A trace is refused only if its output depends on one."""


MAX_SIZE: Final = 50_000
"""Most nodes of an entry. SymPy goes through each, and calls to ``where`` one inside the other double their number."""
TOO_LARGE: Final = f"an expression of more than {MAX_SIZE} nodes"


def is_truth(e: Any) -> bool:
    """Whether an entry is a truth value. To SymPy a symbol is one, too."""
    return isinstance(e, Boolean) and not isinstance(e, Expr)


@lru_cache(maxsize=65536)
def is_live(e: Basic) -> bool:
    """Whether a gradient can flow through ``e``: a symbol occurs outside ``sg`` and outside conditions."""
    if isinstance(e, sg) or is_truth(e):
        return False
    if isinstance(e, ExprCondPair):
        return is_live(e.args[0])
    return isinstance(e, Symbol) or any(map(is_live, e.args))


def held(e: Entry) -> Entry:
    """``e`` as a value without a gradient."""
    return sg(e) if is_live(e) else e


def number(e: Entry) -> Expr:
    """A truth value as 0 or 1; a number as it is."""
    e = sympify(e)
    return chosen(e, S.One, S.Zero) if is_truth(e) else e


def chosen(condition: Boolean, x: Expr, y: Expr) -> Expr:
    """``x`` where the condition holds, else ``y``: one relation at a time, as SymPy tries to solve what has several."""
    if x == y or condition is S.true:
        return x
    if condition is S.false:
        return y
    if isinstance(condition, Relational):
        return Piecewise((x, condition), (y, True))
    if isinstance(condition, Not):
        return chosen(condition.args[0], y, x)
    first, *more = condition.args
    rest = condition.func(*more)
    if isinstance(condition, And):
        return chosen(first, chosen(rest, x, y), y)
    if isinstance(condition, Or):
        return chosen(first, x, chosen(rest, x, y))
    if isinstance(condition, Xor):
        return chosen(first, chosen(rest, y, x), chosen(rest, x, y))
    raise NoExpression(f"a condition of type {condition.func.__name__}")


@lru_cache(maxsize=65536)
def symbols_of(e: Basic) -> frozenset[Symbol]:
    """The symbols in an entry, by sharing what was found of its parts: entries repeat themselves."""
    return frozenset({e}) if isinstance(e, Symbol) else frozenset().union(*map(symbols_of, e.args))


@lru_cache(maxsize=65536)
def size(e: Basic) -> int:
    """How many nodes an entry has, written out."""
    return 1 + sum(map(size, e.args))


def is_constant(array: Exprs) -> bool:
    """Whether no entry depends on an input."""
    return not any(map(symbols_of, array.flat))


def unknowns(entries: Iterable[Basic]) -> set[Unknown]:
    """The unknowns in some entries."""
    return {s for e in entries for s in symbols_of(e) if isinstance(s, Unknown)}


def total(*terms: Expr) -> Expr:
    """The sum; whatever is added to an infinity is lost in it."""
    return Add(*([x for x in terms if x.is_infinite] or terms))


def step(x: Expr) -> Expr:
    """The sign, whose derivative is zero almost everywhere."""
    return sg(sign(x))


def undefined(e: Expr) -> Basic | None:
    """A part of ``e`` in which an infinity or NaN meets an expression; alone, or as a whole branch, they may stand."""
    unusual = {S.Infinity, S.NegativeInfinity, S.NaN, S.ComplexInfinity}
    nodes = preorder_traversal(e) if e not in unusual and e.has(*unusual) else ()
    return next((n for n in nodes if not isinstance(n, ExprCondPair) and unusual & set(n.args)), None)


def each(function: Callable[..., Entry], reading: Callable[[Entry], Entry] = number) -> Operation:
    """A function of entries as a function of arrays, with broadcasting."""

    def applied(*args: Any) -> Exprs:
        return np.asarray(np.frompyfunc(lambda *es: function(*map(reading, es)), len(args), 1)(*args), dtype=object)

    return applied
