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
from kltheory.tracing.entries import (
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


def ordered_by(relation: Callable[[Expr, Expr], Boolean]) -> Callable[[Entry, Entry], Boolean]:
    """A relation between two numbers, as values. Nothing holds of NaN; of an infinity only its side matters."""

    def holds(a: Expr, b: Expr) -> Boolean:
        if S.NaN in (a, b):
            return S.false
        if (a.is_infinite or b.is_infinite) and a != b:
            a, b = (x if x.is_infinite else S.Zero for x in (a, b))
        return relation(a, b)

    return lambda a, b: by_cases(holds, *(erase_sg(number(x)) for x in (a, b)))


above: Final = ordered_by(lambda a, b: a > b)
at_least: Final = ordered_by(lambda a, b: a >= b)


def equal(a: Entry, b: Entry) -> Boolean:
    """Whether two numbers, as values, or two truth values are the same."""
    if is_truth(a) or is_truth(b):
        return Not(Xor(truth(a), truth(b)))
    return by_cases(_equal, erase_sg(sympify(a)), erase_sg(sympify(b)))


def _equal(a: Expr, b: Expr) -> Boolean:
    """Equality of numbers: two smooth expressions are equal identically, or on a null set, where no setting lies."""
    if a == b:
        return S.false if a is S.NaN else S.true
    if a.is_number and b.is_number:
        return S.true if (a - b).is_zero else S.false
    if a.is_infinite or b.is_infinite:
        return S.false
    if unknowns([a, b]):
        raise NoExpression("whether two numbers are equal depends on the inputs")
    try:
        if is_smooth(a) and is_smooth(b):
            return S.true if is_zero(a - b) else S.false
    except Undecidable:
        pass
    return And(a >= b, b >= a)  # as of a number and the same number clamped: on a region


def truth(e: Entry) -> Boolean:
    """A number as a truth value: whether it is not 0."""
    e = sympify(e)
    return e if is_truth(e) else by_cases(lambda a: Not(equal(a, S.Zero)), e)


def select(condition: Entry, x: Entry, y: Entry) -> Entry:
    """``where``, of numbers or of truth values."""
    condition = truth(condition)
    if is_truth(x) and is_truth(y):
        return Or(And(condition, x), And(Not(condition), y))
    found = chosen(condition, number(x), number(y))
    if size(found) > MAX_SIZE:
        raise NoExpression(TOO_LARGE)
    return found


def value(e: Entry) -> Entry:
    """An entry as a condition sees it: without stop-gradients."""
    e = sympify(e)
    return e if is_truth(e) else erase_sg(e)


COMPARISONS: Final[Mapping[str, Callable[[Entry, Entry], Boolean]]] = {
    "gt": above,
    "ge": at_least,
    "lt": lambda a, b: above(b, a),
    "le": lambda a, b: at_least(b, a),
    "eq": equal,
    "ne": lambda a, b: Not(equal(a, b)),
}
"""By the names that both frameworks have for them."""
