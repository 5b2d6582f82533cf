"""The names and functions of a formula: a new name, or a new function, is a new row."""

from collections.abc import Callable, Mapping
from math import ceil
from typing import Final

from sympy import Abs, Basic, Expr, Max, Min, Piecewise, Pow, Rational, exp, log, oo, sign

from kltheory.calculus.formula.limits import (
    MAX_BITS,
    MAX_EXPONENT,
    MAX_UNSETTLED_ROOT,
    decide_sign,
    exponential,
    settle,
)
from kltheory.calculus.symbols import advantage, log_ratio, logp, logp_old, logp_ref, ratio, sg, weight


def reciprocal(x: Expr, /) -> Expr:
    """1/x, unless x is 0. Raises ValueError."""
    if x.is_zero:
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


def _where(condition: Basic, a: Expr, b: Expr, /) -> Expr:
    return Piecewise((a, condition), (b, True))


VARIABLES: Final[Mapping[str, Expr]] = {
    "l": log_ratio, "w": weight, "logp": logp, "logp_ref": logp_ref, "logp_old": logp_old, "A": advantage,
    "u": ratio, "r": 1 / ratio,
}  # fmt: skip
"""The per-sample names; ``ℓ`` may be written for ``l``; u = exp(l) and r = exp(-l)."""

FUNCTIONS: Final[Mapping[str, Callable[..., Expr]]] = {
    "exp": exponential,
    "log": _log,
    "sqrt": lambda x, /: power(x, Rational(1, 2)),
    "square": lambda x, /: power(x, Rational(2)),
    "expm1": lambda x, /: exponential(x) - 1,
    "log1p": lambda x, /: _log(1 + x),
    "sigmoid": lambda x, /: 1 / (1 + exponential(-x)),
    "softplus": lambda x, /: _log(1 + exponential(x)),
    "tanh": lambda x, /: 1 - 2 / (1 + exponential(2 * x)),
    "abs": lambda x, /: Abs(x),
    "sign": lambda x, /: sign(x),
    "relu": lambda x, /: Max(x, 0),
    "min": lambda x, y, /, *more: Min(x, y, *more),
    "max": lambda x, y, /, *more: Max(x, y, *more),
    "clamp": _clamp,
    "clip": _clamp,
    "where": _where,
    **dict.fromkeys(("sg", "detach", "stop_gradient", "stopgrad"), lambda x, /: sg(x)),
}
CORNERED: Final = frozenset({"abs", "sign", "relu", "min", "max", "clamp", "clip", "where"})
BOUNDS: Final = {"min": "lo", "max": "hi"}  # torch's keywords
