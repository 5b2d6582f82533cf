"""The potential theorem: every on-policy coefficient is the gradient of something, and a dictionary of what.

C(l) times the score has the expectation ∇Σ π_ref G(π/π_ref) with G'(u) = C(log u). When C never decreases, G is
convex and the sum is an f-divergence; when it does, the loss still descends the sum, but that sum is no f-divergence
and may be least away from the reference.
"""

from kltheory.proving.vocabulary import *

G = Function("G")(ratio)
G_PRIME = G.diff(log_ratio) / ratio
G_SECOND = G_PRIME.diff(log_ratio) / ratio


@theorem(catalogue="15", source="I. Csiszár 1967; F. Liese and I. Vajda 2006")
def coefficient_eq_grad_of_its_integral():
    """On-policy, for any G, G'(π/π_ref) times the score has the expected gradient ∇Σ π_ref G(π/π_ref)."""
    return SameGradient(Surrogate(sg(G_PRIME) * logp), Objective(REFERENCE_PROBABILITY * G), POLICY)


@theorem(catalogue="15", source="I. Csiszár 1967; F. Liese and I. Vajda 2006")
def coefficient_slope_eq_ratio_times_convexity():
    """With C = G'(u), dC/dl = u G''(u) and u > 0: C never decreases iff G is convex."""
    return Identity(G_PRIME.diff(log_ratio), ratio * G_SECOND)


@theorem(catalogue="16a", source="catalogue 16")
def dictionary_of_losses_and_divergences():
    """As losses, on-policy: 2(exp(l)-1-l) descends χ²(π‖ref), l+exp(-2l)/2 descends χ²(ref‖π), l+2exp(-l/2) squared
    Hellinger, |l| 2 TV."""
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


@theorem(catalogue="16a", source="catalogue 16")
def jensen_shannon_in_reward():
    """On-policy, ½ log(2u/(1+u)) in the reward descends the Jensen-Shannon divergence."""
    k = Estimator("js", log(2 * ratio / (1 + ratio)) / 2)
    return SameGradient(in_reward(k), jensen_shannon.objective, POLICY)


@theorem(catalogue="16b", source="N. Cressie and T. Read 1984", hypotheses="λ ∉ {0, -1}")
def power_estimator_as_loss_eq_grad_cressie_read():
    """On-policy, h_λ as a loss descends the Cressie-Read divergence CR_λ, for every λ but 0 and -1."""
    return SameGradient(as_loss(power(lam)), cressie_read(lam).objective, POLICY)


@theorem(
    catalogue="16c",
    source="N. Cressie and T. Read 1984",
    hypotheses="in the second the letter l stands for λ",
    harmless={"swap_direction": "mirrored, the series starts with the same square"},
)
def k3_and_k2_are_points_of_the_power_family():
    """h_λ at λ = -1 is k3; and λ² h_λ = e^{λx} - 1 - λx = λ²x²/2 + O(λ³), so h_λ → x²/2 as λ → 0, which is k2 at x =
    l."""
    x = Symbol("x", real=True)
    return (
        Identity(power(S.NegativeOne).expr, k3.expr),
        Expansion(exp(log_ratio * x) - 1 - log_ratio * x, log_ratio**2 * x**2 / 2, 2),
        Identity(k2.expr, log_ratio**2 / 2),
    )


@theorem(catalogue="17a", source="catalogue 17")
def k2_in_reward_descends_a_divergence():
    """On-policy, k2 in the reward descends an f-divergence. (False: its coefficient falls for l < 0; it descends Σ
    π_ref G, G = (u log²u - 2u log u + 2u)/2 - 1.)"""
    g = (ratio * log_ratio**2 - 2 * ratio * log_ratio + 2 * ratio) / 2 - 1
    return Refuted(
        IsDivergence(in_reward(k2), POLICY),
        corrected=SameGradient(in_reward(k2), Objective(REFERENCE_PROBABILITY * g), POLICY),
    )


@theorem(catalogue="17a", source="catalogue 17")
def k3_in_reward_descends_a_divergence():
    """On-policy, k3 in the reward descends an f-divergence. (False: its coefficient falls for l < 0; it descends RKL -
    FKL.)"""
    return Refuted(
        IsDivergence(in_reward(k3), POLICY),
        corrected=SameGradient(in_reward(k3), reverse_kl.objective - forward_kl.objective, POLICY),
    )


@theorem(catalogue="17a", source="catalogue 17")
def abs_in_reward_descends_a_divergence():
    """On-policy, |l| in the reward descends an f-divergence. (False: it descends Σ π_ref sign(l)(u log u - u + 1).)"""
    g = sign(log_ratio) * (ratio * log_ratio - ratio + 1)
    return Refuted(
        IsDivergence(in_reward(k_abs), POLICY),
        corrected=SameGradient(in_reward(k_abs), Objective(REFERENCE_PROBABILITY * g), POLICY),
    )


@theorem(catalogue="17b", source="catalogue 17")
def live_weighted_k2_as_loss_descends_a_divergence():
    """Off-policy, w k2 with a live weight descends an f-divergence. (False: it descends E_π[k2], not convex for l <
    -1.)"""
    return Refuted(
        IsDivergence(as_loss(k2, w), OLD),
        corrected=SameGradient(as_loss(k2, w), expectation(k2.expr), OLD),
    )


@theorem(catalogue="17b", source="catalogue 17")
def live_weighted_k2_as_loss_pushes_away_below_minus_two():
    """The coefficient of w k2, live, off-policy, is l + l²/2: for l < -2, where π_ref/π > e², its sign is not that of
    l."""
    return Identity(formula(as_loss(k2, w), OLD), log_ratio + log_ratio**2 / 2), HasSign(
        log_ratio * formula(as_loss(k2, w), OLD), -1, below=S(-2)
    )


def clamped(k: Estimator, bound: Expr) -> Estimator:
    """The estimator between -bound and bound."""
    return Estimator(f"clamp({k.name})", Min(Max(k.expr, -bound), bound))


@theorem(
    catalogue="17c",
    source="catalogue 17",
    harmless={
        "scale": "0, or an infinite limit, is scale-invariant",
        "flip_sign": "-0 = 0",
        "swap_direction": "mirrored, k2 and k3 are infinite far out as well, and all are 0 at l = 0",
        "drop_term": "what is dropped vanishes in the limit",
        "add_one": "an infinite limit absorbs a constant",
    },
)
def clamped_estimators_descend_no_divergence_whatever_the_bound():
    """On-policy, k1, k2, k3 clamped to [-m, m], any m > 0, have as losses the coefficients 1, l and 1 - e^{-l} where
    |k| < m, and 0 outside. Each k is 0 at l = 0, so near it they are 1, l and l + O(l²); each k → ∞ as l → ∞, so there
    they are 0: what is positive for small l > 0 falls, and no f is convex."""
    m, l = Symbol("m", positive=True), log_ratio
    rows = ((k1, S.One, S.One, 0), (k2, l, l, 1), (k3, 1 - exp(-l), l, 1))
    cut = [Piecewise((slope, And(-m < k.expr, k.expr < m)), (0, True)) for k, slope, _, _ in rows]
    return (
        *(
            SameScore(as_loss(clamped(k, m)), Surrogate(sg(c) * logp), POLICY)
            for (k, *_), c in zip(rows, cut, strict=True)
        ),
        *(Expansion(k.expr, S.Zero, 0) for k, *_ in rows),
        *(Expansion(slope, start, order) for _, slope, start, order in rows),
        *(Limit(k.expr, oo, oo) for k, *_ in rows),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
