"""Gaussians: closed forms beyond the categorical world, and variances that do not exist.

For two Gaussians the log-ratio is a quadratic in x and r = π_ref/π its exponential, so every mean needed here is that
of a polynomial times e^{a x + b x²}, which completing the square gives, or which diverges. In a finite vocabulary every
variance is finite; here the tails of π may be too thin for r²."""

from kltheory.calculus.gaussian import Gaussian, x
from kltheory.proving.vocabulary import *

SEED = "arXiv 2510.01555"
SCHULMAN = "J. Schulman, Approximating KL Divergence (2020)"
BLOG = "Xihuai, KL estimators (2025), section 7"
m, n = Symbol("m", positive=True), Symbol("n", real=True)
s, t = Symbol("s", positive=True), Symbol("t", positive=True)


def log_ratio_of(policy: Gaussian, reference: Gaussian) -> Expr:
    """log π/π_ref at x."""
    return (policy.log_density() - reference.log_density()).expand()


def k_of(estimator: Estimator, l: Expr) -> Expr:
    """The estimator at that log-ratio."""
    return estimator.expr.xreplace({log_ratio: l})


UNIT, SHIFTED = Gaussian(S.Zero, S.One), Gaussian(m, S.One)


@theorem(catalogue=("S8", "39a"), source=SEED, hypotheses=("on-policy", "π = N(m, s²), π_ref = N(n, t²)"))
def variance_of_k3_is_finite_iff_policy_is_wide_enough():
    """Var[k3] and the second moment of the coefficient of k3 as a loss are finite iff s² > t²/2, and the variances of
    k1 and k2 are finite always."""
    l = log_ratio_of(Gaussian(m, s**2), Gaussian(n, t**2))
    condition = 2 * s**2 - t**2
    return (
        FiniteIff(k_of(k3, l) ** 2, condition, m, s**2),
        FiniteIff((1 - exp(-l)) ** 2, condition, m, s**2),
        FiniteIff(l**4, S.One, m, s**2),
    )


@theorem(catalogue="S8", source=SEED, hypotheses="π = N(0.1, 0.2²), π_ref = N(0, 1)")
def narrow_policy_has_a_deviation_of_k1_and_none_of_k3():
    """For π = N(0.1, 0.2²) and π_ref = N(0, 1), on-policy, Var[k1] = 0.4612, a deviation of 0.679, and Var[k3] = ∞: the
    condition of finiteness, -23/25 > 0, fails."""
    narrow = Gaussian(Rational(1, 10), Rational(1, 25))
    l = log_ratio_of(narrow, UNIT)
    mean = log(5) - Rational(95, 200)
    return (
        GaussianMean(l, mean, narrow.mean, narrow.variance),
        GaussianMean((l - mean) ** 2, Rational(1153, 2500), narrow.mean, narrow.variance),
        FiniteIff(k_of(k3, l) ** 2, Rational(-23, 25), narrow.mean, narrow.variance),
    )


@theorem(catalogue="S8", source=SEED, hypotheses="π = N(0.1, 0.2²), π_ref = N(0, 1)")
def narrow_policy_has_no_second_moment_of_r():
    """For π = N(0.1, 0.2²) and π_ref = N(0, 1), E_π[r²] = ∞: the condition of finiteness, 2s² - t² = -23/25 > 0,
    fails."""
    narrow = Gaussian(Rational(1, 10), Rational(1, 25))
    return FiniteIff(exp(-2 * log_ratio_of(narrow, UNIT)), Rational(-23, 25), narrow.mean, narrow.variance)


@theorem(
    catalogue="32",
    source=SCHULMAN,
    hypotheses="π = N(0, 1), π_ref = N(m, 1)",
    harmless={"drop_term": "the mean of l = m²/2 - m x lies in its first term"},
)
def schulmans_table_in_closed_form():
    """On-policy, KL = m²/2; Var[k1] = m², Var[k2] = m⁴/2 + m⁶/4, Var[k3] = e^{m²} - 1 - m², E[k2] = KL + m⁴/8: relative
    to KL, 2/m, √(2 + m²), 2√(e^{m²} - 1 - m²)/m² and a bias of m²/4."""
    l = log_ratio_of(UNIT, SHIFTED)
    kl, k2_mean = m**2 / 2, m**2 / 2 + m**4 / 8
    rows = (
        (l, kl),
        (k_of(k2, l), k2_mean),
        (k_of(k3, l), kl),
        ((l - kl) ** 2, m**2),
        ((k_of(k2, l) - k2_mean) ** 2, m**4 / 2 + m**6 / 4),
        ((k_of(k3, l) - kl) ** 2, exp(m**2) - 1 - m**2),
    )
    return [GaussianMean(e, value, S.Zero, S.One) for e, value in rows]


@theorem(
    catalogue="32",
    source=SCHULMAN,
    hypotheses=("on-policy", "π = N(0, 1), π_ref = N(m, 1)", "the letter l stands for m²"),
    harmless={
        "scale": "a sign is scale-invariant",
        "drop_term": "one of the two intervals keeps its sign",
        "swap_direction": "one of the two intervals keeps its sign",
    },
)
def k3_is_noisier_than_k1_from_a_threshold_on():
    """Var[k3] = e^{m²} - 1 - m² is less than Var[k1] = m² for 0 < m² < 1.256431, and more for m² > 1.256432: k3 is the
    noisier from a threshold between these on, m = 1.12091."""
    gap = exp(log_ratio) - 1 - 2 * log_ratio
    low, high = Rational(1256431, 10**6), Rational(1256432, 10**6)
    return HasSign(gap, -1, above=S.Zero, below=low), HasSign(gap, 1, above=high)


@theorem(catalogue=("46", "42"), source=BLOG, hypotheses="π = N(m, 1), π_ref = N(0, 1), gradient by the mean")
def gradient_variances_by_the_mean_in_closed_form():
    """On-policy, the variance of the factor times the score x - m: k3 as a loss e^{m²}(1 + 4m²) - 1 - 3m², k2 as a loss
    m⁴/4 + 2m², w k1 live (m²/2 + 1)² + 2m², b = KL 2m²."""
    l, score = log_ratio_of(SHIFTED, UNIT), x - m
    rows = (
        (1 - exp(-l), exp(m**2) * (1 + 4 * m**2) - 1 - 3 * m**2),
        (l, m**4 / 4 + 2 * m**2),
        (l + 1, (m**2 / 2 + 1) ** 2 + 2 * m**2),
        (l - m**2 / 2, 2 * m**2),
    )
    means = [GaussianMean(c * score, m, m, S.One) for c, _ in rows]
    return means + [GaussianMean((c * score) ** 2, value + m**2, m, S.One) for c, value in rows]


@theorem(catalogue="31b", source=SCHULMAN, hypotheses="π = N(0, 1), π_ref = N(m, 1)")
def optimal_control_variate_of_two_gaussians():
    """On-policy, J = KL(π‖π_ref) + KL(π_ref‖π) = E[l(1 - r)] = m² and χ²(π_ref‖π) = E[(r - 1)²] = e^{m²} - 1, so the
    best λ of k1 + λ(r - 1), J/χ², is m²/(e^{m²} - 1)."""
    l = log_ratio_of(UNIT, SHIFTED)
    r = exp(-l)
    return (
        GaussianMean(l * (1 - r), m**2, S.Zero, S.One),
        GaussianMean((r - 1) ** 2, exp(m**2) - 1, S.Zero, S.One),
    )


@theorem(catalogue="42", source=BLOG, hypotheses="π = N(m, 1), π_ref = N(0, 1), gradient by the mean")
def optimal_baseline_by_the_mean_eq_the_kl():
    """On-policy, b* = E[l s²]/E[s²] = m²/2 = KL(π‖π_ref), exactly."""
    l, score = log_ratio_of(SHIFTED, UNIT), x - m
    kl = m**2 / 2
    return [
        GaussianMean(l * score**2, kl, m, S.One),
        GaussianMean(score**2, S.One, m, S.One),
        GaussianMean(l, kl, m, S.One),
    ]


@theorem(
    catalogue="202",
    source="catalogue 202",
    hypotheses=(
        "gradient by the mean m",
        "π = N(m, s²), π_ref = N(0, s²), then N(m, 1) and N(0, 4)",
        "π_old = N(0, 1) and π = N(m, 1) for w",
    ),
    harmless={"drop_term": "the mean of log w = m x - m²/2 lies in its last term"},
)
def k3_as_loss_is_exact_in_the_mean_of_gaussians_of_one_variance():
    """On-policy, k3 and k2 as losses have the same gradient by the mean, m/s², where the variances are the same, as in
    steps of a diffusion or flow model: that of both KLs. With variances 1 and 4 k3 has m, that of KL(π_ref‖π), and k2
    m/4. Weights have E_old[w] = 1 and E_old[log w] = -m²/2: it is the logarithm that leans to the left."""
    alike = log_ratio_of(Gaussian(m, s**2), Gaussian(S.Zero, s**2))
    wider = log_ratio_of(SHIFTED, Gaussian(S.Zero, S(4)))
    log_w = log_ratio_of(SHIFTED, UNIT)
    return (
        *(GaussianMean(c * (x - m) / s**2, m / s**2, m, s**2) for c in (1 - exp(-alike), alike)),
        GaussianMean((1 - exp(-wider)) * (x - m), m, m, S.One),
        GaussianMean(wider * (x - m), m / 4, m, S.One),
        GaussianMean(exp(log_w), S.One, S.Zero, S.One),
        GaussianMean(log_w, -(m**2) / 2, S.Zero, S.One),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
