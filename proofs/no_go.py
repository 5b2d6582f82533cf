"""No-go theorems: which functions can do what k1 does for the reverse KL. The answer is an equation, solved for all h.

Any f-divergence is Σ π H(l) with H(l) = f(u)/u, any plug-in value is such an H. Asking that a placement be right for
every policy turns into a linear differential equation for H.
"""

from kltheory.proving.vocabulary import *

l = log_ratio
H = h.expr
k, b = Symbol("k", real=True), Symbol("b", real=True)
P = POLICY_PROBABILITY


@theorem(catalogue="8", source="arXiv 2510.01555")
def estimators_are_right_as_losses_for_their_own_mean_iff_in_reward_they_pull_nowhere():
    """On-policy, ∇E_π[h] is the gradient of h(l) as a loss and of h in the reward together: h as a loss is right for
    every policy iff h in the reward has no gradient, which by the quotient is iff h is constant; k1 has one."""
    return SameGradient(expectation(H), as_loss(h) + in_reward(h), POLICY)


@theorem(catalogue="8", source="catalogue 8")
def in_reward_eq_zero_for_any_estimator():
    """On-policy, h(l) in the reward has no expected gradient, whatever h. (False, as for the function shown; a constant
    has none.)"""
    return Refuted(
        SameGradient(in_reward(h) + as_loss(k2), as_loss(k2), POLICY),
        corrected=SameGradient(Surrogate(k * logp) + as_loss(k2), as_loss(k2), POLICY),
    )


@theorem(catalogue="59", source="arXiv 2606.01039")
def plug_in_value_in_reward_misses_its_own_slope():
    """On-policy, Σ π H(l) has the gradient of H in the reward and H' in the reward together: the plug-in value alone
    lacks the gradient of H'."""
    return SameGradient(Objective(P * H), in_reward(h) + in_reward(h_prime), POLICY)


@theorem(catalogue="59", source="arXiv 2606.01039")
def reverse_kl_is_the_only_divergence_whose_value_works_in_the_reward():
    """H' = k for every l iff H = k l + b, that is f = k u log u + b u: multiples of the reverse KL, and nothing
    else."""
    f = ratio * H
    return (
        Identity(f.diff(l) / ratio - f / ratio, h_prime.expr),
        Forces(h_prime.expr - k, k * l + b, (b,)),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
