"""The numeric view of claims about rounding errors: JAX evaluates the formula, a Taylor polynomial is exact."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sympy import Symbol

from kltheory.calculus.symbols import log_ratio
from kltheory.numerics.autodiff import scope
from kltheory.numerics.bridge import jax_bridge
from kltheory.proving.precision import AccurateIn, points
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


def accuracy_witness(claim: AccurateIn, at: Numbers) -> dict[str, Any] | None:
    """The l with the largest error, certainly above the bound."""
    if claim.decide():
        return None
    where, error, value = claim.worst()
    return {
        "l": repr(where),
        "computed": repr(value),
        "value": {"mid": f"{error:.6g}", "rad": "0"},
        "text": f"at l = {where!r} it comes out as {value:.6g}, off by {error:.3g} of the exact value",
    }
