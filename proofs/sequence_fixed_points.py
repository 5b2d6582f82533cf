"""Fixed points of whole responses: where a reward balances a penalty with returns, and where a penalty per token.

With returns the balance is the exponential tilt π_ref e^{R/β}. A loss per token knows nothing of what later tokens will
pay: for a parameter of each prefix it balances where E_π[R | y_≤t] - E_π[R | y_<t] is β times its own coefficient less
its mean, and these differences add up to R - E_π[R].
"""

from collections.abc import Callable

from kltheory.proving.vocabulary import *

l = log_ratio
KHANH = "github.com/khanhptnk/kl-penalty-in-grpo"


def same(left: SequenceLoss | SequenceObjective, right: SequenceLoss | SequenceObjective) -> SameSequenceGradient:
    """On-policy."""
    return SameSequenceGradient(left, right, POLICY)


REWARD = beta * total(l) + c
"""The reward for which π ∝ π_ref e^{R/β} over whole responses."""


@theorem(catalogue="107a", source=KHANH)
def returns_balance_at_the_exponential_tilt_of_responses():
    """On-policy, where R = c + β Σ l_t, so π ∝ π_ref e^{R/β}, reward and β times k1 in the reward with reward-to-go
    balance."""
    return same(in_sequence_reward(REWARD), beta * in_sequence_reward(to_go(l)))


@theorem(catalogue="107a", source=KHANH)
def k2_per_token_balances_at_the_exponential_tilt_of_responses():
    """On-policy, where R = c + β Σ l_t, so π ∝ π_ref e^{R/β}, reward and β times k2 as a loss on each token balance.
    (False: a pull of β E[Σ_t s_t Σ_{u>t} l_u] is left over.)"""
    return Refuted(
        same(in_sequence_reward(REWARD), beta * token_loss(k2)),
        corrected=same(in_sequence_reward(REWARD), beta * (token_loss(k2) + in_sequence_reward(future(l)))),
    )


@theorem(catalogue="107b", source="catalogue 107")
def k2_per_token_balances_at_the_tilt_times_the_exponential_of_the_token_kls():
    """On-policy, where R = c + β Σ (l_t - KL_t), so π ∝ π_ref e^{R/β} e^{Σ KL_t}, reward and β times k2 as a loss on
    each token balance: responses whose prefixes have departed further from the reference get more than their tilt."""
    return same(in_sequence_reward(beta * total(l - E(l)) + c), beta * token_loss(k2))


@theorem(catalogue="107b", source="catalogue 107")
def k3_per_token_balances_at_the_reciprocal_tilt_of_each_token():
    """On-policy, where R = c + β Σ (1 - π_ref/π)_t, a reciprocal tilt of each token, reward and β times k3 as a loss on
    each token balance."""
    return same(in_sequence_reward(beta * total(1 - exp(-l)) + c), beta * token_loss(k3))


TOY = ("V = 2, two tokens", "π_ref uniform", "reward 1 on one response, else 0", "β = 1/5")
ODDS = 5
"""1/β."""


def second_and_first(given: Callable[[Expr], Expr]) -> Expr:
    """Of the rewarded response, where a token that gains ρ in expected reward gets the probability given(ρ)."""
    second = given(S.One)
    return given(second) * second


def k3_gives(gain: Expr) -> Expr:
    """β/2/(Λ - ρ), where β/2/(Λ - ρ) + β/2/Λ = 1."""
    step = 1 / S(ODDS)
    top = (gain + step + sqrt(gain**2 + step**2)) / 2
    return step / 2 / (top - gain)


@theorem(
    catalogue="107b",
    source=KHANH,
    hypotheses=TOY,
    harmless={
        "scale": "a sign is scale-invariant",
        "add_one": "one more keeps it positive",
        "drop_term": "the larger of the two alone is positive",
    },
)
def k2_per_token_lands_above_the_optimum_and_k3_below():
    """Of the rewarded response the optimum π ∝ π_ref e^{R/β} has a probability under .981, the policy where k2 per
    token balances one over .986, and that where k3 per token does less than the optimum."""
    best = 1 / (1 + 3 * exp(S(-ODDS)))
    by_k2, by_k3 = second_and_first(lambda gain: 1 / (1 + exp(-ODDS * gain))), second_and_first(k3_gives)
    return [HasSign(gap, 1) for gap in (Rational(".981") - best, by_k2 - Rational(".986"), best - by_k3)]


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
