"""Means over the vocabulary inside losses of whole responses: what is the same for every tree, and what is not."""

import pytest
from sympy import Abs, Max, S, exp, log

from kltheory.calculus.exact import Undecidable
from kltheory.calculus.moments import E
from kltheory.calculus.sequence.language import ahead, future, length, past, total
from kltheory.calculus.sequence.loss import SequenceLoss, SequenceObjective
from kltheory.calculus.sequence.same import is_conservative, same_gradient, same_value
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import inside, logp, sg
from kltheory.calculus.symbols import log_ratio as l
from kltheory.calculus.symbols import log_weight as lw

r, m = exp(-l), E(l)

# Two losses, sampled by the old policy, and whether they have one gradient.
GRADIENTS = {
    "the reference sums to one": (total(sg(E(r)) * logp), total(logp), True),
    "the old policy sums to one": (total(sg(E(exp(-lw))) * logp), total(logp), True),
    "the policy's square does not": (total(sg(E(exp(logp))) * logp), total(logp), False),
    "a sum": (total(sg(E(l + l**2)) * l), total(sg(m + E(l**2)) * l), True),
    "a factor": (total(sg(E(2 * l)) * l), total(sg(2 * m) * l), True),
    "a mean in a mean": (total(sg(E(l * m)) * l), total(sg(m**2) * l), True),
    "no mean in a mean": (total(sg(E(l * l)) * l), total(sg(m**2) * l), False),
    "by cells": (total(sg(E(Abs(l))) * l), total(sg(E(Max(l, -l))) * l), True),
    "by other cells": (total(sg(E(Abs(l))) * l), total(sg(E(Max(l, 0))) * l), False),
    "of nothing": (total(E(r - 1) * l), S.Zero, True),
    "in an exponent": (exp(total(sg(E(r - 1)))) * total(l), total(l), True),
}

VALUES = {
    "in an exponent": (exp(total(E(r - 1))) * total(l), total(l), True),
    "of the past": (total(past(E(r)) * m), total(past(S.One) * l), True),
    "a sum in an exponent": (exp(total(m + m)) * total(l), exp(total(E(2 * l))) * total(l), True),
    "of two in an exponent": (exp(total(E(l + lw))) * total(l), exp(total(m + E(lw))) * total(l), True),
    "by cells in an exponent": (exp(total(E(Abs(l)))) * total(l), exp(total(E(Max(l, -l)))) * total(l), True),
    "a critic": (total(ahead(l)), total(future(l)), True),
    "the mean of a critic": (total(l * E(ahead(l))), total(l * ahead(l)), False),
    "the mean of a critic alone": (total(E(ahead(l))), total(future(l)), True),
    "a critic of another thing": (total(ahead(l)), total(ahead(lw)), False),
    "a discounted sum, from its other end": (
        total(future(l, 2)),
        total(2 * l * (exp(log(2) * past(S.One)) - 1)),
        True,
    ),
    "discounted by one token less": (total(future(l, 2)), total(l * (exp(log(2) * past(S.One)) - 1)), False),
    "powers of a negative number": ((-2) ** length * total(l), 2**length * (-1) ** length * total(l), True),
    "powers of another number": ((-2) ** length * total(l), 2**length * total(l), False),
    "of others in an exponent": (exp(total(m)) * total(l), exp(total(E(l**2))) * total(l), False),
}


# Where all responses have one length: how many actions there are, and how many in S, is the same at every token.
OF_ONE_LENGTH = {
    "a later count of actions": (total(sg(future(exp(-logp))) * logp), S.Zero, True),
    "a later count of members": (total(sg(future(inside * exp(-logp))) * logp), S.Zero, True),
    "the count is not one": (total(exp(-logp) * l), total(l), False),
    "one count is not the other": (total(sg(E(exp(-logp))) * l**2), total(sg(E(inside * exp(-logp))) * l**2), False),
    "no count of either": (total(sg(future(exp(-logp - l))) * logp), S.Zero, False),
}

# Whether the expected gradient is that of an objective. A mean that moves has a token of its own, drawn by itself.
OBJECTIVES = {
    "a mean times the old policy's score": (total(sg(m) * logp), Sampler.OLD, False),
    "a mean of the weight times it": (total(sg(1 + E(exp(lw))) * logp), Sampler.OLD, False),
    "a mean times the policy's score": (total(sg(m) * logp), Sampler.POLICY, True),
    "a mean with corners times the policy's score": (total(sg(E(Max(l, 0))) * logp), Sampler.POLICY, True),
    "a mean times the weighted score": (total(sg(m * exp(lw)) * logp), Sampler.OLD, True),
    "a mean that does not move": (total(sg(E(r)) * logp), Sampler.OLD, True),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name):
    left, right, same = GRADIENTS[name]
    assert same_gradient(SequenceLoss.of(left), SequenceLoss.of(right), Sampler.OLD) is same


@pytest.mark.parametrize("name", VALUES)
def test_values(name):
    left, right, same = VALUES[name]
    assert same_value(SequenceObjective.of(left), SequenceObjective.of(right)) is same


@pytest.mark.parametrize("name", OF_ONE_LENGTH)
def test_gradients_of_one_length(name):
    left, right, same = OF_ONE_LENGTH[name]
    assert same_gradient(SequenceLoss.of(left), SequenceLoss.of(right), Sampler.POLICY, fixed_length=True) is same


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives(name):
    loss, sampler, has_one = OBJECTIVES[name]
    assert is_conservative(SequenceLoss.of(loss), sampler) is has_one


def test_a_mean_with_corners_beside_a_score_is_not_told_apart():
    """E_old[s] E[f s'], f = max(l - 1000, 0), is zero on every tree that is tried, and has no objective."""
    with pytest.raises(Undecidable, match="beside a mean that moves"):
        is_conservative(SequenceLoss.of(total(sg(E(Max(l - 1000, 0))) * logp)), Sampler.OLD)


def test_quotients_of_means_are_not_told_apart():
    """1/(1 + m²) + m²/(1 + m²) = 1: they are not independent of each other."""
    with pytest.raises(Undecidable, match="no product of a function of the token and one of its row"):
        same_gradient(SequenceLoss.of(total(sg(1 / (1 + m**2)) * l)), SequenceLoss.of(total(l)), Sampler.OLD)
