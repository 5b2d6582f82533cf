"""Conditions: a condition is how it chooses between two values, so ``and``, ``or`` and ``not`` are compositions.

SymPy's own conjunctions inside a ``Piecewise`` would be solved as sets, slowly; a choice inside a choice is not.
"""

import ast
from collections.abc import Callable
from typing import Final

from sympy import Expr

Choice = Callable[[Expr, Expr], Expr]
Join = Callable[[Choice, Choice], Choice]


def _both(p: Choice, q: Choice) -> Choice:
    return lambda a, b: p(q(a, b), b)


def _either(p: Choice, q: Choice) -> Choice:
    return lambda a, b: p(a, q(a, b))


def negation(p: Choice) -> Choice:
    """Not p."""
    return lambda a, b: p(b, a)


JOINS: Final[dict[type, Join]] = {ast.And: _both, ast.BitAnd: _both, ast.Or: _either, ast.BitOr: _either}
ORDERS: Final = {ast.Lt: Expr.__lt__, ast.LtE: Expr.__le__, ast.Gt: Expr.__gt__, ast.GtE: Expr.__ge__}


def is_condition(node: ast.expr) -> bool:
    """Whether a node is a comparison, or made of them."""
    made_of = isinstance(node, ast.BinOp | ast.UnaryOp | ast.BoolOp) and type(node.op) in (*JOINS, ast.Not, ast.Invert)
    return isinstance(node, ast.Compare) or made_of
