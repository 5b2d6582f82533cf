"""Searches for counterexamples to claims about means, bounds, zeros and equations, enclosed in balls."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, Final

from flint import arb
from sympy import Expr, Symbol

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.symbols import log_ratio
from kltheory.numerics.balls import Ambiguous, certain_sign, enclose, number, precision
from kltheory.numerics.certificate import POINT, VALUE, Certificate, Quantity, certify, certify_scalar
from kltheory.numerics.rational import RationalSetting, small_settings
from kltheory.numerics.witness import certified_moment, gradient, moment, points, search, value
from kltheory.proving.checks_clamps import BITS, SCAN, closed_form
from kltheory.proving.claims import POLICY, NaturalInner, coefficient_of
from kltheory.proving.equations import Forces, h
from kltheory.proving.moments import GradientBound, OnTwoActions, SignAt, TraceVariance
from kltheory.proving.scalars import Range
from kltheory.proving.thresholds import Zero, Zeros

Numbers = dict[Symbol, Any]
Witness = dict[str, Any]

TWO_ACTIONS: Final = tuple(
    RationalSetting.of(*columns)
    for columns in ((".8 .2", ".3 .7", ".55 .45", "1 -1"), (".4 .6", ".9 .1", ".7 .3", "-1 2"))
)


def _json(found: Certificate | None, text: str = "") -> Witness | None:
    return None if found is None else {**found.to_json(), "text": text or str(found)}


def _point(expr: Expr, at: Numbers, text: str) -> Witness | None:
    """A formula that is certainly not zero at a point; the text has a gap for its value."""
    found = certify_scalar(expr, at)
    return None if found is None else {**found.to_json(), "text": text.format(f"{float(found.value.mid):.6g}")}


def _each(
    left: Quantity, right: Quantity, settings: Iterable[RationalSetting], name: str = VALUE
) -> Iterator[Certificate]:
    return (found for s in settings if (found := certify(name, left, right, s)) is not None)


def _sum(terms: Iterable[Any]) -> Any:
    return sum(terms, number(0))


def _mean(weights: Iterable[Any], values: Iterable[Any]) -> Any:
    return _sum(p * x for p, x in zip(weights, values, strict=True))


# --- means --------------------------------------------------------------------------------------------------------
def natural_inner(claim: NaturalInner, at: Numbers) -> Witness | None:
    """A setting on which ⟨g, F⁻ g'⟩ = Σ_j g_j g'_j/π_j is certainly another number."""

    def inner(s: RationalSetting) -> list[Any]:
        sides = (gradient(coefficient_of(t, POLICY), s, at) for t in (claim.left, claim.right))
        return [_sum(g * d / number(p) for g, d, p in zip(*sides, s.policy, strict=True))]

    return _json(search(VALUE, inner, lambda s: [value(claim.value.summand, s, at)]))


def trace_variance(claim: TraceVariance, at: Numbers) -> Witness | None:
    """A setting on which the trace, from the vectors c(a)·(e_a - π) of the actions a, is certainly another number."""
    score = claim.left.score(claim.sampler)

    def trace(s: RationalSetting) -> list[Any]:
        p, drew = ([number(x) for x in column] for column in (s.policy, s.policy if claim.sampler is POLICY else s.old))
        columns = [[c * ((i == j) - p[j]) for i, c in enumerate(points(score, s, at))] for j in range(len(p))]
        return [_sum(_mean(drew, [x**2 for x in column]) - _mean(drew, column) ** 2 for column in columns)]

    return _json(search(VALUE, trace, lambda s: [moment(claim.right, s, at)]))


def gradient_bound(claim: GradientBound, at: Numbers) -> Witness | None:
    """A setting on which ‖g‖² is certainly larger than 2 E_π[bound]²."""
    c, bound = coefficient_of(claim.left, claim.sampler), Coefficient.of(claim.bound)

    def squared_norm(s: RationalSetting) -> list[Any]:
        return [_sum(g**2 for g in gradient(c, s, at))]

    def allowed(s: RationalSetting) -> list[Any]:
        return [2 * _mean(map(number, s.policy), points(bound, s, at)) ** 2]

    found = next((f for f in _each(squared_norm, allowed, small_settings()) if f.is_positive), None)
    if found is None:
        return None
    norm, bound_there = (f"{float(side.mid):.6g}" for side in (found.left, found.right))
    return _json(
        found, f"at {found.setting}: the gradient's squared norm is {norm}, and the bound's square {bound_there}"
    )


def on_two_actions(claim: OnTwoActions, at: Numbers) -> Witness | None:
    """A setting of two actions on which the sides are certainly different numbers."""
    found = _each(lambda s: [moment(claim.left, s, at)], lambda s: [moment(claim.right, s, at)], TWO_ACTIONS)
    return _json(next(found, None))


def sign_at(claim: SignAt, at: Numbers) -> Witness | None:
    """The claim's own setting, where the sign is certainly the other one."""
    found = certified_moment(claim.left, claim.setting())
    return None if found is None or found.is_positive == (claim.sign > 0) else _json(found)


def value_range(claim: Range, at: Numbers) -> Witness | None:
    """An action at which the formula is certainly beyond a bound; that a bound is not sharp has no witness."""
    c = Coefficient.of(claim.left)
    low, high = (enclose(bound, at) for bound in (claim.lower, claim.upper))

    def within(s: RationalSetting) -> list[Any]:
        return [arb.min(arb.max(x, low), high) for x in points(c, s, at)]

    return _json(next(_each(lambda s: points(c, s, at), within, small_settings(), POINT), None))


# --- zeros and equations ------------------------------------------------------------------------------------------
def zero(claim: Zero, at: Numbers) -> Witness | None:
    """The closed form, where the formula certainly has a value that is not zero."""
    with precision(BITS):
        here = closed_form(claim.at, at)
    return _point(claim.left, {**at, log_ratio: here}, f"it is {{}} at l = {here.str(9, radius=False)}")


def zeros(claim: Zeros, at: Numbers) -> Witness | None:
    """A closed form that is no zero; or two points, and no closed form between them, where the sign changes."""
    for x in claim.right:
        if (found := zero(Zero(claim.left, x), at)) is not None:
            return found
    with precision(BITS):
        forms = [closed_form(x, at) for x in claim.right]
        for a, b in pairwise(map(number, SCAN)):
            low, high = (x.str(9, radius=False) for x in (a, b))
            text = f"no zero named lies between l = {low} and {high}, where it changes its sign to {{}}"
            try:
                enclose(claim.left, {**at, log_ratio: a.union(b)})  # finite, so it is continuous there
                changes = _sign(claim, at, a) != _sign(claim, at, b)
            except Ambiguous:
                continue
            if changes and all(bool(x < a or x > b) for x in forms):
                found = _point(claim.left, {**at, log_ratio: b}, text)
                return None if found is None else {**found, "l": [low, high]}
    return None


def _sign(claim: Zeros, at: Numbers, x: Any) -> int:
    return certain_sign(enclose(claim.left, {**at, log_ratio: x}))


def forces(claim: Forces, at: Numbers) -> Witness | None:
    """A member of the family, and an l at which it certainly does not solve the equation."""
    rest = claim.left.xreplace({h: claim.right}).doit()
    for x in SCAN[len(SCAN) // 2 :]:
        if (found := _point(rest, {**at, log_ratio: x}, f"the equation's left side is {{}} at l = {x}")) is not None:
            return found
    return None
