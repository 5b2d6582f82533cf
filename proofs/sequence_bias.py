"""Biases on whole responses: how far from ∇KL(π‖π_ref) the expected gradients of estimators are, on trees of two
tokens.

The bias of a loss is the expected gradient of it less the KL of responses, differentiated through the sampling. In
closed form each is a divergence on frozen prefixes or lacks one (catalogue 119); which is the largest depends on the
policy.
"""

from itertools import product

from kltheory.proving.vocabulary import *

l = log_ratio
COMEDY = "arXiv 2512.21852"
LENGTH = 5


def bias(loss: SequenceLoss) -> SequenceLoss:
    """Its expected gradient is that of the loss less ∇KL(π‖π_ref) of responses."""
    return loss - REVERSE_KL.as_loss


def by_last_token(first: str, after_0: str, after_1: str) -> tuple[tuple[str, str], ...]:
    """Five binary tokens: the row of the first, and the one after each token."""
    prefixes = ("".join(p) for n in range(LENGTH) for p in product("01", repeat=n))
    return tuple((p, {"": first, "0": after_0, "1": after_1}[p[-1:]]) for p in prefixes)


UNIFORM = by_last_token(*[".5 .5"] * 3)
SHARPENED, ONE_SIDED = by_last_token(".9 .1", ".8 .2", ".3 .7"), by_last_token(*[".99 .01"] * 3)
K3_IN_REWARD = bias(in_sequence_reward(to_go(k3.expr)))


SHORT = {"add_k2": "the gradient of k2 is short, and partly against the bias"}


@theorem(
    catalogue="119b",
    source=COMEDY,
    harmless={
        **SHORT,
        "forget_weight": "without its weight the KL has no expected gradient, and what is left is shorter",
        "swap_direction": "mirrored, the KL has minus its gradient: no longer than before",
    },
)
def k3_in_reward_has_the_largest_bias_on_one_tree_of_binary_tokens():
    """On-policy, on one tree of five binary tokens, the policy sharpened and the reference uniform, the bias of k3 in
    the reward with reward-to-go for KL(π‖π_ref) of responses is over 1.18 times that of k2 in the reward, and over
    1.42, 14.1 and 2.9 times those of k1, k2 and k3 as losses on each token; k1 in the reward has none."""
    others = (
        (Rational("1.18"), in_sequence_reward(to_go(k2.expr))),
        *zip(map(Rational, ("1.42", "14.1", "2.9")), map(token_loss, (k1, k2, k3)), strict=True),
    )
    return [ShorterGradientAt(times * bias(other), K3_IN_REWARD, SHARPENED, UNIFORM) for times, other in others]


@theorem(
    catalogue="119b",
    source="catalogue 119",
    about=COMEDY,
    harmless={**SHORT, "forget_future": "the bias of k3 is in the token's own term"},
)
def k3_has_a_larger_bias_in_reward_than_as_loss():
    """On-policy, k3 in the reward with reward-to-go has a larger bias for KL(π‖π_ref) of responses than as a loss on
    each token. (False on the tree of five binary tokens shown, the policy uniform and the reference not: as a loss it
    has over 1.3 times as much. So whose bias is the largest depends on the policy.)"""
    as_a_loss = bias(token_loss(k3))
    return Refuted(
        ShorterGradientAt(as_a_loss, K3_IN_REWARD, UNIFORM, ONE_SIDED),
        corrected=ShorterGradientAt(Rational("1.3") * K3_IN_REWARD, as_a_loss, UNIFORM, ONE_SIDED),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
