"""Simple numbers: the fraction that a number, perhaps rounded, was meant to be, and how it is written."""

from typing import Final

from sympy import Rational

MOST: Final = 10_000
"""The largest denominator of a simple number, unless told otherwise."""
NO_ACCIDENT: Final = 1e-3
"""Every number has fractions p/q within 1/q² of it; one that is meant is much nearer."""


def simple(x: float, most: int = MOST) -> Rational:
    """The simple number nearest to x, which may be of float32."""
    return Rational(x).limit_denominator(most)


def rounded(x: float, within: float, most: int = MOST) -> float:
    """That number where it is within this much of x, relative to x, and by no accident; else x itself."""
    near = simple(x, most)
    is_meant = abs(float(near) - x) * near.q**2 < NO_ACCIDENT
    return float(near) if is_meant and abs(float(near) - x) <= within * abs(x) else x


def written(x: float, most: int = MOST) -> str:
    """A fraction where x is a simple number, else six digits."""
    near = simple(x, most)
    return str(near) if float(near) == x else f"{x:.6g}"
