"""Witnesses: for each kind of claim, an exact small setting on which it certainly fails, enclosed in balls."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

from sympy import Expr, Rational, S

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.symbols import log_ratio
from kltheory.numerics import witness
from kltheory.numerics.balls import Ambiguous
from kltheory.numerics.bridge import NotNumeric
from kltheory.numerics.certificate import certify_scalar
from kltheory.proving import checks_floats, checks_moments, checks_precision, checks_sequences, searches
from kltheory.proving.claims import (
    OLD,
    POLICY,
    AgreesToOrder,
    Claim,
    IsDivergence,
    NaturalInner,
    SameGradient,
    SameScore,
    SameValue,
    SamplerFree,
    coefficient_of,
)
from kltheory.proving.engines import Numbers
from kltheory.proving.equations import Forces
from kltheory.proving.floats import NegativeShare
from kltheory.proving.instances import chosen, instances, parameters
from kltheory.proving.moments import AlwaysSign, GradientBound, OnTwoActions, SameMoment, SignAt, TraceVariance
from kltheory.proving.precision import AccurateIn
from kltheory.proving.response_variance import LessVarianceAt, VarianceGrowth
from kltheory.proving.scalars import Expansion, HasSign, Identity, Range
from kltheory.proving.sequences import IsConservative, SameSequenceGradient, SameSequenceValue
from kltheory.proving.thresholds import Zero, Zeros

Witness = dict[str, Any]

GRID: Final = tuple(Rational(k, 4) for k in range(-48, 49))
"""Log-ratios tried for claims about functions of l."""


def _json(certificate: Any) -> Witness | None:
    return None if certificate is None else {**certificate.to_json(), "text": str(certificate)}


def _same_gradient(claim: SameGradient, at: Numbers) -> Witness | None:
    left, right = (coefficient_of(t, claim.sampler) for t in (claim.left, claim.right))
    return _json(witness.find_witness(left, right, at))


def _sampler_free(claim: SamplerFree, at: Numbers) -> Witness | None:
    """One setting, sampled from its old policy and from the policy itself."""
    c = claim.left.coefficient(OLD)
    return _json(witness.find_witness(c, claim.left.coefficient(POLICY), at))


def _pointwise(left: Coefficient, right: Coefficient, at: Numbers) -> Witness | None:
    return _json(witness.find_pointwise_witness(left, right, at))


def _is_divergence(claim: IsDivergence, at: Numbers) -> Witness | None:
    """Two log-ratios between which C falls."""
    c = coefficient_of(claim.left, claim.sampler)
    for a, b in sorted(pairwise(GRID), key=lambda pair: abs(pair[0] + pair[1])):
        try:
            fall = certify_scalar(c.at(log_ratio, a) - c.at(log_ratio, b), at)
        except Undecidable:
            continue
        if fall is not None and fall.sign > 0:
            low, high = str(a), str(b)
            return {
                **fall.to_json(),
                "l": [low, high],
                "text": f"C falls by {float(fall.value.mid):.6g} from l = {low} to {high}",
            }
    return None


def _has_sign(claim: HasSign, at: Numbers) -> Witness | None:
    for x in GRID:
        if not claim.above < x < claim.below:
            continue
        found = certify_scalar(Coefficient.of(claim.left).at(log_ratio, x), at)
        if found is not None and found.sign != claim.sign:
            return {**found.to_json(), "text": f"it is {float(found.value.mid):.6g} at l = {x}"}
    return None


def _taylor(claim: AgreesToOrder | Expansion, at: Numbers) -> Witness | None:
    """A derivative at 0 that should vanish and does not."""
    gradient = isinstance(claim, AgreesToOrder)
    e = claim.difference() if isinstance(claim, AgreesToOrder) else claim.left - claim.right
    for n in range(claim.order + 1):
        found = certify_scalar(e.xreplace({log_ratio: S.Zero}), at) if n or not gradient else None
        if found is not None:
            return {**found.to_json(), "text": f"the {n}-th derivative at l = 0 is {float(found.value.mid):.6g}"}
        e = e.diff(log_ratio)
    return None


def _value(left: Expr, right: Expr, at: Numbers) -> Witness | None:
    return _json(witness.find_value_witness(left, right, at))


WITNESSES: Final[dict[type, Callable[[Any, Numbers], Witness | None]]] = {
    SameGradient: _same_gradient,
    SameScore: lambda c, at: _pointwise(c.left.score(c.sampler), c.right.score(c.sampler), at),
    SamplerFree: _sampler_free,
    SameValue: lambda c, at: _value(c.left.summand, c.right.summand, at),
    Identity: lambda c, at: _pointwise(Coefficient.of(c.left), Coefficient.of(c.right), at),
    IsDivergence: _is_divergence,
    HasSign: _has_sign,
    AgreesToOrder: _taylor,
    Expansion: _taylor,
    AccurateIn: checks_precision.accuracy_witness,
    NegativeShare: checks_floats.negative_witness,
    SameMoment: checks_moments.moment_witness,
    AlwaysSign: checks_moments.sign_witness,
    SameSequenceGradient: checks_sequences.certified,
    SameSequenceValue: checks_sequences.certified,
    IsConservative: checks_sequences.certified,
    LessVarianceAt: checks_sequences.variance_witness,
    VarianceGrowth: checks_sequences.growth_witness,
    NaturalInner: searches.natural_inner,
    TraceVariance: searches.trace_variance,
    GradientBound: searches.gradient_bound,
    OnTwoActions: searches.on_two_actions,
    SignAt: searches.sign_at,
    Range: searches.value_range,
    Zero: searches.zero,
    Zeros: searches.zeros,
    Forces: searches.forces,
}
"""Kind of claim to the search for a witness; a claim of a kind without one is never REFUTED."""


def find_witness(claim: Claim) -> Witness | None:
    """A certified counterexample to the claim, or to an instance of a general one; ``None`` when none is found."""
    search = WITNESSES.get(type(claim))
    if search is None:
        return None
    for instance in instances(claim):
        try:
            found = search(instance, parameters(instance))
        except (Ambiguous, NotNumeric, Undecidable):
            continue
        if found is not None:
            return _with_choice(found, chosen(claim, instance))
    return None


def _with_choice(found: Witness, choice: dict[str, str]) -> Witness:
    """A witness of a claim about any function, or with parameters, says which function and numbers it is about."""
    if not choice:
        return found
    words = ", ".join(f"{name} = {value}" for name, value in choice.items())
    return {**found, "choice": choice, "text": f"{found['text']}; with {words}"}
