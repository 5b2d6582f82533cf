"""Numbers that a person types: exact decimals and fractions, never rounded to a float on the way."""

from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Final

LARGEST: Final = 1000
"""Digits of a typed number, and its exponent to base 10, at most."""


class NotExact(Exception):
    """What was typed is no number that can be computed with; the message says why."""


def exact(word: str) -> Fraction:
    """The number of a text such as ``.25``, ``1e-320`` or ``1/3``.

    Raises:
        NotExact: it is no finite number, or one that nobody means.
    """
    top, bar, bottom = word.partition("/")
    denominator = _decimal(bottom) if bar else Fraction(1)
    if not denominator:
        raise NotExact(f"{shortened(word)} divides by zero")
    return _decimal(top) / denominator


def _decimal(word: str) -> Fraction:
    try:
        found = Decimal(word)
    except InvalidOperation:
        raise NotExact(f"{shortened(word)!r} is no number") from None
    if not found.is_finite():
        raise NotExact(f"{word} is not finite")
    if len(found.as_tuple().digits) > LARGEST or abs(found.adjusted()) > LARGEST:
        raise NotExact(f"{shortened(word)} has more than {LARGEST} digits")
    return Fraction(found)


def shortened(text: str, length: int = 40) -> str:
    """The text, its end left out where it is long."""
    return text if len(text) <= length else text[: length - 1] + "…"
