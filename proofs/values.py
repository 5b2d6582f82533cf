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


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
