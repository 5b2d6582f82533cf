"""When do two losses of whole responses have the same expected gradient, for every V, every horizon and every policy?

When the difference of their gradients, a sum of words, is zero on average. So with values, and with ∂_a g_b - ∂_b g_a.
"""

from collections.abc import Iterator
from dataclasses import replace

from sympy import Add, Expr, S, exp

from kltheory.calculus.exact import Undecidable
from kltheory.calculus.moments import map_means
from kltheory.calculus.sequence.language import length
from kltheory.calculus.sequence.lengths import by_length, counted
from kltheory.calculus.sequence.loss import Carried, SequenceLoss, SequenceObjective, confirm_defined, curl
from kltheory.calculus.sequence.series import Average, Condition, remainder
from kltheory.calculus.sequence.terms import Span, Term, take_apart
from kltheory.calculus.sequence.words import Word, settled, words
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import erase_sg, log_weight

Sequence = SequenceLoss | SequenceObjective


def same_gradient(left: Sequence, right: Sequence, sampler: Sampler, fixed_length: bool = False) -> bool:
    """Whether the expected gradients agree.

    Raises:
        Undecidable: one is no sum of words, or something is left over that is not known to be independent of the rest.
    """
    return left_over(left.gradient(sampler) - right.gradient(sampler), sampler, fixed_length) is None


def is_conservative(loss: SequenceLoss, sampler: Sampler, fixed_length: bool = False) -> bool:
    """Whether the expected gradient is that of some objective, whatever parameters the policy has; raises as above."""
    return left_over(curl(loss, sampler), sampler, fixed_length) is None


def same_value(left: SequenceObjective, right: SequenceObjective, fixed_length: bool = False) -> bool:
    """Whether two averages over the policy's responses are the same number; raises as above."""
    return left_over(value(left) - value(right), Sampler.POLICY, fixed_length) is None


def value(side: SequenceObjective) -> Expr:
    """What is averaged over the policy's responses, ``sg`` erased. Raises Undefined where it has no value."""
    confirm_defined(side.expr)
    return map_means(erase_sg(side.expr), erase_sg)


def left_over(expr: Expr, sampler: Sampler, fixed_length: bool = False) -> Condition | None:
    """What is left of the average of a formula of responses, ``None`` if it is zero; raises as above."""
    for _, over, sum_of_words in sums(expr, sampler, fixed_length):
        if (found := remainder(sum_of_words, over)) is not None:
            return found if _lengths_are_free(expr, sampler, fixed_length) else None
    return None


def _lengths_are_free(expr: Expr, sampler: Sampler, fixed_length: bool) -> bool:
    """Whether words behind one function of the length are independent of those behind another.

    Words that count positions may be N times others; false where they are, for every response. Raises as above.
    """
    by_function = by_length(_terms(expr, sampler), fixed_length)
    if not any(_counts(w) for f, behind in by_function.items() if f != 1 for t in behind for w in words(t)):
        return True
    multiplied = by_length(_terms(expr, sampler), True).values()
    everything = [_added_up([w for t in behind for w in words(t)]) for behind in multiplied]
    if not any(mark.has(Carried) for ws in everything for w in ws for mark in w.marks) and all(
        remainder(ws, Average.NOTHING) is None for ws in everything
    ):
        return False
    if not fixed_length and left_over(expr, sampler, True) is not None:  # nearly all responses may have one length
        return True
    raise Undecidable("positions are counted beside a function of the length, and may be more of it")


def _counts(word: Word) -> bool:
    """Whether a mark may be a position that is only counted: what is there is what the gaps have."""
    ends = zip(word.gaps, word.marks, word.gaps[1:], strict=False)
    return any(a == b and a in {x.as_coeff_Mul()[1] for x in Add.make_args(m.expand())} for a, m, b in ends)


def sums(expr: Expr, sampler: Sampler, fixed_length: bool = False) -> Iterator[tuple[Expr, Average, list[Word]]]:
    """Functions of the length, and the sum of words behind each, as an average under the policy.

    A function of a random length is known at the end only, and behind it nothing is averaged; raises as above.
    """
    for function, behind in by_length(_terms(expr, sampler), fixed_length).items():
        found = [w for t in behind for w in words(t)]
        waiting = [] if fixed_length else [w for w in found if function != 1 or any(map(_waits, (*w.gaps, *w.marks)))]
        averaged = [e for w in found if w not in waiting for e in settled(w, fixed_length)]
        if any(mark.has(Carried) for w in waiting for mark in w.marks):
            raise Undecidable("a mean over the vocabulary is differentiated before the end of what it multiplies")
        if waiting:
            yield function, Average.NOTHING, _added_up(waiting)
        if averaged:
            yield function, Average.ONE_LENGTH if fixed_length else Average.RANDOM_LENGTH, _added_up(averaged)


def _terms(expr: Expr, sampler: Sampler) -> Iterator[Term]:
    density = () if sampler is Sampler.POLICY else (Span(None, None, exp(-log_weight)),)
    return take_apart(counted(expr), None, Term(spans=density))


def _added_up(found: list[Word]) -> list[Word]:
    """Each word once."""
    numbers: dict[Word, Expr] = {}
    for w in found:
        key = replace(w, factor=S.One)
        numbers[key] = numbers.get(key, S.Zero) + w.factor
    return [replace(w, factor=number) for w, number in numbers.items() if number != 0]


def _waits(factor: Expr) -> bool:
    return factor.has(length)
