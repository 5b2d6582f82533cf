"""Critics: what generalised advantages of k1 descend, with an exact critic, with none, and with a learned one.

Σ_{u≥t} λ^{u-t} δ_u credits a token with what follows it, discounted, and with what the critic says of the rest. An
exact critic says what the discount has cut; of any other, its error is what enters the gradient, and only where λ is
not 1.
"""

from kltheory.proving.vocabulary import *

l = log_ratio
GAE = "arXiv 1506.02438"
lam = Symbol("lam", positive=True)
baseline = PastValue("b")


def same(left: SequenceLoss | SequenceObjective, right: SequenceLoss | SequenceObjective) -> SameSequenceGradient:
    """On-policy."""
    return SameSequenceGradient(left, right, POLICY)


VALUE = E(l + ahead(l))
"""V(y_<t) = E_π[Σ_{u≥t} l_u | y_<t], exact."""
RESIDUAL = l + ahead(l) - VALUE
"""δ_t = l_t + V(y_≤t) - V(y_<t)."""


@theorem(catalogue="88a", source=GAE)
def generalised_advantages_with_an_exact_critic_eq_grad_response_kl():
    """On-policy, Σ_{u≥t} λ^{u-t} δ_u as credit descends KL(π‖π_ref) of responses for every λ > 0, if the critic is
    exact."""
    return same(in_sequence_reward(to_go(RESIDUAL, lam)), REVERSE_KL)


@theorem(catalogue="88a", source=GAE)
def generalised_advantages_without_a_critic_eq_grad_response_kl():
    """On-policy, Σ_{u≥t} λ^{u-t} δ_u with the critic 0 descends KL(π‖π_ref) of responses for every λ > 0. (False: what
    is missing is E[Σ_t s_t Σ_{u>t} (1 - λ^{u-t}) l_u].)"""
    missing = future(l) - future(l, lam)
    return Refuted(
        same(in_sequence_reward(to_go(l, lam)), REVERSE_KL),
        corrected=same(in_sequence_reward(to_go(l, lam) + missing), REVERSE_KL),
    )


def advantages(residual: Expr, critic: Expr) -> Expr:
    """Σ_{u≥t} λ^{u-t} (residual_u + critic(y_≤u) - critic(y_<u)), the critic being 0 where the response has ended."""
    return to_go(residual - critic, lam) + future(critic, lam) / lam


@theorem(catalogue="88b", source=GAE)
def generalised_advantages_with_a_learned_critic_eq_grad_response_kl():
    """On-policy, Σ_{u≥t} λ^{u-t} δ_u with a critic V + e, off by any function e of the prefix, descends KL(π‖π_ref) of
    responses. (False: its error is credited with (1 - λ) λ^{u-t-1} e(y_<u) for each u > t, and this is all of the bias:
    there is none iff E[Σ_t s_t Σ_{u>t} λ^{u-t} e(y_<u)] = 0, or λ = 1.)"""
    error = PastValue("e")
    learned = in_sequence_reward(advantages(RESIDUAL, error))
    bias = in_sequence_reward((1 - lam) / lam * future(error, lam))
    return Refuted(same(learned, REVERSE_KL), corrected=same(learned, REVERSE_KL.as_loss + bias))


@theorem(catalogue="88b", source=GAE)
def any_critic_is_unbiased_without_a_discount():
    """On-policy, at λ = 1 Σ_{u≥t} δ_u with any critic b(y_<t) at all descends KL(π‖π_ref) of responses; and for every λ
    > 0 what later tokens are credited with is the critic's: Σ_{u>t} (λ^{u-t} l_u + (1 - λ) λ^{u-t-1} b(y_<u))."""
    undiscounted = advantages(l, baseline).xreplace({lam: S.One})
    credited = to_go(l, lam) + (1 - lam) / lam * future(baseline, lam)
    return (
        same(in_sequence_reward(undiscounted), REVERSE_KL),
        same(in_sequence_reward(advantages(l, baseline)), in_sequence_reward(credited)),
    )


@theorem(catalogue="88b", source="catalogue 88")
def critic_off_by_one_number_is_unbiased_at_one_length():
    """On-policy, all responses of one length N, a critic that is off by the same number c before every token still
    descends KL(π‖π_ref) of responses, for every λ > 0: a critic need not be exact."""
    learned = in_sequence_reward(advantages(RESIDUAL, c))
    return SameSequenceGradient(learned, REVERSE_KL, POLICY, fixed_length=True)


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
