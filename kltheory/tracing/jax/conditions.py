"""Conditions, and what is chosen by them. They look at values, so they carry no ``sg``."""

from collections.abc import Callable
from functools import partial, reduce
from math import prod
from typing import Final

from sympy import And, Basic, Expr, Not, Or, Piecewise, S, default_sort_key, false, nan, true
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean, BooleanAtom

from kltheory.calculus.symbols import erase_sg
from kltheory.tracing.jax.values import INFINITE, TRUTH

MAX_CLAUSES: Final = 256
"""Most clauses of a condition: SymPy brings it to conjunctive normal form."""


def _compare(op: Callable[[Expr, Expr], Boolean], a: Expr, b: Expr) -> Boolean:
    a, b = erase_sg(a), erase_sg(b)
    if nan in (a, b):
        return false
    if (a in INFINITE or b in INFINITE) and a != b:  # only the infinite side matters
        a, b = (x if x in INFINITE else S.Zero for x in (a, b))
    return _decided(op(a, b))


at_least: Final = partial(_compare, lambda a, b: a >= b)
above: Final = partial(_compare, lambda a, b: a > b)


def equal(a: Basic, b: Basic) -> Boolean:
    """Whether two numbers, or two truth values, are the same."""
    if isinstance(a, TRUTH):
        return Or(And(a, b), And(Not(a), Not(b)))
    return And(at_least(a, b), at_least(b, a))


def chosen(condition: Boolean, if_false: Basic, if_true: Basic) -> Basic:
    """``if_true`` where the condition holds, ``if_false`` elsewhere."""
    if isinstance(condition, BooleanAtom):
        return if_true if condition else if_false
    if if_true == if_false:
        return if_true
    if isinstance(if_true, TRUTH):
        return Or(And(condition, if_true), And(Not(condition), if_false))
    if _clauses(condition) > MAX_CLAUSES:
        raise NotImplementedError(f"{len(condition.atoms(Relational))} comparisons, in too many combinations")
    return Piecewise((if_true, condition), (if_false, true))


def case_of(which: Basic, *cases: Basic) -> Basic:
    """The case with this number; of two, by a truth value."""
    if isinstance(which, TRUTH):
        return chosen(which, *cases)
    return reduce(lambda rest, i: chosen(equal(which, S(i)), rest, cases[i]), range(len(cases) - 1), cases[-1])


def first_true(*entries: Basic) -> Expr:
    """Which entry is the first that holds, and 0 if none does: the ``argmax`` that ``jnp.select`` takes."""
    if isinstance(entries[0], TRUTH):
        return reduce(lambda rest, i: chosen(entries[i], rest, S(i)), reversed(range(len(entries))), S.Zero)
    if any(e.free_symbols for e in entries):
        raise NotImplementedError("the place of the largest of traced numbers has no expression")
    return S(entries.index(max(entries)))


def number_of(condition: Boolean) -> Expr:
    """1 where the condition holds and 0 elsewhere."""
    return chosen(condition, S.Zero, S.One)


def _decided(condition: Boolean) -> Boolean:
    """The condition with the branches inside it brought outside: conditions on conditions are ``And`` and ``Or``."""
    innermost = [p for p in condition.atoms(Piecewise) if not any(a.has(Piecewise) for a in p.args)]
    if not innermost:
        return condition
    node = min(innermost, key=default_sort_key)
    met, parts = true, []
    known: dict[Basic, Basic] = {}
    for value, where in node.args:
        parts.append(And(met, where, _decided(condition.xreplace({**known, node: value, where: true}))))
        met, known = And(met, Not(where)), {**known, where: false}
    return Or(*parts)


def _clauses(condition: Boolean) -> int:
    """How many clauses a conjunctive normal form has, which SymPy makes of the conditions of a Piecewise."""
    if not isinstance(condition, (And, Or)):
        return 1
    return (sum if isinstance(condition, And) else prod)(map(_clauses, condition.args))
