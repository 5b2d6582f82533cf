"""How far floating-point code may stray from a formula: a running error analysis, node by node.

Each operation adds one rounding of its result to what its operands bring along (N. Higham, *Accuracy and Stability of
Numerical Algorithms*, 2nd ed., section 3.3). Where rounding could take another branch the bound is infinite: no claim.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from sympy import Abs, Add, Basic, Expr, Heaviside, Max, Min, Mul, Piecewise, Pow, Symbol, exp, log, sign, true
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean

from kltheory.calculus.symbols import sg
from kltheory.numerics.bridge import NUMPY

Pair = tuple[Any, Any]
"""A value and a bound of its error in units of eps, arrays that broadcast."""

LIPSCHITZ: Final = (Abs, sg, Max, Min)


def rounding_scale(expr: Expr, at: Mapping[Symbol, Any], eps: float) -> Any:
    """A bound, in units of ``eps``, of the error of ``expr`` computed in arithmetic of relative precision ``eps``.

    Args:
        expr: the formula.
        at: float64 arrays that broadcast, for each symbol.
        eps: the relative precision, which only decides how near a branching point is too near.

    Raises:
        NotNumeric: a head has no number.
    """
    seen: dict[Basic, Pair] = {}

    def walk(e: Basic) -> Pair:
        if e not in seen:
            seen[e] = _pair(e, walk, at, eps)
        return seen[e]

    with np.errstate(all="ignore"):
        return walk(expr)[1]


def _pair(e: Any, walk: Any, at: Mapping[Symbol, Any], eps: float) -> Pair:
    value = NUMPY(e, at)
    if not e.args or not e.free_symbols:
        return value, np.abs(value)
    if isinstance(e, Piecewise):
        return value, _piecewise(e, walk, at, eps)
    pairs = [walk(a) for a in e.args]
    errors = [error for _, error in pairs]
    if isinstance(e, Add):
        return value, sum(errors) + sum(np.abs(v) for v, _ in pairs)
    if isinstance(e, Mul):
        relative = sum(error / np.abs(np.where(v == 0, 1, v)) for v, error in pairs)
        scale = np.abs(value) * (relative + len(pairs)) + np.where(value == 0, sum(errors), 0)
        return value, np.where(np.isinf(relative), np.inf, scale)  # of a factor that may be another nothing is known
    if isinstance(e, exp):
        return value, value * (errors[0] + 1)
    if isinstance(e, log):
        return value, errors[0] / np.abs(pairs[0][0]) + np.abs(value)
    if isinstance(e, Pow):
        (base, error), (power, _) = pairs
        return value, np.abs(power * value) * error / np.abs(np.where(base == 0, 1, base)) + np.abs(value)
    if isinstance(e, LIPSCHITZ):
        return value, np.maximum.reduce(np.broadcast_arrays(*errors))
    if isinstance(e, (Heaviside, sign)):
        return value, np.where(np.abs(pairs[0][0]) <= 2 * eps * errors[0], np.inf, 0.0)
    return value, sum(errors) + np.abs(value)


def _piecewise(e: Piecewise, walk: Any, at: Mapping[Symbol, Any], eps: float) -> Any:
    out: Any = 0.0
    for value, condition in reversed(e.args):
        error = walk(value)[1]
        out = error if condition == true else np.where(NUMPY(condition, at), error, out)
        for relation in condition.atoms(Relational) if isinstance(condition, Boolean) else ():
            (a, da), (b, db) = walk(relation.lhs), walk(relation.rhs)
            out = np.where(np.abs(a - b) <= 2 * eps * (da + db), np.inf, out)
    return out
