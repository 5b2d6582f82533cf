"""Derivations about gradients and sums: from a surrogate to its coefficient, to what it descends."""

from collections.abc import Iterator, Mapping
from typing import Final

from sympy import Integral, exp

from kltheory.calculus.coefficient import Coefficient, tidy
from kltheory.calculus.divergence import Objective, u
from kltheory.calculus.identify import Identification, identify
from kltheory.calculus.notation import in_probabilities
from kltheory.calculus.surrogate import Sampler, live_means
from kltheory.proving.claims import (
    AgreesToOrder,
    IsDivergence,
    NaturalInner,
    SameGradient,
    SameScore,
    SameValue,
    SamplerFree,
    Term,
    coefficient_of,
)
from kltheory.report.derivations.step import Derivation, Step, confirm, equation


def _coefficient(term: Term, sampler: Sampler, side: str) -> Iterator[Step]:
    """surrogate → ∂s/∂logp → coefficient, or sum → coefficient."""
    c = coefficient_of(term, sampler)
    if isinstance(term, Objective):
        yield equation(f"{side} is the sum over the vocabulary of", "F", in_probabilities(term.summand))
        yield Step("Its gradient is E_π[C ∇log π] with C = (∂F/∂logp)/π", "C", c.merged)
        return
    yield equation(f"{side} is the surrogate", "s", term.expr)
    if live := live_means(term.sampled_by(sampler).expr):
        words = f"{', '.join(map(str, live))} carries a gradient too: a mean E[f] adds E_π[(f + ∂f/∂logp) ∇log π]"
        yield Step(f"{words}, times the derivative by it", "C", c.merged)
        return
    score = term.score(sampler)
    yield Step("Differentiate by logp, sg(.) held fixed, then erase sg", "∂s/∂logp", score.merged)
    drawn = "the policy, so w = 1" if sampler is Sampler.POLICY else "the old policy, so divide by w"
    confirm((score - c).is_zero() or sampler is Sampler.OLD, "on-policy the coefficient is the score")
    yield Step(f"Samples come from {drawn}", "C", c.merged)


def _same_gradient(claim: SameGradient) -> Iterator[Step]:
    yield from _coefficient(claim.left, claim.sampler, "Left")
    yield from _coefficient(claim.right, claim.sampler, "Right")
    left, right = (coefficient_of(t, claim.sampler) for t in (claim.left, claim.right))
    difference = left - right
    holds = difference.is_constant()
    confirm(holds == claim.decide(), "the verdict")
    if holds:
        constant = tidy(difference.cells[0][1])
        yield Step(f"The two differ by the constant {constant}, and E_π[∇log π] = 0: the expected gradients are equal")
    else:
        yield Step("The two do not differ by a constant", "C", difference.merged)
    yield from _objective(left)
    yield Step("In logits the gradient is π_j (C_j - Σ_i π_i C_i), for every V (proofs/logits.py)")


def _objective(c: Coefficient) -> Iterator[Step]:
    """coefficient → objective, by integration; the derivative of the integral is compared with C."""
    found = identify(c)
    if found.terms == ():
        yield Step("Up to a constant C is 0: there is no objective")
        return
    if found.f is not None and not found.f.has(Integral):
        base = c.sole_variable
        slope = Coefficient.of(found.f.diff(u).xreplace({u: exp(base)}))
        confirm(slope.equals(c), "f'(u) = C(log u)")
        words = f"Integrate f'(u) = C(log u), u = π/{found.measured_from}"
        words += f"; this is {found.title}" if found.terms else ""
        yield equation(words + _convexity(found), "f(u)", found.f)
    elif found.objective is not None:
        confirm(found.objective.coefficient().equals(c), "C = (∂F/∂logp)/π")
        yield equation("Integrate C over π, the other policies held", "F", in_probabilities(found.objective.summand))


def _convexity(found: Identification) -> str:
    if found.reason:
        return f" (convexity not decided: {found.reason})"
    return ", convex: an f-divergence" if found.is_divergence else ", not convex: no f-divergence"


def _same_score(claim: SameScore) -> Iterator[Step]:
    left, right = (t.score(claim.sampler) for t in (claim.left, claim.right))
    confirm((left - right).is_zero() == claim.decide(), "the verdict")
    yield Step("Differentiate the left side by logp, sg(.) held fixed, then erase sg", "∂s/∂logp", left.merged)
    yield Step("The same for the right side", "∂s/∂logp, right", right.merged)
    yield Step(
        "The difference is identically zero, so every sample has the same gradient"
        if claim.decide()
        else "The difference is not identically zero: some samples have different gradients"
    )


def _sampler_free(claim: SamplerFree) -> Iterator[Step]:
    yield from _coefficient(claim.left, Sampler.OLD, "It")
    yield Step("∂C/∂w = 0, so who sampled does not matter" if claim.decide() else "∂C/∂w ≠ 0: C depends on who sampled")


def _same_value(claim: SameValue) -> Iterator[Step]:
    difference = tidy(claim.left.summand - claim.right.summand)
    yield equation("The summands differ by", "h - g", in_probabilities(difference))
    yield Step(
        "That is a combination of π, π_ref, π_old whose weights sum to zero, and each sums to 1: the sums are equal"
        if claim.decide()
        else "That is no combination of π, π_ref, π_old whose weights sum to zero: the sums differ somewhere"
    )


def _is_divergence(claim: IsDivergence) -> Iterator[Step]:
    c = coefficient_of(claim.left, claim.sampler)
    yield from _coefficient(claim.left, claim.sampler, "It")
    yield from _objective(c)
    words: dict[int | None, str] = {1: "never decreases in l, so f is convex", 0: "is constant: nothing is descended"}
    yield Step(f"C {words.get(c.slope(), 'falls somewhere, so f is not convex')}")


def _agrees(claim: AgreesToOrder) -> Iterator[Step]:
    confirm(claim.decide(), "the order")
    left, right = (coefficient_of(t, claim.sampler) for t in (claim.left, claim.right))
    yield Step("The coefficients differ by", "C", (left - right).merged)
    yield Step(f"Its derivatives at l = 0 vanish from the first to number {claim.order}, and the next one does not")


def _natural(claim: NaturalInner) -> Iterator[Step]:
    confirm(claim.decide(), "the covariance")
    yield Step("In logits g = F C with F = diag π - ππᵀ, so ⟨g, F⁻ g'⟩ = Cᵀ F C' = Cov_π(C, C')")
    yield Step(
        "One of the two coefficients has mean zero under π, so the covariance is E_π[C C'], and that is the value"
    )


STEPS: Final[Mapping[type, Derivation]] = {
    SameGradient: _same_gradient,
    SameScore: _same_score,
    SamplerFree: _sampler_free,
    SameValue: _same_value,
    IsDivergence: _is_divergence,
    AgreesToOrder: _agrees,
    NaturalInner: _natural,
}
"""Kind of claim to its derivation."""
