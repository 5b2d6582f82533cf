"""The engines' view of claims about floats: what JAX computes, with its own exponentials."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from sympy import Expr, Symbol, nan

from kltheory.calculus.symbols import log_ratio
from kltheory.numerics import rounded
from kltheory.numerics.balls import number
from kltheory.numerics.bridge import jax_bridge
from kltheory.numerics.certificate import Certificate, Point, certify
from kltheory.numerics.nearest import computed
from kltheory.proving.floats import Computes, NegativeShare, OverflowsIff, evaluate
from kltheory.proving.verdict import Finding, Status

Numbers = dict[Symbol, Any]
ROUNDINGS = 64
"""How many roundings a finite result may be off."""


def _answer(holds: bool, detail: str) -> Finding:
    return Finding("points", Status.HOLDS if holds else Status.FAILS, None, detail)


def negative_share(claim: NegativeShare, at: Numbers) -> Iterator[Finding]:
    """Every float of the binade again, with JAX's functions, which need not round correctly."""
    import jax

    x = rounded.binade(claim.exponent, claim.side)

    def by_jax(name: str) -> Any:
        return lambda v: np.asarray(getattr(jax.numpy, name)(jax.numpy.asarray(v)))

    values = evaluate(claim.left, x, by_jax("exp"), by_jax("expm1"))
    yield _answer(claim.holds(values), f"{np.count_nonzero(values < 0) / values.size:.2%} negative by JAX")


def negative_witness(claim: NegativeShare, at: Numbers) -> Certificate | None:
    """Against "never negative": the first float at which it is; the number is exact."""
    if claim.at_most != 0 or not (negative := np.flatnonzero(claim.values() < 0)).size:
        return None
    where = Point(Fraction(float(rounded.binade(claim.exponent, claim.side)[negative[0]])))
    kind = rounded.FORMATS["float32"]
    words = f"the value in float32, as at {negative.size} of {2**23} floats,"
    return certify(
        lambda _: words, lambda x: ({None: number(computed(claim.left, x.l, kind))}, {None: number(0)}), where, -1
    )


def overflows_iff(claim: OverflowsIff, at: Numbers) -> Iterator[Finding]:
    """All numbers of the format in a neighbourhood of the bound, by JAX."""
    import jax

    kind, bound = rounded.FORMATS[claim.format], float(claim.bound)
    x = _around(kind, Fraction(bound))
    found = np.asarray(_jax(claim.left, jax.numpy.asarray(x, dtype=claim.format)), dtype=np.float64)
    beyond = np.isposinf(found)
    holds = bool((beyond == (x < bound)).all()) and beyond.any() and not beyond.all()
    yield _answer(bool(holds), f"{np.count_nonzero(beyond)} of {x.size} floats between {x[0]:g} and {x[-1]:g} overflow")


def _around(kind: rounded.Format, centre: Fraction, reach: int = 4096) -> Any:
    """Up to ``reach`` floats of the format on each side, all within a factor of two."""
    unit = kind.neighbours(centre)[1] - kind.neighbours(centre)[0]
    steps = range(-min(reach, int(abs(centre) / 3 / unit)), min(reach, int(abs(centre) / 3 / unit)))
    start = kind.neighbours(centre)[0]
    return np.array([float(start + k * unit) for k in steps])


def computes(claim: Computes, at: Numbers) -> Iterator[Finding]:
    """JAX's value and gradient at that number of the format."""
    import jax

    point = jax.numpy.asarray(float(claim.at), dtype=claim.format)
    found = jax.value_and_grad(lambda x: _jax(claim.left.expr, x))(point)
    unit = 2.0 ** -rounded.FORMATS[claim.format].digits
    shown = [float(v) for v in found]
    holds = all(_close(v, e, unit) for v, e in zip(shown, (claim.value, claim.gradient), strict=True))
    yield _answer(holds, f"value {shown[0]:.6g}, derivative {shown[1]:.6g} by JAX")


def _close(found: float, expected: Expr, unit: float) -> bool:
    if expected is nan:
        return bool(np.isnan(found))
    wanted = float(expected)
    if not np.isfinite(wanted):
        return found == wanted
    return bool(abs(found - wanted) <= ROUNDINGS * unit * abs(wanted))


def _jax(expr: Expr, x: Any) -> Any:
    """The formula by JAX, op by op, in the type of x."""
    return jax_bridge()(expr, {log_ratio: x})
