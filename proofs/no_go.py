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
def only_constants_are_right_as_losses_for_their_own_mean():
    """h as a loss has the gradient of E_π[h] for every policy iff h is constant: ∇E_π[h] has the coefficient h more."""
    return (
        SameGradient(expectation(H), as_loss(h) + in_reward(h), POLICY),
        Forces(H - k, k, ()),
    )


@theorem(catalogue="59", source="arXiv 2606.01039")
def plug_in_value_in_reward_misses_its_own_slope():
    """Σ π H has the gradient of H in the reward and H' in the reward together: the plug-in value alone is right iff H'
    is constant."""
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
