"""Certified numbers: expressions in Arb's ball arithmetic, through python-flint.

Every result is a ball that contains the true value; a comparison that a ball cannot decide is :class:`Ambiguous`, never
a guess.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from functools import reduce
from operator import methodcaller
from typing import Any, Final

import flint
from flint import arb
from sympy import (
    Abs,
    And,
    Basic,
    E,
    Expr,
    Float,
    Heaviside,
    Max,
    Min,
    Not,
    Or,
    Piecewise,
    Pow,
    S,
    Symbol,
    asin,
    cosh,
    exp,
    log,
    pi,
    sign,
    sinh,
    tanh,
)
from sympy.codegen.cfunctions import expm1
from sympy.core.relational import Ge, Gt, Le, Lt

from kltheory.calculus.decimals import decimal
from kltheory.calculus.symbols import sg
from kltheory.numerics.bridge import SHARED, Bridge
from kltheory.numerics.dual import Dual, detached, joined, power


class Ambiguous(Exception):
    """A ball straddles a threshold, or is not finite, at this precision."""


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Balls of that many bits, for the body only."""
    with flint.ctx.workprec(bits):
        yield


def number(value: Any) -> Any:
    """An ``arb`` around an int, a Fraction, a SymPy rational, a float by the decimal it stands for: 0.1 is 1/10."""
    if isinstance(value, (arb, Dual)):
        return value
    q = Fraction(str(value)) if isinstance(value, float) else decimal(value) if isinstance(value, Float) else value
    return arb(flint.fmpq(int(q.numerator), int(q.denominator)))


def _constant(expr: Basic) -> Any:
    if isinstance(expr, Expr) and (expr.is_Rational or expr.is_Float):
        return number(expr)
    if expr is S.NaN:
        return arb.nan()
    return arb.pi() if expr is pi else arb(1).exp() if expr is E else None


def certain_sign(x: Any) -> int:
    """1 or -1.

    Raises:
        Ambiguous: the ball contains zero, or is not finite.
    """
    if not x.is_finite() or x.contains(0):
        raise Ambiguous(f"{x} does not exclude zero")
    return 1 if x > 0 else -1


def _ordered(sign: int) -> Callable[[Any, Any], bool]:
    """A comparison: whether a − b has that sign, for certain."""
    return lambda a, b: certain_sign(a - b) == sign


def _lesser(a: Any, b: Any) -> Any:
    """The smaller of two; at a tie one around both, which has slopes only if they are the same on both sides."""
    if isinstance(a, arb) and isinstance(b, arb):
        return a.min(b)
    return joined(a, b) if (b - a).contains(0) else a if certain_sign(b - a) > 0 else b


BALLS: Final = Bridge(
    {
        **SHARED,
        Gt: _ordered(1),
        Ge: _ordered(1),
        Lt: _ordered(-1),
        Le: _ordered(-1),
        sg: detached,
        Pow: power,
        **{head: methodcaller(head.__name__) for head in (exp, log, asin, expm1, sinh, cosh, tanh)},
        Abs: lambda x: -_lesser(x, -x),
        sign: lambda x: arb(certain_sign(x)),
        Heaviside: lambda x, _: arb(certain_sign(x) + 1) / 2,
        Min: lambda *xs: reduce(_lesser, xs),
        Max: lambda *xs: -reduce(_lesser, (-x for x in xs)),
        And: lambda *xs: all(xs),
        Or: lambda *xs: any(xs),
        Not: lambda x: not x,
        Piecewise: lambda *pairs: next((v for v, holds in pairs if holds), arb.nan()),
    },
    _constant,
)
"""Enclosures in ``arb``, where ``sg`` is the identity, and in duals, where it drops the slopes of the first level."""


def enclose(expr: Expr, at: Mapping[Symbol, Any]) -> Any:
    """An ``arb`` around the value of ``expr``, at the current :func:`precision`.

    Raises:
        Ambiguous: a comparison is not decided, or the value is not finite.
        NotNumeric: a symbol has no value, or a head is in no table.
    """
    value = BALLS(expr, {s: number(v) for s, v in at.items()})
    if not value.is_finite():
        raise Ambiguous(f"{expr} is not finite")
    return value
