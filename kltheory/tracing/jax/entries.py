"""What a primitive does entry by entry: a table of rules on SymPy expressions.

``is_finite(x)`` is true and ``x != x`` false of any expression. ``exp(-1e9)``, of a masked logit, is the 0 that every
floating type makes of it.
"""

from collections.abc import Mapping
from typing import Final

from sympy import Abs, And, Expr, Max, Min, Not, Or, S, cosh, log, nan, oo, sinh, tanh

from kltheory.calculus.symbols import sg
from kltheory.tracing.conditions import COMPARISONS, equal
from kltheory.tracing.entries import is_truth, step, total
from kltheory.tracing.jax.conditions import case_of
from kltheory.tracing.jax.largest import cancelled, exponential, factored
from kltheory.tracing.jax.values import UNDEFINED, Rule, is_constant


def _real(result: Expr) -> Expr:
    """IEEE's answer where SymPy goes complex: NaN."""
    return nan if is_constant(result) and result.is_extended_real is False else result


def _log(x: Expr) -> Expr:
    if x == 0:
        return -oo
    k, rest = factored(x)
    return k + _real(log(rest))


def _pow(x: Expr, y: Expr) -> Expr:
    return oo if x == 0 and y.is_negative else cancelled(_real(x**y))


def _div(a: Expr, b: Expr) -> Expr:
    if b == 0 and is_constant(a):
        return a * oo if a != 0 else nan
    return S.One if a == b and a not in UNDEFINED else cancelled(a / b)


def log_add_exp(a: Expr, b: Expr) -> Expr:
    """log(e^a + e^b)."""
    return _log(exponential(a) + exponential(b))


ENTRYWISE: Final[Mapping[str, Rule]] = {
    **COMPARISONS,
    "abs": Abs,
    "add": total,
    "add_any": total,
    "and": And,
    "clamp": lambda low, x, high: Min(Max(x, low), high),
    "cosh": cosh,
    "div": _div,
    "exp": exponential,
    "exp2": lambda x: 2**x,
    "expm1": lambda x: exponential(x) - 1,
    "integer_pow": lambda x, y: _pow(x, S(y)),
    "is_finite": lambda x: S(x not in UNDEFINED),
    "log": _log,
    "log1p": lambda x: _log(1 + x),
    "logistic": lambda x: 1 / (1 + exponential(-x)),
    "max": Max,
    "min": Min,
    "mul": lambda a, b: cancelled(a * b),
    "neg": lambda x: -x,
    "not": Not,
    "or": Or,
    "pow": _pow,
    "rsqrt": lambda x: _pow(x, -S.Half),
    "select_n": case_of,
    "sign": step,
    "sinh": sinh,
    "sqrt": lambda x: _pow(x, S.Half),
    "square": lambda x: cancelled(x**2),
    "stop_gradient": lambda x: x if is_truth(x) else sg(x),
    "sub": lambda a, b: total(a, -b),
    "tanh": tanh,
    "xor": lambda a, b: Not(equal(a, b)),
}
"""Functions of one entry of each operand; scalars broadcast."""

INTEGERS: Final = frozenset(
    ("abs", "add", "clamp", "integer_pow", "max", "min", "mul", "neg", "select_n", "sign", "square", "sub")
)
"""Rows that mean the same for integers: a quotient, for one, does not."""
