"""The potential theorem: every on-policy coefficient is the gradient of something, and a dictionary of what.

C(l) times the score has the expectation ∇Σ π_ref G(π/π_ref) with G'(u) = C(log u). When C never decreases, G is
convex and the sum is an f-divergence; when it does, the loss still descends the sum, but that sum is no divergence
and may be least away from the reference.
"""

from kltheory.proving.vocabulary import *

G = Function("G")(ratio)
G_PRIME = G.diff(log_ratio) / ratio
G_SECOND = G_PRIME.diff(log_ratio) / ratio


@theorem(catalogue="15", source="I. Csiszár 1967; F. Liese and I. Vajda 2006")
def coefficient_eq_grad_of_its_integral():
    """For any G, G'(π/π_ref) times the score has the expected gradient ∇Σ π_ref G(π/π_ref)."""
    return SameGradient(Surrogate(sg(G_PRIME) * logp), Objective(REFERENCE_PROBABILITY * G), POLICY)


@theorem(catalogue="15", source="I. Csiszár 1967; F. Liese and I. Vajda 2006")
def coefficient_slope_eq_ratio_times_convexity():
    """dC/dl = u G''(u) with u > 0: C never decreases iff G is convex, iff the objective is an f-divergence."""
    return Identity(G_PRIME.diff(log_ratio), ratio * G_SECOND)


@theorem(catalogue="16", source="catalogue 16")
def dictionary_of_losses_and_divergences():
    """As losses: 2(exp(l)-1-l) descends χ²(π‖ref), l+exp(-2l)/2 descends χ²(ref‖π), l+2exp(-l/2) squared Hellinger,
    |l| 2 TV."""
    l = log_ratio
    rows = (
        (l**2 / 2, reverse_kl.objective),
        (exp(-l) - 1 + l, forward_kl.objective),
        (2 * (exp(l) - 1 - l), pearson_chi2.objective),
        (l + exp(-2 * l) / 2, neyman_chi2.objective),
        (l + 2 * exp(-l / 2), squared_hellinger.objective),
        (Abs(l), 2 * total_variation.objective),
    )
    return [SameGradient(as_loss(Estimator("h", e)), d, POLICY) for e, d in rows]


@theorem(catalogue="16", source="catalogue 16")
def jensen_shannon_in_reward():
    """½ log(2u/(1+u)) in the reward descends the Jensen-Shannon divergence."""
    k = Estimator("js", log(2 * ratio / (1 + ratio)) / 2)
    return SameGradient(in_reward(k), jensen_shannon.objective, POLICY)


@theorem(catalogue="16", source="N. Cressie and T. Read 1984", hypotheses=("full support", "λ ∉ {0, -1}"))
def power_estimator_as_loss_eq_grad_cressie_read():
    """h_λ as a loss descends the Cressie-Read divergence CR_λ, for every λ; k2 and k3 are its points λ → 0 and λ =
    -1."""
    return (
        SameGradient(as_loss(power(lam)), cressie_read(lam).objective, POLICY),
        Identity(power(S.NegativeOne).expr, k3.expr),
    )


@theorem(catalogue="17")
def k2_in_reward_descends_a_divergence():
    """k2 in the reward descends an f-divergence. (False: its coefficient falls for l < 0; it descends Σ ref G, G
    below.)"""
    g = (ratio * log_ratio**2 - 2 * ratio * log_ratio + 2 * ratio) / 2 - 1
    return Refuted(
        IsDivergence(in_reward(k2), POLICY),
        corrected=SameGradient(in_reward(k2), Objective(REFERENCE_PROBABILITY * g), POLICY),
    )


@theorem(catalogue="17")
def k3_in_reward_descends_a_divergence():
    """k3 in the reward descends an f-divergence. (False: its coefficient falls for l < 0; it descends RKL - FKL.)"""
    return Refuted(
        IsDivergence(in_reward(k3), POLICY),
        corrected=SameGradient(in_reward(k3), reverse_kl.objective - forward_kl.objective, POLICY),
    )


@theorem(catalogue="17")
def abs_in_reward_descends_a_divergence():
    """|l| in the reward descends an f-divergence. (False: it descends Σ ref sign(l)(u log u - u + 1).)"""
    g = sign(log_ratio) * (ratio * log_ratio - ratio + 1)
    return Refuted(
        IsDivergence(in_reward(k_abs), POLICY),
        corrected=SameGradient(in_reward(k_abs), Objective(REFERENCE_PROBABILITY * g), POLICY),
    )


@theorem(catalogue="17")
def live_weighted_k2_as_loss_descends_a_divergence():
    """w k2 with a live weight descends an f-divergence. (False: it descends E_π[k2], not convex for l < -1.)"""
    return Refuted(
        IsDivergence(as_loss(k2, w), OLD),
        corrected=SameGradient(as_loss(k2, w), expectation(k2.expr), OLD),
    )


@theorem(catalogue="17")
def live_weighted_k2_as_loss_pushes_away_below_minus_two():
    """The coefficient l + l²/2 of w k2, live, has the wrong sign for l < -2, i.e. π_ref/π > e²."""
    return HasSign(log_ratio * formula(as_loss(k2, w), OLD), -1, below=S(-2))


@theorem(catalogue="17", harmless={"swap_direction": "mirrored, k3 descends χ²(π‖π_ref), a divergence too"})
def clamped_k3_as_loss_descends_a_divergence():
    """k3 clamped to [-10, 10] descends an f-divergence. (False: the pull vanishes for l < -2.61; without the clamp it
    does.)"""
    clamped = Estimator("clamp(k3)", Min(Max(k3.expr, -10), 10))
    return Refuted(IsDivergence(as_loss(clamped), POLICY), corrected=IsDivergence(as_loss(k3), POLICY))


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
