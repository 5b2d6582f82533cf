"""The engines' view of each kind of claim, independent of the symbolic proof: one table from kind to check.

*concrete* spells out V = 2, 3, 4 from exponentials. *autodiff* compares both sides as JAX differentiates them;
*enumeration* compares the closed form of the coefficient, or a plain sum, with that. *points* evaluates functions
where they are claimed to agree.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

import numpy as np
from sympy import Abs, Expr, Symbol

from kltheory.calculus import concrete
from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import to_quotients
from kltheory.numerics import asymptotics, autodiff, enumeration
from kltheory.numerics.bridge import NotNumeric
from kltheory.numerics.settings import Array, Settings, resampled
from kltheory.numerics.tolerance import ATOL, residual
from kltheory.proving import (
    checks_clamps,
    checks_continuous,
    checks_equations,
    checks_floats,
    checks_lemmas,
    checks_moments,
    checks_precision,
    checks_sequences,
)
from kltheory.proving.claims import (
    OLD,
    POLICY,
    AgreesToOrder,
    Claim,
    IsDivergence,
    Lemma,
    NaturalInner,
    SameGradient,
    SameScore,
    SameValue,
    SamplerFree,
    Term,
    coefficient_of,
)
from kltheory.proving.continuous import FiniteIff, GaussianMean, GeometricFiniteIff, GeometricSum
from kltheory.proving.equations import Forces
from kltheory.proving.floats import Computes, NegativeShare, OverflowsIff
from kltheory.proving.instances import parameters, settings_for
from kltheory.proving.moments import AlwaysSign, GradientBound, OnTwoActions, SameMoment, SignAt, TraceVariance
from kltheory.proving.one_tree import LessVarianceAt, ShorterGradientAt
from kltheory.proving.precision import AccurateIn
from kltheory.proving.response_variance import VarianceGrowth
from kltheory.proving.scalars import Expansion, HasSign, Identity, Limit, Range
from kltheory.proving.sequences import IsConservative, SameSequenceGradient, SameSequenceValue
from kltheory.proving.thresholds import Zero, Zeros
from kltheory.proving.verdict import Finding, Status

CONCRETE_SIZES: Final = (2, 3, 4)
FEWEST: Final = 3
"""Fewer points than these inside an interval see nothing of a sign."""

Batches = tuple[Array, ...]
Numbers = dict[Symbol, Any]
Check = Callable[[Any, Numbers], Iterator[Finding]]


# --- gradients ----------------------------------------------------------------------------------------------------
@lru_cache(maxsize=512)
def _by_autodiff(
    term: Term, sampler: Sampler, numbers: tuple[tuple[Symbol, Any], ...], settings: tuple[Settings, ...]
) -> Batches:
    at = dict(numbers)
    if isinstance(term, Surrogate):
        return autodiff.expected_gradient(term, settings, sampler, at)
    return autodiff.objective_gradient(term.summand, settings, at)


@lru_cache(maxsize=512)
def _scale(
    term: Term, sampler: Sampler, numbers: tuple[tuple[Symbol, Any], ...], settings: tuple[Settings, ...]
) -> Batches:
    return enumeration.condition(coefficient_of(term, sampler), settings, dict(numbers))


def _same_gradient(claim: SameGradient, at: Numbers) -> Iterator[Finding]:
    """The scale is the right side's: if the claim holds, the left side's coefficient is the same up to a constant."""
    settings, numbers = settings_for(claim, at), tuple(at.items())
    left, right = (_by_autodiff(t, claim.sampler, numbers, settings) for t in (claim.left, claim.right))
    scale = _scale(claim.right, claim.sampler, numbers, settings)
    yield Finding.of("autodiff", residual(left, right, scale, settings))
    coefficients = [coefficient_of(t, claim.sampler) for t in (claim.left, claim.right)]
    closed = [enumeration.expected_gradient(c, settings, at) for c in coefficients]
    yield max(
        (Finding.of("enumeration", residual(c, g, scale, settings)) for c in closed for g in (left, right)),
        key=lambda f: f.residual or 0.0,
    )


def _same_score(claim: SameScore, at: Numbers) -> Iterator[Finding]:
    settings = settings_for(claim, at)
    left, right = (autodiff.score(t, settings, claim.sampler, at) for t in (claim.left, claim.right))
    scale = tuple(np.maximum(abs(a).max(-1), abs(b).max(-1)) for a, b in zip(left, right, strict=True))
    yield Finding.of("autodiff", residual(left, right, scale, settings))
    closed = tuple(enumeration.values(claim.left.score(claim.sampler), s, at) for s in settings)
    yield Finding.of("enumeration", residual(closed, right, scale, settings))


def _sampler_free(claim: SamplerFree, at: Numbers) -> Iterator[Finding]:
    """Two old policies, one gradient."""
    settings = settings_for(claim, at)
    other = resampled(settings)
    c = claim.left.coefficient(OLD)
    scale = tuple(
        np.maximum(a, b)
        for a, b in zip(enumeration.condition(c, settings, at), enumeration.condition(c, other, at), strict=True)
    )
    left, right = (autodiff.expected_gradient(claim.left, s, OLD, at) for s in (settings, other))
    yield Finding.of("autodiff", residual(left, right, scale, settings))
    left, right = (enumeration.expected_gradient(c, s, at) for s in (settings, other))
    yield Finding.of("enumeration", residual(left, right, scale, settings))


def _natural_inner(claim: NaturalInner, at: Numbers) -> Iterator[Finding]:
    """⟨g, F⁻ g'⟩ with F x = g' solved by x = g'/π, since g' sums to zero."""
    settings = settings_for(claim, at)
    left, right = (_by_autodiff(t, POLICY, tuple(at.items()), settings) for t in (claim.left, claim.right))
    inner = tuple((g * h / np.exp(s.logp)).sum(-1) for g, h, s in zip(left, right, settings, strict=True))
    value = enumeration.objective_value(claim.value.summand, settings, at)
    product = claim.left.coefficient(POLICY).cells[0][1] * claim.right.coefficient(POLICY).cells[0][1]
    scale = enumeration.condition(Coefficient.of(product), settings, at)
    yield Finding.of("autodiff", residual(inner, value, scale, settings))


def _same_value(claim: SameValue, at: Numbers) -> Iterator[Finding]:
    settings = settings_for(claim, at)
    left, right = (enumeration.objective_value(t.summand, settings, at) for t in (claim.left, claim.right))
    sizes = (enumeration.objective_value(Abs(t.summand), settings, at) for t in (claim.left, claim.right))
    scale = tuple(np.maximum(a, b) for a, b in zip(*sizes, strict=True))
    yield Finding.of("enumeration", residual(left, right, scale, settings))


# --- functions ----------------------------------------------------------------------------------------------------
def _values(expr: Expr, settings: tuple[Settings, ...], at: Numbers) -> Batches:
    c = Coefficient.of(expr)
    return tuple(enumeration.values(c, s, at) for s in settings)


def _identity(claim: Identity, at: Numbers) -> Iterator[Finding]:
    settings = settings_for(claim, at)
    left, right = (_values(e, settings, at) for e in (claim.left, claim.right))
    scale = tuple(np.maximum(abs(a).max(-1), abs(b).max(-1)) for a, b in zip(left, right, strict=True))
    yield Finding.of("points", residual(left, right, scale, settings))


def _violations(engine: str, excess: Batches, settings: tuple[Settings, ...], scale: Batches | None = None) -> Finding:
    """A one-sided check: how far a quantity that should not be positive is above zero."""
    zero = tuple(np.zeros_like(x) for x in excess)
    over = tuple(np.maximum(x, 0.0) for x in excess)
    ones = scale or tuple(np.ones(len(x)) for x in excess)
    return Finding.of(engine, residual(over, zero, ones, settings))


def _has_sign(claim: HasSign, at: Numbers) -> Iterator[Finding]:
    settings = settings_for(claim, at)
    inside = [(s.log_ratio > float(claim.above)) & (s.log_ratio < float(claim.below)) for s in settings]
    if sum(int(i.sum()) for i in inside) < FEWEST:
        yield Finding("points", Status.FAILS, None, f"no setting lies in the interval ({claim.above}, {claim.below})")
        return
    values = zip(_values(claim.left, settings, at), inside, strict=True)
    yield _violations("points", tuple(np.where(i, -claim.sign * v, 0.0) for v, i in values), settings)


def _range(claim: Range, at: Numbers) -> Iterator[Finding]:
    settings = settings_for(claim, at)
    low, high = (float(bound.xreplace(at)) for bound in (claim.lower, claim.upper))
    values = _values(claim.left, settings, at)
    yield _violations("points", tuple(np.maximum(v - high, low - v) for v in values), settings)
    reach = max(high - max(v.max() for v in values), min(v.min() for v in values) - low)
    if reach > 0.05 * (high - low):
        yield Finding("points", Status.FAILS, float(reach), "the bounds are not approached on any setting")


def _is_divergence(claim: IsDivergence, at: Numbers) -> Iterator[Finding]:
    """C, sorted by l over each setting, never falls."""
    c = coefficient_of(claim.left, claim.sampler)
    falls, scale, settings = [], [], settings_for(claim, at)
    for s in settings:
        values = np.take_along_axis(enumeration.values(c, s, at), np.argsort(s.log_ratio, -1), -1)
        falls.append(-np.diff(values, axis=-1, append=values[:, -1:]))
        scale.append(abs(values).max(-1))
    yield _violations("points", tuple(falls), settings, tuple(scale))
    if max(-f.min() for f in falls[:-1]) <= ATOL:
        yield Finding("points", Status.FAILS, None, "C is constant on every setting")


def _near_zero(claim: AgreesToOrder | Expansion, at: Numbers) -> Iterator[Finding]:
    exact = isinstance(claim, AgreesToOrder)
    if isinstance(claim, AgreesToOrder):
        left, right = (asymptotics.coefficient(t, claim.sampler, at) for t in (claim.left, claim.right))
    else:
        left, right = (asymptotics.formula(to_quotients(e), at) for e in (claim.left, claim.right))
    found = asymptotics.order_at_zero(lambda l, place: left(l, place) - right(l, place), modulo_constant=exact)
    holds = abs(found - claim.order - 1) < 0.01 if exact else found > claim.order + 0.99
    yield Finding("points", Status.HOLDS if holds else Status.FAILS, None, f"vanishes like l^{found:.3g}")


def _limit(claim: Limit, at: Numbers) -> Iterator[Finding]:
    holds, seen = asymptotics.approaches(claim.left, claim.at, claim.right, at)
    yield Finding("points", Status.HOLDS if holds else Status.FAILS, None, seen)


NUMERIC: Final[dict[type, Check]] = {
    SameGradient: _same_gradient,
    SameScore: _same_score,
    SamplerFree: _sampler_free,
    NaturalInner: _natural_inner,
    SameValue: _same_value,
    Identity: _identity,
    HasSign: _has_sign,
    Range: _range,
    IsDivergence: _is_divergence,
    AgreesToOrder: _near_zero,
    Expansion: _near_zero,
    Limit: _limit,
    Lemma: checks_lemmas.lemma,
    Forces: checks_equations.forces,
    GaussianMean: checks_continuous.gaussian_mean,
    FiniteIff: checks_continuous.finite_iff,
    GeometricSum: checks_continuous.geometric_sum,
    GeometricFiniteIff: checks_continuous.geometric_finite_iff,
    AccurateIn: checks_precision.accurate,
    NegativeShare: checks_floats.negative_share,
    OverflowsIff: checks_floats.overflows_iff,
    Computes: checks_floats.computes,
    Zero: checks_clamps.zero,
    Zeros: checks_clamps.zeros,
    SameMoment: checks_moments.same_moment,
    TraceVariance: checks_moments.trace_variance,
    GradientBound: checks_moments.gradient_bound,
    OnTwoActions: checks_moments.on_two_actions,
    SignAt: checks_moments.sign_at,
    AlwaysSign: checks_moments.always_sign,
    SameSequenceGradient: checks_sequences.same_gradient,
    SameSequenceValue: checks_sequences.enumerated,
    IsConservative: checks_sequences.enumerated,
    VarianceGrowth: checks_sequences.variance_growth,
    **dict.fromkeys((LessVarianceAt, ShorterGradientAt), checks_sequences.less_on_one_tree),
}
"""Kind of claim to its numeric check; a new kind is a new row."""


def numerically(claim: Claim) -> Iterator[Finding]:
    """What the numeric engines say of one claim, one after the other; "not applicable" where it has no number."""
    try:
        found = None
        for found in NUMERIC[type(claim)](claim, parameters(claim)):
            yield found
        if found is None:
            yield Finding("numeric", Status.FAILS, None, "no setting was looked at")
    except (NotNumeric, Undecidable) as e:
        yield Finding("numeric", Status.NOT_APPLICABLE, None, str(e))


# --- concrete -----------------------------------------------------------------------------------------------------
def concretely(claim: Claim) -> Finding:
    """The claim at V = 2, 3, 4 from exponentials; only gradients, values and the lemmas have such a form."""
    done: list[int] = []
    try:
        for size in CONCRETE_SIZES:
            holds = _concrete(claim, size)
            if holds is None:
                break
            if not holds:
                return Finding("concrete", Status.FAILS, None, f"V = {size}")
            done.append(size)
    except Undecidable as e:
        if not done:  # a sum that cannot be spelled out, or a root of unknown sign: the other engines speak
            return Finding("concrete", Status.NOT_APPLICABLE, None, str(e))
    if not done:
        return Finding("concrete", Status.NOT_APPLICABLE)
    return Finding("concrete", Status.HOLDS, None, f"V = {', '.join(map(str, done))}")


def _concrete(claim: Claim, size: int) -> bool | None:
    """The claim at one V; ``None`` when it has no such form."""
    if isinstance(claim, Lemma):
        return concrete.lemma(claim.name, claim.left, claim.right, size)
    if not isinstance(claim, (SameGradient, SameValue)):
        return None
    if isinstance(claim, SameGradient):
        return concrete.same_gradient(claim.left, claim.right, claim.sampler, size)
    return concrete.same_value(claim.left, claim.right, size)
