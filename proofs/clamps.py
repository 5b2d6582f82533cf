"""Clamps: what is left of the gradient where an estimator, its input or its product with a weight is cut off.

A clamp is flat outside its bounds, so the coefficient there is 0: the penalty lets go of exactly the tokens on which it
was largest. Where the cut is placed decides which part of the gradient goes: of the value, of the log-ratio, of the
product with a weight. k3 = m has the two roots l = -log(-W(-e^{-(m+1)})), W either real branch of Lambert's function.
"""

from kltheory.proving.vocabulary import *

l, r = log_ratio, exp(-log_ratio)
K3 = k3.expr
OPENRLHF = "OpenRLHF, compute_approx_kl"
VERL = "verl, core_algos.kl_penalty, kind 'low_var_kl'"


def clamp(expr: Expr, low: Expr, high: Expr) -> Expr:
    """expr cut off at both bounds."""
    return Min(Max(expr, low), high)


def in_gradient(c: Expr) -> Surrogate:
    """c, detached, times the score."""
    return Surrogate(sg(c) * logp)


def where(condition: Expr, inside_: Expr, outside: Expr = S.Zero) -> Expr:
    """One formula where the condition holds, another elsewhere."""
    return Piecewise((inside_, condition), (outside, True))


CLAMPED_K3 = Surrogate(clamp(K3, S(-10), S(10)))


@theorem(catalogue="108", source=(VERL, OPENRLHF), hypotheses=("full support", "m = 10"))
def clamped_k3_as_loss_lets_go_where_k3_exceeds_the_bound():
    """clamp(k3, -m, m) as a loss has the coefficient 1 - e^{-l} where k3 < m and 0 elsewhere; the lower bound never
    acts."""
    return (
        SameScore(CLAMPED_K3, in_gradient(where(K3 < 10, 1 - r)), OLD),
        SameScore(CLAMPED_K3, Surrogate(Min(K3, 10)), OLD),
    )


@theorem(
    catalogue="108",
    source=(VERL, OPENRLHF),
    hypotheses="m = 10",
    harmless={
        "scale": "twice the excess has the same sign on these intervals",
        "drop_term": "without one term the sign still is that on one of the intervals",
        "add_one": "so does one more",
        "swap_direction": "the mirrored roots leave the sign on one of the intervals",
    },
)
def clamped_k3_thresholds_are_enclosed():
    """k3 < 10 for -2.610868 < l < 10.999983, k3 > 10 below -2.610870 and above 10.999984."""
    at = [Rational(n, 10**6) for n in (-2610870, -2610868, 10999983, 10999984)]
    return (
        HasSign(K3 - 10, 1, below=at[0]),
        HasSign(K3 - 10, -1, above=at[1], below=at[2]),
        HasSign(K3 - 10, 1, above=at[3]),
    )


@theorem(catalogue="108", source="R. Corless et al., On the Lambert W function (1996)")
def clamped_k3_thresholds_are_lambert_w():
    """y = -e^{-l} solves y e^y = -e^{-(m+1)} iff k3(l) = m, so the thresholds are l = -log(-W(-e^{-(m+1)})), both
    branches."""
    y = -r
    return Identity(log(-y) + y, -(K3 + 1)), Identity(y * exp(y), -exp(-r) * r)


@theorem(catalogue="109", source=OPENRLHF, hypotheses=("full support", "m = 10"))
def clamped_k2_as_loss_acts_within_sqrt_2m():
    """clamp(k2, -m, m) as a loss has the coefficient l where l² < 2m, 4.4721² for m = 10, and 0 elsewhere."""
    return SameScore(Surrogate(clamp(k2.expr, S(-10), S(10))), in_gradient(where(l**2 < 20, l)), OLD)


@theorem(catalogue="109", source=OPENRLHF, hypotheses=("full support", "m = 10"))
def clamped_k1_as_loss_has_no_gradient():
    """clamp(k1, -m, m) as a loss has no expected gradient. (False once some |l| > m: the coefficient is 1 within and 0
    beyond.)"""
    clamped = Surrogate(clamp(l, S(-10), S(10)))
    return Refuted(
        SameGradient(clamped, NO_GRADIENT, POLICY),
        corrected=SameGradient(clamped, in_gradient(where(l**2 < 100, S.One)), POLICY),
    )


@theorem(catalogue=("110", "108"), source="TRL issue 6637", hypotheses=("full support", "a = 10"))
def clamping_the_log_ratio_first_gives_no_gradient_beyond():
    """k3(clamp(l, -a, a)) has k3's coefficient for |l| < a and 0 beyond: finite values, and the pull still ends."""
    return SameScore(Surrogate(K3.xreplace({l: clamp(l, S(-10), S(10))})), in_gradient(where(l**2 < 100, 1 - r)), OLD)


@theorem(
    catalogue=("111", "114"),
    source="verl, kl_penalty with '+'",
    hypotheses=("full support", "m = 10"),
    harmless={"swap_direction": "k2 is even, and k3 gives the value only"},
)
def straight_through_has_no_dead_zone():
    """sg(clamp(k3) - k2) + k2 has the value of one and, everywhere, the coefficient l of the other."""
    surrogate = Surrogate(sg(clamp(K3, S(-10), S(10)) - k2.expr) + k2.expr)
    return SameScore(surrogate, in_gradient(l), OLD), SameGradient(surrogate, reverse_kl.objective, POLICY)


@theorem(catalogue="113", source=(VERL, "arXiv 2512.02556"), hypotheses=("full support", "live weight", "m = 10"))
def live_weighted_clamped_k3_eq_grad_reverse_kl():
    """w clamp(k3) has the gradient of KL(π‖π_ref), as w k3 has. (False: where k3 > m the coefficient is +m in place of
    l, of the other sign for l < -2.61.)"""
    clamped = Surrogate(w * clamp(K3, S(-10), S(10)))
    return Refuted(
        SameGradient(clamped, reverse_kl.objective, OLD),
        corrected=SameGradient(clamped, in_gradient(w * where(K3 < 10, l, S(10))), OLD),
    )


@theorem(catalogue="114", source=VERL, hypotheses=("full support", "live weight", "m = 10"))
def clamping_the_product_gives_no_gradient_beyond():
    """clamp(w k3) has the sample gradient w l where w k3 < m and 0 elsewhere: dead, but never turned round."""
    product = w * K3
    return SameScore(Surrogate(Min(product, 10)), in_gradient(where(product < 10, w * l)), OLD)


@theorem(catalogue="89", hypotheses=("full support", "τ = 9"), source="catalogue 89")
def masking_tokens_with_large_k2_descends_a_divergence():
    """Leaving out tokens whose k2 exceeds τ still descends a divergence. (False: the coefficient is l for l² < 2τ and 0
    beyond, which is not monotone.)"""
    masked = Surrogate(where(l**2 < 18, k2.expr))
    return Refuted(
        IsDivergence(masked, POLICY), corrected=SameGradient(masked, in_gradient(where(l**2 < 18, l)), POLICY)
    )


@theorem(catalogue="17", source="catalogue 17 and 108")
def clamped_k2_as_loss_descends_a_divergence():
    """clamp(k2, -10, 10) as a loss descends a divergence. (False: its coefficient falls back to 0 at l = 4.47.)"""
    clamped = Surrogate(clamp(k2.expr, S(-10), S(10)))
    return Refuted(IsDivergence(clamped, POLICY), corrected=IsDivergence(as_loss(k2), POLICY))


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
