"""The numeric view of claims about rounding errors: JAX evaluates the formula, a Taylor polynomial is exact."""

from collections.abc import Iterator
from fractions import Fraction
from math import isfinite
from typing import Any

import numpy as np
from sympy import Symbol

from kltheory.calculus.symbols import log_ratio
from kltheory.numerics.autodiff import scope
from kltheory.numerics.balls import enclose, number
from kltheory.numerics.bridge import jax_bridge
from kltheory.numerics.certificate import Certificate, Point, certify
from kltheory.numerics.nearest import computed
from kltheory.proving.precision import TYPES, AccurateIn, points, relative_errors
from kltheory.proving.verdict import Finding, Status

Numbers = dict[Symbol, Any]


def accurate(claim: AccurateIn, at: Numbers) -> Iterator[Finding]:
    """JAX op by op in the type, against a long Taylor polynomial in float64, which has no cancellation near 0."""
    x = points(claim.dtype, claim.exponent)
    series = claim.exact.series(log_ratio, 0, 12).removeO()
    powers = [float(series.coeff(log_ratio, n)) for n in range(12)]
    exact = sum(c * x.astype(np.float64) ** n for n, c in enumerate(powers) if c)
    with scope():
        import jax

        value = np.asarray(jax_bridge()(claim.left, {log_ratio: jax.numpy.asarray(x)}), dtype=np.float64)
    error = float(np.max(np.abs(value - exact) / np.abs(exact)))
    holds = error <= float(claim.bound)
    yield Finding("points", Status.HOLDS if holds else Status.FAILS, None, f"relative error {error:.3g} in JAX")


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
