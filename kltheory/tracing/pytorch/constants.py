"""Constants: the exact number that was meant by a float, such as 1/10 by 0.1."""

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from math import log10
from typing import Any

import numpy as np
from sympy import Basic, Expr, Integer, Rational, S, nan, oo

from kltheory.tracing.pytorch.entries import NoExpression
from kltheory.tracing.pytorch.tensors import Tensor, torch_module


@lru_cache(maxsize=65536)
def exact(value: float, dtype: Any = None) -> Expr:
    """The number that was meant by a float of this type (float64): a short decimal or a small fraction, if it is one.

    A float64 that was a float32 before is recognised.
    """
    if not np.isfinite(value):
        return nan if value != value else oo if value > 0 else -oo
    if value.is_integer() and abs(value) < 2**53:
        return Integer(int(value))
    torch = torch_module()
    dtype = dtype or torch.float64
    found = _short(value, dtype)
    if found is None and dtype == torch.float64 and torch.tensor(value, dtype=torch.float32).item() == value:
        found = _short(value, torch.float32)
    return next(_decimals(value, dtype, 18)) if found is None else found


def _short(value: float, dtype: Any) -> Expr | None:
    eps = torch_module().finfo(dtype).eps
    fraction = Fraction(value).limit_denominator(int(eps**-0.25))
    if (found := next(_decimals(value, dtype, int(-log10(eps))), None)) is None and _rounds(fraction, value, dtype):
        return Rational(fraction.numerator, fraction.denominator)
    return found


def _decimals(value: float, dtype: Any, most: int) -> Iterator[Expr]:
    """The decimals of at most so many digits that round to the value, the shortest first."""
    texts = (f"{value:.{digits}e}" for digits in range(most))
    return (Rational(text) for text in texts if _rounds(text, value, dtype))


def _rounds(number: Any, value: float, dtype: Any) -> bool:
    return bool(torch_module().tensor(float(number), dtype=dtype).item() == value)


def rounded_to(t: Tensor) -> Any:
    """The type that the numbers of a constant were rounded to: Boolean if they are exact."""
    torch = torch_module()
    values = [x for x in t.detach().reshape(-1).tolist() if isinstance(x, float) and np.isfinite(x)]
    if all(exact(x, t.dtype) == Rational(x) for x in values):
        return torch.bool
    return torch.float32 if t.dtype == torch.float64 and any(float(exact(x)) != x for x in values) else t.dtype


def constant(value: Any, dtype: Any) -> Basic:
    """A Python number as an entry; a float is one of this type."""
    if isinstance(value, bool):
        return S.true if value else S.false
    if isinstance(value, int):
        return Integer(value)
    if isinstance(value, float):
        return exact(value, dtype)
    raise NoExpression(f"a {type(value).__name__}")
