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
    """On-policy, with J = KL(π‖π_ref) + KL(π_ref‖π), Var[k3] = Var[k1] - 2J + χ²(π_ref‖π): k3 is the less noisy one iff
    χ² < 2J."""
    return (
        SameValue(Objective(POLICY_PROBABILITY * (l - r * l)), jeffreys.objective),
        SameMoment(variance(k3.expr), variance(k1.expr) - 2 * J + CHI2),
        SameMoment(covariance(l, r), -J),
        SameValue(expectation((r - 1) ** 2), neyman_chi2.objective),
    )


@theorem(catalogue="30")
def k3_is_less_noisy_than_k1():
    """On-policy, Var[k3] ≤ Var[k1] in every setting. (False: not where χ²(π_ref‖π) > 2J, J the sum of both KLs, as on
    the one shown.)"""
    worse = variance(k1.expr) - variance(k3.expr)
    return Refuted(
        AlwaysSign(worse, 1, ((".98 .01 .01", ".1 .1 .8"),)),
        corrected=SameMoment(worse, 2 * J - CHI2),
    )


@theorem(catalogue="31a", source=SCHULMAN, hypotheses="π ≠ π_ref")
def optimal_control_variate_eq_jeffreys_over_chi2():
    """On-policy, with J the sum of both KLs and χ² = χ²(π_ref‖π), Var[k1 + λ(r - 1)] = Var[k1] - J²/χ² + χ²(λ - J/χ²)²:
    the best λ is J/χ², in closed form."""
    completed = variance(k1.expr) - J**2 / CHI2 + CHI2 * (lam - J / CHI2) ** 2
    return SameMoment(variance(l + lam * (r - 1)), completed)


@theorem(catalogue="36", harmless={"swap_direction": "-l has the coefficient -1: as noisy"})
def trace_variance_of_k1_as_loss_is_free_of_the_reference():
    """On-policy, k1 as a loss is noise of trace variance 1 - ‖π‖², whatever the reference, about an expected gradient
    of 0."""
    return (
        TraceVariance(as_loss(k1), 1 - E(exp(logp)), POLICY),
        SameGradient(in_reward(k1) + as_loss(k1), in_reward(k1), POLICY),
    )


@theorem(catalogue="36")
def trace_variance_eq_second_moment_sub_squared_mean():
    """On-policy, for any c(l), tr Var[c s] = E[c²‖s‖²] - ‖E[c s]‖² with ‖s‖² = 1 - 2π + ‖π‖², and ‖E[c s]‖² =
    Σ π²(c - E c)²: the definition, which autodiff confirms."""
    c_of_l = h.expr
    return TraceVariance(in_reward(h), E(c_of_l**2 * SCORE_SQUARE) - gradient_inner(c_of_l, c_of_l), POLICY)


@theorem(catalogue="37", source=SEED)
def trace_variance_of_k3_as_loss_is_a_weighted_chi2():
    """On-policy, k3 as a loss: tr Var = E[(1 - r)²‖s‖²] - ‖π - π_ref‖², a χ² weighted by ‖s‖²."""
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
    """On-policy, as l → -∞ at fixed π_ref, a token's part π C² of the coefficient's second moment grows like π_ref²/π
    for k3, as a loss or in the reward, and vanishes for k2 as a loss; the score's ‖s‖² tends to 1 + ‖π‖²."""
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
    """Sample by sample, off-policy, each is w(l - b) times the score: b = -1 for w k1 live, λ - 1 for w(k1 + λ(r - 1))
    live, 0 for w k3 live and for sg(w) k2; on-policy k1 in the reward is l times it."""
    mixed = Estimator("k[λ]", l + lam * (r - 1))
    return (
        SameScore(as_loss(k1, w), with_baseline(l, S.NegativeOne, w), OLD),
        SameScore(as_loss(mixed, w), with_baseline(l, lam - 1, w), OLD),
        SameScore(as_loss(k3, w), with_baseline(l, S.Zero, w), OLD),
        SameScore(as_loss(k2, sg(w)), with_baseline(l, S.Zero, w), OLD),
        SameScore(in_reward(k1), with_baseline(l, S.Zero), POLICY),
    )


@theorem(catalogue=("40", "45a"), source="arXiv 2605.07865")
def mean_as_baseline_is_unbiased():
    """On-policy, b = KL(π‖π_ref), the mean of l, leaves the expected gradient ∇KL(π‖π_ref), and so does any
    constant."""
    return [SameGradient(with_baseline(l, x), reverse_kl.objective, POLICY) for x in (E(l), b)]


@theorem(catalogue="41a", source="E. Greensmith, P. Bartlett, J. Baxter 2004")
def optimal_baseline_completes_the_square():
    """For any c(l), on-policy tr Var[(c - b) s] = tr Var[c s] + E‖s‖²((b - b*)² - b*²) with b* = E[c‖s‖²]/E‖s‖²;
    off-policy, for w(c - b) s, with E[w c‖s‖²]/E[w‖s‖²] for b* and E[w‖s‖²] for E‖s‖²."""
    c_of_l, best = h.expr, optimal_baseline(h.expr)
    weighted = E(w * h.expr * SCORE_SQUARE) / E(w * SCORE_SQUARE)
    return (
        SameMoment(trace_variance(c_of_l - b) - trace_variance(c_of_l), E(SCORE_SQUARE) * ((b - best) ** 2 - best**2)),
        SameMoment(
            trace_variance(w * (c_of_l - b), w) - trace_variance(w * c_of_l, w),
            E(w * SCORE_SQUARE) * ((b - weighted) ** 2 - weighted**2),
        ),
    )


@theorem(catalogue="41b", source="E. Greensmith, P. Bartlett, J. Baxter 2004", hypotheses="S is one action, j")
def optimal_baseline_of_a_coordinate_completes_the_square():
    """On-policy, for any c(l), Var[(c - b) s_j] = Var[c s_j] + E[s_j²]((b - b_j*)² - b_j*²) with b_j* = E[c
    s_j²]/E[s_j²] and s_j = 1_j - π_j, the score of logit j: each coordinate has a baseline of its own."""
    c_of_l, score = h.expr, inside - E(inside)
    size, best = E(score**2), E(h.expr * score**2) / E(score**2)
    return SameMoment(
        variance((c_of_l - b) * score) - variance(c_of_l * score),
        size * ((b - best) ** 2 - best**2),
    )


@theorem(catalogue="42")
def optimal_baseline_is_the_kl_iff_l_and_score_size_are_uncorrelated():
    """On-policy, (b* - KL) E‖s‖² = Cov(l, ‖s‖²): the optimal baseline is KL(π‖π_ref) iff they are uncorrelated."""
    return SameMoment((optimal_baseline(l) - E(l)) * E(SCORE_SQUARE), covariance(l, SCORE_SQUARE))


@theorem(catalogue="43", source="catalogue 43")
def swapped_baseline_has_no_variance_on_two_actions():
    """On-policy, at V = 2, b = π₂ l₁ + π₁ l₂, the probabilities swapped, is the optimal baseline of the reverse KL and
    leaves no variance at all."""
    swapped = At(exp(logp), 1) * At(l, 0) + At(exp(logp), 0) * At(l, 1)
    return OnTwoActions(optimal_baseline(l), swapped), OnTwoActions(trace_variance(l - swapped) + 1, S.One)


SHARPENED = (".9 .05 .05", ".5 .25 .25")


@theorem(catalogue="44", source=BLOG)
def w_k1_is_noisier_than_w_k3():
    """On-policy, w k1 live, that is b = -1, has at least the variance of w k3 live, b = 0. (False on a sharpened
    policy; the difference is E[(2l + 1)‖s‖²].)"""
    excess = trace_variance(l + 1) - trace_variance(l)
    return Refuted(AlwaysSign(excess, 1, (SHARPENED,)), corrected=SameMoment(excess, E((2 * l + 1) * SCORE_SQUARE)))


@theorem(
    catalogue="45a",
    source="catalogue 45",
    about="arXiv 2605.07865",
)
def mean_as_baseline_lowers_the_variance():
    """On-policy, b = KL(π‖π_ref) has no more variance than b = 0. (False on a sharpened policy: the gain is
    KL(2E[l‖s‖²] - KL E‖s‖²).)"""
    gain = trace_variance(l) - trace_variance(l - E(l))
    return Refuted(
        AlwaysSign(gain, 1, (SHARPENED,)),
        corrected=SameMoment(gain, E(l) * (2 * E(l * SCORE_SQUARE) - E(l) * E(SCORE_SQUARE))),
    )


@theorem(
    catalogue="47",
    source=BLOG,
    harmless={
        "swap_direction": "(1 - l)² starts with 1 as well, and -l has the coefficient -1",
        "drop_term": "a square is not negative",
    },
)
def near_the_reference_the_baseline_decides_the_variance():
    """On-policy, a factor c before the score has tr Var = E[c²‖s‖²] - Σ π²(c - E c)², of second degree in c: near the
    reference c is l for b = 0 and l + 1 for b = -1, so the deviations are of first and of zeroth order in l, and 1 for
    k1 as a loss, of zeroth. k3 as a loss has c² = l² - l³ + O(l⁴), which differs from l² by a relative -l: less where l
    > 0, more where l < 0."""
    spread = E(h.expr**2 * SCORE_SQUARE) - gradient_inner(h.expr, h.expr)
    k3_squared = formula(as_loss(k3), POLICY) ** 2
    return (
        TraceVariance(in_reward(h), spread, POLICY),
        TraceVariance(as_loss(k1), 1 - E(exp(logp)), POLICY),
        SameScore(as_loss(k2), with_baseline(l, S.Zero), POLICY),
        Expansion((l + 1) ** 2, S.One, 0),
        Expansion(k3_squared, l**2 - l**3, 3),
        HasSign(l**2 - k3_squared, 1, above=S.Zero),
        HasSign(k3_squared - l**2, 1, below=S.Zero),
    )


@theorem(catalogue="48a", harmless={"swap_direction": "-l has the coefficient -1: as noisy"})
def k1_as_loss_is_variance_without_signal():
    """On-policy, β k1 as a loss is β s: no signal, and alone β²(1 - ‖π‖²) of variance. Beside c s, any c(l), it changes
    the variance by 2β E[c‖s‖²] + β²(1 - ‖π‖²): at c = l and β = 1 less than nothing on a sharpened policy (catalogue
    44)."""
    alone, c_of_l = beta**2 * (1 - E(exp(logp))), h.expr
    return (
        TraceVariance(beta * as_loss(k1), alone, POLICY),
        SameGradient(in_reward(k1) + beta * as_loss(k1), in_reward(k1), POLICY),
        SameMoment(trace_variance(c_of_l + beta) - trace_variance(c_of_l), 2 * beta * E(c_of_l * SCORE_SQUARE) + alone),
    )


@theorem(catalogue="49", source="arXiv 2504.10637")
def summing_over_the_vocabulary_removes_the_variance():
    """On-policy, the sum Σ π l in place of one sample has the gradient ∇KL(π‖π_ref), the same for every sample: of
    variance E‖l s‖² - ‖∇KL‖² nothing is left."""
    exact = Surrogate(E(l))
    return (
        SameGradient(exact, reverse_kl.objective, POLICY),
        TraceVariance(as_loss(k2), E(l**2 * SCORE_SQUARE) - gradient_inner(l, l), POLICY),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
