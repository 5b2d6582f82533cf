"""Whole responses, on-policy: what a loss summed over tokens descends.

A response is drawn token by token, and its divergence from the reference is the sum of the tokens' divergences: the
chain rule. Its gradient is not the sum of the tokens' gradients, since today's token also decides which prefixes are
met tomorrow: E[Σ_t s_t (l_t + l_{t+1} + ... )], of which a loss per token keeps l_t alone. What such a loss descends is
the divergence at each prefix, the prefixes held fixed ("frozen"). All here holds for every vocabulary, every maximum
length, every end-of-sequence rule, and any parameters, shared between positions or not.
"""

from kltheory.proving.vocabulary import *

l = log_ratio
TANG_MUNOS = "arXiv 2506.09477"
KHANH = "github.com/khanhptnk/kl-penalty-in-grpo"
SFT = "arXiv 2605.16826"
COMEDY = "arXiv 2512.21852"
FRPO = "arXiv 2601.10201"
gamma = Symbol("gamma", positive=True)
baseline = PastValue("b")


def same(left: SequenceLoss | SequenceObjective, right: SequenceLoss | SequenceObjective) -> SameSequenceGradient:
    """On-policy."""
    return SameSequenceGradient(left, right, POLICY)


# --- the chain rule ---------------------------------------------------------------------------------------------------
OWN = {"detach": "the gradient of l_t itself has mean zero"}


@theorem(catalogue=("50", "65"), source=TANG_MUNOS, harmless=OWN)
def response_kl_is_the_sum_of_the_token_kls():
    """E_π[Σ l_t] = E_π[Σ KL_t], value and gradient, for responses that end early or are cut at a maximum length
    alike."""
    return SameSequenceValue(REVERSE_KL, SequenceObjective(total(E(l)))), same(
        REVERSE_KL, SequenceObjective(total(E(l)))
    )


@theorem(catalogue=("50", "119a"), source=TANG_MUNOS)
def k1_in_reward_with_reward_to_go_eq_grad_response_kl():
    """On-policy, E[Σ_t s_t Σ_{u≥t} l_u] = ∇KL(π‖π_ref) of responses; the past l drop out, so whole returns do as
    well."""
    return same(in_sequence_reward(to_go(l)), REVERSE_KL), same(in_sequence_reward(total(l)), REVERSE_KL)


@theorem(catalogue=("50", "100"), source=TANG_MUNOS)
def any_function_of_the_past_is_a_baseline():
    """On-policy, subtracting b(y_<t) from the reward-to-go of k1 leaves the gradient as it is, whatever b."""
    return same(in_sequence_reward(to_go(l) - baseline), REVERSE_KL)


# --- losses per token -------------------------------------------------------------------------------------------------
@theorem(catalogue=("51a", "102"), source=KHANH)
def k2_per_token_eq_frozen_reverse_kl():
    """On-policy, k2 as a loss on each token, and k1 in the reward with no credit beyond the token, have the gradient of
    the exact KL over the vocabulary at each prefix, Σ_t KL_t on frozen prefixes."""
    return (
        same(token_loss(k2), FROZEN_REVERSE_KL),
        same(in_sequence_reward(l), FROZEN_REVERSE_KL),
    )


@theorem(
    catalogue=("51a", "58"),
    source=(KHANH, FRPO),
    harmless={"drop_stop_gradient": "the gradient of a later l given the token has mean zero"},
)
def k2_per_token_eq_grad_response_kl():
    """On-policy, k2 as a loss on each token descends KL(π‖π_ref) of responses. (False: it lacks E[Σ_t s_t Σ_{u>t} l_u],
    the causal reward-to-go of the future.)"""
    return Refuted(
        same(token_loss(k2), REVERSE_KL),
        corrected=same(token_loss(k2) + in_sequence_reward(future(l)), REVERSE_KL),
    )


@theorem(catalogue="51b", source=KHANH)
def discounted_reward_to_go_eq_grad_response_kl():
    """On-policy, k1 in the reward with discount γ descends KL(π‖π_ref) of responses. (False, at γ = 3/10 as shown: its
    gradient is the frozen one plus E[Σ_t s_t Σ_{u>t} γ^{u-t} l_u].)"""
    return Refuted(
        same(in_sequence_reward(to_go(l, gamma)), REVERSE_KL),
        corrected=same(in_sequence_reward(to_go(l, gamma)), token_loss(k2) + in_sequence_reward(future(l, gamma))),
    )


@theorem(catalogue="51b", source=KHANH)
def discounted_reward_to_go_eq_frozen_reverse_kl():
    """On-policy, k1 in the reward with discount γ descends Σ_t KL_t on frozen prefixes. (False, at γ = 3/10 as shown:
    what it has besides is E[Σ_t s_t Σ_{u>t} γ^{u-t} l_u].)"""
    return Refuted(
        same(in_sequence_reward(to_go(l, gamma)), FROZEN_REVERSE_KL),
        corrected=same(in_sequence_reward(to_go(l, gamma)), FROZEN_REVERSE_KL + in_sequence_reward(future(l, gamma))),
    )


@theorem(catalogue=("52", "102"), source=SFT)
def k3_per_token_eq_frozen_forward_kl():
    """On-policy, k3 as a loss on each token has the gradient of Σ_t KL(π_ref‖π) on the policy's own prefixes, held
    fixed: distillation on the student's responses."""
    return same(token_loss(k3), FROZEN_FORWARD_KL)


@theorem(catalogue="52", source=SFT)
def k3_per_token_eq_grad_response_forward_kl():
    """On-policy, k3 as a loss on each token descends KL(π_ref‖π) of responses. (False: that needs each prefix weighted
    with its π_ref/π.)"""
    return Refuted(
        same(token_loss(k3), FORWARD_KL),
        corrected=same(SequenceLoss(total(sg(exp(-past(l))) * k3.expr)), FORWARD_KL),
    )


@theorem(catalogue="59", source="arXiv 2606.01039")
def frozen_prefixes_descend_each_divergence_by_its_coefficient():
    """On-policy, for D_t = E_π[h(l_t) | past], any h: on frozen prefixes the gradient is E[Σ_t s_t (h + h')(l_t)]."""
    return same(SequenceLoss(total(E(h.expr))), in_sequence_reward(h.expr + h_prime.expr))


# --- losses per response ----------------------------------------------------------------------------------------------
@theorem(catalogue="53", source=TANG_MUNOS)
def k2_of_the_response_eq_grad_response_kl():
    """On-policy, ½(Σ l_t)² as a loss descends KL(π‖π_ref) of responses."""
    return same(SequenceLoss(total(l) ** 2 / 2), REVERSE_KL)


@theorem(catalogue="53", source="catalogue 53")
def k3_of_the_response_eq_grad_response_forward_kl():
    """On-policy, e^{-Σl} - 1 + Σl as a loss descends KL(π_ref‖π) of responses."""
    return same(SequenceLoss(exp(-total(l)) - 1 + total(l)), FORWARD_KL)


# --- returns ----------------------------------------------------------------------------------------------------------
@theorem(catalogue=("54", "119a"), source=COMEDY)
def k3_in_reward_with_returns_eq_response_kl_less_frozen_forward_kl():
    """On-policy, k3 in the reward, with reward-to-go or whole returns, has the gradient of KL(π‖π_ref) of responses
    less that of Σ_t KL(π_ref‖π) on frozen prefixes: all of its bias is in the token's own term."""
    right = REVERSE_KL.as_loss - FROZEN_FORWARD_KL
    return same(in_sequence_reward(to_go(k3.expr)), right), same(in_sequence_reward(total(k3.expr)), right)


@theorem(catalogue="54", source=COMEDY)
def k3_in_reward_and_as_loss_eq_grad_response_kl():
    """On-policy, k3 in the reward with reward-to-go *and* as a loss on each token together descend KL(π‖π_ref) of
    responses."""
    return same(in_sequence_reward(to_go(k3.expr)) + token_loss(k3), REVERSE_KL)


@theorem(catalogue=("55", "59"), source="catalogue 55")
def own_token_k1_and_k1_k3_or_exact_future_eq_grad_response_kl():
    """On-policy, E[Σ_t s_t (l_t + Σ_{u>t} c_u)] = ∇KL(π‖π_ref) of responses for c = k1, k3, or the exact KL at each
    prefix."""
    return [same(in_sequence_reward(l + future(c)), REVERSE_KL) for c in (k1.expr, k3.expr, E(l))]


@theorem(catalogue="55", source="catalogue 55")
def exact_own_kl_and_exact_future_kl_eq_grad_response_kl():
    """On-policy, the exact gradient of KL_t over the vocabulary for the own token, and the exact KL_u of later ones in
    the reward, together have the gradient of KL(π‖π_ref) of responses: nothing is sampled but the prefixes."""
    return same(SequenceLoss(total(E(l))) + in_sequence_reward(future(E(l))), REVERSE_KL)


@theorem(catalogue="59", source="arXiv 2606.01039")
def returns_of_any_divergence():
    """On-policy, ∇E_π[Σ_t D_t] with D_t = E_π[h(l_t) | past] is E[Σ_t s_t ((h + h')(l_t) + Σ_{u>t} h(l_u))], any h: own
    token by the coefficient, later ones by the value."""
    return same(SequenceObjective(total(E(h.expr))), in_sequence_reward(h.expr + h_prime.expr + future(h.expr)))


@theorem(catalogue="59", source="arXiv 2606.01039")
def plug_in_value_in_reward_descends_the_divergence():
    """On-policy, the sampled value h(l) of any divergence, put in the reward with reward-to-go, descends its sum over
    the response. (False: the own token lacks h'(l).)"""
    return Refuted(
        same(in_sequence_reward(to_go(h.expr)), SequenceObjective(total(E(h.expr)))),
        corrected=same(in_sequence_reward(to_go(h.expr) + h_prime.expr), SequenceObjective(total(E(h.expr)))),
    )


# --- is there an objective at all? ------------------------------------------------------------------------------------
@theorem(catalogue="57", source="catalogue 57")
def losses_with_returns_have_an_objective():
    """On-policy, the Jacobian of the expected gradient is symmetric for k1 in the reward with reward-to-go, and for the
    squared log-ratio of the response: they descend something."""
    return IsConservative(in_sequence_reward(to_go(l)), POLICY), IsConservative(SequenceLoss(total(l) ** 2 / 2), POLICY)


@theorem(
    catalogue="57",
    source="catalogue 57",
    harmless={"drop_stop_gradient": "the gradient of a later l given the token has mean zero"},
)
def k2_per_token_has_an_objective():
    """On-policy, k2 as a loss on each token descends some objective. (False, on responses as long as the one shown: a
    prefix decides how often its continuations are met and is not told what they cost, so J ≠ Jᵀ.)"""
    return Refuted(
        IsConservative(token_loss(k2), POLICY),
        corrected=IsConservative(token_loss(k2) + in_sequence_reward(future(l)), POLICY),
    )


@theorem(catalogue="57", source="catalogue 57")
def k3_per_token_has_an_objective():
    """On-policy, k3 as a loss on each token descends some objective. (False, as for k2: what mends it is the forward KL
    of later prefixes, -l e^{-l}, in the reward.)"""
    return Refuted(
        IsConservative(token_loss(k3), POLICY),
        corrected=IsConservative(token_loss(k3) + in_sequence_reward(future(-l * exp(-l))), POLICY),
    )


@theorem(catalogue="57", source="catalogue 57")
def k3_per_token_with_k3_of_later_tokens_has_an_objective():
    """On-policy, k3 as a loss on each token with k3 of later tokens in the reward descends some objective. (False:
    later tokens have to count with the value of what their own term descends, -l e^{-l}.)"""
    return Refuted(
        IsConservative(token_loss(k3) + in_sequence_reward(future(k3.expr)), POLICY),
        corrected=IsConservative(token_loss(k3) + in_sequence_reward(future(-l * exp(-l))), POLICY),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
