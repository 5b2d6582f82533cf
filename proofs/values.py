"""Values: what the estimators estimate, and how noisy the gradient coefficients are.

A sum over the vocabulary of F(π, π_ref) is unchanged by adding a·π + b·π_ref with a + b = 0, and by nothing else:
that is why k1 and k3 have the same mean although they differ in every sample. A good value does not make a good
loss.
"""

from kltheory.proving.vocabulary import *

SEED = "arXiv 2510.01555"
SCHULMAN = "J. Schulman, Approximating KL Divergence (2020)"
REF_OVER_POLICY = exp(-log_ratio)


@theorem(catalogue=("29", "S2"), source=(SCHULMAN, SEED), hypotheses="supp π_ref ⊆ supp π")
def mean_of_k1_and_k3_eq_reverse_kl():
    """k1 and k3 are unbiased for the value of KL(π‖π_ref)."""
    return [SameValue(expectation(k.expr), reverse_kl.objective) for k in (k1, k3)]


@theorem(catalogue=("S2", "29"), source=SCHULMAN)
def mean_of_k2_eq_reverse_kl():
    """k2 is unbiased for the value of KL(π‖π_ref). (False: only k1, k3 and their mixtures are.)"""
    return Refuted(
        SameValue(expectation(k2.expr), reverse_kl.objective),
        corrected=SameValue(expectation(k3.expr), reverse_kl.objective),
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
    """E_π[1 - δ] = 0 with δ = π_ref/π: the coefficient of k3 as a loss already has mean zero."""
    return SameValue(expectation(1 - REF_OVER_POLICY), expectation(0))


@theorem(catalogue="S5", source=SEED)
def variance_of_k3_as_loss_coefficient_eq_neyman_chi2():
    """Var_π[1 - δ] = χ²(π_ref‖π): its mean is zero, and its second moment is the χ² divergence."""
    return SameValue(expectation((1 - REF_OVER_POLICY) ** 2), neyman_chi2.objective)


# --- signs, recipes, unnormalised measures ----------------------------------------------------------------------------
EVEN = {"swap_direction": "mirrored, it is not negative either"}


@theorem(catalogue="33", source="github.com/SaifPunjwani/polgrad", harmless=EVEN)
def k2_and_k3_are_never_negative():
    """k2 and k3 are never negative, sample by sample."""
    return HasSign(k2.expr, 1), HasSign(k3.expr, 1)


@theorem(catalogue="33", source="github.com/SaifPunjwani/polgrad", harmless=EVEN)
def mean_of_abs_eq_reverse_kl():
    """|l| is unbiased for the value of KL(π‖π_ref). (False: its mean is never less, and more unless π = π_ref.)"""
    return Refuted(
        SameValue(expectation(k_abs.expr), reverse_kl.objective),
        corrected=AlwaysSign(E(k_abs.expr) - E(log_ratio), 1),
    )


@theorem(catalogue="34", source=SCHULMAN)
def tangent_correction_is_unbiased():
    """For any f, f(r) - f'(1)(r - 1) has the mean of f(r)."""
    f = Function("f")(REF_OVER_POLICY)
    return SameMoment(E(f - c * (REF_OVER_POLICY - 1)), E(f))


@theorem(catalogue="34", source=SCHULMAN, harmless={"swap_direction": "r and 1/r: a tangent lies below there too"})
def tangent_correction_is_never_negative_for_convex_generators():
    """A convex f lies above its tangent at 1: so for -log r, r log r, (r - 1)², (√r - 1)², (r - 1) log r."""
    l, r = log_ratio, REF_OVER_POLICY
    rows = ((l, -1), (-r * l, 1), ((r - 1) ** 2, 0), ((exp(-l / 2) - 1) ** 2, 0), (-(r - 1) * l, 0))
    return [HasSign(f - slope * (r - 1), 1) for f, slope in rows]


@theorem(catalogue="35", source=SCHULMAN)
def r_log_r_is_unbiased_for_the_forward_kl():
    """E_π[r log r] = KL(π_ref‖π), and so has the mirrored k3, r log r - (r - 1), which is never negative."""
    l, r = log_ratio, REF_OVER_POLICY
    return [SameValue(expectation(e), forward_kl.objective) for e in (-r * l, -r * l - (r - 1))]


@theorem(catalogue="21", source="arXiv 2505.17508, appendix D")
def k3_is_the_summand_of_the_unnormalised_reverse_kl():
    """π k3 = π log(π/π_ref) + π_ref - π, the summand of the unnormalised KL(π‖π_ref), as a value."""
    p, ref = POLICY_PROBABILITY, REFERENCE_PROBABILITY
    return Identity(p * k3.expr, p * log_ratio + ref - p)


@theorem(catalogue="21", source="arXiv 2505.17508, appendix D")
def k3_as_loss_eq_grad_unnormalised_reverse_kl():
    """k3 as a loss has the gradient of the unnormalised KL(π‖π_ref), which it is. (False: that of KL(π_ref‖π): the
    direction flips.)"""
    p, ref, l = POLICY_PROBABILITY, REFERENCE_PROBABILITY, log_ratio
    return Refuted(
        SameGradient(as_loss(k3), Objective(p * l + ref - p), POLICY),
        corrected=SameGradient(as_loss(k3), Objective(-ref * l + p - ref), POLICY),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
