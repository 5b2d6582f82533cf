"""Masks, numbers of the prefix, entropies and batches on whole responses: what stays harmless, and what does not.

A number of the prefix before a token, credited to that token, has no expected gradient: E[b(y_<t) s_t] = 0. So masks
and baselines that look at the past alone do no harm, and neither does what a token got before it was drawn. A mask that
looks at the token itself, by its ratio, say, breaks this, as it does in one step. The weight of a long response is most
of the time close to nothing, and truncating it leaves what is close to nothing.
"""

from kltheory.proving.vocabulary import *

POLGRAD, TRL = "github.com/SaifPunjwani/polgrad", "github.com/huggingface/trl"
l, lw = log_ratio, log_weight
number = PastValue("m")
"""Any number of the prefix, a mask among them."""
CAP = Rational(9, 8)
CREDITED = SequenceLoss(total(number * logp))
"""Credited to the token after the prefix, as a cost."""
LATER = {"drop_stop_gradient": "the gradient of a later log π given the token has mean zero"}


def same(left: SequenceLoss, right: SequenceLoss | SequenceObjective) -> SameSequenceGradient:
    """On-policy."""
    return SameSequenceGradient(left, right, POLICY)


def off_policy(left: SequenceLoss, right: SequenceLoss | SequenceObjective) -> SameSequenceGradient:
    """Responses of the old policy."""
    return SameSequenceGradient(left, right, OLD)


# --- masks ------------------------------------------------------------------------------------------------------------
PAST = past(number * h.expr)
NOTHING = {"forget_past": "without past rewards nothing is added either"}


@theorem(catalogue="168", source="catalogue 168", hypotheses="A_t = m(y_<t) h(l_t)", harmless=NOTHING)
def past_rewards_drop_out_with_the_weight_of_the_token():
    """Off-policy, w_t (Σ_{i<t} A_i) s_t has no expected gradient: beside a loss it adds nothing."""
    return off_policy(in_sequence_reward(w * PAST) + token_loss(h), token_loss(h))


@theorem(
    catalogue="168", source="catalogue 168", hypotheses=("A_t = m(y_<t) h(l_t)", "truncated at 9/8"), harmless=NOTHING
)
def past_rewards_drop_out_with_a_truncated_weight():
    """Off-policy, min(w_t, c) (Σ_{i<t} A_i) s_t has no expected gradient. (False: E_old[min(w, c) s] is not 0; with w_t
    it has none.)"""

    def beside(weight: Expr) -> SequenceLoss:
        return in_sequence_reward(weight * PAST) + token_loss(h)

    return Refuted(off_policy(beside(Min(w, CAP)), token_loss(h)), corrected=off_policy(beside(w), token_loss(h)))


@theorem(catalogue="169", source=TRL, hypotheses="m is the mask, 0 or 1, or any other number of the prefix")
def mask_of_the_prefix_keeps_each_position_exact():
    """On-policy, Σ m(y_<t) k2_t has the gradient of Σ m(y_<t) KL_t on frozen prefixes: the positions that are kept have
    their own term, whatever the past decides; and a baseline stays harmless there, E[m(y_<t) s_t] = 0."""
    return (
        same(SequenceLoss(total(number * k2.expr)), SequenceLoss(total(number * E(l)))),
        same(CREDITED + token_loss(k2), token_loss(k2)),
    )


@theorem(
    catalogue="169",
    source="catalogue 169",
    hypotheses="1_S stands for a mask of the token that was drawn",
)
def mask_of_the_token_keeps_baselines_harmless():
    """On-policy, a constant advantage on the tokens of a set S, and none on others, has no expected gradient. (False:
    it is ∇π(S) after each prefix; a mask of the prefix has none.)"""
    return Refuted(
        same(SequenceLoss(total(inside * logp)) + token_loss(k2), token_loss(k2)),
        corrected=same(CREDITED + token_loss(k2), token_loss(k2)),
    )


# --- numbers of the prefix --------------------------------------------------------------------------------------------
@theorem(catalogue="170", source="catalogue 170")
def number_of_the_prefix_credited_to_its_own_token_has_no_gradient():
    """A detached number m(y_<t) of the prefix, the top-k KL there, say, credited to its own token, adds nothing to the
    expected gradient on-policy, nor off-policy with the token's weight."""
    return (
        same(CREDITED + token_loss(k2), token_loss(k2)),
        off_policy(SequenceLoss(total(number * sg(w) * logp)) + token_loss(k2), token_loss(k2)),
    )


@theorem(catalogue="170", source="catalogue 170")
def number_of_the_prefix_off_policy_without_a_weight():
    """Off-policy and without a weight, m(y_<t) s_t adds nothing. (False: as a cost it descends -Σ m(y_<t) KL(π_old‖π)
    at each prefix.)"""
    return Refuted(
        off_policy(CREDITED, SequenceLoss(S.Zero)),
        corrected=off_policy(CREDITED, SequenceLoss(total(number * E(lw / w)))),
    )


@theorem(catalogue="170", source="catalogue 170")
def number_of_the_prefix_credited_to_earlier_tokens_is_the_gradient_of_the_prefixes():
    """On-policy, Σ_t s_t Σ_{u>t} m(y_<u) has the gradient of E_π[Σ m(y_<t)], m itself held: how often its prefixes are
    met. With m = KL_u, detached, beside the differentiable KL of the own token, it is ∇KL(π‖π_ref) of responses."""
    return (
        same(SequenceLoss(total(future(number) * logp)), SequenceObjective(total(number))),
        same(FROZEN_REVERSE_KL + in_sequence_reward(future(E(l))), REVERSE_KL),
    )


# --- entropies --------------------------------------------------------------------------------------------------------
FROZEN_ENTROPY = SequenceLoss(total(E(logp)))
"""Minus the entropies over the vocabulary, at sampled prefixes."""
ENTROPY = SequenceObjective(total(logp))
"""Minus the entropy of responses."""


@theorem(catalogue="171", source="catalogue 171")
def token_entropies_to_go_complete_the_entropy_of_responses():
    """On-policy, minus the entropies of tokens over the vocabulary with detached later ones to go in the reward, and
    likewise log π to go in the reward, descend minus the entropy of responses."""
    return (
        same(FROZEN_ENTROPY + in_sequence_reward(future(E(logp))), ENTROPY),
        same(in_sequence_reward(to_go(logp)), ENTROPY),
    )


@theorem(catalogue="171", source="catalogue 171", harmless=LATER)
def token_entropies_descend_minus_the_entropy_of_responses():
    """On-policy, minus the entropies over the vocabulary at sampled prefixes descend minus the entropy of responses.
    (False: prefixes are frozen; it lacks E[Σ_t s_t Σ_{u>t} log π_u].)"""
    return Refuted(
        same(FROZEN_ENTROPY, ENTROPY), corrected=same(FROZEN_ENTROPY + in_sequence_reward(future(logp)), ENTROPY)
    )


@theorem(
    catalogue="171",
    source="catalogue 171",
    harmless=LATER,
)
def token_entropies_have_an_objective():
    """On-policy, ½ log² π_t per token, whose expected gradient is that of minus the token entropies at frozen prefixes,
    descends some objective. (False: J ≠ Jᵀ; with later log π to go it does.)"""
    sampled = SequenceLoss(total(logp**2 / 2))
    return Refuted(
        IsConservative(sampled, POLICY), corrected=IsConservative(sampled + in_sequence_reward(future(logp)), POLICY)
    )


# --- batches ----------------------------------------------------------------------------------------------------------
n, m = Symbol("n", positive=True), Symbol("m", positive=True)
x, y = Symbol("x", real=True), Symbol("y", real=True)


@theorem(catalogue="172", source=POLGRAD, hypotheses="sums x and y over n and m tokens of two micro-batches")
def token_means_of_micro_batches_agree_iff_they_have_equally_many_tokens():
    """The mean of two micro-batches' token means exceeds the global token mean by (m - n)(x/n - y/m)/(2(n + m)):
    nothing for n = m; otherwise a token of the shorter one has the larger weight, 1/(2n) against 1/(n + m)."""
    return Identity((x / n + y / m) / 2 - (x + y) / (n + m), (m - n) * (x / n - y / m) / (2 * (n + m)))


a_1, a_2 = Symbol("a_1", real=True), Symbol("a_2", real=True)
CENTRED = [(a_1 - a_2) / 2, (a_2 - a_1) / 2]


@theorem(
    catalogue="203",
    source="catalogue 203",
    hypotheses="two responses of n and m tokens, rewards a_1 and a_2, less their mean",
)
def value_of_an_on_policy_loss_with_token_means_is_zero():
    """On-policy, where every w is 1, the value of -w A with group-centred advantages is 0 with a mean over all tokens.
    (False: it is -Σ A|y|/Σ|y|; with a mean over each response first it is 0. Of the gradient it says nothing.)"""
    by_tokens = -(CENTRED[0] * n + CENTRED[1] * m) / (n + m)
    by_responses = -(CENTRED[0] * n / n + CENTRED[1] * m / m) / 2
    return Refuted(Identity(by_tokens, S.Zero), corrected=Identity(1 + by_responses, S.One))


# --- long products ----------------------------------------------------------------------------------------------------
@theorem(
    catalogue="199a",
    source="catalogue 199",
    hypotheses="in the signs the letter l stands for log ρ/c, and for log w",
    harmless={"swap_direction": "both hold for l and for -l"},
)
def truncated_weight_of_a_response_is_at_most_a_product_of_affinities():
    """min(ρ, c) ≤ √(c ρ), so E_old[min(ρ, c)] ≤ √c E_old[√ρ]; and E_old[√ρ] grows by the factor E_old[√w_t | past] = Σ
    √(π π_old) ≤ 1 a token: it dies out geometrically where that stays below 1, while E_old[ρ] = 1."""
    half = exp(up_to(-lw / 2))
    return (
        HasSign(exp(l / 2) - Min(exp(l), 1), 1),
        SameSequenceValue(
            SequenceObjective(total(half)), SequenceObjective(total(exp(past(-lw / 2)) * E(exp(-lw / 2))))
        ),
        HasSign(1 + exp(-l) - 2 * exp(-l / 2), 1),
    )


p_ = 1 / (1 + Symbol("o", positive=True))


@theorem(
    catalogue="199b",
    source="catalogue 199",
    hypotheses=("i.i.d. tokens, V = 2, log w = x or y, o = (1 - p)/p for π_old's p", "the letter l stands for 1/T"),
)
def geometric_mean_of_a_long_response_tends_to_the_exponential_of_minus_the_kl():
    """E_old[ρ^{1/T}] is (E_old[w^{1/T}])^T, and log E_old[w^{1/T}] is E_old[log w]/T + O(1/T²): as T → ∞ it tends to
    e^{E_old[log w]} = e^{-KL(π_old‖π)}."""
    return Expansion(log(p_ * exp(x * l) + (1 - p_) * exp(y * l)), l * (p_ * x + (1 - p_) * y), 1)


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
