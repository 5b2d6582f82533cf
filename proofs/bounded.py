"""A bounded alternative: coefficients that are themselves probabilities.

A coefficient may depend on π itself and not only on the ratio; then the objective is a sum over the vocabulary that
is no f-divergence. The squared distance ½‖π - π_ref‖² is one: its pull never exceeds 1.
"""

from kltheory.proving.vocabulary import *

SEED = "arXiv 2510.01555"
P, REF = POLICY_PROBABILITY, REFERENCE_PROBABILITY


@theorem(catalogue=("S7", "3"), source=(SEED, "MiniMax-01, arXiv 2501.08313"))
def policy_sub_reference_in_reward_eq_grad_half_squared_distance():
    """On-policy, π - π_ref in the reward has the gradient of ½‖π - π_ref‖²."""
    return SameGradient(in_reward(Estimator("mse", P - REF)), Objective((P - REF) ** 2 / 2), POLICY)


SYMMETRIC = "the bounds are symmetric"


@theorem(catalogue=("S7", "3"), source=SEED, harmless={"flip_sign": SYMMETRIC, "swap_direction": SYMMETRIC})
def policy_sub_reference_is_bounded_by_one():
    """The coefficient π - π_ref lies in (-1, 1), and comes as close to the ends as one likes."""
    return Range(P - REF, S(-1), S(1))


@theorem(catalogue="S7", source=SEED)
def literal_bounded_formula_eq_one_sub_policy():
    """On-policy, (π_ref - π) - log(π_ref/π) - 1, differentiated as it stands, has the coefficient 1 - π, in which the
    reference is not, and descends -½‖π‖²."""
    literal = Surrogate((REF - P) + log_ratio - 1)
    return (
        SameScore(literal, Surrogate(sg(1 - P) * logp), POLICY),
        SameGradient(literal, Objective(-(P**2) / 2), POLICY),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
