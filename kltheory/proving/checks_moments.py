"""How engines see claims about means: sums over the vocabulary, and gradients written out action by action."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from sympy import Abs, Expr, Symbol

from kltheory.calculus.concrete import at_action
from kltheory.calculus.moments import map_means
from kltheory.calculus.surrogate import Sampler
from kltheory.numerics import autodiff, enumeration
from kltheory.numerics.bridge import NUMPY
from kltheory.numerics.settings import Array, Settings
from kltheory.numerics.tolerance import residual
from kltheory.proving.instances import settings_for
from kltheory.proving.moments import AlwaysSign, GradientBound, OnTwoActions, SameMoment, SignAt, TraceVariance
from kltheory.proving.verdict import Finding, Status

Numbers = dict[Symbol, object]


def size_of(expr: Expr, settings: tuple[Settings, ...], at: Numbers) -> tuple[Array, ...]:
    """The scale rounding works on: the formula with every mean of f replaced by the mean of |f|, terms by magnitude."""
    sizes = [enumeration.moment(term, settings, at) for term in _magnitudes(expr)]
    return tuple(np.sum(batch, axis=0) for batch in zip(*sizes, strict=True))


@lru_cache(maxsize=256)
def _magnitudes(expr: Expr) -> tuple[Expr, ...]:
    """The terms, |f| for f in each mean as well; kept, since mutants share a side."""
    return tuple(Abs(map_means(t, Abs)) for t in expr.expand().as_ordered_terms())


def same_moment(claim: SameMoment, at: Numbers) -> Iterator[Finding]:
    """Both sides as written, by sums over the vocabulary."""
    settings = settings_for(claim, at)
    left, right = (enumeration.moment(e, settings, at) for e in (claim.left, claim.right))
    sizes = (size_of(e, settings, at) for e in (claim.left, claim.right))
    scale = tuple(np.maximum(a, b) for a, b in zip(*sizes, strict=True))
    yield Finding.of("enumeration", residual(left, right, scale, settings))


def trace_variance(claim: TraceVariance, at: Numbers) -> Iterator[Finding]:
    """The covariance of the vectors c(a)·(e_a - π), c by autodiff, weighted with who drew: no formula for ‖∇log π‖²."""
    settings = settings_for(claim, at)
    scores = autodiff.score(claim.left, settings, claim.sampler, at)
    traces = tuple(_trace(s, c, claim.sampler) for s, c in zip(settings, scores, strict=True))
    value = enumeration.moment(claim.right, settings, at)
    scale = size_of(claim.right, settings, at)
    yield Finding.of("autodiff", residual(traces, value, scale, settings))


def _trace(s: Settings, c: Array, sampler: Sampler) -> Array:
    drew = np.exp(s.logp if sampler is Sampler.POLICY else s.logp_old)
    out = []
    for p, q, factor in zip(np.exp(s.logp), drew, c, strict=True):
        gradients = factor[:, None] * (np.eye(s.size) - p)
        spread = gradients - q @ gradients
        out.append(float((q[:, None] * spread**2).sum()))
    return np.array(out)


def gradient_bound(claim: GradientBound, at: Numbers) -> Iterator[Finding]:
    """The norm of the gradient by autodiff against the bound by a sum."""
    settings = settings_for(claim, at)
    gradients = autodiff.expected_gradient(claim.left, settings, claim.sampler, at)
    bounds = enumeration.expectation(claim.bound, settings, Sampler.POLICY, at)
    excess = tuple(
        np.maximum(np.linalg.norm(g, axis=-1) - np.sqrt(2) * b, 0) for g, b in zip(gradients, bounds, strict=True)
    )
    zero, scale = tuple(np.zeros_like(e) for e in excess), tuple(np.abs(b) + 1 for b in bounds)
    yield Finding.of("autodiff", residual(excess, zero, scale, settings))


POINTS = tuple((a, b) for a in (-2.3, -0.4, 0.7, 1.9) for b in (-1.1, 0.3, 2.6))
"""Logits of policy and reference at V = 2."""


def on_two_actions(claim: OnTwoActions, at: Numbers) -> Iterator[Finding]:
    """Both sides at a few logits."""
    worst, scale = 0.0, 1.0
    for theta, phi in POINTS:
        values = {Symbol(f"{n}0", real=True): x for n, x in (("theta", theta), ("phi", phi), ("psi", 0.9))}
        for members in claim.sets():
            sides = (at_action(e, 2, 0, members) for e in (claim.left, claim.right))
            left, right = (float(NUMPY(e, {**values, **at})) for e in sides)
            worst, scale = max(worst, abs(left - right)), max(scale, abs(left), abs(right))
    holds = worst <= 1e-12 * scale
    yield Finding("points", Status.HOLDS if holds else Status.FAILS, worst / scale, f"off by {worst:.3g}")


def sign_at(claim: SignAt, at: Numbers) -> Iterator[Finding]:
    """The value in float64, by plain sums."""
    s = claim.setting()
    policy, reference, old = (np.log(np.array([[float(x) for x in c]])) for c in (s.policy, s.reference, s.old))
    batch = Settings(policy, reference, old, np.zeros_like(policy), ("exact",))
    value = float(enumeration.moment(claim.left, (batch,), at)[0][0])
    holds = value * claim.sign > 0
    yield Finding("enumeration", Status.HOLDS if holds else Status.FAILS, None, f"it is {value:.12g}")


def always_sign(claim: AlwaysSign, at: Numbers) -> Iterator[Finding]:
    """The sign on the standard settings and on the ones named."""
    settings = settings_for(claim, at)
    excess = tuple(np.maximum(-claim.sign * v, 0) for v in enumeration.moment(claim.left, settings, at))
    zero, scale = tuple(np.zeros_like(e) for e in excess), size_of(claim.left, settings, at)
    yield Finding.of("enumeration", residual(excess, zero, scale, settings))
    for policy, reference in claim.tried:  # the other sign there is a counterexample; zero is none
        if next(sign_at(SignAt(claim.left, -claim.sign, policy, reference), at)).status is Status.HOLDS:
            yield Finding("enumeration", Status.FAILS, None, f"at policy ({policy}), reference ({reference})")
