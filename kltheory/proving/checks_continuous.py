"""How engines see claims outside the categorical world: quadrature, tails, partial sums; no closed form is used."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from sympy import Expr, Rational, Symbol, exp

from kltheory.calculus.gaussian import Gaussian, x
from kltheory.numerics.balls import enclose, precision
from kltheory.numerics.bridge import NUMPY
from kltheory.proving.continuous import FiniteIff, GaussianMean, GeometricFiniteIff, GeometricSum
from kltheory.proving.verdict import Finding, Status

Numbers = dict[Symbol, Any]

VALUES: Final = (Rational(3, 10), Rational(11, 20), Rational(9, 10))
"""What each parameter is set to; the conditions met here hold for some and fail for others."""
TOLERANCE: Final = 1e-9
"""Relative error of the quadrature and of the partial sums."""
STEPS: Final = 4001
FAR: Final = (Rational(300), Rational(600))


def _choices(*exprs: Expr) -> Iterator[dict[Symbol, Rational]]:
    symbols = sorted({s for e in exprs for s in e.free_symbols} - {x, LENGTH}, key=str)
    for i in range(len(VALUES) ** min(len(symbols), 2)):  # all pairs of the first two; the rest follow along
        yield {s: VALUES[(i // 3 if j % 2 else i + j * i // 3) % 3] for j, s in enumerate(symbols)}


LENGTH: Final = Symbol("n", integer=True, nonnegative=True)


def _verdict(holds: bool, detail: str) -> Finding:
    return Finding("points", Status.HOLDS if holds else Status.FAILS, None, detail)


def gaussian_mean(claim: GaussianMean, at: Numbers) -> Iterator[Finding]:
    """The integral by the trapezoidal rule, which is exponentially accurate for such integrands."""
    worst = 0.0
    for chosen in _choices(claim.left, claim.right, claim.mean, claim.variance):
        numbers = {s: float(v) for s, v in chosen.items()}
        mean, variance, value = (float(NUMPY(e, numbers)) for e in (claim.mean, claim.variance, claim.right))
        grid = mean + np.sqrt(variance) * np.linspace(-20, 20, STEPS)
        with np.errstate(over="ignore", under="ignore"):
            density = np.exp(-((grid - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
            terms = density * NUMPY(claim.left, {**numbers, x: grid})
        found = float(np.nansum(terms) * (grid[1] - grid[0]))
        worst = max(worst, abs(found - value) / max(1.0, abs(value)))
    yield _verdict(worst <= TOLERANCE, f"off by {worst:.3g} of itself in quadrature")


def finite_iff(claim: FiniteIff, at: Numbers) -> Iterator[Finding]:
    """Whether density times integrand falls off far out, on either side, exactly where the condition holds."""
    wrong, seen = 0, set()
    for chosen in _choices(claim.left, claim.condition, claim.mean, claim.variance):
        law = Gaussian(claim.mean, claim.variance)
        falls = all(_falls(claim.left, law, {**chosen}, side) for side in (1, -1))
        condition = bool(claim.condition.xreplace(chosen) > 0)
        seen.add(condition)
        wrong += falls != condition
    yield _verdict(not wrong, f"{wrong} settings where the tails say otherwise; conditions met: {sorted(seen)}")


def _falls(left: Expr, law: Gaussian, chosen: dict[Symbol, Rational], side: int) -> bool:
    integrand = left * exp(law.log_density())
    with precision(256):
        near, far = (abs(enclose(integrand, {**chosen, x: side * d})) for d in FAR)
        return not far > near  # a ball around zero is no growth


def geometric_sum(claim: GeometricSum, at: Numbers) -> Iterator[Finding]:
    """Partial sums, where the terms fall."""
    worst, tried = 0.0, 0
    for chosen in _choices(claim.left, claim.right):
        numbers = {s: float(v) for s, v in chosen.items()}
        with np.errstate(all="ignore"):
            terms = np.asarray(NUMPY(claim.left, {**numbers, claim.length: np.arange(1000.0)}), dtype=np.float64)
        if not abs(terms[1]) < 0.99 * abs(terms[0]):
            continue
        tried += 1
        value = float(NUMPY(claim.right, numbers))
        worst = max(worst, abs(np.nansum(terms) - value) / max(1.0, abs(value)))
    yield _verdict(tried > 0 and worst <= TOLERANCE, f"off by {worst:.3g} in {tried} partial sums")


def geometric_finite_iff(claim: GeometricFiniteIff, at: Numbers) -> Iterator[Finding]:
    """Whether the terms fall exactly where the condition holds."""
    wrong = 0
    for chosen in _choices(claim.left, claim.condition):
        near, far = (claim.left.xreplace({**chosen, claim.length: Rational(k)}) for k in (500, 1000))
        wrong += bool(abs(far) <= abs(near) / 2) != bool(claim.condition.xreplace(chosen) > 0)
    yield _verdict(not wrong, f"{wrong} settings where the terms say otherwise")
