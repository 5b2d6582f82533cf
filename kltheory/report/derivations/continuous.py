"""Derivations about Gaussians, lengths, unknown functions and rounding errors."""

from collections.abc import Iterator
from typing import Final

from sympy import Add

from kltheory.calculus.gaussian import Gaussian, conditions, expectation
from kltheory.calculus.notation import text
from kltheory.proving.continuous import FiniteIff, GaussianMean, GeometricFiniteIff, GeometricSum, base, ratio
from kltheory.proving.equations import Forces
from kltheory.proving.precision import AccurateIn
from kltheory.report.derivations.step import Derivation, Step, confirm


def _ending(holds: bool) -> Step:
    return Step("That is the right side: it holds" if holds else "That is not the right side: it fails")


def _gaussian_mean(claim: GaussianMean) -> Iterator[Step]:
    found = expectation(claim.left, Gaussian(claim.mean, claim.variance))
    yield Step(
        "Each term is a polynomial times e^(ax + bx²); completing the square makes it a moment of another Gaussian"
    )
    for c in found.conditions:
        yield Step(f"Finite where {text(c)} > 0")
    yield Step(f"Their sum is {text(found.value)}")
    yield _ending(claim.decide())


def _finite_iff(claim: FiniteIff) -> Iterator[Step]:
    needed = conditions(claim.left, Gaussian(claim.mean, claim.variance))
    yield Step("A term p(x) e^(ax + bx²) has a finite mean iff 1 - 2bσ² > 0, and the fastest term is not cancelled")
    for c in needed:
        yield Step(f"Needed: {text(c)} > 0")
    if not needed:
        yield Step("No term has a square in its exponent: nothing is needed")
    holds = claim.decide()
    yield Step("That is the condition, up to a positive factor" if holds else "That is not the condition: it fails")


def _geometric_sum(claim: GeometricSum) -> Iterator[Step]:
    for term in Add.make_args(claim.left):
        yield Step(f"The terms {text(term)} have the ratio {text(ratio(term, claim.length))}, free of n")
    yield Step("A geometric series is its first term over one less its ratio, where that is below 1 in size")
    yield _ending(claim.decide())


def _geometric_finite_iff(claim: GeometricFiniteIff) -> Iterator[Step]:
    for term in Add.make_args(claim.left):
        yield Step(f"The terms {text(term)} are a polynomial in n times q^n with q = {text(base(term, claim.length))}")
    holds = claim.decide()
    yield Step("1 - q is a positive multiple of the condition" if holds else "The condition is another one")


def _forces(claim: Forces) -> Iterator[Step]:
    yield Step(f"A linear equation of order {claim.order()} with constant coefficients: {text(claim.left)} = 0")
    confirm(claim.decide(), "the family of solutions")
    yield Step(f"Put h = {text(claim.right)} in: it vanishes for every value of {len(claim.constants)} free constants")
    yield Step("So many independent solutions are all there are: their Wronskian is not zero")


def _accurate(claim: AccurateIn) -> Iterator[Step]:
    where, error, value = claim.worst()
    yield Step("At evenly spaced l of the binade, both signs, every operation is rounded and compared with a ball")
    yield Step(f"The largest relative error is {error:.3g}, at l = {where!r}, where it comes out as {value:.6g}")
    yield Step(f"That is {'within' if claim.decide() else 'beyond'} the bound {claim.bound}")


STEPS: Final[dict[type, Derivation]] = {
    GaussianMean: _gaussian_mean,
    FiniteIff: _finite_iff,
    GeometricSum: _geometric_sum,
    GeometricFiniteIff: _geometric_finite_iff,
    Forces: _forces,
    AccurateIn: _accurate,
}
"""Kind of claim to its derivation."""
