"""Derivations about means over the vocabulary: variances, bounds, identities at V = 2, signs on exact settings."""

from collections.abc import Iterator, Mapping
from typing import Final

from sympy import Expr, S, exp

from kltheory.calculus.concrete import at_action
from kltheory.calculus.exact import is_zero, normal_form
from kltheory.calculus.moments import NORMALISED, SCORE_SQUARE, Mean, formulas, mean, normal, trace_variance
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import advantage, log_weight
from kltheory.numerics.witness import certified_moment
from kltheory.proving.claims import SAMPLED, formula
from kltheory.proving.moments import AlwaysSign, GradientBound, OnTwoActions, SameMoment, SignAt, TraceVariance
from kltheory.proving.scalars import HasSign
from kltheory.report.derivations import functions
from kltheory.report.derivations.step import Derivation, Step, confirm, equation

SQUARE: Final = "‖∇log π‖² = 1 - 2π + E[π] in logits"
SUMS: Final = (
    "E[1] = 1, the policy sums to 1",
    "E[1/u] = 1, the reference sums to 1",
    "E[1/w] = 1, the old policy sums to 1",
)
RELATIONS: Final = dict(zip(NORMALISED, SUMS, strict=True))
"""Integrand of mean 1 to the relation."""


def relations(*exprs: Expr) -> list[str]:
    """Which relations :func:`normal` uses on the formulas: those that marking every sample would prevent."""
    integrands = [f.integrand for e in exprs for g in formulas(e) for f in g.atoms(Mean)]
    marked = [m.integrand for f in integrands for m in mean(advantage * normal(f)).atoms(Mean)]
    return [words for g, words in RELATIONS.items() if advantage * g in marked]


def _same_moment(claim: SameMoment) -> Iterator[Step]:
    yield from _expanded(claim.left, claim.right)
    yield _verdict(claim.left, claim.right, claim.decide())


def _expanded(left: Expr, right: Expr) -> Iterator[Step]:
    """Both sides as polynomials in atoms, and what was used."""
    used = relations(left, right)
    if any(e.has(SCORE_SQUARE) for f in (left, right) for e in formulas(f)):
        used.append(SQUARE)
    yield equation("Left, every mean taken apart into means of products", "L", normal(left).expand())
    yield equation("Right, likewise", "R", normal(right).expand())
    if used:
        yield Step(f"Used: {'; '.join(used)}")


def _verdict(left: Expr, right: Expr, stated: bool) -> Step:
    difference = normal(left) - normal(right)
    confirm(is_zero(difference) == stated, "that the polynomials are equal" if stated else "that they differ")
    if stated:
        return Step("Both are the same polynomial in these means: the same number in every setting, for every V")
    words = "They are different polynomials, and nothing else relates these means: they differ in some setting"
    return equation(words, "L - R", difference.expand())


def _trace_variance(claim: TraceVariance) -> Iterator[Step]:
    score = claim.left.score(claim.sampler)
    weight = S.One if claim.sampler is Sampler.POLICY else exp(log_weight)
    left = trace_variance(score.cells[0][1], weight)
    yield equation("The surrogate is", "s", claim.left.expr)
    yield Step("A sample's gradient is c ∇log π: differentiate by logp, sg(.) held, then erase sg", "c", score.merged)
    over = "" if claim.sampler is Sampler.POLICY else ", and a sample of the old policy is one of the policy over w"
    yield Step(f"tr Var = E[c² ‖∇log π‖²] - ‖E[c ∇log π]‖², {SAMPLED[claim.sampler]}{over}")
    yield Step("In logits ‖E_π[C ∇log π]‖² = Σ π²(C - E[C])²")
    yield from _expanded(left, claim.right)
    yield _verdict(left, claim.right, claim.decide())


def _gradient_bound(claim: GradientBound) -> Iterator[Step]:
    c = formula(claim.left, claim.sampler)
    yield equation("The coefficient is", "C", c)
    yield Step("‖E[C ∇log π]‖ ≤ E[|C| ‖∇log π‖], and ‖∇log π‖² = (1 - π)² + the sum of the other π² ≤ 2")
    signs = [HasSign(claim.bound + e, 1) for e in (-c, c)]
    for name, part in zip(("bound - C", "bound + C"), signs, strict=True):
        yield equation("It remains that this is nowhere negative", name, part.left)
        yield from functions.STEPS[HasSign](part)
    holds = all(part.decide() for part in signs)
    confirm(holds == claim.decide(), "the bound")
    yield Step("|C| ≤ bound at every action, hence on average" if holds else "|C| exceeds the bound somewhere")


def _on_two_actions(claim: OnTwoActions) -> Iterator[Step]:
    yield Step("Two actions: logits (theta0, 0) of the policy, (phi0, 0) of the reference; π₁ = 1/(1 + exp(-theta0))")
    same = []
    for members in (sets := claim.sets()):
        left, right = (at_action(e, 2, 0, members) for e in (claim.left, claim.right))
        where = f", where S is {{{', '.join(str(a + 1) for a in members)}}}" if len(sets) > 1 else ""
        yield equation(f"Spelled out in them, left{where}", "L", normal_form(left).as_expr())
        yield equation("Right", "R", normal_form(right).as_expr())
        same.append(is_zero(left - right))
        yield Step("The difference is formally zero" if same[-1] else "The difference is not formally zero")
    confirm(all(same) == claim.decide(), "the identity at V = 2")


def _sign_at(claim: SignAt) -> Iterator[Step]:
    found = certified_moment(claim.left, claim.setting())
    confirm(found is not None and (found.is_positive is (claim.sign > 0)) is claim.decide(), "the sign there")
    yield Step(f"The setting is {claim.setting()}; every mean is a finite sum there")
    yield Step(f"In ball arithmetic it is {found and found.difference}")


def _always_sign(claim: AlwaysSign) -> Iterator[Step]:
    found = claim.counterexample()
    confirm((found is None) == claim.decide(), "the sign")
    if found is not None:
        yield Step("On one exact setting, where every mean is a finite sum, its enclosure has the other sign")
        return
    integrand = claim.left.xreplace({m: m.integrand for m in claim.left.atoms(Mean)})
    yield equation("It is the mean of", "c", integrand)
    yield Step(f"which is nowhere {'negative' if claim.sign > 0 else 'positive'}, so neither is its mean")


STEPS: Final[Mapping[type, Derivation]] = {
    SameMoment: _same_moment,
    TraceVariance: _trace_variance,
    GradientBound: _gradient_bound,
    OnTwoActions: _on_two_actions,
    SignAt: _sign_at,
    AlwaysSign: _always_sign,
}
"""Kind of claim to its derivation."""
