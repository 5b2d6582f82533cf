"""Exact numbers for the constants of a jaxpr."""

from typing import Any

import numpy as np
from sympy import Expr, Rational

from kltheory.tracing.jax.values import Array
from kltheory.tracing.numbers import decimals, meant, meant_in_single


def exact(value: float, dtype: Any) -> tuple[Expr, str | None]:
    """An exact number for a constant of this type, and the narrower type it had been rounded to, if any."""
    if (found := meant(value, int(finfo(dtype).precision), dtype.type)) is not None:
        return found, None
    if dtype == np.float64 and (found := meant_in_single(value)) is not None:
        return found, "float32"
    return next(decimals(value, 17, dtype.type)), None


def is_exact(x: Array, dtype: Any) -> bool:
    """Whether each rational entry is a number of this type."""
    return all(not e.is_Rational or Rational(float(np.asarray(float(e), dtype))) == e for e in x.flat)


def finfo(dtype: Any) -> Any:
    """The limits of a floating type, JAX's own types among them."""
    from jax import numpy

    limits: Any = numpy.finfo
    return limits(dtype)
