"""Conditions: a condition is how it chooses between two values, so ``and``, ``or`` and ``not`` are compositions.

SymPy's own conjunctions inside a ``Piecewise`` would be solved as sets, slowly; a choice inside a choice is not.
"""

import ast
from collections.abc import Callable
from itertools import combinations
from typing import Final

from sympy import Abs, Expr, Max, Min, S

from kltheory.calculus.symbols import logp, logp_old, weight

Choice = Callable[[Expr, Expr], Expr]
Join = Callable[[Choice, Choice], Choice]

ON_POLICY: Final = {weight: S.One, logp_old: logp}


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


def apart(op: ast.cmpop, left: Expr, right: Expr) -> tuple[Join, list[tuple[Expr, Expr]]] | None:
    """|x| < c as x < c and -x < c, if a side is an abs, min or max with its kink where the old policy is the policy.

    At w = 1 the kink of |w - 1| is none of |w - 1| < c.
    """
    side = left if isinstance(left, Abs | Max | Min) else right
    if not isinstance(side, Abs | Max | Min):
        return None
    parts = (side.args[0], -side.args[0]) if isinstance(side, Abs) else side.args
    if not any((a - b).xreplace(ON_POLICY).is_zero for a, b in combinations(parts, 2)):
        return None
    below = isinstance(op, ast.Lt | ast.LtE) == (side is left)
    join = _either if below == isinstance(side, Min) else _both
    return join, [(part, right) if side is left else (left, part) for part in parts]
