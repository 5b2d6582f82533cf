"""A complaint: what an answer says, and what the oracle finds instead."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import mpmath
from fuzz.dual import TooFar

PRECISIONS: Final = (50, 200, 1000)
"""Digits: two numbers that differ at one of them by cancellation agree at another."""
DEEP: Final = (2500,)
"""Digits for differences that are tiny beside what they are differences of."""
KINK: Final = mpmath.mpf("1e-20")
"""Relative distance within which two compared values are too close to tell the sides of a kink apart."""
SHOWN: Final = mpmath.mpf("1e-5")
"""The same for thresholds that are printed with seven digits."""


@dataclass(frozen=True)
class Complaint:
    """A kind, what is said, and what is so, with numbers."""

    kind: str
    said: str
    right: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.said} | {self.right}"


def close(a: Any, b: Any) -> bool:
    """Whether two numbers agree but for rounding."""
    return bool(abs(a - b) <= rounding() * max(1, abs(a), abs(b)))


def rounding() -> Any:
    """The relative error of a calculation that has lost some digits."""
    return mpmath.mpf(10) ** -(mpmath.mp.dps * 3 // 5)


def always_fails(test: Callable[[], str], precisions: Sequence[int] = PRECISIONS) -> str:
    """What a test says at the highest precision, if it says something at every precision; else nothing."""
    said = ""
    for digits in precisions:
        with mpmath.workdps(digits):
            try:
                said = test()
            except TooFar:
                return ""
        if not said:
            return ""
    return said
