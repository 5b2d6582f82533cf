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
    """Off-policy, Σ w_t k3_t with a live weight, like Σ w_t k1_t, and like sg(w_t) k2_t, descends Σ_t KL(π‖π_ref) on
    prefixes drawn from the old policy, held fixed."""
    return [same(token_loss(k, weight), FROZEN_REVERSE_KL) for k, weight in ((k3, w), (k1, w), (k2, sg(w)))]


@theorem(catalogue=("67", "69"), source=COMEDY)
def token_weight_eq_grad_response_kl():
    """Off-policy, Σ w_t k3_t with a live weight descends KL(π‖π_ref) of responses. (False: it lacks the weight of the
    prefix, and the future.)"""
    return Refuted(
        same(token_loss(k3, w), REVERSE_KL),
        corrected=same(
            token_loss(k3, sg(earlier_weight) * w) + in_sequence_reward(future(prefix_weight * l)), REVERSE_KL
        ),
    )


@theorem(catalogue="69", source=COMEDY)
def detached_token_weight_eq_frozen_forward_kl_on_the_old_prefixes():
    """Off-policy, Σ sg(w_t) k3_t descends Σ_t KL(π_ref‖π) on prefixes drawn from the old policy, held fixed."""
    return same(token_loss(k3, sg(w)), FROZEN_FORWARD_KL)


@theorem(catalogue=("69", "100"), source=COMEDY)
def weighted_baseline_of_the_past_is_unbiased():
    """Off-policy, Σ w_t (l_t - b(y_<t)) s_t has the gradient of Σ w_t l_t s_t, whatever b: a baseline of the prefix
    that carries the token's weight as well leaves it as it is."""
    return same(in_sequence_reward(l - PastValue("b"), w), in_sequence_reward(l, w))


@theorem(catalogue=("69", "100"), source=COMEDY)
def unweighted_baseline_of_the_past_is_unbiased():
    """Off-policy, a baseline b(y_<t) needs no weight: Σ (w_t l_t - b(y_<t)) s_t has the gradient of Σ w_t l_t s_t.
    (False: E_old[s_t] is not 0; with w_t b(y_<t) it has.)"""
    baseline = PastValue("b")
    return Refuted(
        same(in_sequence_reward(l, w) - in_sequence_reward(baseline), in_sequence_reward(l, w)),
        corrected=same(in_sequence_reward(l, w) - in_sequence_reward(baseline, w), in_sequence_reward(l, w)),
    )


# --- the prefix's weight ----------------------------------------------------------------------------------------------
@theorem(catalogue="70a", source=COMEDY)
def live_prefix_weights_eq_grad_response_kl():
    """Off-policy, Σ w_{1:t} k1_t and Σ w_{1:t} k3_t, with the gradient through w_{1:t}, descend KL(π‖π_ref) of
    responses."""
    return [same(token_loss(k, prefix_weight), REVERSE_KL) for k in (k1, k3)]


@theorem(catalogue="70a", source=COMEDY)
def live_prefix_weights_of_the_past_eq_grad_response_kl():
    """Off-policy, Σ w_{1:t-1} KL_t, the exact KL over the vocabulary with the live weight of the prefix alone, descends
    KL(π‖π_ref) of responses."""
    return same(SequenceLoss(total(earlier_weight * E(l))), REVERSE_KL)


@theorem(catalogue="70a", source=COMEDY)
def detached_prefix_weights_with_reward_to_go_eq_grad_response_kl():
    """Off-policy, Σ_t s_t Σ_{u≥t} w_{1:u} l_u, all weights detached, has the expected gradient ∇KL(π‖π_ref) of
    responses."""
    return same(in_sequence_reward(to_go(prefix_weight * l)), REVERSE_KL)


@theorem(catalogue="70a", source=COMEDY)
def response_weight_eq_grad_response_kl():
    """Off-policy, w_{1:T} Σ k1_t and w_{1:T} Σ k3_t, with the gradient through the weight, descend KL(π‖π_ref) of
    responses."""
    return [same(SequenceLoss(response_weight * total(k.expr)), REVERSE_KL) for k in (k1, k3)]


@theorem(catalogue="70a", source=COMEDY)
def live_prefix_weights_repair_k2():
    """Off-policy, Σ w_{1:t} k2_t with a live weight descends KL(π‖π_ref) of responses. (False: it descends E_π[Σ
    k2_t].)"""
    return Refuted(
        same(token_loss(k2, prefix_weight), REVERSE_KL),
        corrected=same(token_loss(k2, prefix_weight), SequenceObjective(total(k2.expr))),
    )


@theorem(catalogue="70a", source=COMEDY)
def detached_prefix_weights_eq_grad_response_kl():
    """Off-policy, Σ w_{1:t} k3_t with detached weights descends KL(π‖π_ref) of responses. (False: it is Σ_t KL(π_ref‖π)
    on the policy's own prefixes, held fixed.)"""
    frozen = SequenceLoss(total(sg(earlier_weight) * E(-l * exp(-l))))
    return Refuted(
        same(token_loss(k3, sg(prefix_weight)), REVERSE_KL),
        corrected=same(token_loss(k3, sg(prefix_weight)), frozen),
    )


@theorem(catalogue="70b", source="catalogue 70")
def second_moment_of_prefix_weights_grows_by_one_add_chi2_a_step():
    """E_old[w_{1:t}²] = E_π[w_{1:t}], and summed over t it is E_π[Σ_t w_{1:t-1} E[w_t | past]], where E[w_t | past] =
    1 + χ²(π‖π_old) after the prefix: every step multiplies it by as much."""
    return (
        SameSequenceValue(SequenceObjective(total(prefix_weight)), SequenceObjective(total(earlier_weight * E(w)))),
        SameMoment(E(w), 1 + E(w**-1 * (w - 1) ** 2)),
    )


# --- one ratio for the response ---------------------------------------------------------------------------------------
GEOMETRIC = exp(total(log_weight) / length)
"""(Π w_t)^{1/N}, the geometric mean of the token weights."""


@theorem(catalogue="74", source=TRL)
def geometric_mean_weight_mixes_frozen_forward_and_response_reverse_kl():
    """On-policy, all responses of one length N, (Π w_t)^{1/N} Σ k3_t, live, descends (1 - 1/N) Σ_t KL(π_ref‖π) on
    frozen prefixes plus 1/N times KL(π‖π_ref) of responses: long responses lose the reverse KL."""
    return SameSequenceGradient(
        SequenceLoss(GEOMETRIC * total(k3.expr)),
        (1 - 1 / length) * FROZEN_FORWARD_KL + (1 / length) * REVERSE_KL.as_loss,
        POLICY,
        fixed_length=True,
    )


@theorem(catalogue="74", source=TRL)
def geometric_mean_weight_adds_the_mean_value_times_the_score():
    """On-policy, responses of any length, (Π w_t)^{1/N} Σ k3_t, live, has the gradient of k3 as a loss on each token
    plus E[(1/N) Σ k3_t · Σ s_t]."""
    return SameSequenceGradient(
        SequenceLoss(GEOMETRIC * total(k3.expr)),
        token_loss(k3) + SequenceLoss(total(sg(total(k3.expr) / length) * logp)),
        POLICY,
    )


# --- stale penalties --------------------------------------------------------------------------------------------------
@theorem(catalogue="75", source="catalogue 75", harmless={"detach": "the gradient of l_t itself has mean zero"})
def stale_penalty_lacks_the_divergence_from_the_old_policy():
    """Off-policy, ∇KL(π‖π_ref) of responses is the gradient with the penalty Σ log π_old/π_ref in the reward, weighted
    with w_{1:T}, plus ∇KL(π‖π_old) of responses."""
    stale = SequenceLoss(total(sg(response_weight * total(l - log_weight)) * logp))
    return same(REVERSE_KL, stale + SequenceObjective(total(log_weight)).as_loss)


# --- clipping ---------------------------------------------------------------------------------------------------------
@theorem(catalogue=("73", "69"), source="catalogue 73")
def clipped_token_weight_shrinks_each_frozen_kl():
    """Off-policy, Σ sg(min(w_t, 9/8)) k2_t has the gradient E_old[Σ_t E_π[min(1, (9/8)/w) l s | past]], that of Σ_t
    KL(π‖π_ref) on prefixes from the old policy, held fixed, with less weight where w_t > 9/8."""
    cap = Rational(9, 8)
    shrunk = SequenceLoss(total(sg(w * Min(1, cap / w) * l) * logp))
    return same(token_loss(k2, sg(Min(w, cap))), shrunk)


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
