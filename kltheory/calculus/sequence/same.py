"""When do two losses of whole responses have the same expected gradient, for every V, every horizon and every policy?

Their normal forms have to agree word by word: where the last mark carries the score, up to a function of the past;
where it does not, in its mean given the past; where the length is still to come, exactly.
"""

from sympy import Expr, S

from kltheory.calculus.cells import split
from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.moments import CORNERED, map_means, normal
from kltheory.calculus.sequence.language import length
from kltheory.calculus.sequence.loss import SequenceLoss, SequenceObjective, curl
from kltheory.calculus.sequence.words import Key, normal_form
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import erase_sg

Sequence = SequenceLoss | SequenceObjective
Form = dict[Key, Expr]


def same_gradient(left: Sequence, right: Sequence, sampler: Sampler, fixed_length: bool = False) -> bool:
    """Whether the expected gradients agree.

    Raises:
        Undecidable: one is no sum of words, or words that are not known to be independent are left over.
    """
    return not parting(form(left, sampler, fixed_length), form(right, sampler, fixed_length), fixed_length)


def form(side: Sequence, sampler: Sampler, fixed_length: bool = False) -> Form:
    """The words of an expected gradient; raises as above."""
    return normal_form(side.gradient(sampler), sampler, fixed_length)


def parting(mine: Form, other: Form, fixed_length: bool) -> Form:
    """The words in which two forms part, with what is left of them; none where they agree; raises as above."""
    left_over = {key: mine.get(key, S.Zero) - other.get(key, S.Zero) for key in dict.fromkeys([*mine, *other])}
    parts = {key: last for key, last in left_over.items() if not _vanishes(key, last, fixed_length)}
    for _, gaps, inner, _, _ in parts:
        if any(e.has(*CORNERED) for e in (*gaps, *inner)):
            raise Undecidable("terms with corners before the last position are left over")
    return parts


def is_conservative(loss: SequenceLoss, sampler: Sampler, fixed_length: bool = False) -> bool:
    """Whether the expected gradient is that of some objective, whatever parameters the policy has; raises as above."""
    return not parting(curl_form(loss, sampler, fixed_length), {}, fixed_length)


def curl_form(loss: SequenceLoss, sampler: Sampler, fixed_length: bool = False) -> Form:
    """The words of ∂_a g_b - ∂_b g_a; raises as above."""
    return normal_form(curl(loss, sampler), sampler, fixed_length)


def same_value(left: SequenceObjective, right: SequenceObjective, fixed_length: bool = False) -> bool:
    """Whether two averages over the policy's responses are the same number; raises as above."""
    return not parting(value_form(left, fixed_length), value_form(right, fixed_length), fixed_length)


def value_form(side: SequenceObjective, fixed_length: bool = False) -> Form:
    """The words of an average over the policy's responses; raises as above."""
    return normal_form(_value(side), Sampler.POLICY, fixed_length)


def _value(side: SequenceObjective) -> Expr:
    return map_means(erase_sg(side.expr), erase_sg)


def _vanishes(key: Key, last: Expr, fixed_length: bool) -> bool:
    of_length, gaps, _, scores, _ = key
    function = last
    for s in scores:
        function = function.coeff(s)
    if gaps[-1] != 1 or (not fixed_length and (of_length != 1 or function.has(length))):
        return is_zero(function)
    if len(scores) != 1:
        return is_zero(normal(function))
    return Coefficient(tuple(split(function))).is_constant()
