"""Conditions: comparisons, logic and choices between entries, as truth values that SymPy need not solve.

They look at values: stop-gradients are transparent to them.
"""

from collections.abc import Callable, Mapping
from typing import Final

from sympy import And, Basic, Expr, Not, Or, Piecewise, S, ordered, sympify
from sympy.logic.boolalg import Boolean, Xor

from kltheory.calculus.cells import is_smooth
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.symbols import erase_sg
from kltheory.tracing.pytorch.entries import (
    MAX_SIZE,
    TOO_LARGE,
    Entry,
    NoExpression,
    chosen,
    is_truth,
    number,
    size,
    unknowns,
)

MAX_CHOICES: Final = 8
"""Most choices inside a condition that are gone through."""


def by_cases(function: Callable[..., Boolean], *es: Entry) -> Boolean:
    """A condition on entries, in which no choice (Piecewise) is left: the outermost is gone through first."""
    if any(size(e) > MAX_SIZE for e in es):
        raise NoExpression(TOO_LARGE)
    choices = set[Basic]().union(*(e.atoms(Piecewise) for e in es))
    if not choices:
        return function(*es)
    if len(choices) > MAX_CHOICES:
        raise NoExpression(f"a condition with more than {MAX_CHOICES} choices in it")
    outermost = max(ordered(choices), key=lambda e: e.count_ops())
    result, rest = S.false, S.true
    for e, c in outermost.args:
        result = Or(result, And(rest, c, by_cases(function, *(a.xreplace({outermost: e}) for a in es))))
        rest = And(rest, Not(c))
    return result


def above(x: Expr, y: Expr) -> Boolean:
    """Whether one number is greater than another, as values."""
    return by_cases(lambda a, b: a > b, erase_sg(x), sympify(y))


def equal(a: Expr, b: Expr) -> Boolean:
    """Equality, decided almost everywhere: two smooth expressions are equal identically, or on a null set."""
    if a == b:
        return S.true
    if a.is_number and b.is_number:
        return S.true if (a - b).is_zero else S.false
    if a.is_infinite or b.is_infinite:
        return S.false
    if unknowns([a, b]) or not (is_smooth(a) and is_smooth(b)):
        raise NoExpression("whether two numbers are equal depends on the inputs")
    try:
        return S.true if is_zero(a - b) else S.false
    except Undecidable as e:
        raise NoExpression(f"whether two numbers are equal is not decided: {e}") from None


def truth(e: Entry) -> Boolean:
    """A number as a truth value: whether it is not 0."""
    e = sympify(e)
    return e if is_truth(e) else by_cases(lambda a: Not(equal(a, S.Zero)), e)


def select(condition: Entry, x: Entry, y: Entry) -> Entry:
    """``where``, of numbers or of truth values."""
    condition = truth(condition)
    if is_truth(x) and is_truth(y):
        return Or(And(condition, x), And(Not(condition), y))
    return chosen(condition, number(x), number(y))


def _same(a: Entry, b: Entry) -> Boolean:
    if is_truth(a) or is_truth(b):
        return Not(Xor(truth(a), truth(b)))
    return by_cases(equal, a, b)


def value(e: Entry) -> Entry:
    """An entry as a condition sees it: without stop-gradients."""
    e = sympify(e)
    return e if is_truth(e) else erase_sg(e)


def _ordered(relation: Callable[[Expr, Expr], Boolean]) -> Callable[[Entry, Entry], Boolean]:
    return lambda a, b: by_cases(relation, number(a), number(b))


def _regular(a: Entry) -> Boolean:
    """False: an expression in finite inputs is taken to be finite. Nothing is known of an unknown."""
    if isinstance(a, Basic) and unknowns([a]):
        raise NoExpression("whether a number is finite depends on the inputs")
    return S.false


COMPARISONS: Final[Mapping[str, Callable[..., Boolean]]] = {
    "gt": _ordered(lambda a, b: a > b),
    "ge": _ordered(lambda a, b: a >= b),
    "lt": _ordered(lambda a, b: a < b),
    "le": _ordered(lambda a, b: a <= b),
    "eq": _same,
    "ne": lambda a, b: Not(_same(a, b)),
    "isnan": lambda a: S.true if a is S.NaN else _regular(a),
    "isinf": lambda a: S.true if a.is_infinite else _regular(a),
}
LOGIC: Final[Mapping[str, Callable[..., Boolean]]] = {
    "logical_and": And,
    "logical_or": Or,
    "logical_xor": Xor,
    "logical_not": Not,
}
