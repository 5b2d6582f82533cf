"""The lemmas about logits in numbers: both sides as they are written, against JAX's own Jacobian of log-softmax."""

from collections.abc import Callable, Iterator
from math import prod
from typing import Any, Final

import numpy as np
from sympy import Add, Dummy, Expr, Indexed, KroneckerDelta, Mul, Pow, Sum, exp, log

from kltheory.calculus import logits
from kltheory.numerics import autodiff
from kltheory.numerics.bridge import NotNumeric
from kltheory.numerics.settings import Array, Settings, standard_settings
from kltheory.numerics.tolerance import residual
from kltheory.proving.claims import Lemma
from kltheory.proving.verdict import Finding

SIZE: Final = 5
"""The vocabulary on which they are computed; a Jacobian costs a gradient for each action."""

Index = dict[Dummy, int]

HEADS: Final[dict[type, Callable[..., Any]]] = {
    Add: lambda *terms: sum(terms),
    Mul: lambda *factors: prod(factors),
    Pow: lambda base, power: base**power,
    exp: np.exp,
    log: np.log,
}


def spelled(expr: Expr, s: Settings, at: Index) -> Any:
    """A formula in θ_i, C_i, deltas and sums over the vocabulary: one number a setting, the free indices at actions.

    Raises:
        NotNumeric: it has another head.
    """
    if expr.is_Number:
        return float(expr)
    if isinstance(expr, Indexed):
        table = {logits.theta: s.policy, logits.C: s.advantage}[expr.base]
        return table[:, at[expr.indices[0]]]
    if isinstance(expr, KroneckerDelta):
        return float(at[expr.args[0]] == at[expr.args[1]])
    if isinstance(expr, Sum):
        index = expr.limits[0][0]
        return sum(spelled(expr.function, s, {**at, index: a}) for a in range(s.size))
    if expr.func not in HEADS:
        raise NotNumeric(f"{expr.func.__name__} has no numeric meaning in a lemma")
    return HEADS[expr.func](*(spelled(a, s, at) for a in expr.args))


def _everywhere(side: Expr, s: Settings) -> Array:
    """A side for every row i and column j, shape (N, V, V); it repeats where it is free of an index."""
    row, column = ([d for d in side.atoms(Dummy) if d.name == name] for name in "ij")
    out = np.empty((len(s.family), s.size, s.size))
    for a in range(s.size):
        for b in range(s.size):
            out[:, a, b] = spelled(side, s, dict.fromkeys(row, a) | dict.fromkeys(column, b))
    return out


def _direct(name: str, s: Settings, jacobian: Array) -> Array:
    """What the lemma of that name speaks of, with the Jacobian ∂log π_i/∂θ_j, shape (N, V, V), as the score."""
    p = np.exp(s.logp)
    weights = {"score": None, "mean_score": p, "coefficient": p * s.advantage}[name]
    if weights is None:
        return jacobian
    mean = np.einsum("ni,nij->nj", weights, jacobian)
    return np.repeat(mean[:, None, :], s.size, 1)


def lemma(claim: Lemma, at: object) -> Iterator[Finding]:
    """Both sides of the claim, spelled out, against what the lemma is about."""
    settings = tuple(s for s in standard_settings() if s.size == SIZE)
    jacobians = autodiff.log_softmax_jacobian(standard_settings(), SIZE)
    gaps = []
    for s, jacobian in zip(settings, jacobians, strict=True):
        direct = _direct(claim.name, s, jacobian)
        apart = [abs(_everywhere(side, s) - direct).max(1) for side in (claim.left, claim.right)]
        gaps.append(np.maximum(*apart))
    zero, ones = tuple(np.zeros_like(g) for g in gaps), tuple(np.ones(len(g)) for g in gaps)
    yield Finding.of("autodiff", residual(tuple(gaps), zero, ones, settings))
