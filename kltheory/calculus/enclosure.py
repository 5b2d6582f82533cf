"""Rigorous enclosures of an expression at a point, in ``mpmath``'s interval arithmetic.

The calculus needs signs of real numbers (is e^2 - 7 positive?) and nothing else from numerics; SymPy already
ships mpmath, so no further dependency enters this layer. Witnesses are certified again, independently, in Arb balls.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache, reduce
from operator import add, mul
from typing import Any, Final

import mpmath
from sympy import Abs, Add, E, Expr, Max, Min, Mul, Pow, Symbol, exp, log, pi

iv: Final = mpmath.iv


LINE: Final = iv.mpf(["-inf", "inf"])
"""All real numbers."""


class CannotEnclose(Exception):
    """A head with no interval meaning, or a point outside the domain."""


FAR: Final = 2**64
"""Exponents beyond are not taken: e^x is then between that of what is taken, or 0, and infinity."""


def _exp(x: Any) -> Any:
    low = iv.exp(iv.mpf(min(x.a, FAR))).a if x.a > -FAR else 0
    high = iv.exp(iv.mpf(max(x.b, -FAR))).b if x.b < FAR else "inf"
    return iv.mpf([low, high])


def _power(base: Any, power: Any) -> Any:
    if power.a == power.b == int(power.a):
        return base ** int(power.a)
    if base.a == 0 and power.a > 0:
        return iv.mpf([0, _exp(power * _log(iv.mpf(base.b))).b if base.b > 0 else 0])
    return _exp(power * _log(base))


def _log(x: Any) -> Any:
    """The real logarithm; mpmath would go on with complex numbers."""
    if not x.a > 0:
        raise CannotEnclose("the logarithm, or a root, of what may not be positive")
    return iv.log(x)


HEADS: Final[dict[type, Callable[..., Any]]] = {
    Add: lambda *xs: reduce(add, xs),
    Mul: lambda *xs: reduce(mul, xs),
    Pow: _power,
    exp: _exp,
    log: _log,
    Abs: abs,
    Min: lambda *xs: iv.mpf([min(x.a for x in xs), min(x.b for x in xs)]),
    Max: lambda *xs: iv.mpf([max(x.a for x in xs), max(x.b for x in xs)]),
}
"""SymPy head to interval function."""


def enclose(expr: Expr, at: Mapping[Symbol, Any], bits: int = 160) -> Any:
    """An interval containing ``expr`` at the point ``at`` (rationals or intervals).

    Raises:
        CannotEnclose: a head is not in :data:`HEADS`, or the point is outside its domain.
    """
    saved, iv.prec = iv.prec, bits
    try:
        return _walk(expr, {s: _number(v) for s, v in at.items()})
    except (ValueError, ZeroDivisionError, mpmath.libmp.ComplexResult) as e:
        raise CannotEnclose(f"{expr}: {e}") from None
    finally:
        iv.prec = saved


def _number(value: Any) -> Any:
    return _rational(value.p, value.q, iv.prec) if getattr(value, "is_Rational", False) else iv.mpf(value)


@lru_cache(maxsize=65536)
def _rational(p: int, q: int, bits: int) -> Any:
    """p/q at the working precision, of that many bits."""
    return iv.mpf(p) / q if q != 1 else iv.mpf(p)


def _walk(expr: Expr, at: Mapping[Symbol, Any]) -> Any:
    if expr.is_Symbol and expr in at:
        return at[expr]
    if expr.is_Rational:
        return _number(expr)
    if expr is pi or expr is E:
        return +iv.pi if expr is pi else iv.exp(1)
    head = HEADS.get(expr.func)
    if head is None:
        raise CannotEnclose(f"no interval meaning for {expr.func.__name__}")
    return head(*(_walk(a, at) for a in expr.args))


def sign_of(expr: Expr, at: Mapping[Symbol, Any], bits: tuple[int, ...] = (80, 320, 1280)) -> int | None:
    """+1 or -1 when an enclosure excludes zero at one of the precisions, else ``None`` (zero, or too close)."""
    for b in bits:
        value = enclose(expr, at, b)
        if value.a > 0:
            return 1
        if value.b < 0:
            return -1
    return None
