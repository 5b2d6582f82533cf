"""From tokens to a number: sums, means over the response, fixed budgets, means over the batch.

A loss is aggregated over tokens before it is differentiated. Where all responses have one length the choice is a scale.
Where they do not, dividing by the length weights responses by how they end, and the length itself depends on the
policy: what is optimised is the mean per token, and its gradient has a term for the length alone.
"""

from kltheory.proving.vocabulary import *

l = log_ratio
DAPO = "arXiv 2503.14476"
DR_GRPO = "arXiv 2503.20783"
budget = Symbol("L", positive=True)


def same(left: SequenceLoss | SequenceObjective, right: SequenceLoss | SequenceObjective) -> SameSequenceGradient:
    """On-policy."""
    return SameSequenceGradient(left, right, POLICY)


def mean_in_reward(cost: Expr) -> SequenceLoss:
    """(1/N) Σ_t sg(cost) log π_t."""
    return SequenceLoss(total(sg(cost) * logp) / length)


# --- one length -------------------------------------------------------------------------------------------------------
@theorem(catalogue="63", source=DR_GRPO)
def token_mean_is_a_scale_at_one_length():
    """On-policy, where all responses have N tokens, the mean over tokens of k1 in the reward with reward-to-go descends
    1/N times KL(π‖π_ref) of responses."""
    return SameSequenceGradient(mean_in_reward(to_go(l)), (1 / length) * REVERSE_KL.as_loss, POLICY, fixed_length=True)


@theorem(catalogue="63", source=DR_GRPO)
def fixed_budget_is_a_scale():
    """On-policy, whatever the lengths, k1 in the reward with reward-to-go, divided by a constant L, descends 1/L times
    KL(π‖π_ref) of responses, and k2 as a loss on each token 1/L times Σ_t KL_t on frozen prefixes."""
    return (
        same((1 / budget) * in_sequence_reward(to_go(l)), (1 / budget) * REVERSE_KL.as_loss),
        same((1 / budget) * token_loss(k2), (1 / budget) * FROZEN_REVERSE_KL),
    )


# --- random lengths ---------------------------------------------------------------------------------------------------
MEAN_KL = SequenceObjective(total(l) / length)
"""E_π[(1/N) Σ l_t], the mean log-ratio per token."""


@theorem(catalogue="63", source=DR_GRPO)
def token_mean_in_reward_eq_grad_mean_kl():
    """On-policy, (1/N) Σ s_t Σ_{u≥t} l_u descends E[(1/N) Σ l_t]. (False: as N is known at the end only, the past
    stays, and the length has a gradient of its own: E[(1/N) Σ_t s_t Σ_{i<t} l_i] and ∇E[1/N] are missing.)"""
    return Refuted(
        same(mean_in_reward(to_go(l)), MEAN_KL),
        corrected=same(
            mean_in_reward(to_go(l)) + mean_in_reward(past(l)) + SequenceObjective(1 / length).as_loss, MEAN_KL
        ),
    )


@theorem(catalogue="63", source=DR_GRPO)
def whole_return_over_length_lacks_the_gradient_of_the_length():
    """On-policy, (1/N) Σ_t s_t Σ_u l_u has the gradient of E[(1/N) Σ l_t] but for ∇E_π[1/N], the length term."""
    return same(mean_in_reward(total(l)) + SequenceObjective(1 / length).as_loss, MEAN_KL)


@theorem(catalogue="63", source=DR_GRPO)
def token_mean_of_k2_eq_weighted_frozen_kl():
    """On-policy, (1/N) Σ k2_t as a loss has the gradient of (1/N) Σ_t l_t s_t: each token's pull weighted with how long
    its response became."""
    return same(SequenceLoss(total(k2.expr) / length), mean_in_reward(l))


@theorem(catalogue="63", source=DR_GRPO)
def token_mean_of_k1_descends_nothing():
    """On-policy, (1/N) Σ k1_t as a loss has no expected gradient, as Σ k1_t has none. (False where lengths differ: it
    is ∇E[1/N], whose descent lengthens responses.)"""
    return Refuted(
        same(SequenceLoss(total(l) / length), SequenceLoss(S.Zero)),
        corrected=same(SequenceLoss(total(l) / length), SequenceObjective(1 / length)),
    )


@theorem(catalogue=("63", "3"), source=DR_GRPO)
def token_sum_of_k1_descends_nothing():
    """On-policy, Σ k1_t as a loss has no expected gradient, whatever the lengths."""
    return same(in_sequence_reward(l) + SequenceLoss(total(l)), in_sequence_reward(l))


# --- a mean over the batch's tokens -----------------------------------------------------------------------------------
n, m, rho, total_ = (Symbol(x, positive=True) for x in ("n", "m", "rho", "sigma"))


@theorem(catalogue="64a", source=DAPO, hypotheses="the letter l stands for S")
def token_mean_over_a_batch_is_a_ratio():
    """For any numbers, S/n - ρ = (S - ρn)/m - (S - ρn)(n - m)/(mn). With S and n the batch means of sums and lengths, m
    = E[n] and ρ = E[S]/m, the first has mean zero: what is left of the bias is the mean of the second, a product of two
    deviations."""
    gap = log_ratio - rho * n
    return Identity(log_ratio / n - rho, gap / m - gap * (n - m) / (m * n))


@theorem(
    catalogue="64b",
    source=(DAPO, "catalogue 64"),
    hypotheses=(
        "B independent responses, here the N steps, each of one token or more",
        "h and g, or A, stand for S - ρn and n",
    ),
)
def bias_of_a_token_mean_is_at_most_of_the_order_of_one_over_the_batch():
    """For x = h - E[h] and y = g - E[g], the means X and Y over B independent draws have E[X Y] = E[x y]/B, and E[x y]²
    ≤ E[x²] E[y²], as the difference is E[y²] E[(x - y E[x y]/E[y²])²]. So the bias of the batch's token mean, -E[X
    Y/M]/m with M ≥ 1 the mean of n, is at most E|X Y|/m ≤ √(Var[S - ρn] Var[n])/(m B)."""
    f, g, A = h.expr, Function("g")(l), advantage
    x, y = f - E(f), g - E(g)
    return (
        SameSequenceValue(
            SequenceObjective(total(x) * total(y) / length**2),
            SequenceObjective(total(x * y) / length**2),
            fixed_length=True,
        ),
        SameMoment(E(f**2) * E(A**2) - E(f * A) ** 2, E(A**2) * E((f - A * E(f * A) / E(A**2)) ** 2)),
    )


@theorem(catalogue="64b", source="catalogue 64", hypotheses="the letter l stands for S")
def bias_of_a_token_mean_begins_with_a_covariance():
    """For any numbers, S/n - ρ = (S - ρn)/m - (S - ρn)(n - m)/m² + (S - ρn)(n - m)²/(m² n). Of batch means, with m =
    E[n] and ρ = E[S]/m, the first has mean zero and the second -Cov(S - ρn, n)/(m² B), of order 1/B exactly; the third
    is of third degree in deviations."""
    gap = log_ratio - rho * n
    return Identity(log_ratio / n - rho, gap / m - gap * (n - m) / m**2 + gap * (n - m) ** 2 / (m**2 * n))


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
