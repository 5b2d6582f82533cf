"""One formula in a floating-point format, every operation rounded to the nearest number, in exact arithmetic.

This is IEEE 754 with correctly rounded functions, as a model: libraries may be off by a unit in the last place.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache, reduce
from typing import Any, Final

from sympy import Add, Basic, Expr, Mul, Piecewise

from kltheory.calculus.symbols import log_ratio
from kltheory.numerics.balls import BALLS, Ambiguous, number, precision
from kltheory.numerics.bridge import NotNumeric
from kltheory.numerics.certificate import PRECISIONS
from kltheory.numerics.rounded import Format

EXACT: Final[dict[str, Callable[[Fraction, Fraction], Fraction]]] = {
    Add.__name__: Fraction.__add__,
    Mul.__name__: Fraction.__mul__,
    "minus": Fraction.__sub__,
}
"""Operations on two numbers that are exact before they are rounded; of more, from the left."""


def computed(expr: Expr, at: Fraction, kind: Format) -> Fraction:
    """The formula at a log-ratio that is a number of the format; a part without l is a constant, and rounded once.

    Raises:
        Ambiguous: a rounding is not decided by the balls that are tried.
        NotNumeric: a head has no rounded meaning.
        OverflowError: an operation overflows.
    """

    def walk(e: Basic) -> Fraction:
        if e == log_ratio:
            return at
        if not e.has(log_ratio):
            return _constant(e, kind)
        if e.is_Boolean or isinstance(e, Piecewise):
            raise NotNumeric(f"{type(e).__name__} has no rounded meaning here")
        args = [walk(a) for a in e.args]
        if exact := EXACT.get(type(e).__name__):
            return reduce(lambda a, b: kind.nearest(exact(a, b)), args)
        if (head := BALLS.heads.get(e.func)) is None:
            raise NotNumeric(f"{type(e).__name__} has no rounded meaning here")
        return _enclosed(lambda: head(*map(number, args)), kind)

    return walk(expr)


@lru_cache(maxsize=256)
def _constant(e: Basic, kind: Format) -> Fraction:
    return _enclosed(lambda: BALLS(e, {}), kind)


def _enclosed(value: Callable[[], Any], kind: Format) -> Fraction:
    """The number nearest to what a ball encloses."""
    for bits in PRECISIONS:
        with precision(bits):
            x = value()
            if x.is_finite():
                low, high = (kind.nearest(_fraction(end)) for end in (x.lower(), x.upper()))
                if low == high:
                    return low
    raise Ambiguous("no ball tells what is nearest")


def _fraction(x: Any) -> Fraction:
    """The value of a ball without radius."""
    mantissa, exponent = x.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
