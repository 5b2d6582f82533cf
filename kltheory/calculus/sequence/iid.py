"""Independent, equal steps: the trace of the variance of a gradient as a polynomial in the length.

Where every token is drawn from one distribution and all steps share its logits, a word averages to the product of its
marks' means, once for each of the C(N, k) places of its k marks. Squares of gradients are words with two scores.
"""

from sympy import Expr, S, factorial, ff

from kltheory.calculus.exact import Undecidable
from kltheory.calculus.moments import SCORE_SQUARE, E, gradient_inner, mean, normal
from kltheory.calculus.sequence.language import SUMS, length
from kltheory.calculus.sequence.loss import Carried, SequenceLoss, other_score, score
from kltheory.calculus.sequence.terms import take_apart
from kltheory.calculus.sequence.words import Word, words
from kltheory.calculus.surrogate import Sampler


def iid_trace_variance(loss: SequenceLoss) -> Expr:
    """tr Var of one response's gradient, on-policy, in the logits all steps share: a polynomial in N and in means.

    Raises:
        Undecidable: a discount or a weight links the steps, or the gradient carries a mean over the vocabulary.
    """
    gradient = loss.gradient(Sampler.POLICY)
    if gradient.has(Carried):
        raise Undecidable("the gradient carries a mean over the vocabulary")
    twin = gradient.xreplace({score: other_score})
    second = sum((_times(w) * _squared(w) for w in _words(gradient * twin)), S.Zero)
    coefficient = sum((_times(w) * _coefficient(w) for w in _words(gradient)), S.Zero)
    return normal(second - gradient_inner(coefficient, coefficient)).expand()


def _words(expr: Expr) -> list[Word]:
    found = [w for t in take_apart(expr) for w in words(t)]
    if any(gap != 1 for w in found for gap in w.gaps) or any(m.has(*SUMS) for w in found for m in w.marks):
        raise Undecidable("a discount, a weight or a critic links the steps")
    return found


def _times(word: Word) -> Expr:
    """The word's number, once for each place of its marks."""
    return word.factor * ff(length, len(word.marks)) / factorial(len(word.marks))


def _squared(word: Word) -> Expr:
    """The mean of the product of two gradients' words."""
    result, apart = S.One, {}
    for mark in word.marks:
        if mark.has(score) and mark.has(other_score):
            result *= E(mark.coeff(score).coeff(other_score) * SCORE_SQUARE)
        elif mark.has(score):
            apart[score] = mark.coeff(score)
        elif mark.has(other_score):
            apart[other_score] = mark.coeff(other_score)
        else:
            result *= mean(mark)
    return result * gradient_inner(apart[score], apart[other_score]) if apart else result


def _coefficient(word: Word) -> Expr:
    """What multiplies the score, the other marks averaged."""
    result = S.One
    for mark in word.marks:
        result *= mark.coeff(score) if mark.has(score) else mean(mark)
    return result
