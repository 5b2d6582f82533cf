"""The numeric view of claims about rounding errors: JAX evaluates the formula, a Taylor polynomial is exact."""

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from math import isfinite
from typing import Any, Final

import numpy as np
from sympy import Expr, Symbol

from kltheory.calculus.symbols import log_ratio
from kltheory.numerics.autodiff import scope
from kltheory.numerics.balls import enclose, number
from kltheory.numerics.bridge import jax_bridge
from kltheory.numerics.certificate import Certificate, Point, certify
from kltheory.numerics.nearest import computed
from kltheory.proving.precision import TYPES, AccurateIn, points, relative_errors
from kltheory.proving.verdict import Finding, Status

Numbers = dict[Symbol, Any]

TERMS: Final = 12
"""Of the Taylor polynomial; what is left out is far below a rounding near 0."""


def accurate(claim: AccurateIn, at: Numbers) -> Iterator[Finding]:
    """JAX op by op in the type, against a long Taylor polynomial in float64, which has no cancellation near 0."""
    x = points(claim.dtype, claim.exponent)
    exact = sum(c * x.astype(np.float64) ** n for n, c in enumerate(_taylor(claim.exact)) if c)
    with scope():
        import jax

        value = np.asarray(jax_bridge()(claim.left, {log_ratio: jax.numpy.asarray(x)}), dtype=np.float64)
    error = float(np.max(np.abs(value - exact) / np.abs(exact)))
    holds = error <= float(claim.bound)
    yield Finding("points", Status.HOLDS if holds else Status.FAILS, None, f"relative error {error:.3g} in JAX")


@lru_cache(maxsize=64)
def _taylor(expr: Expr) -> tuple[float, ...]:
    """The coefficients at l = 0; kept, since mutants are held against the same formula."""
    series = expr.series(log_ratio, 0, TERMS).removeO()
    return tuple(float(series.coeff(log_ratio, n)) for n in range(TERMS))


def accuracy_witness(claim: AccurateIn, at: Numbers) -> Certificate | None:
    """The l with the largest finite error, where it is certainly above the bound."""

    def sides(point: Point) -> tuple[dict[None, Any], dict[None, Any]]:
        exact = enclose(claim.exact, {log_ratio: point.l})
        error = (number(computed(claim.left, point.l, TYPES[claim.dtype])) - exact) / exact
        return {None: abs(error)}, {None: enclose(claim.bound, {})}

    errors = relative_errors(claim.left, claim.exact, claim.dtype, claim.exponent)
    worst = max((i for i, error in enumerate(errors) if isfinite(error)), key=errors.__getitem__)
    place = Point(Fraction(float(points(claim.dtype, claim.exponent)[worst])))
    return certify(lambda _: f"the relative error in {claim.dtype}", sides, place, 1)
