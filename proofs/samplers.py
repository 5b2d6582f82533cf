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
SUPPORT = "0 < π(S) < 1"


def outside_in_reward(c: Expr) -> Surrogate:
    """Σ over the actions outside S of π c times the score."""
    return Surrogate(sg((1 - inside) * c) * logp)


@theorem(catalogue="90", hypotheses=SUPPORT)
def truncated_k1_as_loss_descends_the_mass_of_the_nucleus():
    """Sampled from π restricted to S, with log π untruncated and no weight, k1 as a loss descends log π(S): it pushes
    mass out of the nucleus."""
    return SameGradient(Surrogate(sg(DREW) * l), Surrogate(log(Z)), POLICY)


@theorem(catalogue="91a", hypotheses=SUPPORT, harmless={"swap_direction": "mirrored, k3 is not negative either"})
def truncated_weighted_k3_underestimates_the_reverse_kl():
    """w = π/μ = π(S) on S: E_μ[w k3] = KL(π‖π_ref) - Σ_{S^c} π k3, never more than the KL."""
    return (
        SameMoment(E(DREW * Z * k3.expr), E(l) - E((1 - inside) * k3.expr)),
        AlwaysSign(E((1 - inside) * k3.expr), 1),
    )


@theorem(catalogue="91a", hypotheses=SUPPORT)
def truncated_weighted_k3_misses_the_outside():
    """w k3 live, sampled from π on S, has the gradient ∇KL(π‖π_ref) less Σ_{S^c} π l s."""
    return SameGradient(Surrogate(sg(DREW) * sg(Z) * LIVE * k3.expr), RKL - outside_in_reward(l), POLICY)


@theorem(catalogue="91b", source="catalogue 91")
def truncated_weighted_k1_errs_on_either_side_of_the_reverse_kl():
    """w = π/μ = π(S) on S: E_μ[w k1] = KL(π‖π_ref) - Σ_{S^c} π l, less than the KL where the token left out has l > 0,
    more where it has l < 0."""
    gap = E((1 - inside) * l)
    return (
        SameMoment(E(l) - E(DREW * Z * l), gap),
        SignAt(gap, 1, ".2 .6 .2", ".4 .2 .4"),
        SignAt(gap, -1, ".4 .2 .4", ".2 .6 .2"),
    )


@theorem(catalogue=("92", "29"), hypotheses=SUPPORT)
def mean_of_k3_on_truncated_policy_eq_kl_sub_missing_reference_mass():
    """With π̃ = π/π(S) on S, E_π̃[k3] = KL(π̃‖π_ref) - π_ref(S^c): unbiased only where supp π_ref ⊆ supp π̃."""
    truncated = l - log(Z)
    return SameMoment(E(DREW * k3.expr.xreplace({l: truncated})), E(DREW * truncated) - (1 - E(inside * r)))


TRUNCATED = l - log(Z)
"""log π̃/π_ref on S, π̃ = π/π(S)."""
KL_ON_S, FORWARD_ON_S = Surrogate(E(DREW * TRUNCATED)), Surrogate(E(-inside * r * TRUNCATED))


@theorem(catalogue="93a", source="arXiv 2512.02556", hypotheses=SUPPORT)
def keeping_the_mask_restores_k2_and_k3_on_the_nucleus():
    """Trained and sampled as π̃ = π/π(S), its own log-probabilities log π - log π(S) live: k2 as a loss descends
    KL(π̃‖π_ref), k3 the forward one, Σ_S π_ref log(π_ref/π̃)."""
    sampled = [Surrogate(sg(DREW) * k.expr.xreplace({l: TRUNCATED})) for k in (k2, k3)]
    return SameGradient(sampled[0], KL_ON_S, POLICY), SameGradient(sampled[1], FORWARD_ON_S, POLICY)


@theorem(
    catalogue="93b",
    source=("arXiv 2512.02556", "catalogue 93"),
    hypotheses=(SUPPORT, "μ̃ = π_old/π_old(S) sampled, w = π̃/μ̃"),
)
def keeping_the_mask_restores_the_weighted_rows_on_the_nucleus():
    """Trained as π̃ = π/π(S) and sampled from the old policy on the same S, with w = π̃/μ̃: w k1 and w k3 live and
    sg(w) k2 descend KL(π̃‖π_ref), w k2 live E_π̃[k2], sg(w) k3 Σ_S π_ref log(π_ref/π̃), and sg(w) k1 has no expected
    gradient."""
    old_mass = E(inside * exp(-log_weight))
    weight, drew = w * old_mass / Z, inside / old_mass
    on_s = {k: k.expr.xreplace({l: TRUNCATED}) for k in (k1, k2, k3)}
    still = Surrogate(sg(w) * k2.expr)
    return (
        SameGradient(Surrogate(drew * weight * on_s[k1]), KL_ON_S, OLD),
        SameGradient(Surrogate(drew * weight * on_s[k3]), KL_ON_S, OLD),
        SameGradient(Surrogate(drew * sg(weight) * on_s[k2]), KL_ON_S, OLD),
        SameGradient(Surrogate(drew * weight * on_s[k2]), Surrogate(E(DREW * on_s[k2])), OLD),
        SameGradient(Surrogate(drew * sg(weight) * on_s[k3]), FORWARD_ON_S, OLD),
        SameGradient(Surrogate(drew * sg(weight) * on_s[k1]) + still, still, OLD),
    )


POWER_SUM = E(exp((a - 1) * logp))
TEMPERED = exp((a - 1) * logp) / POWER_SUM
"""π_τ/π, with π_τ = π^a/Σπ^a."""


@theorem(catalogue="94a", hypotheses="a = 1/τ")
def tempered_k1_as_loss_descends_the_log_of_a_power_sum():
    """Sampled from π_τ = π^a/Σπ^a, a = 1/τ, without a weight, k1 as a loss descends τ log Σ π^a: its coefficient is
    π_τ/π - 1, which is 0 at the uniform policy."""
    return (
        SameGradient(Surrogate(sg(TEMPERED) * l), Surrogate(log(POWER_SUM) / a), POLICY),
        SameGradient(Surrogate(sg(TEMPERED) * l), Surrogate(sg(TEMPERED - 1) * logp), POLICY),
    )


@theorem(catalogue="94b", source="catalogue 94", hypotheses="a = 1/τ")
def tempering_the_sampler_keeps_the_reference_stationary():
    """Sampled from π_τ = π^a/Σπ^a, a = 1/τ, without a weight, l h(l) times the score, any h, has the coefficient l h(l)
    π_τ/π: it vanishes at π = π_ref, which stays stationary."""
    return SameGradient(
        Surrogate(sg(TEMPERED) * sg(l * h.expr) * logp), Surrogate(sg(l * h.expr * TEMPERED) * logp), POLICY
    )


@theorem(catalogue="94c", source="catalogue 94", hypotheses="a = 1/τ")
def tempering_sampler_and_policy_descends_the_kl_of_the_tempered_policy():
    """Sampled from π_τ = π^a/Σπ^a, a = 1/τ, with log π_τ for log π, k2 as a loss descends KL(π_τ‖π_ref): stationary
    where π_τ = π_ref, that is at the logits τ log π_ref."""
    tempered = a * logp - log(POWER_SUM) - (logp - l)
    return SameGradient(Surrogate(sg(TEMPERED) * tempered**2 / 2), Surrogate(E(TEMPERED * tempered)), POLICY)


@theorem(
    catalogue="95a",
    source="catalogue 95",
    about="github.com/huggingface/trl",
    harmless={"detach_weight": "a detached weight takes the reward's gradient away"},
)
def weighting_the_reward_alone_is_enough_when_inference_and_training_differ():
    """With w = π/π_infer, -w A + β k3 does not depend on who sampled. (False: the unweighted k3 does; with β sg(w) k3
    it does not.)"""
    reward = Surrogate(-w * advantage)
    return Refuted(SamplerFree(reward + beta * as_loss(k3)), corrected=SamplerFree(reward + beta * as_loss(k3, sg(w))))


DVP = "arXiv 2512.23087"
ETA = "two engines' logits differ by at most η, up to a constant"
odds = Symbol("o", positive=True)
"""(1 - p)/p."""


@theorem(
    catalogue="95b",
    source=(DVP, "catalogue 95"),
    hypotheses=(ETA, "o = (1 - p)/p", "in functions of one variable the letter l stands for 2η"),
    harmless={"drop_term": "1 alone is positive"},
)
def mismatch_of_two_engines_is_at_most_linear_in_what_a_token_leaves():
    """Let w be the ratio of the two engines' probabilities, and p the smaller one of a token. Σ π/w = 1, and no two 1/w
    have a quotient above e^{2η}; so the token's log-probabilities differ by at most -log(p + (1 - p)e^{-2η}), which is
    at most 2η(1 - p): the slack is 0 at η = 0, and its slope p(1 - p)(1 - e^{-2η})/(p + (1 - p)e^{-2η}) not negative.
    At first order in η it is reached."""
    p = 1 / (1 + odds)
    most = -log(p + (1 - p) * exp(-l))
    slack = (1 - p) * l - most
    return (
        SameMoment(E(inside / w), 1 - E((1 - inside) / w)),
        Identity(slack.diff(l), p * (1 - p) * (1 - exp(-l)) / (p + (1 - p) * exp(-l))),
        HasSign(1 - exp(-l), 1, above=S.Zero),
        Expansion(most, (1 - p) * l, 1),
    )


@theorem(
    catalogue="95b",
    source="catalogue 95",
    hypotheses=(ETA, "p = 1/2", "the letter l stands for 2η"),
)
def mismatch_is_at_most_linear_in_what_the_larger_probability_leaves():
    """A token's log-probabilities differ by at most 2η(1 - p) where p is the larger one. (False: they may differ by
    log(p + (1 - p)e^{2η}), which is more.)"""
    half = Rational(1, 2)
    excess = log(half + half * exp(l)) - half * l
    return Refuted(HasSign(-excess, 1, above=S.Zero), corrected=HasSign(excess, 1, above=S.Zero))


@theorem(catalogue="78", hypotheses="samples outside S are dropped")
def weights_repair_a_sampler_that_misses_actions():
    """sg(w) k2 has the gradient of KL(π‖π_ref) although no action outside S counts. (False: it misses Σ_{S^c} π l
    s.)"""
    sampled = Surrogate(inside * sg(w) * k2.expr)
    return Refuted(
        SameGradient(sampled, RKL, OLD),
        corrected=SameGradient(sampled, RKL - Surrogate(sg(w * (1 - inside) * l) * logp), OLD),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
