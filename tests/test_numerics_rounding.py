"""The running error bound of a formula: float32 keeps within it and comes near it; near a branch nothing is claimed."""

import numpy as np
import pytest
from sympy import Abs, Heaviside, Max, Min, Piecewise, Rational, exp, log, sign, symbols

from kltheory.calculus.symbols import sg
from kltheory.numerics.bridge import NUMPY
from kltheory.numerics.rounding import rounding_scale

EPS = 2.0**-24
x, y = symbols("x y", real=True)
FORMULAS = {
    "k3": exp(-x) - 1 + x,
    "a square": (x - y) ** 2 / 2,
    "a quotient": x / (1 + y**2),
    "softplus": log(1 + exp(x)),
    "a square that cancels": (exp(x) - exp(x * (1 + y / 1000))) ** 2,
    "a root": (1 + x**2) ** Rational(1, 2),
    "a clamp": Min(Max(x * y, -1), 1),
    "a distance, detached": Abs(x - y) * sg(x),
    "a sign": sign(x) * exp(y) + Heaviside(y) * exp(x),
    "in pieces": Piecewise((x * y, x < 1), (x**2, y > 0), (3 * y, True)),
}
RANDOM = np.random.default_rng(3)
SINGLE = {s: RANDOM.normal(0, 2, 2000).astype(np.float32) for s in (x, y)}
DOUBLE = {s: v.astype(np.float64) for s, v in SINGLE.items()}


@pytest.mark.parametrize("name", FORMULAS)
def test_single_precision_stays_within_the_bound_and_comes_near_it(name):
    found = np.asarray(NUMPY(FORMULAS[name], SINGLE), dtype=np.float64)
    off = np.abs(found - NUMPY(FORMULAS[name], DOUBLE)) / EPS
    scale = np.broadcast_to(rounding_scale(FORMULAS[name], DOUBLE, EPS), off.shape)
    assert np.isfinite(scale).all()
    assert (off <= scale).all()
    assert (off > scale / 50).any()


@pytest.mark.parametrize(
    ("expr", "at"),
    [
        (Piecewise((x, x < 1), (x**2, True)), 1.0),
        (Piecewise((x, True)) + sign(x - 2), 2.0),
        (Heaviside(x - 3), 3.0),
    ],
)
def test_where_rounding_takes_another_branch_nothing_is_claimed(expr, at):
    near, far = (float(rounding_scale(expr, {x: np.array(a)}, EPS)) for a in (at, at + 0.5))
    assert near == np.inf
    assert far < 20
