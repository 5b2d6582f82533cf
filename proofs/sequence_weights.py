"""Whole responses from another policy: what a weight on the token, the prefix or the response repairs.

If the responses were drawn from π_old, the mean over them is a mean over π with the density Π_t 1/w_t. A weight on the
token cancels its own factor and leaves the prefixes where they were drawn; the product of the weights up to the token
moves the prefixes too, and, differentiated, it is the policy gradient of everything to come. What follows a token needs
no weight: the rest of the response averages to one.
"""

from kltheory.proving.vocabulary import *

l = log_ratio
COMEDY = "arXiv 2512.21852"
DEEPSEEK = "arXiv 2512.02556"
TRL = "github.com/huggingface/trl"


def same(left: SequenceLoss | SequenceObjective, right: SequenceLoss | SequenceObjective) -> SameSequenceGradient:
    """Responses from the old policy."""
    return SameSequenceGradient(left, right, OLD)


# --- the token's weight -----------------------------------------------------------------------------------------------
@theorem(catalogue=("67", "69"), source=(DEEPSEEK, COMEDY))
def token_weight_eq_frozen_reverse_kl_on_the_old_prefixes():
    """Σ w_t k3_t with a live weight, like Σ w_t k1_t, and like sg(w_t) k2_t, descends Σ_t KL(π‖π_ref) on prefixes drawn
    from the old policy, held fixed."""
    return [same(token_loss(k, weight), FROZEN_REVERSE_KL) for k, weight in ((k3, w), (k1, w), (k2, sg(w)))]


@theorem(catalogue=("67", "69"), source=(DEEPSEEK, COMEDY))
def token_weight_eq_grad_response_kl():
    """Σ w_t k3_t with a live weight descends KL(π‖π_ref) of responses. (False: it lacks the weight of the prefix, and
    the future.)"""
    return Refuted(
        same(token_loss(k3, w), REVERSE_KL),
        corrected=same(
            token_loss(k3, sg(earlier_weight) * w) + in_sequence_reward(future(prefix_weight * l)), REVERSE_KL
        ),
    )


@theorem(catalogue="69", source=COMEDY)
def detached_token_weight_eq_frozen_forward_kl_on_the_old_prefixes():
    """Σ sg(w_t) k3_t descends Σ_t KL(π_ref‖π) on prefixes drawn from the old policy, held fixed."""
    return same(token_loss(k3, sg(w)), FROZEN_FORWARD_KL)


@theorem(catalogue=("69", "100"), source=COMEDY)
def no_function_of_the_past_needs_a_weight():
    """Σ sg(w_t)(l_t - b(y_<t)) log π_t: any baseline of the prefix leaves the gradient as it is, off-policy as well."""
    return same(in_sequence_reward(l - PastValue("b"), w), in_sequence_reward(l, w))


# --- the prefix's weight ----------------------------------------------------------------------------------------------
@theorem(catalogue="70", source=COMEDY)
def live_prefix_weights_eq_grad_response_kl():
    """Σ w_{1:t} k1_t and Σ w_{1:t} k3_t, with the gradient through w_{1:t}, descend KL(π‖π_ref) of responses."""
    return [same(token_loss(k, prefix_weight), REVERSE_KL) for k in (k1, k3)]


@theorem(catalogue="70", source=COMEDY)
def live_prefix_weights_of_the_past_eq_grad_response_kl():
    """Σ w_{1:t-1} KL_t, the exact KL over the vocabulary with the live weight of the prefix alone, does so, too."""
    return same(SequenceLoss(total(earlier_weight * E(l))), REVERSE_KL)


@theorem(catalogue="70", source=COMEDY)
def detached_prefix_weights_with_reward_to_go_eq_grad_response_kl():
    """Σ_t s_t Σ_{u≥t} w_{1:u} l_u, all weights detached."""
    return same(in_sequence_reward(to_go(prefix_weight * l)), REVERSE_KL)


@theorem(catalogue="70", source=COMEDY)
def response_weight_eq_grad_response_kl():
    """w_{1:T} Σ k1_t and w_{1:T} Σ k3_t, with the gradient through the weight."""
    return [same(SequenceLoss(response_weight * total(k.expr)), REVERSE_KL) for k in (k1, k3)]


@theorem(catalogue="70", source=COMEDY)
def live_prefix_weights_repair_k2():
    """Σ w_{1:t} k2_t with a live weight descends KL(π‖π_ref) of responses. (False: its value is E[Σ k2_t].)"""
    return Refuted(
        same(token_loss(k2, prefix_weight), REVERSE_KL),
        corrected=same(token_loss(k2, prefix_weight), SequenceObjective(total(k2.expr))),
    )


@theorem(catalogue="70", source=COMEDY)
def detached_prefix_weights_eq_grad_response_kl():
    """Σ w_{1:t} k3_t with detached weights descends KL(π‖π_ref) of responses. (False: it is Σ_t KL(π_ref‖π) on the
    policy's own prefixes, held fixed.)"""
    frozen = SequenceLoss(total(sg(earlier_weight) * E(-l * exp(-l))))
    return Refuted(
        same(token_loss(k3, sg(prefix_weight)), REVERSE_KL),
        corrected=same(token_loss(k3, sg(prefix_weight)), frozen),
    )


# --- one ratio for the response ---------------------------------------------------------------------------------------
GEOMETRIC = exp(total(log_weight) / length)
"""(Π w_t)^{1/N}, the geometric mean of the token weights."""


@theorem(catalogue="74", source=TRL, hypotheses="all responses of one length N")
def geometric_mean_weight_mixes_frozen_forward_and_response_reverse_kl():
    """(Π w_t)^{1/N} Σ k3_t, live and on-policy, descends (1 - 1/N) Σ_t KL(π_ref‖π) on frozen prefixes plus 1/N times
    KL(π‖π_ref) of responses: long responses lose the reverse KL."""
    return SameSequenceGradient(
        SequenceLoss(GEOMETRIC * total(k3.expr)),
        (1 - 1 / length) * FROZEN_FORWARD_KL + (1 / length) * REVERSE_KL.as_loss,
        POLICY,
        fixed_length=True,
    )


@theorem(catalogue="74", source=TRL, hypotheses="responses of any length")
def geometric_mean_weight_adds_the_mean_value_times_the_score():
    """Of any length: token k3 as a loss plus E[(1/N) Σ k3_t · Σ s_t]."""
    return SameSequenceGradient(
        SequenceLoss(GEOMETRIC * total(k3.expr)),
        token_loss(k3) + SequenceLoss(total(sg(total(k3.expr) / length) * logp)),
        POLICY,
    )


# --- stale penalties --------------------------------------------------------------------------------------------------
@theorem(catalogue="75", source="catalogue 75", harmless={"detach": "the gradient of l_t itself has mean zero"})
def stale_penalty_lacks_the_divergence_from_the_old_policy():
    """∇KL(π‖π_ref) of responses is the gradient with the penalty log π_old/π_ref, as the rollout had it, plus
    ∇KL(π‖π_old) of responses."""
    stale = SequenceLoss(total(sg(response_weight * total(l - log_weight)) * logp))
    return same(REVERSE_KL, stale + SequenceObjective(total(log_weight)).as_loss)


# --- clipping ---------------------------------------------------------------------------------------------------------
@theorem(catalogue=("73", "69"), source="catalogue 73")
def clipped_token_weight_shrinks_each_frozen_kl():
    """Σ sg(min(w_t, 9/8)) k2_t is l_t in the reward, weighted alike, on prefixes from the old policy."""
    capped = Min(w, Rational(9, 8))
    return same(token_loss(k2, sg(capped)), in_sequence_reward(l, capped))


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
