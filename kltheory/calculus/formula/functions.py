"""The functions of a formula, and the ways in which code calls them: a new function is a new row."""

import ast
from collections.abc import Callable, Mapping
from inspect import signature
from math import ceil
from typing import Final

from sympy import Abs, Expr, Max, Min, Piecewise, Pow, Rational, S, exp, log, oo, sign
from sympy.logic.boolalg import Boolean

from kltheory.calculus.formula.limits import (
    MAX_BITS,
    MAX_EXPONENT,
    MAX_UNSETTLED_ROOT,
    decide_sign,
    exponential,
    settle,
)
from kltheory.calculus.symbols import sg


def reciprocal(x: Expr, /) -> Expr:
    """1/x, unless x is 0. Raises ValueError."""
    if x.is_number and x.is_zero:  # of anything else SymPy would go looking for roots
        raise ValueError("division by zero")
    decide_sign(x)
    return Pow(x, -1)


def _log(x: Expr, /) -> Expr:
    if x.is_nonpositive:
        raise ValueError("log of what is never positive")
    decide_sign(x)
    return log(x)


def power(base: Expr, exponent: Expr, /) -> Expr:
    """``base ** exponent``, written exp(exponent·log(base)) when the exponent has symbols."""
    if not exponent.is_Rational and not base.is_extended_positive:
        raise ValueError("an exponent that is not a plain number needs a base that is always positive, such as w or u")
    if not exponent.is_number:
        return exponential(exponent * _log(base))
    if bool(abs(exponent.evalf()) > MAX_EXPONENT) or (exponent.is_Rational and exponent.q > MAX_EXPONENT):
        raise ValueError(f"an exponent lies between -{MAX_EXPONENT} and {MAX_EXPONENT}, with a denominator up to 64")
    decide_sign(base)
    if exponent.is_negative:
        reciprocal(base)
    if base.is_Rational and max(abs(base.p), base.q).bit_length() * ceil(abs(exponent)) > MAX_BITS:
        raise ValueError("the power is too large or has too many digits")
    if isinstance(base, exp):
        return exponential(exponent * base.args[0])
    if not exponent.is_Integer:
        if base.is_negative:
            raise ValueError("the root of a negative number")
        settle([base], MAX_UNSETTLED_ROOT)
    if base.is_number and not base.is_zero:
        exponential(exponent * _log(abs(base)))  # the size of an irrational base
    return Pow(base, exponent)


def _clamp(x: Expr, /, lo: Expr = -oo, hi: Expr = oo) -> Expr:
    """min(max(x, lo), hi): where the bounds cross, hi wins, as in torch.clamp and jnp.clip."""
    if lo == -oo and hi == oo:
        raise ValueError("a clamp needs a bound: clamp(x, lo, hi), clamp(x, lo=...) or clamp(x, hi=...)")
    return Min(Max(x, lo), hi)


def where(condition: Boolean, a: Expr, b: Expr, /) -> Expr:
    """a where the condition holds, else b."""
    return Piecewise((a, condition), (b, True))


FUNCTIONS: Final[Mapping[str, Callable[..., Expr]]] = {
    "exp": exponential,
    "log": _log,
    "sqrt": lambda x, /: power(x, Rational(1, 2)),
    "square": lambda x, /: power(x, Rational(2)),
    "pow": power,
    "expm1": lambda x, /: exponential(x) - 1,
    "log1p": lambda x, /: _log(1 + x),
    "logaddexp": lambda x, y, /: _log(exponential(x) + exponential(y)),
    "sigmoid": lambda x, /: 1 / (1 + exponential(-x)),
    "logsigmoid": lambda x, /: -_log(1 + exponential(-x)),
    "softplus": lambda x, /: _log(1 + exponential(x)),
    "tanh": lambda x, /: 1 - 2 / (1 + exponential(2 * x)),
    "abs": lambda x, /: Abs(x),
    "sign": lambda x, /: sign(x),
    "relu": lambda x, /: Max(x, 0),
    "min": lambda x, y, /, *more: Min(x, y, *more),
    "max": lambda x, y, /, *more: Max(x, y, *more),
    "clamp": _clamp,
    "where": where,
    "sg": lambda x, /: sg(x),
    "float": lambda x, /: x,
    "zeros_like": lambda x, /: S.Zero,
    "ones_like": lambda x, /: S.One,
}
SYNONYMS: Final[Mapping[str, str]] = {
    "ln": "log", "power": "pow", "expit": "sigmoid", "log_sigmoid": "logsigmoid", "absolute": "abs", "sgn": "sign",
    "minimum": "min", "maximum": "max", "clamp_min": "max", "clamp_max": "min", "clip": "clamp",
    **dict.fromkeys(("double", "tensor", "asarray"), "float"),
    **dict.fromkeys(("detach", "stop_gradient", "stopgrad"), "sg"),
}  # fmt: skip
"""Other names, as libraries have them."""

CORNERED: Final = frozenset({"abs", "sign", "relu", "min", "max", "clamp"})
BOUNDS: Final = {"min": "lo", "max": "hi", "a_min": "lo", "a_max": "hi"}  # keywords of torch and NumPy
MODULES: Final = (
    "torch",
    "nn",
    "functional",
    "F",
    "special",
    "math",
    "np",
    "numpy",
    "jax",
    "jnp",
    "lax",
    "scipy",
    "tf",
)
"""Modules of which a function may be pasted: ``torch.exp(x)``, ``jax.lax.stop_gradient(x)``."""


def is_module(node: ast.expr) -> bool:
    """Whether a node is ``torch``, ``jax.nn``, ..."""
    while isinstance(node, ast.Attribute) and node.attr in MODULES:
        node = node.value
    return isinstance(node, ast.Name) and node.id in MODULES


def bind(name: str, args: list[ast.expr], keywords: list[ast.keyword]) -> dict[str, ast.expr]:
    """The bounds among the keywords of a call. Raises ValueError where the function does not take the arguments."""
    bounds = {BOUNDS.get(k.arg or "**", k.arg or "**"): k.value for k in keywords}
    try:
        signature(FUNCTIONS[SYNONYMS.get(name, name)]).bind(*args, **bounds)
    except TypeError as error:
        raise ValueError(f"{name}: {error}") from None
    if len(bounds) < len(keywords):
        raise ValueError(f"{name}: a bound is given twice")
    return bounds
