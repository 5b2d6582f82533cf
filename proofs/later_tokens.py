"""What later tokens are credited with: k1, k3 or the exact KL have one mean, and are not equally noisy.

Each is the right credit for a later token; near the reference k3 is the quieter one, and far from it the noisiest.
Claims are about single trees, on which the variances are enclosed.
"""

from itertools import product

from kltheory.proving.vocabulary import *

l = log_ratio
TO_GO = in_sequence_reward(to_go(l))
K3_LATER = in_sequence_reward(l + future(k3.expr))
EXACT_LATER = in_sequence_reward(l + future(E(l)))
CLOSE = (("", ".5 .5"), ("0", ".5 .5"), ("1", ".5 .5"))
CLOSE_REFERENCE = (("", ".6 .4"), ("0", ".4 .6"), ("1", ".55 .45"))
APART = (("", ".5 .5"), ("0", ".02 .98"), ("1", ".5 .5"))
APART_REFERENCE = (("", ".5 .5"), ("0", ".9 .1"), ("1", ".5 .5"))


NO_NOISE = {
    "forget_future": "without credit for later tokens there is less noise, and a bias",
    "detach": "no gradient has no noise",
}
LITTLE = "what it adds is little beside the noise of k3 there"


@theorem(
    catalogue="56a",
    harmless={
        **NO_NOISE,
        "swap_direction": "mirrored, the own token has -l and the later ones k3(-l): little noise as well",
    },
)
def k3_of_later_tokens_is_less_noisy_on_one_tree_near_the_reference():
    """On-policy, l of the own token with k3 of later ones in the reward has the expected gradient of k1 with
    reward-to-go, and less variance on one tree near the reference: .00706 against .01985."""
    return (
        SameSequenceGradient(K3_LATER, TO_GO, POLICY),
        LessVarianceAt(K3_LATER, TO_GO, CLOSE, CLOSE_REFERENCE),
    )


@theorem(
    catalogue="56a",
    harmless={
        **NO_NOISE,
        "scale": LITTLE,
        "drop_stop_gradient": LITTLE,
        "add_k2": LITTLE,
        "swap_direction": "-l and l are as noisy",
    },
)
def k3_of_later_tokens_is_less_noisy():
    """On-policy, l of the own token with k3 of later ones in the reward is less noisy than k1 with reward-to-go, on any
    tree. (False: 8.24 against 1.04 where the policy has all but left what the reference prefers.)"""
    return Refuted(
        LessVarianceAt(K3_LATER, TO_GO, APART, APART_REFERENCE),
        corrected=LessVarianceAt(TO_GO, K3_LATER, APART, APART_REFERENCE),
    )


@theorem(catalogue="56a", harmless={**NO_NOISE, "swap_direction": "-l and l are as noisy, and so are their means"})
def exact_kl_of_later_tokens_is_less_noisy_on_one_tree_far_from_the_reference():
    """On-policy, l of the own token with the exact KL of later prefixes in the reward has the expected gradient of k1
    with reward-to-go, and less variance on one tree far from the reference."""
    return (
        SameSequenceGradient(EXACT_LATER, TO_GO, POLICY),
        LessVarianceAt(EXACT_LATER, TO_GO, APART, APART_REFERENCE),
    )


EXACT_THROUGHOUT = SequenceLoss(total(E(l))) + in_sequence_reward(future(E(l)))
"""The exact gradient of KL_t for the own token, too."""


def by_last_token(*rows: str) -> tuple[tuple[str, str], ...]:
    """Four tokens of V = 3: the row after each token, and the one of the first."""
    prefixes = ("".join(p) for n in range(4) for p in product("012", repeat=n))
    return tuple((prefix, rows[int(prefix[-1:] or 3)]) for prefix in prefixes)


LARGER_CLOSE = (
    by_last_token(".5 .3 .2", ".2 .5 .3", ".3 .2 .5", ".4 .3 .3"),
    by_last_token(".45 .3 .25", ".25 .45 .3", ".3 .25 .45", ".35 .35 .3"),
)
LARGER_APART = (
    by_last_token(".9 .08 .02", ".1 .85 .05", ".02 .08 .9", ".4 .3 .3"),
    by_last_token(".2 .2 .6", ".5 .1 .4", ".6 .3 .1", ".35 .35 .3"),
)


@theorem(catalogue="56b", source="catalogue 56", harmless={**NO_NOISE, "swap_direction": "mirrored, it is as near"})
def k3_of_later_tokens_is_less_noisy_on_one_tree_of_three_and_four_near_the_reference():
    """On-policy, on one tree of V = 3 and four tokens near the reference, l of the own token with k3 of later ones in
    the reward is less noisy than k1 with reward-to-go: .0370 against .0960."""
    return LessVarianceAt(K3_LATER, TO_GO, *LARGER_CLOSE)


@theorem(
    catalogue="56b",
    source="catalogue 56",
    harmless={
        **NO_NOISE,
        "drop_stop_gradient": LITTLE,
        "add_k2": LITTLE,
        "swap_direction": "-l and l are as noisy",
    },
)
def k3_of_later_tokens_is_noisier_on_one_tree_of_three_and_four_far_from_the_reference():
    """On-policy, on one tree of V = 3 and four tokens far from the reference, l of the own token with k3 of later ones
    in the reward is noisier than k1 with reward-to-go: 35.8 against 19.6."""
    return LessVarianceAt(TO_GO, K3_LATER, *LARGER_APART)


@theorem(
    catalogue="56b",
    source="catalogue 56",
    harmless={
        **NO_NOISE,
        "drop_stop_gradient": "it adds the score of what has the mean of a value that is near",
        "swap_direction": "-l and l are as noisy, and so are their means",
    },
)
def exact_kl_of_the_own_token_is_less_noisy():
    """On-policy, beside exact KLs of later prefixes, the exact gradient of the own token's KL is less noisy than its l
    in the reward. (False: 16.8 against 15.7 on a tree of V = 3 and four tokens, by the covariance with the later
    part.)"""
    return Refuted(
        LessVarianceAt(EXACT_THROUGHOUT, EXACT_LATER, *LARGER_APART),
        corrected=LessVarianceAt(EXACT_LATER, EXACT_THROUGHOUT, *LARGER_APART),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
