"""Formulas as S-expressions, for programs that know nothing of SymPy: ``(* 1/2 (^ l 2))`` is l²/2.

One text has one meaning: operators stand in front, sums and products keep the order of their terms, numbers are exact.
"""

import re
from typing import Final

from sympy import Basic, E, Expr, Float, Symbol, pi
from sympy.core.function import AppliedUndef

from kltheory.calculus.decimals import decimal
from kltheory.calculus.moments import At, Mean
from kltheory.calculus.sequence.language import length
from kltheory.calculus.symbols import VARIABLES
from kltheory.numerics.bridge import NotNumeric

NAMES: Final = {
    "Add": "+",
    "Mul": "*",
    "Pow": "^",
    "Abs": "abs",
    "Heaviside": "step",
    "Min": "min",
    "Max": "max",
    "StrictGreaterThan": ">",
    "StrictLessThan": "<",
    "GreaterThan": ">=",
    "LessThan": "<=",
    "And": "and",
    "Or": "or",
    "Not": "not",
    "Piecewise": "where",
    "ExprCondPair": "case",
    "BooleanTrue": "true",
    "BooleanFalse": "false",
    "Past": "past",
    "Future": "future",
    "Total": "total",
    "Ahead": "ahead",
}
"""SymPy's name of a head to the one written, where they differ."""

WORDS: Final = {s.name: s for s in (*VARIABLES, length)}
"""What the names of variables stand for."""

ALIKE: Final = ("exp", "log", "asin", "expm1", "sinh", "cosh", "tanh", "sign", "sg", "minus")


def sexpr(expr: Basic) -> str:
    """The text of a formula.

    ``(E f)`` is a mean over the vocabulary under the policy, ``(at 0 f)`` the value at the first action, ``(future f
    g)`` a sum over later tokens with discount g, ``(where (case value condition) …)`` the first whose condition holds.

    Raises:
        NotNumeric: it holds what has no number, or a symbol whose name is no word.
    """
    if isinstance(expr, Mean):
        return f"(E {sexpr(expr.integrand)})"
    if isinstance(expr, At):
        return f"(at {expr.action} {sexpr(expr.integrand)})"
    if isinstance(expr, Symbol):
        if WORDS.get(expr.name, expr) != expr or not re.fullmatch(r"[^\W\d][^\s()]*", expr.name):
            raise NotNumeric(f"a parameter cannot be called {expr.name!r}")
        return str(expr.name)
    if isinstance(expr, Expr) and (expr.is_Rational or expr.is_Float):
        return str(decimal(expr) if isinstance(expr, Float) else expr)
    if expr is E:
        return "(exp 1)"
    if expr is pi:
        return "(pi)"
    name = type(expr).__name__
    if isinstance(expr, AppliedUndef) or name not in (*NAMES, *ALIKE):
        raise NotNumeric(f"{name} has no numeric meaning here")
    return f"({' '.join([NAMES.get(name, name), *map(sexpr, expr.args)])})"
