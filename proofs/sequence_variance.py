"""Whole responses: which estimator is the noisier one, and how the noise grows with the length.

Reward-to-go buys the right gradient at a price: each score is multiplied by everything that follows. With N equal,
independent steps the trace of the variance is a polynomial in N, which the calculus derives. Replacing a sampled
log-ratio by its exact mean over the vocabulary (Rao-Blackwell) removes noise at each prefix, but a sum over the
response is no conditional expectation of the sampled sum: there are policies on which it is the noisier one.
"""

from kltheory.proving.vocabulary import *

l = log_ratio
AMINI = "arXiv 2504.10637"
GROWTH = "arXiv 2603.25562"
SPREAD = 1 - E(POLICY_PROBABILITY)
"""E‖∇log π‖² of one step, in its logits: 1 - Σ π²."""


# --- growth with the length -------------------------------------------------------------------------------------------
@theorem(catalogue="62", source=GROWTH, hypotheses=("steps i.i.d.", "logits shared"))
def variance_of_token_losses_grows_linearly():
    """k2 as a loss on each token: N times the variance of one step."""
    return VarianceGrowth(token_loss(k2), E(l**2 * SCORE_SQUARE) - gradient_inner(l, l), 1)


@theorem(catalogue=("62", "39"), source=GROWTH, hypotheses=("steps i.i.d.", "logits shared"))
def variance_of_reward_to_go_grows_like_the_cube():
    """k1 in the reward with reward-to-go: N³/3 · KL² (1 - Σ π²), to leading order."""
    return VarianceGrowth(in_sequence_reward(to_go(l)), E(l) ** 2 * SPREAD / 3, 3)


@theorem(catalogue="62", source=GROWTH, hypotheses=("steps i.i.d.", "logits shared"))
def variance_of_whole_returns_grows_like_the_cube():
    """k1 in the reward with whole returns: N³ KL² (1 - Σ π²), three times as much."""
    return VarianceGrowth(in_sequence_reward(total(l)), E(l) ** 2 * SPREAD, 3)


@theorem(
    catalogue="62",
    source=GROWTH,
    hypotheses=("steps i.i.d.", "logits shared"),
    harmless={"drop_stop_gradient": "what a later l adds is of lower order"},
)
def variance_of_reward_to_go_with_an_exact_value_grows_like_the_square():
    """With the exact value of what is to come subtracted: N²/2 · Var(l) (1 - Σ π²)."""
    return VarianceGrowth(in_sequence_reward(to_go(l - E(l))), (E(l**2) - E(l) ** 2) * SPREAD / 2, 2)


# --- Rao-Blackwell ----------------------------------------------------------------------------------------------------
SAMPLED = SequenceObjective(total(l))
EXACT = SequenceObjective(total(E(l)))
PATH = (("", ".5 .5"), ("0", ".5 .5"), ("1", ".01 .99"))
PATH_REFERENCE = (("", ".25 .75"), ("0", ".5 .5"), ("1", ".99 .01"))


@theorem(catalogue="60", source=AMINI, hypotheses="V = 2")
def exact_token_kls_sum_with_less_variance():
    """Σ KL_t, exact at each prefix, has no more variance than Σ l_t. (False as a statement about the sum over a
    response: 5.0697 against 3.3159 on a tree of two steps.)"""
    return Refuted(
        LessVarianceAt(EXACT, SAMPLED, PATH, PATH_REFERENCE),
        corrected=LessVarianceAt(SAMPLED, EXACT, PATH, PATH_REFERENCE),
    )


@theorem(catalogue="61", source=AMINI)
def exact_token_kls_have_less_variance_given_the_prefix():
    """Coordinate by coordinate of a tabular policy: given that a prefix is visited, E[X²] - E[X]² = E[(X - E[X])²] ≥ 0
    for the prefix's own term X, whatever it is a function of."""
    x = h.expr * logp
    return SameMoment(E(x**2) - E(x) ** 2, E((x - E(x)) ** 2))


SHARED = (("", ".9 .1"), ("0", ".95 .05"), ("1", ".2 .8"))
SHARED_REFERENCE = (("", ".8 .2"), ("0", ".95 .05"), ("1", ".99 .01"))
BIAS = inside - E(inside)
"""The score of one parameter that all steps share: the logit of the first token."""


@theorem(
    catalogue="61", source=AMINI, hypotheses="V = 2", harmless={"scale": "twice the sampled one is less noisy still"}
)
def exact_token_gradients_have_less_variance_with_shared_parameters():
    """Σ E[l s | prefix] has no more variance than Σ l_t s_t for a parameter that all steps share. (False: .08243
    against .01331 on a tree of two steps, by the covariance between steps.)"""
    sampled, exact = (SequenceObjective(total(x)) for x in (BIAS * l, E(BIAS * l)))
    return Refuted(
        LessVarianceAt(exact, sampled, SHARED, SHARED_REFERENCE),
        corrected=LessVarianceAt(sampled, exact, SHARED, SHARED_REFERENCE),
    )


# --- what later tokens are credited with --------------------------------------------------------------------------
TO_GO = in_sequence_reward(to_go(l))
K3_LATER = in_sequence_reward(l + future(k3.expr))
EXACT_LATER = in_sequence_reward(l + future(E(l)))
CLOSE = (("", ".5 .5"), ("0", ".5 .5"), ("1", ".5 .5"))
CLOSE_REFERENCE = (("", ".6 .4"), ("0", ".4 .6"), ("1", ".55 .45"))
APART = (("", ".5 .5"), ("0", ".02 .98"), ("1", ".5 .5"))
APART_REFERENCE = (("", ".5 .5"), ("0", ".9 .1"), ("1", ".5 .5"))


WITHOUT_CREDIT = {"forget_future": "without credit for later tokens there is less noise, and a bias"}
LITTLE = "what it adds is little beside the noise of k3 there"


@theorem(catalogue="56", hypotheses="V = 2", harmless=WITHOUT_CREDIT)
def k3_of_later_tokens_is_less_noisy_near_the_reference():
    """k1 of the own token with k3 of later ones, against k1 of all: .00706 against .01985 on a tree near the
    reference, and the same expected gradient."""
    return LessVarianceAt(K3_LATER, TO_GO, CLOSE, CLOSE_REFERENCE)


@theorem(
    catalogue="56",
    hypotheses="V = 2",
    harmless={**WITHOUT_CREDIT, "scale": LITTLE, "drop_stop_gradient": LITTLE, "add_k2": LITTLE},
)
def k3_of_later_tokens_is_less_noisy():
    """The same on any tree. (False: 8.24 against 1.04 where the policy has all but left what the reference prefers.)"""
    return Refuted(
        LessVarianceAt(K3_LATER, TO_GO, APART, APART_REFERENCE),
        corrected=LessVarianceAt(TO_GO, K3_LATER, APART, APART_REFERENCE),
    )


@theorem(catalogue="56", hypotheses="V = 2", harmless=WITHOUT_CREDIT)
def exact_kl_of_later_tokens_is_less_noisy_there_too():
    """On that tree the exact KL of later prefixes in their place is the least noisy of the three."""
    return LessVarianceAt(EXACT_LATER, TO_GO, APART, APART_REFERENCE)


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
