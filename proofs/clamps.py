"""Clamps: what becomes of the gradient where a clamp holds an estimator, or the log-ratio in it, at a bound.

A clamp has a derivative of 1 between its bounds and 0 outside, so the coefficient of a clamped penalty is cut off: it
is that of the estimator inside, and 0 (the penalty lets go) outside. Only a clamp behind a stop-gradient leaves the
coefficient alone. Beside a live importance weight see clipping.py. m is a bound on a value (10 in most code), a one on
the log-ratio.
"""

from kltheory.proving.vocabulary import *

K3 = "J. Schulman, Approximating KL Divergence (2020)"
DEEPSEEK = "arXiv 2512.02556"
l, r = log_ratio, exp(-log_ratio)
m, a, tau = (Symbol(name, positive=True) for name in ("m", "a", "tau"))
TEN = S(10)


def clamp(x: Expr, bound: Expr) -> Expr:
    """x between -bound and bound."""
    return Min(Max(x, -bound), bound)


def where(condition: Expr, inside: Expr, outside: Expr = S.Zero) -> Surrogate:
    """Minimises with one coefficient where the condition holds, and another where it does not."""
    return Surrogate(sg(Piecewise((inside, condition), (outside, True))) * logp)


# --- without a clamp: the two ends ------------------------------------------------------------------------------------
INFINITE = {
    "scale": "an infinite limit, or 0, is scale-invariant",
    "add_one": "an infinite limit absorbs a constant",
}
CONSTANT = "the dropped term vanishes, or is swamped, in the limit"


@theorem(
    catalogue="28",
    hypotheses=("π fixed", "π_ref(a) → 0"),
    harmless={
        **INFINITE,
        "flip_sign": "-0 = 0",
        "drop_term": CONSTANT,
        "swap_direction": "mirrored, k3 tends to infinity, and 1 - C to 1 + e^l, positive as well",
    },
)
def token_without_reference_has_infinite_kl_and_a_bounded_k3_pull():
    """On-policy, where π_ref(a) → 0 and π(a) stays, l → ∞: k1, k3 and the token's part of KL(π‖π_ref) are infinite, its
    part of KL(π_ref‖π) vanishes, and k3 as a loss pulls with a coefficient that never passes 1."""
    return (
        Limit(k1.expr, oo, oo),
        Limit(k3.expr, oo, oo),
        Limit(-r * l, oo, S.Zero),
        Limit(formula(as_loss(k3), POLICY), oo, S.One),
        HasSign(1 - formula(as_loss(k3), POLICY), 1),
    )


# --- the output clamped ---------------------------------------------------------------------------------------------
def thresholds(bound: Expr) -> tuple[Expr, Expr]:
    """The two l at which k3 is the bound."""
    return bound + 1 + LambertW(-exp(-bound - 1), -1), bound + 1 + LambertW(-exp(-bound - 1))


CLAMPED_K3 = Surrogate(clamp(k3.expr, TEN))


@theorem(catalogue="108", source=K3, hypotheses="m = 10")
def clamped_k3_as_loss_lets_go_beyond_its_thresholds():
    """clamp(k3, -10, 10) as a loss, unweighted, gives a sample 1 - e^{-l} times the score where k3 < 10, and 0 outside:
    a token that the policy has abandoned is not pulled back."""
    return SameScore(CLAMPED_K3, where(k3.expr < TEN, 1 - r), OLD)


@theorem(catalogue="108", harmless={"drop_term": "e^{-l} alone falls too, and -e^{-l} rises"})
def thresholds_of_clamped_k3_are_lambert_w():
    """k3 = m at l = m + 1 + W(-e^{-(m+1)}), on the branches -1 and 0, and nowhere else: k3 falls, then rises."""
    return (
        *(Zero(k3.expr - m, at) for at in thresholds(m)),
        HasSign(k3.expr.diff(l), -1, below=S.Zero),
        HasSign(k3.expr.diff(l), 1, above=S.Zero),
    )


@theorem(
    catalogue="108",
    hypotheses="m = 10",
    harmless={
        "drop_term": "between the two, l < 11, so l - 11 is as negative",
        "swap_direction": "mirrored, k3 lies above 10 out there as well",
    },
)
def thresholds_of_k3_clamped_at_10():
    """k3 = 10 at one l between -2.610869 and -2.610868, at one between 10.999983 and 10.999984, and nowhere else."""
    digit = Rational(1, 10**6)
    low, high = -2610868 * digit, 10999983 * digit
    return (
        Zeros(k3.expr - TEN, thresholds(TEN)),
        HasSign(k3.expr - TEN, -1, above=low, below=high),
        HasSign(k3.expr - TEN, 1, below=low - digit),
        HasSign(k3.expr - TEN, 1, above=high + digit),
    )


@theorem(
    catalogue="108",
    hypotheses="m = 10",
    harmless={"swap_direction": "mirrored, the pull is above -1", "drop_term": "what is left is the constant 12.6109"},
)
def lower_bound_of_clamped_k3_never_acts():
    """k3 ≥ 0, so clamp(k3, -10, 10) = min(k3, 10); and its derivative by l is never below -12.6109, so that π_ref/π is
    at most 13.6109 where it is not 0."""
    pull = Piecewise((1 - r, k3.expr < TEN), (0, True))
    return Identity(clamp(k3.expr, TEN), Min(k3.expr, TEN)), HasSign(pull + Rational(126109, 10**4), 1)


@theorem(
    catalogue="108",
    hypotheses="m = 10",
)
def k3_clamped_at_10_as_loss_descends_a_divergence():
    """On-policy, clamp(k3, -10, 10) as a loss descends an f-divergence. (False: its coefficient jumps down from 0 to
    -12.6 at the lower threshold, and from 1 to 0 at the upper one.)"""
    return Refuted(
        IsDivergence(CLAMPED_K3, POLICY), corrected=SameScore(CLAMPED_K3, where(k3.expr < TEN, 1 - r), POLICY)
    )


@theorem(catalogue="109")
def clamped_k2_as_loss_is_l_up_to_its_thresholds():
    """clamp(k2, -m, m) as a loss, unweighted, gives a sample l times the score where l² < 2m, that is |l| < √(2m), and
    0 outside."""
    return SameScore(Surrogate(clamp(k2.expr, m)), where(l**2 < 2 * m, l), OLD)


@theorem(catalogue="109")
def clamped_k1_as_loss_has_no_expected_gradient():
    """On-policy, clamp(k1, -m, m) as a loss, like k1, has no expected gradient. (False where some |l| < m and some |l|
    > m: the score of the samples inside is left.)"""
    clamped = Surrogate(clamp(k1.expr, m))
    return Refuted(
        SameGradient(clamped, NO_GRADIENT, POLICY),
        corrected=SameGradient(clamped, where(And(-m < l, l < m), S.One), POLICY),
    )


@theorem(catalogue="89")
def masked_k2_as_loss_is_l_up_to_its_thresholds():
    """k2 as a loss with the tokens masked where k2 > τ, unweighted, gives a sample l times the score where l² < 2τ,
    that is |l| < √(2τ), and 0 outside."""
    masked = Surrogate(Piecewise((k2.expr, k2.expr < tau), (0, True)))
    return SameScore(masked, where(l**2 < 2 * tau, l), OLD)


@theorem(catalogue="89", hypotheses="τ = 1")
def masked_k2_as_loss_descends_a_divergence():
    """On-policy, masked where k2 > 1, k2 as a loss descends an f-divergence. (False: its coefficient is l where |l| <
    √2, and back at 0 beyond.)"""
    masked = Surrogate(Piecewise((k2.expr, k2.expr < 1), (0, True)))
    return Refuted(IsDivergence(masked, POLICY), corrected=SameScore(masked, where(l**2 < 2, l), POLICY))


# --- the input clamped ------------------------------------------------------------------------------------------------
@theorem(catalogue="110")
def k3_of_clamped_log_ratio_lets_go_beyond_the_bound():
    """k3 of clamp(l, -a, a) as a loss, unweighted, gives a sample 1 - e^{-l} times the score where |l| < a, and 0
    outside."""
    clamped = k3.expr.xreplace({l: clamp(l, a)})
    return SameScore(Surrogate(clamped), where(And(-a < l, l < a), 1 - r), OLD)


@theorem(catalogue="110", hypotheses="a = 10", harmless={"swap_direction": "the bounds of the clamp are symmetric"})
def exponential_of_clamped_log_ratio_is_bounded():
    """e^{-clamp(l, -10, 10)} never passes e^10, and k3 of the clamped log-ratio never passes e^10 - 11, its value at l
    = -10."""
    clamped = k3.expr.xreplace({l: clamp(l, TEN)})
    return HasSign(exp(10) - exp(-clamp(l, TEN)), 1), HasSign(exp(10) - 11 - clamped, 1)


@theorem(catalogue="110", source="github.com/huggingface/trl/pull/6637")
def k3_of_straight_through_clamp_is_frozen_beyond_the_bound():
    """With l + sg(clamp(l, -a, a) - l) for l, k3 as a loss, unweighted, gives a sample 1 - e^{-clamp(l)} times the
    score: frozen at 1 - e^{±a}, not 0."""
    clamped = k3.expr.xreplace({l: l + sg(clamp(l, a) - l)})
    return SameScore(Surrogate(clamped), Surrogate(sg(1 - exp(-clamp(l, a))) * logp), OLD)


# --- a stop-gradient around the clamp --------------------------------------------------------------------------------
EVEN = {"swap_direction": "k2 is even, and the value carries no gradient"}


@theorem(catalogue=("111", "114"), harmless=EVEN)
def straight_through_has_no_dead_zone():
    """With the value of any h(l), or of clamp(k3, -10, 10), and the gradient of k2, a sample has l times the score
    everywhere."""
    return [
        SameScore(straight_through(Estimator("clamped", value), k2), as_loss(k2), OLD)
        for value in (h.expr, clamp(k3.expr, TEN))
    ]


@theorem(catalogue="111", harmless=EVEN)
def straight_through_k2_eq_grad_reverse_kl():
    """The value of k3 with the gradient of k2 has the gradient of KL(π‖π_ref), whoever sampled. (False: without a
    weight it has on-policy only; weighted with sg(w) it has.)"""
    return Refuted(
        SameGradient(straight_through(k3, k2), reverse_kl.objective, OLD),
        corrected=SameGradient(straight_through(k3, k2, sg(w)), reverse_kl.objective, OLD),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
