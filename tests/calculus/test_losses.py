"""The list of losses: what each gives a sample where the policy has not moved yet, and with parameters of one's own."""

import pytest
from sympy import Rational, S, exp

from kltheory.calculus.divergence import jensen_shannon
from kltheory.calculus.losses import (
    LOSSES,
    awr,
    clip,
    dro,
    entropy_bonus,
    gjsd,
    importance,
    kl_cov,
    ppo,
    reinforce,
    sampled_entropy,
    skew_kl,
    skew_reverse_kl,
    tis,
)
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import advantage, log_weight, logp, sg

A, w = advantage, exp(log_weight)
OF_POLICIES = (kl_cov, gjsd, skew_kl, skew_reverse_kl, entropy_bonus, sampled_entropy)
"""Those without an advantage."""
OVER_THE_VOCABULARY = (gjsd, skew_kl, skew_reverse_kl, entropy_bonus)
POLICY_LOSSES = [loss for loss in LOSSES if loss not in (*OF_POLICIES, dro, awr)]
"""Those that give a sample -A times the score as long as the policy has not moved."""


def same(left: Surrogate, right: Surrogate, sampler: Sampler) -> bool:
    return (left.score(sampler) - right.score(sampler)).is_zero()


def test_names_and_titles_tell_losses_apart():
    assert len({loss.name for loss in LOSSES}) == len({loss.title for loss in LOSSES}) == len(LOSSES)


@pytest.mark.parametrize("loss", POLICY_LOSSES, ids=lambda loss: loss.name)
def test_on_policy_a_policy_loss_gives_a_sample_minus_its_advantage(loss):
    assert same(loss(A), Surrogate(-sg(A) * logp), Sampler.POLICY)
    assert not same(loss(2 * A), Surrogate(-sg(A) * logp), Sampler.POLICY)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_only_the_importance_weight_and_sums_over_the_vocabulary_are_free_of_the_sampler(loss):
    surrogate = loss() if loss in OF_POLICIES else loss(A)
    assert surrogate.coefficient(Sampler.OLD).depends_on(log_weight) == (loss not in (importance, *OVER_THE_VOCABULARY))


def test_the_even_mixture_is_jensen_shannon():
    assert gjsd().coefficient(Sampler.POLICY).equals(jensen_shannon.objective.coefficient())
    assert not gjsd(Rational(1, 3)).coefficient(Sampler.POLICY).equals(jensen_shannon.objective.coefficient())


def test_parameters_that_are_left_out_have_their_usual_values():
    fifth = Rational(1, 5)
    assert ppo(A) == ppo(A, fifth) == ppo(A, fifth, fifth) != ppo(A, fifth, Rational(7, 25))
    assert same(tis(A, 10**6), sg(clip(w, 1, 10**6 - 1)) * reinforce(A), Sampler.OLD)
    assert clip(S(3), fifth, fifth) == Rational(6, 5)
