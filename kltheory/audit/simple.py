"""Simple numbers: the fraction that a number, perhaps rounded, was meant to be, and how it is written."""

from typing import Final

from sympy import Rational

MOST: Final = 10_000
"""The largest denominator of a simple number, unless told otherwise."""


def simple(x: float, most: int = MOST) -> Rational:
    """The simple number nearest to x, which may be of float32."""
    return Rational(x).limit_denominator(most)


def rounded(x: float, within: float, most: int = MOST) -> float:
    """That number where it is within this much of x, relative to x; else x itself."""
    near = float(simple(x, most))
    return near if abs(near - x) <= within * abs(x) else x


def written(x: float, most: int = MOST) -> str:
    """A fraction where x is a simple number, else six digits."""
    near = simple(x, most)
    return str(near) if float(near) == x else f"{x:.6g}"
