"""A number known as a ball, or exactly, for people and in JSON."""

from decimal import Decimal
from fractions import Fraction
from sys import float_info
from typing import Final

from flint import arb

from kltheory.numerics.balls import number as ball
from kltheory.numerics.balls import precision
from kltheory.numerics.enclosed import PRECISIONS

Number = arb | Fraction | float

DIGITS: Final = 5
"""Shown to people."""
LONGEST: Final = 10**6
"""An exponent from here on is itself written with so many digits."""


def shown(number: Number, digits: int = DIGITS) -> str:
    """The number for people: ``0`` only if it is exactly that, and a ball where its digits are not known."""
    x = _ball(number)
    if not x.is_finite():
        return "undefined"
    if x.is_zero():
        return "0"
    if x.rel_accuracy_bits() < 3 * digits:
        middle = "0" if x.contains(0) else shown(x.mid(), digits)
        return f"{middle} ± {shown(x.abs_upper() if x.contains(0) else x.rad(), 1)}"
    return f"{float(x.mid()):.{digits}g}" if _is_plain(x) else _written(x.mid(), digits)


def in_json(number: Number) -> float | str:
    """The number in JSON; a text where float64 cannot hold it: ``1.2346e+400``, ``0 ± 1e-305``, ``undefined``."""
    x = _ball(number)
    if x.is_zero():
        return 0.0
    text = shown(x, 15)
    return float(x.mid()) if _is_plain(x) and "±" not in text else text


def _ball(number: Number) -> arb:
    with precision(PRECISIONS[0]):
        return ball(number)


def _is_plain(x: arb) -> bool:
    """Whether float64 holds it, with all its digits."""
    return float_info.min <= abs(float(x.mid())) <= float_info.max


def _written(x: arb, digits: int) -> str:
    """In scientific notation, whatever the exponent."""
    mantissa, _, exponent = map(int, x.mid_rad_10exp(digits))
    drop = max(0, len(str(abs(mantissa))) - digits)
    figures = str((abs(mantissa) + 10**drop // 2) // 10**drop)
    power = exponent + drop + len(figures) - 1
    if abs(power) >= LONGEST:
        return f"{'-' * (mantissa < 0)}10^{Decimal(power):.{digits}g}"
    fraction = figures[1:].rstrip("0")
    return f"{'-' * (mantissa < 0)}{figures[0]}{'.' * bool(fraction)}{fraction}e{power:+03d}"
