"""Constants: the exact number that was meant by a float, such as 1/10 by 0.1."""

from collections.abc import Callable
from functools import lru_cache
from math import log10
from typing import Any

import numpy as np
from sympy import Basic, Expr, Integer, Rational, S

from kltheory.tracing.entries import NoExpression
from kltheory.tracing.numbers import decimals, meant, meant_in_single
from kltheory.tracing.pytorch.tensors import Tensor, torch_module


def exact(value: float, dtype: Any = None) -> Expr:
    """The number that was meant by a float of this type (float64): a short decimal or a small fraction, if it is one.

    A float64 that was a float32 before is recognised.
    """
    torch = torch_module()
    dtype = dtype or torch.float64
    found = meant(value, int(-log10(torch.finfo(dtype).eps)), _rounding(dtype))
    if found is None and dtype == torch.float64:
        found = meant_in_single(value)
    return next(decimals(value, 17, _rounding(dtype))) if found is None else found


@lru_cache(maxsize=8)
def _rounding(dtype: Any) -> Callable[[float], float]:
    """float64 to the nearest number of this type; one function for each, so that what was found is found again."""
    return lambda x: float(torch_module().tensor(x, dtype=dtype).item())


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
