"""A function traced in both frameworks is one surrogate: conditions, signs and infinities mean the same in them."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from sympy import Expr

from kltheory.calculus.cells import split
from kltheory.calculus.exact import is_zero
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import logp, logp_old, logp_ref
from kltheory.tracing.jaxpr import JaxTracer
from kltheory.tracing.torch_function import TorchTracer
from kltheory.tracing.trace import Input

torch = pytest.importorskip("torch", reason="PyTorch is not installed; `make test` installs it")
pytestmark = pytest.mark.torch

AT = {"p": (-0.7, logp), "r": (-1.1, logp_ref), "o": (-0.4, logp_old)}
INPUTS = {name: Input(np.array(x), np.array(s, dtype=object)) for name, (x, s) in AT.items()}
Function = Callable[..., Any]

ROWS: dict[str, Function] = {
    "equal numbers are so nowhere": lambda x, p, r, o: x.where(p == r, 1.0, p * 0.5),
    "unequal numbers are so everywhere": lambda x, p, r, o: x.where(p != r, p - r, o),
    "the same number": lambda x, p, r, o: x.where(p + r == r + p, p - r, o),
    "a number and itself clamped": lambda x, p, r, o: x.where(x.clip(p - r, -0.5, 0.5) == p - r, p - r, 0.0),
    "a number and itself clamped differ": lambda x, p, r, o: x.where(x.clip(p - r, -0.5, 0.5) != p - r, p - o, 0.0),
    "equal truth values": lambda x, p, r, o: x.where((p > r) == (p > o), p - r, 0.0),
    "exactly one": lambda x, p, r, o: x.where((p > r) ^ (p > o), p - r, 0.0),
    "both, either, neither": lambda x, p, r, o: (
        x.where((p > r) & (p < o), p, 0.0) + x.where((p > r) | ~(p < o), r * p, 0.0)
    ),
    "a sign": lambda x, p, r, o: x.sign(p - r) * p,
    "a sign alone": lambda x, p, r, o: x.sign(p - r),
    "a sign of a choice": lambda x, p, r, o: x.sign(x.where(p > o, p - r, r - p)) * p,
    "a condition on a choice": lambda x, p, r, o: x.where(x.where(p > r, p, o) > r, p - r, p * 2),
    "a choice in a choice": lambda x, p, r, o: x.where(p > r, x.where(p > o, p, r * p), x.where(r > o, o * p, 0.0)),
    "a truth value as a number": lambda x, p, r, o: (p > r) * (p - r) + ~(p > r) * (o - p),
    "a number as a truth value": lambda x, p, r, o: x.where(((p > r) * 1.0) != 0, p - r, 0.0),
    "nothing is above infinity": lambda x, p, r, o: x.where(p > x.inf, p, p - r),
    "all is above minus infinity": lambda x, p, r, o: x.where(p >= -x.inf, p - r, p),
    "nothing holds of nan": lambda x, p, r, o: x.where(p > x.nan, p, x.where(p * 0 + x.nan == x.nan, r, p - r)),
    "a masked logit": lambda x, p, r, o: x.exp(x.where(p > r, p, -x.inf)) * 2,
    "infinity takes what is added": lambda x, p, r, o: x.where(p > r, x.exp(p * 0 - x.inf + r), p - r),
    "the larger and the smaller": lambda x, p, r, o: x.maximum(p, r) - x.minimum(p * 2, o),
    "a bound": lambda x, p, r, o: x.clip(p - r, -1.0, 2.0) ** 2,
    "a size": lambda x, p, r, o: x.abs(p - r),
}
"""Of the module, log π, log π_ref and log π_old of one token."""

WRONG: dict[str, tuple[Function, Function]] = {
    "another side": (ROWS["a sign"], lambda x, p, r, o: x.sign(r - p) * p),
    "another relation": (ROWS["exactly one"], ROWS["equal truth values"]),
    "another bound": (ROWS["a bound"], lambda x, p, r, o: x.clip(p - r, -1.0, 2.5) ** 2),
    "within the clamp and beyond": (ROWS["a number and itself clamped"], ROWS["a number and itself clamped differ"]),
}


def in_jax(fn: Function) -> Expr:
    return JaxTracer().trace(lambda p, r, o: fn(jnp, p, r, o) + p * 0, INPUTS, {}).exprs.item()


def in_torch(fn: Function) -> Expr:
    return TorchTracer().trace(lambda p, r, o: fn(torch, p, r, o) + p * 0, INPUTS, {}).exprs.item()


def are_one(a: Expr, b: Expr) -> bool:
    """Whether value and derivative are the same in every cell."""
    gap = Surrogate.of(a) - Surrogate.of(b)
    return all(is_zero(e) for _, e in split(gap.value)) and gap.score().is_zero()


@pytest.mark.parametrize("name", ROWS)
def test_both_frameworks_trace_the_same_surrogate(name: str) -> None:
    assert are_one(in_jax(ROWS[name]), in_torch(ROWS[name]))


@pytest.mark.parametrize("name", WRONG)
def test_what_differs_is_told_apart(name: str) -> None:
    a, b = WRONG[name]
    assert not are_one(in_jax(a), in_torch(b))
    assert not are_one(in_torch(a), in_jax(b))
