"""On-policy, one step: what each estimator descends as a loss and in the reward.

The response is one action of a categorical policy and samples are drawn from the policy itself, detached.
Differentiating ``k(l)`` multiplies the score by k'(l); putting it in the reward multiplies it by k(l). In
expectation a function of l that multiplies the score is all there is, up to a constant, because E_π[∇log π] = 0.
Reading the constant-free part off gives the divergence.
"""

from kltheory.proving.vocabulary import *

SEED = "arXiv 2510.01555"


@theorem(catalogue="1", source=("arXiv 2505.17508, Prop. 2.1", "arXiv 2506.09477"))
def grad_of_expectation_eq_in_reward_add_as_loss():
    """Two-term rule: on-policy, for any h(l), ∇E_π[h] is the sum of h in the reward and h as a loss."""
    return SameGradient(in_reward(h) + as_loss(h), expectation(h.expr), POLICY)


@theorem(catalogue=("2", "S1"), source=SEED)
def as_loss_eq_derivative_in_reward():
    """For any h(l), h as a loss has the gradient of h' in the reward, sample by sample, whoever sampled."""
    return SameScore(as_loss(h), in_reward(h_prime), OLD), SameScore(as_loss(h), in_reward(h_prime), POLICY)


@theorem(catalogue="S1", source=SEED)
def derivatives_of_k1_k2_k3():
    """The reward-side twins of k1, k2, k3 as losses, sample by sample, are 1, l and 1 - exp(-l)."""
    return [
        SameScore(as_loss(k), in_reward(Estimator("k'", twin)), POLICY)
        for k, twin in ((k1, S.One), (k2, log_ratio), (k3, 1 - exp(-log_ratio)))
    ]


@theorem(catalogue=("S3", "3"), source=(SEED, "arXiv 2512.21852"))
def k1_in_reward_eq_grad_reverse_kl_of_on_policy():
    """On-policy, k1 in the reward has the expected gradient ∇KL(π‖π_ref)."""
    return SameGradient(in_reward(k1), reverse_kl.objective, POLICY)


ZERO = {"scale": "0 is scale-invariant", "flip_sign": "-0 = 0", "detach": "no gradient is what is claimed"}


@theorem(
    catalogue=("S2", "3", "8"),
    source=SEED,
    harmless={**ZERO, "swap_direction": "±1 times the score: both have no expected gradient"},
)
def k1_as_loss_eq_zero_of_on_policy():
    """On-policy, k1 as a loss has no expected gradient: the reference does not enter."""
    return SameGradient(as_loss(k1), NO_GRADIENT, POLICY)


@theorem(catalogue=("S4", "5", "3"), source=(SEED + ", Theorem 5.1", "github.com/verl-project/verl/pull/2953"))
def k2_as_loss_eq_k1_in_reward():
    """k2 as a loss and k1 in the reward have the same gradient in every sample, hence in expectation, whoever
    sampled."""
    return [SameScore(as_loss(k2), in_reward(k1), s) for s in (POLICY, OLD)]


@theorem(catalogue=("S4", "3"), source=SEED)
def k2_as_loss_eq_grad_reverse_kl_of_on_policy():
    """On-policy, k2 as a loss has exactly the gradient of KL(π‖π_ref)."""
    return SameGradient(as_loss(k2), reverse_kl.objective, POLICY)


@theorem(
    catalogue=("S5", "4", "3"), source=("github.com/SaifPunjwani/polgrad", "github.com/khanhptnk/kl-penalty-in-grpo")
)
def k3_as_loss_eq_grad_forward_kl_of_on_policy():
    """On-policy, k3 as a loss has exactly the gradient of the forward KL, KL(π_ref‖π)."""
    return SameGradient(as_loss(k3), forward_kl.objective, POLICY)


@theorem(catalogue=("S5", "4"), source=("github.com/SaifPunjwani/polgrad", "github.com/khanhptnk/kl-penalty-in-grpo"))
def k3_as_loss_eq_grad_reverse_kl_of_on_policy():
    """On-policy, k3 as a loss has the reverse KL's gradient. (False: it has the forward KL's.)"""
    return Refuted(
        SameGradient(as_loss(k3), reverse_kl.objective, POLICY),
        corrected=SameGradient(as_loss(k3), forward_kl.objective, POLICY),
    )


@theorem(catalogue="3", source=(SEED, "arXiv 2602.04417, Table 1"))
def k3_in_reward_eq_grad_reverse_kl_sub_forward_kl_of_on_policy():
    """On-policy, k3 in the reward descends KL(π‖π_ref) - KL(π_ref‖π)."""
    return SameGradient(in_reward(k3), reverse_kl.objective - forward_kl.objective, POLICY)


@theorem(catalogue="3", source="verl, core_algos.kl_penalty, kind 'abs'")
def abs_as_loss_eq_grad_twice_total_variation_of_on_policy():
    """On-policy, |l| as a loss descends twice the total variation, ‖π - π_ref‖₁."""
    return SameGradient(as_loss(k_abs), 2 * total_variation.objective, POLICY)


@theorem(catalogue="6", source="arXiv 2512.21852")
def in_reward_add_as_loss_eq_grad_reverse_kl_of_unbiased():
    """On-policy, any estimator l + c(exp(-l) - 1), unbiased for the value of KL(π‖π_ref), in the reward and as a loss
    together has its gradient."""
    k = Estimator("k[c]", log_ratio + c * (exp(-log_ratio) - 1))
    return (
        SameValue(expectation(k.expr), reverse_kl.objective),
        SameGradient(in_reward(k) + as_loss(k), reverse_kl.objective, POLICY),
    )


@theorem(catalogue="7", source=SEED, harmless={"swap_direction": "mirrored, k3 is exp(l) - 1 - l, not negative either"})
def gap_of_k1_in_reward_and_k3_as_loss_eq_k3():
    """On-policy, the coefficients of k1 in the reward and k3 as a loss differ by k3 itself, which is never negative."""
    gap = formula(in_reward(k1), POLICY) - formula(as_loss(k3), POLICY)
    return Identity(gap, k3.expr), HasSign(gap, 1)


@theorem(catalogue="7", source=SEED)
def bias_of_k3_as_loss_eq_neg_k3_in_reward():
    """On-policy, the bias of k3 as a loss for the reverse KL is exactly minus k3 in the reward."""
    return SameGradient(as_loss(k3) - in_reward(k1), -in_reward(k3), POLICY)


@theorem(catalogue="8", source=SEED)
def grad_of_expectation_sub_as_loss_eq_estimator():
    """On-policy, ∇E_π[h] and h(l) as a loss differ by the coefficient h."""
    return Identity(formula(expectation(h.expr), POLICY) - formula(as_loss(h), POLICY), h.expr)


@theorem(catalogue="8", source="arXiv 2505.17508, Prop. 2.1")
def k2_as_loss_eq_grad_of_its_own_expectation():
    """On-policy, k2 as a loss has the gradient of E_π[k2]. (False: that needs k2 in the reward as well.)"""
    return Refuted(
        SameGradient(as_loss(k2), expectation(k2.expr), POLICY),
        corrected=SameGradient(as_loss(k2) + in_reward(k2), expectation(k2.expr), POLICY),
    )


@theorem(catalogue="8", source="arXiv 2505.17508, Prop. 2.1")
def k3_as_loss_eq_grad_of_its_own_expectation():
    """On-policy, k3 as a loss has the gradient of E_π[k3]. (False: that needs k3 in the reward as well.)"""
    return Refuted(
        SameGradient(as_loss(k3), expectation(k3.expr), POLICY),
        corrected=SameGradient(as_loss(k3) + in_reward(k3), expectation(k3.expr), POLICY),
    )


@theorem(
    catalogue="12", source="catalogue 12", harmless={"swap_direction": "mirrored, l(1 - r) is not negative either"}
)
def natural_gradient_inner_product_of_reverse_and_forward_kl_eq_jeffreys():
    """On-policy, ⟨∇RKL, F⁻∇FKL⟩ = RKL + FKL, the mean of l(1 - r) ≥ 0: to first order in the step, following the
    natural gradient of k3 as a loss never raises KL(π‖π_ref)."""
    return (
        NaturalInner(in_reward(k1), as_loss(k3), jeffreys.objective),
        SameValue(expectation(log_ratio * (1 - exp(-log_ratio))), jeffreys.objective),
        HasSign(log_ratio * (1 - exp(-log_ratio)), 1),
    )


@theorem(catalogue="14", source="arXiv 2602.04417")
def k4_k5_and_k3_plus_plus_are_k2_and_k3_as_loss():
    """On-policy, K4 = π/sg(π) sg(l) and K3++ = π/sg(π) k3 have k2's gradient in every sample, and K5 = sg(r) log r +
    log π/sg(π), log r = -l, has k3's."""
    live, r = exp(logp - sg(logp)), exp(-log_ratio)
    return (
        SameScore(Surrogate(live * sg(log_ratio)), as_loss(k2), POLICY),
        SameScore(Surrogate(live * k3.expr), as_loss(k2), POLICY),
        SameScore(Surrogate(-sg(r) * log_ratio + logp - sg(logp)), as_loss(k3), POLICY),
    )


@theorem(
    catalogue="111",
    source="straight-through estimators; catalogue 111",
    harmless={"swap_direction": "k2 is even, and k3 gives the value only"},
)
def straight_through_k3_with_k2_gradient_eq_grad_reverse_kl_of_on_policy():
    """On-policy, the value of k3 with the gradient of k2 has the gradient of KL(π‖π_ref)."""
    return SameGradient(straight_through(k3, k2), reverse_kl.objective, POLICY)


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
