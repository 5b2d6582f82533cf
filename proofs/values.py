"""Values: what the estimators estimate, and how noisy the gradient coefficients are.

A sum over the vocabulary of F(π, π_ref) is unchanged by adding a·π + b·π_ref with a + b = 0, and by nothing else:
that is why k1 and k3 have the same mean although they differ in every sample. A good value does not make a good
loss.
"""

from kltheory.proving.vocabulary import *

SEED = "arXiv 2510.01555"
SCHULMAN = "J. Schulman, Approximating KL Divergence (2020)"
REF_OVER_POLICY = exp(-log_ratio)


@theorem(catalogue=("29", "S2"), source=(SCHULMAN, SEED))
def mean_of_k1_and_k3_eq_reverse_kl():
    """On-policy, k1 and k3 are unbiased for the value of KL(π‖π_ref)."""
    return [SameValue(expectation(k.expr), reverse_kl.objective) for k in (k1, k3)]


@theorem(catalogue=("S2", "29"), source=SCHULMAN)
def mean_of_k2_eq_reverse_kl():
    """On-policy, k2 is unbiased for the value of KL(π‖π_ref). (False: it is off by the mean of k2 - k3.)"""
    return Refuted(
        SameValue(expectation(k2.expr), reverse_kl.objective),
        corrected=SameValue(expectation(k2.expr) - expectation(k2.expr - k3.expr), reverse_kl.objective),
    )


@theorem(
    catalogue="S5",
    source=SEED,
    harmless={
        "flip_sign": "-0 = 0",
        "scale": "0 is scale-invariant",
        "swap_direction": "Σ(π_ref - π) is 0 as well",
    },
)
def mean_of_k3_as_loss_coefficient_eq_zero():
    """On-policy, E_π[1 - δ] = 0 with δ = π_ref/π: the coefficient of k3 as a loss already has mean zero."""
    return SameValue(expectation(1 - REF_OVER_POLICY), expectation(0))


@theorem(catalogue="S5", source=SEED)
def variance_of_k3_as_loss_coefficient_eq_neyman_chi2():
    """Var_π[1 - δ] = χ²(π_ref‖π), δ = π_ref/π: its mean is zero, and its second moment is the χ² divergence."""
    return SameValue(expectation((1 - REF_OVER_POLICY) ** 2), neyman_chi2.objective)


# --- signs, recipes, unnormalised measures ----------------------------------------------------------------------------
EVEN = {"swap_direction": "mirrored, it is not negative either"}


@theorem(catalogue="33", source="github.com/SaifPunjwani/polgrad", harmless=EVEN)
def k2_and_k3_are_never_negative():
    """k2 and k3 are never negative, sample by sample."""
    return HasSign(k2.expr, 1), HasSign(k3.expr, 1)


@theorem(catalogue="33", source="github.com/SaifPunjwani/polgrad")
def mean_of_abs_eq_reverse_kl():
    """On-policy, |l| is unbiased for the value of KL(π‖π_ref). (False: its mean is more by 2 E[max(-l, 0)], which is
    never negative.)"""
    return Refuted(
        SameValue(expectation(k_abs.expr), reverse_kl.objective),
        corrected=SameValue(expectation(k_abs.expr), reverse_kl.objective + 2 * expectation(Max(-log_ratio, 0))),
    )


@theorem(catalogue="34a", source=SCHULMAN)
def tangent_correction_is_unbiased():
    """On-policy, for any f and any number c, as f'(1), f(r) - c(r - 1) has the mean of f(r)."""
    f = Function("f")(REF_OVER_POLICY)
    return SameMoment(E(f - c * (REF_OVER_POLICY - 1)), E(f))


@theorem(catalogue="34b", source=SCHULMAN, hypotheses="c = G'(1), G convex, so G' never falls")
def tangent_correction_is_never_negative_for_any_convex_generator():
    """G(u) - G(1) - c(u - 1) with c = G'(1) vanishes at u = 1 and has the derivative u(G'(u) - c) by l: for convex G
    that has the sign of l, so it falls to 0 and rises from it. (And so for r = 1/u.)"""
    u = ratio
    G = Function("G")(u)
    return Identity((G - c * (u - 1)).diff(log_ratio), u * (G.diff(log_ratio) / u - c))


@theorem(catalogue="34b", source=SCHULMAN, harmless={"swap_direction": "r and 1/r: a tangent lies below there too"})
def tangent_correction_is_never_negative_for_five_generators():
    """-log r, r log r, (r - 1)², (√r - 1)² and (r - 1) log r lie above their tangents at r = 1."""
    l, r = log_ratio, REF_OVER_POLICY
    rows = ((l, -1), (-r * l, 1), ((r - 1) ** 2, 0), ((exp(-l / 2) - 1) ** 2, 0), (-(r - 1) * l, 0))
    return [HasSign(f - slope * (r - 1), 1) for f, slope in rows]


@theorem(catalogue="35", source=SCHULMAN, harmless={"swap_direction": "mirrored, it is not negative either"})
def r_log_r_is_unbiased_for_the_forward_kl():
    """On-policy, E_π[r log r] = KL(π_ref‖π), and so has the mirrored k3, r log r - (r - 1), which is never negative."""
    l, r = log_ratio, REF_OVER_POLICY
    mirrored = -r * l - (r - 1)
    means = [SameValue(expectation(e), forward_kl.objective) for e in (-r * l, mirrored)]
    return [*means, HasSign(mirrored, 1)]


@theorem(catalogue="21a", source="arXiv 2505.17508, appendix D")
def k3_is_the_summand_of_the_unnormalised_reverse_kl():
    """π k3 = π log(π/π_ref) + π_ref - π, the summand of the unnormalised KL(π‖π_ref), as a value."""
    p, ref = POLICY_PROBABILITY, REFERENCE_PROBABILITY
    return Identity(p * k3.expr, p * log_ratio + ref - p)


@theorem(catalogue="21a", source="catalogue 21")
def k3_as_loss_eq_grad_unnormalised_reverse_kl():
    """On-policy, k3 as a loss has the gradient of the unnormalised KL(π‖π_ref), whose summand over π it is. (False: it
    has that of the unnormalised KL(π_ref‖π): the direction flips.)"""
    p, ref, l = POLICY_PROBABILITY, REFERENCE_PROBABILITY, log_ratio
    return Refuted(
        SameGradient(as_loss(k3), Objective(p * l + ref - p), POLICY),
        corrected=SameGradient(as_loss(k3), Objective(-ref * l + p - ref), POLICY),
    )


@theorem(
    catalogue="21b",
    source="arXiv 2505.17508, appendix D",
    harmless={"detach_weight": "w alone has a constant coefficient: only log w counts"},
)
def k3_of_the_old_policy_has_the_value_and_the_gradient_of_the_unnormalised_kl():
    """Sampled from π_old, k3 of log π_old/π, that is w - 1 - log w, is the summand over π_old of the unnormalised
    KL(π_old‖π), and has its gradient as a loss."""
    p, old, k = POLICY_PROBABILITY, exp(logp - log_weight), w - 1 - log_weight
    return (
        Identity(old * k, -old * log_weight + p - old),
        SameGradient(Surrogate(k), Objective(-old * log_weight + p - old), OLD),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
