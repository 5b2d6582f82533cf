"""When is a formula in variables of the sample and in means zero in every setting?

Variables of one action, values at other actions and means are free of each other, so a formula vanishes iff the number
in front of each product of variables does: a polynomial in means. A sum of means is one sum over the vocabulary, which
:mod:`.sums` decides. In products, means whose integrands depend on the others modulo 1, 1/u, 1/w are written by them
first; independent ones sweep out an open set, on which only the zero polynomial vanishes (docs/decision.md).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from sympy import Add, Expr, Poly, S, exp

from kltheory.calculus.cells import is_smooth
from kltheory.calculus.combinations import combinations
from kltheory.calculus.decimals import in_decimals
from kltheory.calculus.exact import Undecidable, is_constant, is_zero, normal_form
from kltheory.calculus.moments import NORMALISED, At, Mean, is_product, monomials, normal
from kltheory.calculus.sums import sums_to_zero
from kltheory.calculus.symbols import VARIABLES, logp, sg


@lru_cache(maxsize=16384)
def is_null(expr: Expr) -> bool:
    """Whether a smooth formula, ``sg`` erased, is zero for every action of every setting.

    Raises:
        Undecidable: it is not formally zero, and means in it are not known to be independent.
    """
    if is_zero(expr):
        return True
    if not expr.has(Mean, At):
        return False
    apart = _at_each_action(normal(expr))
    answers = [_decided(c) for c in _in_front(apart)]
    unclear = [a for a in answers if isinstance(a, Undecidable)]
    if unclear and all(answers):
        raise unclear[0]
    opaque = [v for v in sorted(apart.atoms(At), key=str) if v.integrand not in VARIABLES]
    if opaque and not all(answers):
        raise Undecidable(f"whether {opaque[0]} is independent of the other values is not known")
    return all(answers)


def is_free(expr: Expr) -> bool:
    """Whether a smooth formula is the same number for every action; raises as above."""
    if not expr.has(Mean, At):
        return is_constant(expr)
    return all(is_null(expr.diff(v)) for v in VARIABLES if v in expr.free_symbols)


def same_moment(left: Expr, right: Expr) -> bool:
    """Whether two formulas in means are the same number in every setting; raises as above."""
    return is_null(normal(in_decimals(left)) - normal(in_decimals(right)))


def are_independent(numbers: Iterable[Mean | At]) -> bool:
    """Whether means and values at actions are known to be free of each other: products of generators.

    Values are of different actions, or variables.
    """
    numbers = list(numbers)
    at = [v for v in numbers if isinstance(v, At)]
    apart = len({v.action for v in at}) == len(at) or all(v.integrand in VARIABLES for v in at)
    return apart and all(is_product(m.integrand) for m in numbers)


def _at_each_action(expr: Expr) -> Expr:
    """Values at an action written in the variables of that action."""
    found = {v: v.integrand.xreplace({x: At(x, v.action) for x in VARIABLES}) for v in expr.atoms(At)}
    return expr.xreplace({v: e for v, e in found.items() if v.integrand not in VARIABLES and is_smooth(e)})


def _in_front(expr: Expr) -> Iterable[Expr]:
    """The numbers in front of products of variables, in the numerator."""
    element = normal_form(expr)
    above = element.field.value(element.value.numer.as_expr())
    return monomials(above, lambda e: bool(e.free_symbols & set(VARIABLES)) or e.has(At)).values()


def _decided(number: Expr) -> bool | Undecidable:
    try:
        return _is_null_number(number)
    except Undecidable as e:
        return e


def _is_null_number(number: Expr) -> bool:
    number = normal(number).expand()
    means = sorted(number.atoms(Mean), key=str)
    if is_zero(number):
        return True
    if not means:
        return False
    if number.is_polynomial(*means) and Poly(number, *means).total_degree() == 1:
        return sums_to_zero(exp(logp) * number.xreplace({m: m.integrand for m in means}))
    relations = _relations(tuple(means))
    if is_zero(number.xreplace(relations.dependent)):
        return True
    if relations.unclear is not None:
        raise Undecidable(f"whether {relations.unclear} is independent of the other means is not known")
    if not is_smooth(number):
        raise Undecidable(f"on which side of the corners of {number} its means lie is not known")
    return False


@dataclass(frozen=True)
class _Relations:
    """Some means by others, and a mean (if any) of which it is not known whether it depends on the others."""

    dependent: Mapping[Mean, Expr]
    unclear: Mean | None


@lru_cache(maxsize=1024)
def _relations(means: tuple[Mean, ...]) -> _Relations:
    """The linear relations between integrands, cell by cell, modulo what has mean one."""
    unclear = next((m for m in means if m.integrand.has(sg, Mean, At) or not is_smooth(m.integrand)), None)
    if all(map(is_product, (m.integrand for m in means))):
        return _Relations({}, unclear)
    functions = [*NORMALISED, *(m.integrand for m in means)]
    values = [*([S.One] * len(NORMALISED)), *means]
    rows = zip(means, combinations(functions)[len(NORMALISED) :], strict=True)
    return _Relations({m: Add(*(c * values[i] for i, c in row.items())) for m, row in rows}, unclear)
