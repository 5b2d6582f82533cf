"""Witnesses: for each kind of claim, an exact small setting on which it certainly fails, enclosed in balls.

What is enclosed are the two sides as they are claimed, differentiated and summed on the spot; nothing of the calculus
takes part. The claim goes along as plain data, so that others can check the certificate.
"""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from itertools import chain
from math import log
from typing import Any, Final

from sympy import Expr

from kltheory.calculus.exact import Undecidable
from kltheory.calculus.sequence.loss import PastValue
from kltheory.calculus.symbols import inside, log_ratio
from kltheory.numerics.balls import enclose, number
from kltheory.numerics.bridge import NotNumeric
from kltheory.numerics.certificate import Certificate, Place, Point, certify
from kltheory.numerics.critical import critical_points, drawn_rationals
from kltheory.numerics.dual import Dual, derivatives, moved
from kltheory.numerics.rational import (
    GRID,
    SAME_RATIO,
    TWO_ACTIONS,
    RationalSetting,
    at_the_reference,
    pairs_of_log_ratios,
    small_settings,
)
from kltheory.numerics.responses import ResponseTree
from kltheory.numerics.settings import membership
from kltheory.numerics.spelled import past_value
from kltheory.numerics.spread import trace_variance
from kltheory.numerics.witness import (
    GRADIENT,
    POINT,
    SCORE,
    VALUE,
    Quantity,
    certified_moment,
    factor,
    gradient,
    moment,
    near_reference,
    points,
    score,
    search,
    value,
)
from kltheory.proving import checks_floats, checks_precision, checks_sequences
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
)
from kltheory.proving.engines import Numbers
from kltheory.proving.floats import NegativeShare
from kltheory.proving.instances import chosen, expressions, instances, is_number, parameters
from kltheory.proving.moments import AlwaysSign, GradientBound, OnTwoActions, SameMoment, SignAt, TraceVariance
from kltheory.proving.one_tree import LessVarianceAt, ShorterGradientAt
from kltheory.proving.plain import plain
from kltheory.proving.precision import AccurateIn
from kltheory.proving.scalars import Expansion, HasSign, Identity, Range
from kltheory.proving.sequences import IsConservative, SameSequenceGradient, SameSequenceValue

Witness = dict[str, Any]
Name = Callable[[Any], str]


def _drawn(claim: Claim, at: Numbers) -> Iterator[RationalSetting]:
    """Settings that the claim's own formulas ask for."""
    yield from drawn_rationals(critical_points(expressions(claim), at))


def _anywhere(claim: Claim, at: Numbers, name: Name, sides: tuple[Quantity, Quantity]) -> Certificate | None:
    """On plain settings first."""
    return search(name, sides, chain(small_settings(), _drawn(claim, at)))


def _same_gradient(claim: SameGradient, at: Numbers) -> Certificate | None:
    sides = gradient(claim.left, claim.sampler, at), gradient(claim.right, claim.sampler, at)
    return _anywhere(claim, at, GRADIENT, sides)


def _same_score(claim: SameScore, at: Numbers) -> Certificate | None:
    return _anywhere(claim, at, SCORE, (score(claim.left, claim.sampler, at), score(claim.right, claim.sampler, at)))


def _sampler_free(claim: SamplerFree, at: Numbers) -> Certificate | None:
    """One setting, sampled from its old policy and from the policy itself."""
    return _anywhere(claim, at, GRADIENT, (gradient(claim.left, OLD, at), gradient(claim.left, POLICY, at)))


def _is_divergence(claim: IsDivergence, at: Numbers) -> Certificate | None:
    """Two actions between which C falls: the gradient of Σ π_ref f is π (f' - Σ π f'), and f' never falls with l."""
    sides = (factor(claim.left, claim.sampler, 0, at), factor(claim.left, claim.sampler, 1, at))
    drawn = (s for s in _drawn(claim, at) if s.policy[0] / s.reference[0] <= s.policy[1] / s.reference[1])
    return search("C - E[C]".format, sides, chain(pairs_of_log_ratios(), SAME_RATIO, drawn), 1)


def _agrees(claim: AgreesToOrder, at: Numbers) -> Certificate | None:
    """A derivative of C at the reference that should be the same and is not."""
    left, right = (near_reference(side, claim.sampler, claim.order, at) for side in (claim.left, claim.right))
    return search("derivative {} of C at l = 0".format, (left, right), at_the_reference())


def _expansion(claim: Expansion, at: Numbers) -> Certificate | None:
    """A derivative at 0 that should be the same and is not."""

    def derivatives_of(expr: Expr) -> Mapping[int, Any]:
        moving = Dual(moved(number(0), ("t",), claim.order), {})  # the first level is that of sg
        found = enclose(expr, {**at, log_ratio: moving})
        return derivatives(found.value if isinstance(found, Dual) else found, "t", claim.order)

    def sides(point: Point) -> tuple[Mapping[int, Any], Mapping[int, Any]]:
        return derivatives_of(claim.left), derivatives_of(claim.right)

    return certify("derivative {} at l = 0".format, sides, Point(Fraction(0)))


def _has_sign(claim: HasSign, at: Numbers) -> Certificate | None:
    def sides(point: Point) -> tuple[Mapping[None, Any], Mapping[None, Any]]:
        return {None: enclose(claim.left, {**at, log_ratio: point.l})}, {None: number(0)}

    places = (Point(x) for x in GRID if claim.above < x < claim.below)
    seen = (certify(VALUE, sides, place, -claim.sign) for place in chain(places, _where_it_fails(claim)))
    return next(filter(None, seen), None)


def _where_it_fails(claim: HasSign) -> Iterator[Point]:
    """A point of each part where the calculus finds the other sign, however narrow: balls decide what is true there."""
    try:
        wrong = [part.sample() for part, sign in claim.parts() if sign == -claim.sign]
    except Undecidable:
        return
    for point in filter(None, wrong):
        x = point.get(log_ratio)
        if x is not None:
            yield Point(Fraction(int(x.p), int(x.q)))


def _natural_inner(claim: NaturalInner, at: Numbers) -> Certificate | None:
    """⟨g, F⁻ g'⟩ = Σ_j g_j g'_j/π_j, since F x = g' is solved by x = g'/π: g' sums to zero."""
    g, other = (gradient(side, POLICY, at) for side in (claim.left, claim.right))

    def inner(setting: RationalSetting) -> Mapping[None, Any]:
        a, b = g(setting), other(setting)
        none = number(0)
        return {
            None: sum((a.get(j, none) * b.get(j, none) * number(1 / p) for j, p in enumerate(setting.policy)), none)
        }

    return _anywhere(claim, at, VALUE, (inner, value(claim.value, at)))


def _trace_variance(claim: TraceVariance, at: Numbers) -> Certificate | None:
    """The trace from the gradients on each sample, in each logit."""

    def trace(setting: RationalSetting) -> Mapping[None, Any]:
        return {None: trace_variance(claim.left, setting.tree, claim.sampler, at)}

    return _anywhere(claim, at, VALUE, (trace, moment(claim.right, at)))


def _range(claim: Range, at: Numbers) -> Certificate | None:
    """An action at which the formula is beyond a bound; that a bound is not approached has no witness."""
    for bound, sign in ((claim.lower, -1), (claim.upper, 1)):
        sides = points(claim.left, at), points(bound, at)
        if (found := search(POINT, sides, chain(small_settings(), _drawn(claim, at)), sign)) is not None:
            return found
    return None


WITNESSES: Final[dict[type, Callable[[Any, Numbers], Certificate | None]]] = {
    SameGradient: _same_gradient,
    SameScore: _same_score,
    SamplerFree: _sampler_free,
    SameValue: lambda c, at: _anywhere(c, at, VALUE, (value(c.left, at), value(c.right, at))),
    Identity: lambda c, at: _anywhere(c, at, POINT, (points(c.left, at), points(c.right, at))),
    IsDivergence: _is_divergence,
    HasSign: _has_sign,
    AgreesToOrder: _agrees,
    Expansion: _expansion,
    AccurateIn: checks_precision.accuracy_witness,
    NegativeShare: checks_floats.negative_witness,
    SameMoment: lambda c, at: _anywhere(c, at, VALUE, (moment(c.left, at), moment(c.right, at))),
    AlwaysSign: lambda c, _: c.counterexample(),
    SameSequenceGradient: checks_sequences.certified,
    SameSequenceValue: checks_sequences.certified,
    IsConservative: checks_sequences.certified,
    **dict.fromkeys((LessVarianceAt, ShorterGradientAt), checks_sequences.witness_on_one_tree),
    NaturalInner: _natural_inner,
    TraceVariance: _trace_variance,
    GradientBound: lambda c, _: c.counterexample(),
    OnTwoActions: lambda c, at: search(VALUE, (moment(c.left, at), moment(c.right, at)), TWO_ACTIONS),
    SignAt: lambda c, _: certified_moment(c.left, c.setting(), -c.sign),
    Range: _range,
}
"""Kind of claim to the search for a witness; a claim of a kind without one is never REFUTED."""


def find_witness(claim: Claim) -> Witness | None:
    """A certified counterexample to the claim, or to an instance of a general one; ``None`` when none is found.

    Plain data: see docs/certificates.md.
    """
    search_of_kind = WITNESSES.get(type(claim))
    if search_of_kind is None:
        return None
    for instance in instances(claim):
        try:
            found = search_of_kind(instance, parameters(instance))
            if found is not None:
                return _written(claim, instance, found)
        except (NotNumeric, Undecidable):
            continue
    return None


def _written(claim: Claim, instance: Claim, found: Certificate) -> Witness:
    """With the claim, what an arbitrary function and parameters of it stand for, and all in a sentence."""
    text, choice = _sentence(instance, found), chosen(claim, instance)
    witness = {"claim": plain(instance), **found.to_json(), **_attached(instance, found.place), "text": text}
    if not choice:
        return witness
    words = ", ".join(f"{name} = {value}" for name, value in choice.items())
    return {**witness, "choice": choice, "text": f"{text}; with {words}"}


def _sentence(claim: Claim, found: Certificate) -> str:
    if isinstance(claim, Identity | HasSign | SameMoment | AlwaysSign | Range) and is_number(claim):
        return f"everywhere: {found.said_of('the value')}"
    if not isinstance(claim, IsDivergence):
        return str(found)
    policy, reference = found.place.policy, found.place.reference
    ratios = (p / q for p, q in zip(policy[:2], reference[:2], strict=True))
    low, high = (f"{log(r.numerator) - log(r.denominator):.4g}" for r in ratios)
    return f"at {found.place}: C falls by {found.difference.short} from l = {low} to {high}"


def _attached(claim: Claim, place: Place) -> dict[str, Any]:
    """The set that ``inside`` speaks of, and the values of functions of the past, where there are some."""
    symbols = {s for e in expressions(claim) for s in e.free_symbols}
    found: dict[str, Any] = {}
    if inside in symbols and isinstance(place, RationalSetting | ResponseTree):
        size = place.size if isinstance(place, ResponseTree) else len(place.policy)
        found["inside"] = [a for a in range(size) if membership(a)]
    if isinstance(place, ResponseTree) and (past := sorted((s for s in symbols if isinstance(s, PastValue)), key=str)):
        found["past"] = {s.name: {" ".join(map(str, p)): str(past_value(s, p)) for p in place.prefixes} for s in past}
    return found
