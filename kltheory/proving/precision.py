"""Claims about the relative error of a formula in l in a float type; signs and overflow are in ``floats``."""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import inf, isfinite
from typing import Any, Final

import numpy as np
from sympy import Expr

from kltheory.calculus.exact import Undecidable
from kltheory.calculus.notation import text
from kltheory.calculus.symbols import log_ratio
from kltheory.numerics.balls import Ambiguous, enclose, number, precision
from kltheory.numerics.nearest import computed
from kltheory.numerics.rounded import FLOAT64, FORMATS

POINTS: Final = 500
"""Values of l tried on each side of zero; steps of a power of two would all round alike."""
BITS: Final = 160
"""Precision of the exact values; their balls are far narrower than what they are compared with."""

TYPES: Final = {**FORMATS, "float64": FLOAT64}
"""Name of a type to its format."""

Numbers = np.ndarray[tuple[int, ...], Any]


@lru_cache(maxsize=64)
def points(dtype: str, exponent: int) -> Numbers:
    """Evenly spaced numbers of the type with 2^exponent ≤ |l| < 2^(exponent+1), both signs."""
    exact = ((1 + Fraction(i, POINTS)) * Fraction(2) ** exponent for i in range(POINTS))
    positive = np.array([float(TYPES[dtype].nearest(x)) for x in exact]).astype(number_type(dtype))
    return np.concatenate([-positive[::-1], positive])


def number_type(name: str) -> Any:
    """float64, float32, float16, or bfloat16 as JAX has it."""
    if name == "bfloat16":
        from ml_dtypes import bfloat16

        return np.dtype(bfloat16)
    return np.dtype(name)


@lru_cache(maxsize=256)
def values(expr: Expr, dtype: str, exponent: int) -> tuple[float, ...]:
    """The formula at the points, every operation rounded correctly to the type; infinite where one overflows."""
    return tuple(_value(expr, Fraction(float(x)), dtype) for x in points(dtype, exponent))


def _value(expr: Expr, at: Fraction, dtype: str) -> float:
    try:
        return float(computed(expr, at, TYPES[dtype]))
    except OverflowError:
        return inf
    except Ambiguous as e:
        raise Undecidable(f"{expr} at l = {float(at)!r} in {dtype}: {e}") from None


@lru_cache(maxsize=256)
def relative_errors(expr: Expr, exact: Expr, dtype: str, exponent: int) -> tuple[float, ...]:
    """|computed - exact|/|exact| at each point, rounded up; the exact value is a ball at the very number l."""
    out = []
    with precision(BITS):
        for x, y in zip(points(dtype, exponent), values(expr, dtype, exponent), strict=True):
            value = enclose(exact, {log_ratio: Fraction(float(x))})
            out.append(float(abs((number(Fraction(y)) - value) / value).upper()) if isfinite(y) else inf)
    return tuple(out)


@dataclass(frozen=True)
class AccurateIn:
    """Evaluated in a float type, ``left`` is within a relative error of ``exact`` at evenly spaced l of one binade."""

    left: Expr
    exact: Expr
    dtype: str
    exponent: int
    bound: Expr

    def decide(self) -> bool:
        """Whether the largest relative error, enclosed in balls, is at most the bound."""
        return self.worst()[1] <= float(self.bound)

    def worst(self) -> tuple[float, float, float]:
        """Where the relative error is largest: l, the error, and what was computed there."""
        errors = relative_errors(self.left, self.exact, self.dtype, self.exponent)
        i = int(np.argmax(errors))
        at, found = points(self.dtype, self.exponent), values(self.left, self.dtype, self.exponent)
        return float(at[i]), errors[i], found[i]

    def __str__(self) -> str:
        return (
            f"{text(self.left)} in {self.dtype} is {text(self.exact)} within a factor 1 ± {self.bound} "
            f"where 2^{self.exponent} ≤ |l| < 2^{self.exponent + 1}"
        )
