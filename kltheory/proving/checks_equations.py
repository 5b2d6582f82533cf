"""The numeric view of claims about equations: finite differences of the family at points, with the constants set."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from sympy import Derivative, Symbol

from kltheory.calculus.symbols import log_ratio
from kltheory.numerics.bridge import NUMPY
from kltheory.proving.equations import Forces, h
from kltheory.proving.verdict import Finding, Status

Numbers = dict[Symbol, Any]

STEP: Final = 1e-3
POINTS: Final = np.linspace(-2, 2, 9)


def forces(claim: Forces, at: Numbers) -> Iterator[Finding]:
    """The residual with central differences in place of derivatives, and how far the constants reach."""

    def family(x: Any, numbers: Numbers) -> Any:
        return NUMPY(claim.right, {**{s: float(v) for s, v in numbers.items()}, log_ratio: x}) + 0 * x

    values: dict[Any, Any] = {h: family(POINTS, at)}
    for d in claim.left.atoms(Derivative):
        n = int(d.derivative_count)
        stencil = [(-1) ** k * _binomial(n, k) * family(POINTS + (n / 2 - k) * STEP, at) for k in range(n + 1)]
        values[d] = sum(stencil) / STEP**n
    names = {e: Symbol(f"y{i}") for i, e in enumerate(values)}
    filled = {names[e]: v for e, v in values.items()}
    residual = NUMPY(claim.left.xreplace(names), {**{s: float(v) for s, v in at.items()}, log_ratio: POINTS, **filled})
    worst = float(np.max(np.abs(residual + 0 * POINTS)))
    moved = [family(POINTS, {**at, c: 1 + at.get(c, 0)}) - family(POINTS, at) for c in claim.constants]
    free = np.linalg.matrix_rank(np.array(moved), tol=1e-9) if moved else 0
    order = max((int(d.derivative_count) for d in claim.left.atoms(Derivative)), default=0)
    holds = worst < 1e-5 and free == order
    yield Finding(
        "points", Status.HOLDS if holds else Status.FAILS, None, f"residual {worst:.3g}, {free} free constants"
    )


def _binomial(n: int, k: int) -> int:
    from math import comb

    return comb(n, k)
