"""Claims about the relative error of a formula in l in a float type; signs and overflow are in ``floats``."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from sympy import Expr, Rational

from kltheory.calculus.notation import text
from kltheory.calculus.symbols import log_ratio
from kltheory.numerics.balls import enclose, precision
from kltheory.numerics.bridge import NUMPY

POINTS: Final = 512
"""Values of l tried on each side of zero."""
BITS: Final = 160
"""Precision of the exact values; their balls are far narrower than what they are compared with."""

Numbers = np.ndarray[tuple[int, ...], Any]


@lru_cache(maxsize=64)
def points(dtype: str, exponent: int) -> Numbers:
    """Evenly spaced numbers of the type with 2^exponent ≤ |l| < 2^(exponent+1), both signs."""
    rounded = np.linspace(1, 2, POINTS, endpoint=False, dtype=np.float64) * 2.0**exponent
    positive = rounded.astype(number_type(dtype))
    return np.concatenate([-positive[::-1], positive])


def number_type(name: str) -> Any:
    """float64, float32, float16, or bfloat16 as JAX has it."""
    if name == "bfloat16":
        from ml_dtypes import bfloat16

        return np.dtype(bfloat16)
    return np.dtype(name)


@lru_cache(maxsize=256)
def computed(expr: Expr, dtype: str, exponent: int) -> tuple[float, ...]:
    """The formula at the points, every operation rounded to the type; constants are rounded to it first."""
    at = points(dtype, exponent)
    kind = at.dtype.type

    def constant(e: Any) -> Any:
        value = NUMPY.constant(e)
        return None if value is None else kind(value)

    with np.errstate(all="ignore"):
        value = type(NUMPY)(NUMPY.heads, constant)(expr, {log_ratio: at})
    return tuple(float(x) for x in np.asarray(value, dtype=np.float64))


@lru_cache(maxsize=256)
def relative_errors(expr: Expr, exact: Expr, dtype: str, exponent: int) -> tuple[float, ...]:
    """|computed - exact|/|exact| at each point, rounded up; the exact value is a ball at the very number l."""
    out = []
    with precision(BITS):
        for x, y in zip(points(dtype, exponent), computed(expr, dtype, exponent), strict=True):
            value = enclose(exact, {log_ratio: Rational(*float(x).as_integer_ratio())})
            error = (enclose(Rational(*y.as_integer_ratio()), {}) - value) / value if np.isfinite(y) else None
            out.append(float("inf") if error is None else float(abs(error).upper()))
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
        at, value = points(self.dtype, self.exponent), computed(self.left, self.dtype, self.exponent)
        return float(at[i]), errors[i], value[i]

    def __str__(self) -> str:
        return (
            f"{text(self.left)} in {self.dtype} is {text(self.exact)} within a factor 1 ± {self.bound} "
            f"where 2^{self.exponent} ≤ |l| < 2^{self.exponent + 1}"
        )
