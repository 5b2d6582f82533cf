"""Dual numbers over mpmath: a value and one derivative, with an error where a real function has no value."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import mpmath

DIGITS: Final = 50
LARGEST: Final = 400
"""Bits of the largest argument of an exponential: beyond, a point is too far out to be computed."""


class NoValue(ArithmeticError):
    """A logarithm, a root or a quotient without a real value."""


class TooFar(ArithmeticError):
    """A number too large to be held."""


ZERO: Final = mpmath.mpf(0)
ONE: Final = mpmath.mpf(1)


class Dual:
    """v + d ε, with ε² = 0."""

    __slots__ = ("d", "v")

    def __init__(self, v: Any, d: Any = ZERO) -> None:
        self.v, self.d = v, d

    def __add__(self, other: "Dual") -> "Dual":
        return Dual(self.v + other.v, self.d + other.d)

    def __sub__(self, other: "Dual") -> "Dual":
        return Dual(self.v - other.v, self.d - other.d)

    def __mul__(self, other: "Dual") -> "Dual":
        return Dual(self.v * other.v, self.d * other.v + self.v * other.d)

    def __truediv__(self, other: "Dual") -> "Dual":
        if other.v == 0:
            raise NoValue("division by zero")
        return Dual(self.v / other.v, (self.d - self.v / other.v * other.d) / other.v)

    def __neg__(self) -> "Dual":
        return Dual(-self.v, -self.d)

    def held(self) -> "Dual":
        """The value alone."""
        return Dual(self.v)


@lru_cache(maxsize=4096)
def _read(text: str, _: int) -> Any:
    return mpmath.mpf(text)


def number(text: str | int) -> Dual:
    """A number as it is written, to the digits of the day."""
    return Dual(_read(str(text), mpmath.mp.prec))


def exp(x: Dual) -> Dual:
    if mpmath.mag(x.v) > LARGEST:
        raise TooFar
    v = mpmath.exp(x.v)
    return Dual(v, v * x.d)


def log(x: Dual) -> Dual:
    if x.v <= 0:
        raise NoValue("log of what is not positive")
    return Dual(mpmath.log(x.v), x.d / x.v)


def power(x: Dual, y: Dual) -> Dual:
    """x^y: of any x where y is a whole number, of x >= 0 where y is another number, of x > 0 where y moves."""
    if y.d == 0 and y.v == mpmath.floor(y.v) and abs(y.v) <= 10**6:
        n = int(y.v)
        if n < 0:
            return Dual(ONE) / power(x, Dual(mpmath.mpf(-n)))
        return Dual(ONE) if n == 0 else Dual(x.v**n, n * x.v ** (n - 1) * x.d)
    if x.v < 0:
        raise NoValue("a root of what is negative")
    if x.v == 0 and y.d == 0 and y.v > 0:  # zero, and if it is differentiated without a number
        return Dual(ZERO, mpmath.nan if x.d and y.v < 1 else ZERO)
    if x.v == 0:
        raise NoValue("a negative power of zero")
    return exp(y * log(x))


def total(terms: Any) -> Dual:
    """The sum of duals."""
    result = Dual(ZERO)
    for x in terms:
        result = result + x
    return result


def gradient(function: Callable[[Dual], Dual], at: Any) -> Any:
    """The derivative of a function of one dual number."""
    return function(Dual(at, ONE)).d
