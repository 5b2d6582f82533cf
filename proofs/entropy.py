"""Entropy: bonuses that work and one that does not, and what becomes of a bonus beside a KL.

The entropy of a policy is H = -Σ π log π. Minus the entropy is the KL to the uniform policy up to a constant, so all
that holds of k1, k2, k3 with a reference holds of log π, ½ log² π and their kin: the sampled log π alone has no
gradient. Penalties add in their logarithms, so several KLs, or a KL and an entropy bonus, are one KL to a reference
between theirs.
"""

from kltheory.proving.vocabulary import *

COV = "arXiv 2505.22617"
A, l = advantage, log_ratio
NEGATIVE_ENTROPY = Objective(POLICY_PROBABILITY * logp)
"""Σ π log π."""


def scored(factor: Expr) -> Surrogate:
    """A detached factor times the score."""
    return Surrogate(sg(factor) * logp)


# --- bonuses ----------------------------------------------------------------------------------------------------------
@theorem(catalogue="191a", source="catalogue 191")
def sampled_entropy_bonus_has_no_gradient_of_on_policy():
    """On-policy, the sampled log π as a loss has no expected gradient: beside k2 it adds nothing."""
    return SameGradient(sampled_entropy() + as_loss(k2), as_loss(k2), POLICY)


@theorem(catalogue="191a", source="catalogue 191")
def sampled_entropy_bonus_descends_minus_the_entropy():
    """On-policy, the sampled log π as a loss descends Σ π log π. (False: it has no expected gradient; ½ log² π, and log
    π in the reward, and the sum over the vocabulary, descend it.)"""
    return Refuted(
        SameGradient(sampled_entropy(), NEGATIVE_ENTROPY, POLICY),
        corrected=SameGradient(Surrogate(logp**2 / 2), NEGATIVE_ENTROPY, POLICY),
    )


@theorem(catalogue="191a", source="catalogue 191")
def sampled_entropy_bonus_descends_minus_kl_from_the_sampler_of_off_policy():
    """Sampled from the old policy, log π as a loss descends -KL(π_old‖π): it pushes sampled tokens down."""
    return SameGradient(sampled_entropy(), -1 * forward_kl.from_old().objective, OLD)


@theorem(catalogue="191a", source="catalogue 191")
def entropy_bonuses_that_descend_minus_the_entropy():
    """Σ π log π is descended by the sum over the vocabulary, by log π in the reward and by ½ log² π on-policy; and
    whoever sampled by w log π, w live, and by sg(w) ½ log² π."""
    on_policy = (entropy_bonus(), scored(logp), Surrogate(logp**2 / 2))
    off_policy = (Surrogate(w * logp), Surrogate(sg(w) * logp**2 / 2))
    return [
        SameGradient(loss, NEGATIVE_ENTROPY, sampler)
        for losses, sampler in ((on_policy, POLICY), (off_policy, OLD))
        for loss in losses
    ]


# --- what a policy gradient does to the entropy -----------------------------------------------------------------------
CENTRED = A - E(A)


@theorem(catalogue="191b", source=COV)
def policy_gradient_changes_the_entropy_by_a_covariance():
    """Following the policy gradient in logits, the entropy changes at the rate -Cov_π(log π, π(A - E[A])); following
    the natural gradient, at -Cov_π(log π, A)."""
    surprise = logp - E(logp)
    return (
        SameMoment(gradient_inner(-logp, A), -covariance(logp, POLICY_PROBABILITY * CENTRED)),
        NaturalInner(scored(-surprise), scored(CENTRED), Objective(-POLICY_PROBABILITY * surprise * A)),
    )


@theorem(catalogue="191b", source="catalogue 191")
def entropy_changes_by_the_covariance_with_any_advantage():
    """Following the policy gradient in logits, the entropy changes at the rate -Cov_π(log π, π A), for advantages with
    any mean. (False: the gradient does not feel the mean of A, and the covariance does; with A - E[A] it holds.)"""
    rate = gradient_inner(-logp, A)
    return Refuted(
        SameMoment(rate, -covariance(logp, POLICY_PROBABILITY * A)),
        corrected=SameMoment(rate, -covariance(logp, POLICY_PROBABILITY * CENTRED)),
    )


# --- several penalties ------------------------------------------------------------------------------------------------
alpha, gamma = Symbol("alpha", positive=True), Symbol("gamma", positive=True)


@theorem(catalogue="189", source="catalogue 189", hypotheses="π_old stands for the second reference")
def kls_to_two_references_are_one_kl_to_their_geometric_mean():
    """β KL(π‖π_ref) + γ KL(π‖π_old) has the gradient of (β + γ) Σ π log(π/q), q = π_ref^{β/(β+γ)} π_old^{γ/(β+γ)},
    normalised or not."""
    both = beta * reverse_kl.objective + gamma * reverse_kl.from_old().objective
    log_mean = (beta * (logp - l) + gamma * (logp - log_weight)) / (beta + gamma)
    return SameGradient(both, Objective((beta + gamma) * POLICY_PROBABILITY * (logp - log_mean)), OLD)


@theorem(catalogue="189", source="catalogue 189")
def entropy_bonus_beside_a_kl_is_a_larger_kl_to_a_flatter_reference():
    """β KL(π‖π_ref) - γ H has the gradient of (β + γ) Σ π log(π/q), q = π_ref^{β/(β+γ)}, normalised or not."""
    log_flat = beta / (beta + gamma) * (logp - l)
    return SameGradient(
        beta * reverse_kl.objective + gamma * NEGATIVE_ENTROPY,
        Objective((beta + gamma) * POLICY_PROBABILITY * (logp - log_flat)),
        POLICY,
    )


# --- Rényi and Tsallis ------------------------------------------------------------------------------------------------
@theorem(catalogue="190", source="catalogue 190", hypotheses="α ≠ 1")
def renyi_divergence_is_an_alpha_divergence_with_a_live_scale():
    """(1/(α - 1)) log E_π[u^{α-1}] has the coefficient α/(α - 1) u^{α-1}/E_π[u^{α-1}]: that of the Cressie-Read
    divergence of order α - 1 times α/E_π[u^{α-1}]."""
    power_mean = E(exp((alpha - 1) * l))
    renyi = Surrogate(log(power_mean) / (alpha - 1))
    cressie_read = Surrogate(E((exp((alpha - 1) * l) - 1) / (alpha * (alpha - 1))))
    return (
        SameGradient(renyi, scored(alpha / (alpha - 1) * exp((alpha - 1) * l) / power_mean), POLICY),
        SameGradient(renyi, sg(alpha / power_mean) * cressie_read, POLICY),
    )


@theorem(catalogue="190", source="catalogue 190", harmless={"drop_term": "3/2 alone is positive"})
def tsallis_entropy_of_order_three_has_a_bounded_coefficient():
    """Minus the Tsallis entropy of order 3, (Σ π³ - 1)/2, has the coefficient (3/2) π², between 0 and 3/2."""
    coefficient = 3 * POLICY_PROBABILITY**2 / 2
    return (
        SameGradient(Objective((POLICY_PROBABILITY**3 - POLICY_PROBABILITY) / 2), scored(coefficient), POLICY),
        HasSign(Rational(3, 2) - coefficient, 1),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
