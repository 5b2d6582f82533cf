"""Derivations: a theorem step by step, as a person writes it. Only what the calculus confirms is printed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from sympy import Integral, exp

from kltheory.calculus.coefficient import Cell, Coefficient, tidy
from kltheory.calculus.divergence import Objective, u
from kltheory.calculus.identify import Identification, identify
from kltheory.calculus.notation import in_probabilities, text
from kltheory.calculus.surrogate import Sampler
from kltheory.proving.claims import (
    AgreesToOrder,
    Claim,
    IsDivergence,
    NaturalInner,
    SameGradient,
    SameScore,
    SameValue,
    SamplerFree,
    Term,
    coefficient_of,
)
from kltheory.proving.theorem import Refuted, Theorem
from kltheory.proving.witnesses import find_witness
from kltheory.report import latex


class WrongStep(Exception):
    """A step of a derivation that the calculus does not confirm: a defect of this program."""


@dataclass(frozen=True)
class Step:
    """One line: words, then perhaps ``name = formula``, in cells where the formula is not smooth."""

    text: str
    name: str = ""
    cells: tuple[Cell, ...] = ()

    def plain(self) -> str:
        """The line in plain text."""
        parts = (text(tidy(e)) + ("" if r.is_everything else f" where {r}") for r, e in self.cells)
        return f"{self.text}: {self.name} = {'; '.join(parts)}" if self.cells else self.text

    def latex(self) -> str:
        """The line in LaTeX, the formula displayed."""
        if not self.cells:
            return latex.text(self.text) + "."
        rows = [(latex.formula(tidy(e)), latex.text(str(r))) for r, e in self.cells]
        body = rows[0][0] if len(rows) == 1 else _cases(rows)
        return f"{latex.text(self.text)}:\n\\[ {NAMES[self.name]} = {body} \\]"


NAMES: Final = {
    "s": "s",
    "∂s/∂logp": r"\partial s/\partial\log\pi",
    "C": "C",
    "f(u)": "f(u)",
    "F": "F",
    "h - g": "h - g",
    "∂s/∂logp, right": r"\partial s'/\partial\log\pi",
}
"""Left-hand sides of displayed formulas."""


def _cases(rows: list[tuple[str, str]]) -> str:
    return r"\begin{cases} " + r" \\ ".join(rf"{e} & \text{{{r}}}" for e, r in rows) + r" \end{cases}"


def explain(theorem: Theorem) -> Iterator[Step]:
    """The derivation of a theorem, claim by claim.

    Raises:
        WrongStep: the calculus does not confirm a step.
    """
    built = theorem.build()
    yield Step(f"{theorem.name}. {theorem.statement}")
    yield Step(f"Assumed: {', '.join(theorem.hypotheses)}; any vocabulary size")
    if isinstance(built, Refuted):
        yield from _refutation(built.claim)
        yield Step("What is true instead")
    for claim in theorem.claims():
        yield Step(f"Claim: {claim}")
        yield from STEPS.get(type(claim), _decided)(claim)


def _refutation(claim: Claim) -> Iterator[Step]:
    yield Step(f"Stated: {claim}")
    yield from STEPS.get(type(claim), lambda _: iter(()))(claim)
    witness = find_witness(claim)
    if claim.decide() or witness is None:
        raise WrongStep(f"{claim} has no certified counterexample")
    yield Step(f"Counterexample, enclosed in ball arithmetic: {witness['text']}")


def _decided(claim: Claim) -> Iterator[Step]:
    """Claims about one function: the difference is decided as it stands."""
    holds = claim.decide()
    yield Step("Decided by the zero test and exact signs on every cell: it " + ("holds" if holds else "fails"))


# --- gradients ----------------------------------------------------------------------------------------------------
def _coefficient(term: Term, sampler: Sampler, side: str) -> Iterator[Step]:
    """surrogate → ∂s/∂logp → coefficient, or sum → coefficient."""
    everywhere = Coefficient.of(0).cells[0][0]
    c = coefficient_of(term, sampler)
    if isinstance(term, Objective):
        yield Step(f"{side} is the sum over the vocabulary of", "F", ((everywhere, in_probabilities(term.summand)),))
        yield Step("Its gradient is E_π[C ∇log π] with C = (∂F/∂logp)/π", "C", c.merged)
        return
    yield Step(f"{side} is the surrogate", "s", ((everywhere, term.expr),))
    score = term.score(sampler)
    yield Step("Differentiate by logp, sg(.) held fixed, then erase sg", "∂s/∂logp", score.merged)
    drawn = "the policy, so w = 1" if sampler is Sampler.POLICY else "the old policy, so divide by w"
    _confirm((score - c).is_zero() or sampler is Sampler.OLD, "on-policy the coefficient is the score")
    yield Step(f"Samples come from {drawn}", "C", c.merged)


def _same_gradient(claim: SameGradient) -> Iterator[Step]:
    yield from _coefficient(claim.left, claim.sampler, "Left")
    yield from _coefficient(claim.right, claim.sampler, "Right")
    left, right = (coefficient_of(t, claim.sampler) for t in (claim.left, claim.right))
    difference = left - right
    holds = difference.is_constant()
    _confirm(holds == claim.decide(), "the verdict")
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
    everywhere = Coefficient.of(0).cells[0][0]
    if found.f is not None and not found.f.has(Integral):
        base = c.sole_variable()
        slope = Coefficient.of(found.f.diff(u).xreplace({u: exp(base)}))
        _confirm(slope.equals(c), "f'(u) = C(log u)")
        words = f"Integrate f'(u) = C(log u); this is {found.title}" if found.terms else "Integrate f'(u) = C(log u)"
        yield Step(words + _convexity(found), "f(u)", ((everywhere, found.f),))
    elif found.objective is not None:
        _confirm(found.objective.coefficient().equals(c), "C = (∂F/∂logp)/π")
        yield Step(
            "Integrate C over π, the other policies held",
            "F",
            ((everywhere, in_probabilities(found.objective.summand)),),
        )


def _convexity(found: Identification) -> str:
    if found.reason:
        return f" (convexity not decided: {found.reason})"
    return ", convex: an f-divergence" if found.is_divergence else ", not convex: no divergence"


def _same_score(claim: SameScore) -> Iterator[Step]:
    left, right = (t.score(claim.sampler) for t in (claim.left, claim.right))
    _confirm((left - right).is_zero() == claim.decide(), "the verdict")
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
    everywhere = Coefficient.of(0).cells[0][0]
    yield Step("The summands differ by", "h - g", ((everywhere, in_probabilities(difference)),))
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
    _confirm(claim.decide(), "the order")
    e = claim.difference()
    yield Step("The coefficients differ by", "C", ((Coefficient.of(0).cells[0][0], e),))
    yield Step(f"Its derivatives at l = 0 vanish from the first to number {claim.order}, and the next one does not")


def _natural(claim: NaturalInner) -> Iterator[Step]:
    _confirm(claim.decide(), "the covariance")
    yield Step("In logits g = F C with F = diag π - ππᵀ, so ⟨g, F⁻ g'⟩ = Cᵀ F C' = Cov_π(C, C')")
    yield Step(
        "One of the two coefficients has mean zero under π, so the covariance is E_π[C C'], and that is the value"
    )


STEPS: Final[dict[type, Callable[[Any], Iterator[Step]]]] = {
    SameGradient: _same_gradient,
    SameScore: _same_score,
    SamplerFree: _sampler_free,
    SameValue: _same_value,
    IsDivergence: _is_divergence,
    AgreesToOrder: _agrees,
    NaturalInner: _natural,
}
"""Kind of claim to its derivation; kinds without one are decided as they stand."""


def _confirm(checked: bool, what: str) -> None:
    if not checked:
        raise WrongStep(f"the calculus does not confirm {what}")
