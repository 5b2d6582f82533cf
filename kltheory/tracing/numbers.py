"""Exact numbers for the constants of a program: what was typed, such as 1/10 by 0.1, not what a machine made of it."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final

import numpy as np
from sympy import Expr, Rational, S, nan, oo

DENOMINATORS: Final = {True: 8192, False: 100}
"""The largest of a fraction that was meant: in float64, and in coarser types, where some fraction is near any."""
DIGITS: Final = {"float64": 15, "float32": 6}
"""How many decimal digits a type can always hold."""


@lru_cache(maxsize=65536)
def meant(value: float, digits: int, rounds: Callable[[float], float]) -> Expr | None:
    """The simplest number that rounds to ``value``: an integer, a short decimal or a small fraction, if there is one.

    Args:
        value: a number of the floating type.
        digits: how many decimal digits the type can always hold.
        rounds: float64 to the nearest number of the type.
    """
    if not np.isfinite(value):
        return nan if np.isnan(value) else oo if value > 0 else -oo
    if value.is_integer() and abs(value) < 2**53:
        return S(int(value))
    with np.errstate(over="ignore"):
        if (found := next(decimals(value, digits, rounds), None)) is not None:
            return found
        fraction = Rational(value).limit_denominator(DENOMINATORS[digits >= DIGITS["float64"]])
        return fraction if rounds(float(fraction)) == value else None


def decimals(value: float, digits: int, rounds: Callable[[float], float]) -> Iterator[Expr]:
    """The decimals of at most so many digits that round to the value, the shortest first; of 17 there is one."""
    texts = (f"{value:.{n}g}" for n in range(1, digits + 1))
    return (Rational(text) for text in texts if rounds(float(text)) == value)


def meant_in_single(value: float) -> Expr | None:
    """The same of a float64 that was a float32 before; ``None`` where it was none."""
    with np.errstate(over="ignore", under="ignore"):
        return meant(value, DIGITS["float32"], _single) if _single(value) == value else None


def _single(value: float) -> float:
    return float(np.float32(value))
