"""Derivations about whole responses: from a loss to the words of its expected gradient, and to what is left of them."""

from collections.abc import Iterator, Mapping
from typing import Final

from sympy import Expr

from kltheory.calculus.notation import text
from kltheory.calculus.sequence.iid import iid_trace_variance
from kltheory.calculus.sequence.loss import SequenceObjective, curl, other_score
from kltheory.calculus.sequence.same import left_over, sums, value
from kltheory.calculus.sequence.words import Word
from kltheory.calculus.surrogate import Sampler
from kltheory.proving.claims import SAMPLED
from kltheory.proving.one_tree import LessVarianceAt, ShorterGradientAt
from kltheory.proving.response_variance import VarianceGrowth
from kltheory.proving.sequences import (
    IsConservative,
    SameSequenceGradient,
    SameSequenceValue,
    SequenceClaim,
    SequenceTerm,
)
from kltheory.report.derivations.step import Derivation, Step, confirm, equation

AVERAGED: Final = (
    "Marks are positions in order, [f] a factor at every position of a gap. From the end: 1, exp(-l) and exp(-log_w) "
    "have mean 1 after every prefix, other functions means of their own; a score counts modulo functions of its past. "
    "So the sum is zero iff certain numbers in front of strings of letters are (docs/decision.md, theorem H)"
)
MOST: Final = 8
"""Words that are written out."""


def _same_gradient(claim: SameSequenceGradient) -> Iterator[Step]:
    for side, term in (("Left", claim.left), ("Right", claim.right)):
        yield from _moved(side, term, claim.sampler)
    gradient = claim.left.gradient(claim.sampler) - claim.right.gradient(claim.sampler)
    conclusion = "the expected gradients are equal, for every V, length and policy"
    yield from _averaged("The difference", gradient, claim.sampler, claim, conclusion)


def _averaged(words: str, expr: Expr, sampler: Sampler, claim: SequenceClaim, conclusion: str) -> Iterator[Step]:
    """The words of a formula of responses, and what is left of their average."""
    for function, _, sum_of_words in sums(expr, sampler, claim.fixed_length):
        yield from _listed(words, function, sum_of_words)
    yield Step(AVERAGED)
    left = left_over(expr, sampler, claim.fixed_length)
    confirm((left is None) == claim.decide(), "the verdict")
    yield Step(f"Nothing is left: {conclusion}" if left is None else f"What is left: {left}")


def _moved(side: str, term: SequenceTerm, sampler: Sampler) -> Iterator[Step]:
    if isinstance(term, SequenceObjective):
        yield equation(f"{side} is the average over the policy's responses of", "L", term.expr)
        yield Step("Its gradient is that of the loss times w_{1:N}, the live weight of the response")
    else:
        yield equation(f"{side} is the loss of a response", "L", term.expr)
    words = "sg(.) held, each token's logp, l, log w move by its score s"
    yield equation(f"One response's gradient, {SAMPLED[sampler]}: {words}", "g", term.gradient(sampler))


def _listed(words: str, function: Expr, found: list[Word]) -> Iterator[Step]:
    for n, word in enumerate(found):
        if n == MOST:
            yield Step(f"{words}: and {len(found) - MOST} further words")
            return
        yield Step(f"{words}: {_word(function, word)}")


def _word(function: Expr, word: Word) -> str:
    """Marks in brackets, gap factors between them where they are not 1: ``Σ [w] (l) (s)``."""
    number = function * word.factor
    parts = [] if number == 1 else [text(number)]
    for n, gap in enumerate(word.gaps):
        parts += [f"[{text(gap)}]"] if gap != 1 else []
        parts += [f"({text(word.marks[n])})"] if n < len(word.marks) else []
    return " ".join(["Σ"] * bool(word.marks) + (parts or ["1"]))


def _same_value(claim: SameSequenceValue) -> Iterator[Step]:
    for side, term in (("Left", claim.left), ("Right", claim.right)):
        yield equation(f"{side} is the average over the policy's responses of", "L", term.expr)
    difference = value(claim.left) - value(claim.right)
    conclusion = "the averages are the same number, for every V, length and policy"
    yield from _averaged("The difference", difference, Sampler.POLICY, claim, conclusion)


def _is_conservative(claim: IsConservative) -> Iterator[Step]:
    yield from _moved("It", claim.left, claim.sampler)
    moved = curl(claim.left, claim.sampler)
    words = f"Moved in a second direction, score {other_score}, and antisymmetrised: ∂_a g_b - ∂_b g_a"
    yield equation(words, "g", moved)
    yield from _averaged("It", moved, claim.sampler, claim, "J = Jᵀ, so there is an objective")


def _variance_growth(claim: VarianceGrowth) -> Iterator[Step]:
    confirm(claim.decide(), "the leading coefficient")
    yield from _moved("It", claim.left, Sampler.POLICY)
    yield Step("Steps are independent and equal: a word of k marks stands in C(N, k) places, its marks' means multiply")
    yield equation("So, by E[‖g‖²] - ‖E[g]‖², as a polynomial in N", "tr Var", iid_trace_variance(claim.left))
    yield equation(f"The coefficient of N^{claim.degree}, the highest power", "L", claim.leading)


def _on_one_tree(claim: LessVarianceAt | ShorterGradientAt) -> Iterator[Step]:
    tree = claim.tree()
    yield Step(f"The tree has V = {tree.size}, T = {tree.horizon}: {claim.quantity} is a finite sum over its responses")
    words = "the smaller" if claim.decide() else "not the smaller"
    yield Step(f"In ball arithmetic {claim.quantity} on the left is {words}")


STEPS: Final[Mapping[type, Derivation]] = {
    SameSequenceGradient: _same_gradient,
    SameSequenceValue: _same_value,
    IsConservative: _is_conservative,
    VarianceGrowth: _variance_growth,
    **dict.fromkeys((LessVarianceAt, ShorterGradientAt), _on_one_tree),
}
"""Kind of claim to its derivation."""
