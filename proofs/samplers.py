"""Samplers that are not the policy: nuclei, top-k, temperature, another machine.

A truncated sampler draws from π restricted to a set S and renormalised, μ = π 1_S/π(S), so E_μ[f] = E_π[1_S f]/π(S):
its old policy is a function of the policy. ``inside`` is the indicator 1_S of any fixed set, and Z = π(S). A tempered
one draws from π^a/Σπ^a, a = 1/τ."""

from kltheory.proving.vocabulary import *

l, r = log_ratio, exp(-log_ratio)
Z = E(inside)
DREW = inside / Z
LIVE = exp(logp - sg(logp))
"""π/sg(π): 1 as a value, the score as a derivative."""
RKL = Surrogate(E(l))
a = Symbol("a", positive=True)
SUPPORT = ("full support", "S fixed, 0 < π(S) < 1")


def outside_in_reward(c: Expr) -> Surrogate:
    """Σ over the actions outside S of π c times the score."""
    return Surrogate(sg((1 - inside) * c) * logp)


@theorem(catalogue="90", hypotheses=SUPPORT)
def truncated_k1_as_loss_descends_the_mass_of_the_nucleus():
    """Sampled from π on S, with log π untruncated, k1 as a loss descends log π(S): it pushes mass out of the
    nucleus."""
    return SameGradient(Surrogate(sg(DREW) * l), Surrogate(log(Z)), POLICY)


@theorem(catalogue="91", hypotheses=SUPPORT, harmless={"swap_direction": "mirrored, k3 is not negative either"})
def truncated_weighted_k3_underestimates_the_reverse_kl():
    """w = π/μ = π(S) on S: E_μ[w k3] = KL(π‖π_ref) - Σ_{S^c} π k3, never more than the KL."""
    return (
        SameMoment(E(DREW * Z * k3.expr), E(l) - E((1 - inside) * k3.expr)),
        AlwaysSign(E((1 - inside) * k3.expr), 1),
    )


@theorem(catalogue="91", hypotheses=SUPPORT)
def truncated_weighted_k3_misses_the_outside():
    """w k3 live, sampled from π on S, has the gradient ∇KL(π‖π_ref) less Σ_{S^c} π l s."""
    return SameGradient(Surrogate(sg(DREW) * sg(Z) * LIVE * k3.expr), RKL - outside_in_reward(l), POLICY)


@theorem(catalogue=("92", "29"), hypotheses=SUPPORT)
def mean_of_k3_on_truncated_policy_eq_kl_sub_missing_reference_mass():
    """With π̃ = π/π(S) on S, E_π̃[k3] = KL(π̃‖π_ref) - π_ref(S^c): unbiased only where supp π_ref ⊆ supp π̃."""
    truncated = l - log(Z)
    return SameMoment(E(DREW * k3.expr.xreplace({l: truncated})), E(DREW * truncated) - (1 - E(inside * r)))


@theorem(catalogue="93", source="arXiv 2512.02556", hypotheses=SUPPORT)
def keeping_the_mask_restores_the_table_on_the_nucleus():
    """Trained as π̃ = π/π(S), its own log-probabilities log π - log π(S) live: k2 as a loss descends KL(π̃‖π_ref), k3 the
    forward one, Σ_S π_ref log(π_ref/π̃)."""
    truncated = l - log(Z)
    sampled = [Surrogate(sg(DREW) * k.expr.xreplace({l: truncated})) for k in (k2, k3)]
    return (
        SameGradient(sampled[0], Surrogate(E(DREW * truncated)), POLICY),
        SameGradient(sampled[1], Surrogate(E(-inside * r * truncated)), POLICY),
    )


@theorem(catalogue="94", hypotheses=("full support", "a = 1/τ"))
def tempered_k1_as_loss_descends_the_log_of_a_power_sum():
    """Sampled from π^a/Σπ^a, a = 1/τ, k1 as a loss descends τ log Σ π^a: for τ < 1 it flattens the policy."""
    power_sum = E(exp((a - 1) * logp))
    return SameGradient(Surrogate(sg(exp((a - 1) * logp) / power_sum) * l), Surrogate(log(power_sum) / a), POLICY)


@theorem(
    catalogue="95",
    source=("github.com/huggingface/trl", "arXiv 2512.23087"),
    harmless={"detach_weight": "a detached weight takes the reward's gradient away"},
)
def weighting_the_reward_alone_is_enough_when_inference_and_training_differ():
    """Only the policy term needs the ratio π/π_infer. (False: an unweighted k3 depends on who sampled; weight it as
    well.)"""
    reward = Surrogate(-w * advantage)
    return Refuted(SamplerFree(reward + beta * as_loss(k3)), corrected=SamplerFree(reward + beta * as_loss(k3, sg(w))))


@theorem(catalogue="78", hypotheses="π_old(a) = 0 outside S")
def weights_repair_a_sampler_that_misses_actions():
    """sg(w) k2 has the gradient of KL(π‖π_ref) although π_old vanishes outside S. (False: it misses Σ_{S^c} π l s,
    which no weight brings back.)"""
    sampled = Surrogate(inside * sg(w) * k2.expr)
    return Refuted(
        SameGradient(sampled, RKL, OLD),
        corrected=SameGradient(sampled, RKL - Surrogate(sg(w * (1 - inside) * l) * logp), OLD),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
