"""Exact numbers for the constants of a program: what was typed, and not what the machine made of it."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from sympy import Expr, Rational, S, nan, oo

from kltheory.tracing.jax.values import Array


def exact(value: float, dtype: Any) -> tuple[Expr, str | None]:
    """An exact number for a constant of this type, and the narrower type it had been rounded to, if any."""
    if (found := _simple(value, int(finfo(dtype).precision), dtype.type)) is not None:
        return found, None
    if dtype == np.float64 and (found := _single(value)) is not None:
        return found, "float32"
    return Rational(repr(value)), None


def is_exact(x: Array, dtype: Any) -> bool:
    """Whether each rational entry is a number of this type."""
    return all(not e.is_Rational or Rational(float(np.asarray(float(e), dtype))) == e for e in x.flat)


def finfo(dtype: Any) -> Any:
    """The limits of a floating type, JAX's own types among them."""
    from jax import numpy

    limits: Any = numpy.finfo
    return limits(dtype)


@lru_cache(maxsize=4096)
def _simple(value: float, precision: int, rounds: Callable[[float], float]) -> Expr | None:
    """The simplest number that rounds to ``value``: an integer, a short decimal or a small fraction, if there is one.

    So ``0.1`` is 1/10 and ``float32(0.2)`` is 1/5.

    Args:
        value: a number of the floating type.
        precision: how many decimal digits the type can always hold.
        rounds: float64 to the nearest number of the type.
    """
    if not np.isfinite(value):
        return nan if np.isnan(value) else oo if value > 0 else -oo
    if value.is_integer() and abs(value) < 2**53:
        return S(int(value))
    with np.errstate(over="ignore"):
        for digits in range(1, precision + 1):
            if rounds(float(text := f"{value:.{digits}g}")) == value:
                return Rational(text)
        fraction = Rational(value).limit_denominator(100)
        return fraction if rounds(float(fraction)) == value else None


def _single(value: float) -> Expr | None:
    with np.errstate(over="ignore", under="ignore"):
        return _simple(value, 6, np.float32) if float(np.float32(value)) == value else None
