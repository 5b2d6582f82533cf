"""The list of losses: what each gives a sample where the policy has not moved yet, and with parameters of one's own."""

import pytest
from sympy import Rational, S, exp

from kltheory.calculus.losses import LOSSES, awr, clip, dro, importance, kl_cov, ppo, reinforce, tis
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import advantage, log_weight, logp, sg

A, w = advantage, exp(log_weight)
OTHERS = {kl_cov.name: (), dro.name: (A,), awr.name: (A,)}
"""Those that do not give a sample -A times the score on-policy: no policy loss, or another function of A."""
POLICY_LOSSES = [loss for loss in LOSSES if loss.name not in OTHERS]


def same(left: Surrogate, right: Surrogate, sampler: Sampler) -> bool:
    return (left.score(sampler) - right.score(sampler)).is_zero()


def test_names_and_titles_tell_losses_apart():
    assert len({loss.name for loss in LOSSES}) == len({loss.title for loss in LOSSES}) == len(LOSSES)


@pytest.mark.parametrize("loss", POLICY_LOSSES, ids=lambda loss: loss.name)
def test_on_policy_a_policy_loss_gives_a_sample_minus_its_advantage(loss):
    assert same(loss(A), Surrogate(-sg(A) * logp), Sampler.POLICY)
    assert not same(loss(2 * A), Surrogate(-sg(A) * logp), Sampler.POLICY)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_only_the_importance_weight_is_free_of_the_sampler(loss):
    moves = loss(*OTHERS.get(loss.name, (A,))).coefficient(Sampler.OLD).depends_on(log_weight)
    assert moves == (loss is not importance)


def test_parameters_that_are_left_out_have_their_usual_values():
    fifth = Rational(1, 5)
    assert ppo(A) == ppo(A, fifth) == ppo(A, fifth, fifth) != ppo(A, fifth, Rational(7, 25))
    assert same(tis(A, 10**6), sg(clip(w, 1, 10**6 - 1)) * reinforce(A), Sampler.OLD)
    assert clip(S(3), fifth, fifth) == Rational(6, 5)
