"""What a primitive does entry by entry: a table of rules on SymPy expressions.

Entries are real and finite unless they are literally infinite, as in the mathematics: ``is_finite(x)`` is true, ``x !=
x`` is false, and whatever is added to an infinity is lost in it, its derivative too. ``exp(-1e9)``, of a masked logit,
is the 0 that every floating type makes of it.
"""

from collections.abc import Mapping
from typing import Final

from sympy import Abs, Add, And, Expr, Max, Min, Not, Or, S, cosh, log, nan, oo, sign, sinh, tanh

from kltheory.calculus.symbols import sg
from kltheory.tracing.jax.conditions import above, at_least, case_of, equal
from kltheory.tracing.jax.largest import cancelled, exponential, factored
from kltheory.tracing.jax.values import INFINITE, TRUTH, UNDEFINED, Rule, is_constant


def total(*terms: Expr) -> Expr:
    """The sum; whatever is added to an infinity is lost in it."""
    return Add(*([x for x in terms if x in INFINITE] or terms))


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
    "abs": Abs,
    "add": total,
    "add_any": total,
    "and": And,
    "clamp": lambda low, x, high: Min(Max(x, low), high),
    "cosh": cosh,
    "div": _div,
    "eq": equal,
    "exp": exponential,
    "exp2": lambda x: 2**x,
    "expm1": lambda x: exponential(x) - 1,
    "ge": at_least,
    "gt": above,
    "integer_pow": lambda x, y: _pow(x, S(y)),
    "is_finite": lambda x: S(x not in UNDEFINED),
    "le": lambda a, b: at_least(b, a),
    "log": _log,
    "log1p": lambda x: _log(1 + x),
    "logistic": lambda x: 1 / (1 + exponential(-x)),
    "lt": lambda a, b: above(b, a),
    "max": Max,
    "min": Min,
    "mul": lambda a, b: cancelled(a * b),
    "ne": lambda a, b: Not(equal(a, b)),
    "neg": lambda x: -x,
    "not": Not,
    "or": Or,
    "pow": _pow,
    "rsqrt": lambda x: _pow(x, -S.Half),
    "select_n": case_of,
    "sign": sign,
    "sinh": sinh,
    "sqrt": lambda x: _pow(x, S.Half),
    "square": lambda x: cancelled(x**2),
    "stop_gradient": lambda x: x if isinstance(x, TRUTH) else sg(x),
    "sub": lambda a, b: total(a, -b),
    "tanh": tanh,
    "xor": lambda a, b: Not(equal(a, b)),
}
"""Functions of one entry of each operand; scalars broadcast."""

INTEGERS: Final = frozenset(
    ("abs", "add", "clamp", "integer_pow", "max", "min", "mul", "neg", "select_n", "sign", "square", "sub")
)
"""Rows that mean the same for integers: a quotient, for one, does not."""

COMPARISONS: Final = frozenset(("eq", "ge", "gt", "le", "lt", "ne"))
