"""Certified numbers: expressions in Arb's ball arithmetic, through python-flint.

Every result is a ball that contains the true value; a comparison that a ball cannot decide is :class:`Ambiguous`, never
a guess.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from functools import reduce
from typing import Any, Final

import flint
from flint import arb
from sympy import (
    Abs,
    And,
    Basic,
    E,
    Expr,
    Heaviside,
    Max,
    Min,
    Not,
    Or,
    Piecewise,
    Pow,
    Rational,
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

from kltheory.calculus.roots import Root
from kltheory.calculus.symbols import sg
from kltheory.numerics.bridge import SHARED, Bridge


class Ambiguous(Exception):
    """A ball straddles a threshold, or is not finite, at this precision."""


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Balls of that many bits, for the body only."""
    with flint.ctx.workprec(bits):
        yield


def number(value: Any) -> Any:
    """An ``arb`` around an int, a Fraction, a SymPy rational, or a float by its shortest decimal (0.1 is 1/10)."""
    if isinstance(value, arb):
        return value
    q = value if isinstance(value, (int, Fraction, Rational)) else Fraction(str(value))
    return arb(flint.fmpq(int(q.numerator), int(q.denominator)))


def _constant(expr: Basic) -> Any:
    if isinstance(expr, Expr) and (expr.is_Rational or expr.is_Float):
        return number(expr)
    return arb.pi() if expr is pi else arb(1).exp() if expr is E else None


def certain_sign(x: Any) -> int:
    """1 or -1.

    Raises:
        Ambiguous: the ball contains zero, or is not finite.
    """
    if not x.is_finite() or x.contains(0):
        raise Ambiguous(f"{x} does not exclude zero")
    return 1 if x > 0 else -1


def _power(base: Any, exponent: Any) -> Any:
    if exponent.is_integer():
        n = int(exponent.unique_fmpz())
        # Arb's own power of a ball around exactly 0 is NaN.
        return base**n if n <= 0 or base.is_exact() or not base.mid().is_zero() else reduce(operator.mul, [base] * n)
    return base.sqrt() if exponent == 0.5 else base**exponent


def _ordered(sign: int) -> Callable[[Any, Any], bool]:
    """A comparison: whether a − b has that sign, for certain."""
    return lambda a, b: certain_sign(a - b) == sign


BALLS: Final = Bridge(
    {
        **SHARED,
        Gt: _ordered(1),
        Ge: _ordered(1),
        Lt: _ordered(-1),
        Le: _ordered(-1),
        sg: lambda x: x,
        Pow: _power,
        exp: arb.exp,
        log: arb.log,
        asin: arb.asin,
        expm1: arb.expm1,
        sinh: arb.sinh,
        cosh: arb.cosh,
        tanh: arb.tanh,
        Abs: abs,
        sign: lambda x: arb(certain_sign(x)),
        Heaviside: lambda x, _: arb(certain_sign(x) + 1) / 2,
        Min: lambda *xs: reduce(arb.min, xs),
        Max: lambda *xs: reduce(arb.max, xs),
        And: lambda *xs: all(xs),
        Or: lambda *xs: any(xs),
        Not: lambda x: not x,
        Piecewise: lambda *pairs: next((v for v, holds in pairs if holds), arb.nan()),
    },
    _constant,
)
"""Enclosures in ``arb``; ``sg`` is the identity."""


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


def threshold(root: Root) -> Any:
    """An ``arb`` around the end of a region."""
    if root.exact is not None:
        return enclose(root.exact, {})
    root.interval(min(flint.ctx.prec, 128))  # narrows lo and hi
    return number(root.lo).union(number(root.hi))
