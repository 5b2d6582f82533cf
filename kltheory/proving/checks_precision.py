"""The engines' view of claims about floating point: JAX evaluates the formula in that type, float64 is the reference."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sympy import Symbol, exp

from kltheory.calculus.symbols import log_ratio
from kltheory.numerics.autodiff import scope
from kltheory.numerics.bridge import jax_bridge
from kltheory.proving.precision import AccurateIn, FiniteIn, FiniteSlopeIn, points
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
    # JAX's exp may differ from NumPy's by a rounding: near the bound they need not agree.
    holds = error <= 2 * float(claim.bound)
    yield Finding("points", Status.HOLDS if holds else Status.FAILS, None, f"relative error {error:.3g} in JAX")


def finite(claim: FiniteIn, at: Numbers) -> Iterator[Finding]:
    """The same formula in JAX."""
    with scope():
        import jax

        value = jax_bridge()(claim.left, {log_ratio: jax.numpy.asarray(float(claim.at), dtype=claim.dtype)})
        holds = bool(np.isfinite(np.asarray(value, dtype=np.float64))) == claim.finite
    yield Finding("points", Status.HOLDS if holds else Status.FAILS, None, f"{float(value):.3g} in JAX")


def finite_slope(claim: FiniteSlopeIn, at: Numbers) -> Iterator[Finding]:
    """The chain rule by hand: the derivative of the outer clamp times that of the inner exponential, in NumPy."""
    kind = np.dtype(claim.dtype).type
    with np.errstate(all="ignore"):
        inner = claim.left.atoms(exp)
        factors = [kind(np.exp(kind(float(e.args[0].xreplace({log_ratio: claim.at}))))) for e in inner]
        outer = kind(0.0 if not np.isfinite(factors).all() else 1.0)
        product = [outer * f for f in factors]
    holds = bool(np.isfinite(product).all()) == claim.finite
    yield Finding("points", Status.HOLDS if holds else Status.FAILS, None, f"factors {factors}, times {outer}")


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
