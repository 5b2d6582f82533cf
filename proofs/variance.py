"""Variance: how noisy the estimators and their gradients are, and which baseline is best.

A variance is a polynomial in means over the vocabulary, E_π[r l], E_π[‖s‖²] and the like, with r = π_ref/π and s the
score; two such polynomials agree for every policy only if they are the same one. So a variance is *derived*: write it
by its definition, expand, and use that probabilities sum to one. In logits s is a unit vector minus π, and
‖s‖² = 1 - 2π + Σπ².
"""

from kltheory.proving.vocabulary import *

SCHULMAN = "J. Schulman, Approximating KL Divergence (2020)"
BLOG = "Xihuai, KL estimators (2025), section 7"
SEED = "arXiv 2510.01555"
l, r = log_ratio, exp(-log_ratio)
J = E(l) - E(r * l)
CHI2 = E(r**2) - 1
b = Symbol("b", real=True)


def with_baseline(score: Expr, baseline: Expr, weight: Expr = S.One) -> Surrogate:
    """(score - baseline) times log π, all of it detached."""
    return Surrogate(sg(weight * (score - baseline)) * logp)


@theorem(catalogue="30")
def variance_of_k3_eq_variance_of_k1_sub_twice_jeffreys_add_chi2():
    """Var[k3] = Var[k1] - 2J + χ²(π_ref‖π): k3 is the less noisy one iff χ² < 2J."""
    return (
        SameMoment(variance(k3.expr), variance(k1.expr) - 2 * J + CHI2),
        SameMoment(covariance(l, r), -J),
        SameValue(expectation((r - 1) ** 2), neyman_chi2.objective),
    )


@theorem(catalogue="30")
def k3_is_less_noisy_than_k1():
    """Var[k3] ≤ Var[k1] in every setting. (False: not where χ²(π_ref‖π) > 2J, as on the one shown.)"""
    worse = variance(k1.expr) - variance(k3.expr)
    return Refuted(
        AlwaysSign(worse, 1, ((".98 .01 .01", ".1 .1 .8"),)),
        corrected=SameMoment(worse, 2 * J - CHI2),
    )


@theorem(catalogue="31", source=SCHULMAN)
def optimal_control_variate_eq_jeffreys_over_chi2():
    """Var[k1 + λ(r - 1)] = Var[k1] - J²/χ² + χ²(λ - J/χ²)²: the best λ is J/χ², in closed form."""
    completed = variance(k1.expr) - J**2 / CHI2 + CHI2 * (lam - J / CHI2) ** 2
    return SameMoment(variance(l + lam * (r - 1)), completed)


@theorem(catalogue="36", harmless={"swap_direction": "-l has the coefficient -1: as noisy"})
def trace_variance_of_k1_as_loss_is_free_of_the_reference():
    """k1 as a loss is pure noise of trace variance 1 - ‖π‖², whatever the reference."""
    return TraceVariance(as_loss(k1), 1 - E(exp(logp)), POLICY)


@theorem(catalogue="36")
def trace_variance_eq_second_moment_sub_squared_mean():
    """For any c, tr Var[c s] = E[c²‖s‖²] - ‖E[c s]‖² with ‖s‖² = 1 - 2π + ‖π‖², and ‖E[c s]‖² = Σ π²(c - E c)²."""
    c_of_l = h.expr
    return TraceVariance(in_reward(h), E(c_of_l**2 * SCORE_SQUARE) - gradient_inner(c_of_l, c_of_l), POLICY)


@theorem(catalogue="37", source=SEED)
def trace_variance_of_k3_as_loss_is_a_weighted_chi2():
    """k3 as a loss: tr Var = E[(1 - r)²‖s‖²] - ‖π - π_ref‖², a χ² weighted by ‖s‖²."""
    p = exp(logp)
    return TraceVariance(as_loss(k3), E((1 - r) ** 2 * SCORE_SQUARE) - E(p * (1 - r) ** 2), POLICY)


@theorem(
    catalogue=("37", "38"),
    source="github.com/khanhptnk/kl-penalty-in-grpo",
    harmless={
        "scale": "an infinite limit, or 0, is scale-invariant",
        "add_one": "an infinite limit absorbs a constant",
        "flip_sign": "-0 = 0",
        "swap_direction": "both limits of the mirrored term are of the same kind",
    },
)
def abandoned_token_makes_k3_kick_and_k2_silent():
    """As l → -∞ at fixed π_ref, a token's part of the second moment grows like π_ref²/π for k3, in loss or reward, and
    vanishes for k2."""
    per_reference = exp(l)  # π = π_ref e^l, so a sum over π is one of e^l at fixed π_ref
    return (
        Limit(per_reference * formula(as_loss(k3), POLICY) ** 2, -oo, oo),
        Limit(per_reference * formula(in_reward(k3), POLICY) ** 2, -oo, oo),
        Limit(exp(2 * l) * formula(as_loss(k3), POLICY) ** 2, -oo, S.One),
        Limit(exp(2 * l) * formula(in_reward(k3), POLICY) ** 2, -oo, S.One),
        Limit(per_reference * formula(as_loss(k2), POLICY) ** 2, -oo, S.Zero),
    )


@theorem(catalogue="40", source=(BLOG, "arXiv 2605.07865"))
def estimators_of_the_reverse_kl_gradient_are_l_sub_a_baseline():
    """Sample by sample, weighted or not, each is (l - b) times the score: b = -1 for w k1 live, λ - 1 for k1 +
    λ(r - 1), 0 for w k3, sg(w) k2 and k1 in the reward."""
    mixed = Estimator("k[λ]", l + lam * (r - 1))
    return (
        SameScore(as_loss(k1, w), with_baseline(l, S.NegativeOne, w), OLD),
        SameScore(as_loss(mixed, w), with_baseline(l, lam - 1, w), OLD),
        SameScore(as_loss(k3, w), with_baseline(l, S.Zero, w), OLD),
        SameScore(as_loss(k2, sg(w)), with_baseline(l, S.Zero, w), OLD),
        SameScore(in_reward(k1), with_baseline(l, S.Zero), POLICY),
    )


@theorem(catalogue=("40", "45"), source="arXiv 2605.07865")
def mean_as_baseline_is_unbiased():
    """b = KL(π‖π_ref), the mean of l, leaves the expected gradient ∇KL(π‖π_ref), and so does any constant."""
    return [SameGradient(with_baseline(l, x), reverse_kl.objective, POLICY) for x in (E(l), b)]


@theorem(catalogue="41", source="E. Greensmith, P. Bartlett, J. Baxter 2004")
def optimal_baseline_completes_the_square():
    """tr Var[(c - b) s] = tr Var[c s] + E‖s‖²((b - b*)² - b*²) with b* = E[c‖s‖²]/E‖s‖², for any c, also
    weighted by w."""
    c_of_l, best = h.expr, optimal_baseline(h.expr)
    weighted = E(w * h.expr * SCORE_SQUARE) / E(w * SCORE_SQUARE)
    return (
        SameMoment(trace_variance(c_of_l - b) - trace_variance(c_of_l), E(SCORE_SQUARE) * ((b - best) ** 2 - best**2)),
        SameMoment(
            trace_variance(w * (c_of_l - b), w) - trace_variance(w * c_of_l, w),
            E(w * SCORE_SQUARE) * ((b - weighted) ** 2 - weighted**2),
        ),
    )


@theorem(catalogue="42")
def optimal_baseline_is_the_kl_iff_l_and_score_size_are_uncorrelated():
    """(b* - KL) E‖s‖² = Cov(l, ‖s‖²): the optimal baseline is KL(π‖π_ref) iff they are uncorrelated."""
    return SameMoment((optimal_baseline(l) - E(l)) * E(SCORE_SQUARE), covariance(l, SCORE_SQUARE))


@theorem(
    catalogue="43",
    hypotheses=("full support", "V = 2"),
    harmless={"swap_direction": "the mirrored l has the mirrored baseline, and no variance either"},
)
def swapped_baseline_has_no_variance_on_two_actions():
    """At V = 2, b = π₂ l₁ + π₁ l₂, the probabilities swapped, is optimal and leaves no variance at all."""
    swapped = At(exp(logp), 1) * At(l, 0) + At(exp(logp), 0) * At(l, 1)
    return OnTwoActions(optimal_baseline(l), swapped), OnTwoActions(trace_variance(l - swapped) + 1, S.One)


SHARPENED = (".9 .05 .05", ".5 .25 .25")


@theorem(catalogue="44", source=BLOG)
def w_k1_is_noisier_than_w_k3():
    """b = -1 (w k1 live) has more variance than b = 0 (w k3 live). (False on a sharpened policy; the difference is
    E[(2l + 1)‖s‖²].)"""
    excess = trace_variance(l + 1) - trace_variance(l)
    return Refuted(AlwaysSign(excess, 1, (SHARPENED,)), corrected=SameMoment(excess, E((2 * l + 1) * SCORE_SQUARE)))


@theorem(
    catalogue="45",
    source="arXiv 2605.07865",
    harmless={"swap_direction": "the gain is even in l"},
)
def mean_as_baseline_lowers_the_variance():
    """b = KL(π‖π_ref) has less variance than b = 0. (False on a sharpened policy: the gain is KL(2E[l‖s‖²] -
    KL E‖s‖²).)"""
    gain = trace_variance(l) - trace_variance(l - E(l))
    return Refuted(
        AlwaysSign(gain, 1, (SHARPENED,)),
        corrected=SameMoment(gain, E(l) * (2 * E(l * SCORE_SQUARE) - E(l) * E(SCORE_SQUARE))),
    )


@theorem(catalogue="47", source=BLOG, harmless={"swap_direction": "(1 - l)² starts with 1 as well"})
def near_the_reference_the_baseline_decides_the_variance():
    """Near the reference the factor before the score is squared: l² for b = 0, 1 for b = -1, so deviations of first and
    of zeroth order in l; k3 as a loss has l² - l³ + O(l⁴), less than l² by a relative l."""
    return (
        SameScore(as_loss(k2), with_baseline(l, S.Zero), POLICY),
        Expansion(formula(as_loss(k3), POLICY) ** 2, l**2 - l**3, 3),
        Expansion((l + 1) ** 2, S.One, 0),
    )


@theorem(catalogue="48", harmless={"swap_direction": "-l has the coefficient -1: as noisy"})
def k1_as_loss_adds_variance_without_signal():
    """β k1 as a loss adds the gradient β s: no signal, and β²(1 - ‖π‖²) of variance."""
    return (
        TraceVariance(beta * as_loss(k1), beta**2 * (1 - E(exp(logp))), POLICY),
        SameGradient(in_reward(k1) + beta * as_loss(k1), in_reward(k1), POLICY),
    )


@theorem(catalogue="49", source="arXiv 2504.10637", harmless={"swap_direction": "k2 is even, so as noisy"})
def summing_over_the_vocabulary_removes_the_variance():
    """The sum Σ π l in place of one sample has the gradient ∇KL(π‖π_ref), the same for every sample: of variance
    E‖l s‖² - ‖∇KL‖² nothing is left."""
    exact = Surrogate(E(l))
    return (
        SameGradient(exact, reverse_kl.objective, POLICY),
        TraceVariance(as_loss(k2), E(l**2 * SCORE_SQUARE) - gradient_inner(l, l), POLICY),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
