"""Derivations about whole responses: from a loss to the words of its expected gradient, and to what is left of them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from sympy import S

from kltheory.calculus.notation import text
from kltheory.calculus.sequence.iid import iid_trace_variance
from kltheory.calculus.sequence.loss import SequenceObjective, curl, other_score
from kltheory.calculus.sequence.same import Form, curl_form, form, parting, value_form
from kltheory.calculus.sequence.words import Key
from kltheory.calculus.surrogate import Sampler
from kltheory.proving.claims import SAMPLED
from kltheory.proving.response_variance import LessVarianceAt, VarianceGrowth
from kltheory.proving.sequences import IsConservative, SameSequenceGradient, SameSequenceValue, SequenceTerm
from kltheory.report.derivations.step import Derivation, Step, confirm, equation

REDUCED: Final = (
    "Marks are positions in order, [f] a factor at every position of a gap. From the end: a last gap of 1, exp(-l) or "
    "exp(-log_w) has mean 1; a last mark with the score s counts modulo functions of the past, one without it by its "
    "mean; a mark that moves the border of two gaps telescopes"
)
MOST: Final = 8
"""Words that are written out."""


def _same_gradient(claim: SameSequenceGradient) -> Iterator[Step]:
    def moved(side: str, term: SequenceTerm) -> Iterator[Step]:
        return _moved(side, term, claim.sampler)

    def reduced(term: SequenceTerm) -> Form:
        return form(term, claim.sampler, claim.fixed_length)

    yield from _both(claim, moved, reduced, "the expected gradients are equal")


def _both(
    claim: SameSequenceGradient | SameSequenceValue,
    introduced: Callable[[str, Any], Iterator[Step]],
    reduced: Callable[[Any], Form],
    conclusion: str,
) -> Iterator[Step]:
    """Each side introduced, and its words; then what is left of their difference."""
    left, right = reduced(claim.left), reduced(claim.right)
    for side, term, found in (("Left", claim.left, left), ("Right", claim.right, right)):
        yield from introduced(side, term)
        yield from _listed(f"{side}, reduced", found)
    yield Step(REDUCED)
    yield from _compared(left, right, claim.fixed_length, claim.decide(), conclusion)


def _moved(side: str, term: SequenceTerm, sampler: Sampler) -> Iterator[Step]:
    if isinstance(term, SequenceObjective):
        yield equation(f"{side} is the average over the policy's responses of", "L", term.expr)
        yield Step("Its gradient is that of the loss times w_{1:N}, the live weight of the response")
    else:
        yield equation(f"{side} is the loss of a response", "L", term.expr)
    words = "sg(.) held, each token's logp, l, log w move by its score s"
    yield equation(f"One response's gradient, {SAMPLED[sampler]}: {words}", "g", term.gradient(sampler))


def _listed(words: str, found: Form) -> Iterator[Step]:
    found = {key: last for key, last in found.items() if last != 0}
    if not found:
        yield Step(f"{words}: nothing")
    for n, (key, last) in enumerate(found.items()):
        if n == MOST:
            yield Step(f"{words}: and {len(found) - MOST} further words")
            return
        yield Step(f"{words}: {_word(key, last)}")


def _word(key: Key, last: object) -> str:
    """Marks in brackets, gap factors between them where they are not 1: ``Σ [w] (l) (s)``."""
    of_length, gaps, inner, _, counted = key
    marks = [*inner, last] if len(gaps) > 1 else []
    parts = [] if of_length == 1 else [text(of_length)]
    for n, gap in enumerate(gaps):
        parts += [f"[{text(gap)}]"] if gap != 1 else []
        parts += [f"({text(S(marks[n]))})"] if n < len(marks) else []
    if not marks:
        parts.append(text(S(last)))
    return " ".join(["Σ"] * bool(marks) + parts) + (f", {counted} positions after it counted" if counted else "")


def _compared(mine: Form, other: Form, fixed_length: bool, holds: bool, conclusion: str) -> Iterator[Step]:
    parts = parting(mine, other, fixed_length)
    confirm((not parts) == holds, "the verdict")
    if holds:
        yield Step(f"Word by word nothing is left that counts: {conclusion}, for every V, length and policy")
        return
    yield from _listed("Left over", parts)


def _same_value(claim: SameSequenceValue) -> Iterator[Step]:
    def averaged(side: str, term: SequenceObjective) -> Iterator[Step]:
        yield equation(f"{side} is the average over the policy's responses of", "L", term.expr)

    def reduced(term: SequenceObjective) -> Form:
        return value_form(term, claim.fixed_length)

    yield from _both(claim, averaged, reduced, "the averages are the same number")


def _is_conservative(claim: IsConservative) -> Iterator[Step]:
    yield from _moved("It", claim.left, claim.sampler)
    moved = curl(claim.left, claim.sampler)
    words = f"Moved in a second direction, score {other_score}, and antisymmetrised: ∂_a g_b - ∂_b g_a"
    yield equation(words, "g", moved)
    found = curl_form(claim.left, claim.sampler, claim.fixed_length)
    yield from _listed("Reduced", found)
    yield Step(REDUCED)
    yield from _compared(found, {}, claim.fixed_length, claim.decide(), "J = Jᵀ, so there is an objective")


def _variance_growth(claim: VarianceGrowth) -> Iterator[Step]:
    confirm(claim.decide(), "the leading coefficient")
    yield from _moved("It", claim.left, Sampler.POLICY)
    yield Step("Steps are independent and equal: a word of k marks stands in C(N, k) places, its marks' means multiply")
    yield equation("So, by E[‖g‖²] - ‖E[g]‖², as a polynomial in N", "tr Var", iid_trace_variance(claim.left))
    yield equation(f"The coefficient of N^{claim.degree}, the highest power", "L", claim.leading)


def _less_variance(claim: LessVarianceAt) -> Iterator[Step]:
    tree = claim.tree()
    yield Step(f"The tree has V = {tree.size}, T = {tree.horizon}: each variance is a finite sum over its responses")
    yield Step(f"In ball arithmetic the left variance is {'the smaller' if claim.decide() else 'not the smaller'}")


STEPS: Final[Mapping[type, Derivation]] = {
    SameSequenceGradient: _same_gradient,
    SameSequenceValue: _same_value,
    IsConservative: _is_conservative,
    VarianceGrowth: _variance_growth,
    LessVarianceAt: _less_variance,
}
"""Kind of claim to its derivation."""
