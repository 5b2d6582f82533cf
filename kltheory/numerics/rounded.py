"""Floating-point formats, and e^x as float32 has it when it is rounded correctly.

Sums, differences and products of floats are rounded correctly everywhere (IEEE 754), so NumPy's are taken; e^x and
e^x - 1 are not, and come from a Taylor polynomial in float64 with a bound of its error: where the bound leaves two
neighbouring floats possible, the number is enclosed in balls.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import factorial
from typing import Any, Final

import flint
import numpy as np
from sympy import Expr, Rational

from kltheory.numerics.balls import number, precision

REACH: Final = 2.0**-8
"""Where the polynomial is used: |x| below this."""
DEGREE: Final = 10
"""The first term left out is below 2^-80 of the value there."""
ERROR: Final = 2.0**-48
"""A bound of the relative error of the polynomial of e^x - 1 in float64: some twenty roundings at most, each 2^-53."""


@dataclass(frozen=True)
class Format:
    """A binary floating-point format: digits of the significand, the largest exponent, NumPy's name of it."""

    name: str
    digits: int
    largest: int

    @property
    def overflow(self) -> Expr:
        """From this value on, rounding to nearest gives infinity."""
        return (2 - Rational(1, 2**self.digits)) * 2**self.largest

    def neighbours(self, x: Fraction) -> tuple[Fraction, Fraction]:
        """The largest normal float at most x, and the next one."""
        exponent = _exponent(abs(x))
        unit = Fraction(2) ** (exponent - self.digits + 1)
        return (x // unit) * unit, (x // unit + 1) * unit

    def nearest(self, x: Fraction) -> Fraction:
        """The number of the format nearest to x, subnormal ones too; of two the even one.

        Raises:
            OverflowError: there is none but infinity.
        """
        exponent = max(_exponent(abs(x)), 1 - self.largest) if x else 0
        shift = self.digits - 1 - exponent  # in whole numbers: fractions would look for common divisors
        top, bottom = (x.numerator << shift, x.denominator) if shift > 0 else (x.numerator, x.denominator << -shift)
        units, rest = divmod(top, bottom)
        units += 2 * rest > bottom or (2 * rest == bottom and units % 2)
        if exponent > self.largest or abs(units) >> (self.largest + 1 + shift):
            raise OverflowError(f"{float(x)} overflows in {self.name}")
        return Fraction(units, 1 << shift) if shift > 0 else Fraction(units << -shift)


FORMATS: Final = {
    f.name: f for f in (Format("float32", 24, 127), Format("bfloat16", 8, 127), Format("float16", 11, 15))
}
"""Name, as JAX and NumPy have it, to format; float64 is what measures them."""
FLOAT64: Final = Format("float64", 53, 1023)


def _exponent(x: Fraction) -> int:
    e = x.numerator.bit_length() - x.denominator.bit_length()
    small = 1 << e if e >= 0 else 1
    return e if small * x.denominator <= x.numerator << max(-e, 0) else e - 1


RUN: Final = 2**18
"""Floats that are computed at once: an array of them, a megabyte, fits into a core's cache."""


@lru_cache(maxsize=2)
def binade(exponent: int, side: int) -> Any:
    """Every float32 x with 2^exponent ≤ |x| < 2^(exponent + 1) on one side of zero, shape (2^23,), read-only."""
    return _from(side * 2.0**exponent, 2**23)


def _from(first: float, count: int) -> Any:
    """A float32 and those that follow it, away from zero; read-only."""
    bits = np.float32(abs(first)).view(np.uint32)
    x = np.float32(np.sign(first)) * np.arange(bits, bits + count, dtype=np.uint32).view(np.float32)
    x.flags.writeable = False
    return x


@lru_cache(maxsize=128)
def _on_run(function: Callable[[Any], Any], first: float) -> Any:
    values = function(_from(first, RUN))
    values.flags.writeable = False
    return values


def _remembered(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function, computed once on each run of floats."""

    def remembering(x: Any) -> Any:
        first = float(x.flat[0])
        return _on_run(function, first) if np.array_equal(x, _from(first, RUN)) else function(x)

    return remembering


@_remembered
def expm1(x: Any) -> Any:
    """e^x - 1 rounded correctly to float32, for a float32 array with 0 < |x| < 2^-8."""
    value = _expm1(x)
    _, exponent = np.frexp(value)
    return _to_grid(value, exponent - 24, x)


@_remembered
def exp(x: Any) -> Any:
    """e^x rounded correctly to float32, for a float32 array with 0 < |x| < 2^-8."""
    value = _expm1(x)
    exponent = np.where(value < 0, -24, -23)  # of the unit in the last place, just below and just above 1
    return np.float32(1) + _to_grid(value, exponent, x)  # exact: both are multiples of the unit


def _expm1(x: Any) -> Any:
    if not (np.abs(x) < REACH).all() or not np.all(x):
        raise ValueError("only for 0 < |x| < 2^-8")
    wide, value = x.astype(np.float64), np.zeros(x.shape)
    for n in range(DEGREE, 0, -1):
        value = (value + 1 / factorial(n)) * wide
    return value


def _to_grid(value: Any, exponent: Any, x: Any) -> Any:
    """e^x - 1, near ``value``, rounded to the nearest multiple of 2^exponent; no tie occurs, as it is irrational."""
    scaled = np.ldexp(value, -exponent)
    nearest = np.rint(scaled)
    doubtful = np.flatnonzero(np.abs(np.abs(scaled - np.floor(scaled)) - 0.5) <= ERROR * np.abs(scaled))
    for i in doubtful:
        nearest.flat[i] = _enclosed(float(x.flat[i]), int(np.broadcast_to(exponent, x.shape).flat[i]))
    return np.ldexp(nearest, exponent).astype(np.float32)


def _enclosed(x: float, exponent: int) -> int:
    """(e^x - 1)/2^exponent to the nearest integer."""
    with precision(256):
        scaled = number(Fraction(x)).expm1() * flint.arb(2) ** -exponent
        return int((scaled + flint.arb(0.5)).floor().unique_fmpz())
