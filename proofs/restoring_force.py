"""Restoring forces: what k2 and k3 in the reward descend near the reference and far from it, and what as losses.

In the reward they have no pull at first order, and what they descend falls away from the reference on one side: a token
that has fallen behind is given up. As losses both are least at the reference, whoever sampled.
"""

from kltheory.proving.vocabulary import *

l = log_ratio

GROWS = {"scale": "an infinite limit is scale-invariant", "add_one": "an infinite limit absorbs a constant"}


@theorem(catalogue="18a", source="arXiv 2512.21852", harmless=GROWS)
def k3_in_reward_descends_something_unbounded_below():
    """On-policy, k3 in the reward descends KL(π‖π_ref) - KL(π_ref‖π) = Σ π_ref (u + 1) log u, and (u + 1) log u → -∞ as
    u → 0: any token's loss lowers it without bound."""
    return (
        SameGradient(in_reward(k3), Objective(REFERENCE_PROBABILITY * (ratio + 1) * l), POLICY),
        SameValue(Objective(REFERENCE_PROBABILITY * (ratio + 1) * l), reverse_kl.objective - forward_kl.objective),
        Limit((ratio + 1) * l, -oo, -oo),
    )


@theorem(catalogue=("18a", "19a"), source="catalogue 18 and 19", hypotheses="the letter l stands for ε")
def k2_and_k3_in_reward_are_cubic_at_the_reference():
    """With π = π_ref(1 + ε), Σ π_ref ε = 0, both potentials are Σ π_ref ε³/6 + O(ε⁴). The reference is no minimum: the
    cubic changes sign with ε, or else, for V = 2 and a uniform π_ref, it vanishes, and the factors of ε⁴, -1/8 and
    -1/6, are negative."""
    u_, log_u = 1 + l, log(1 + l)
    k2_potential = (u_ * log_u**2 - 2 * u_ * log_u + 2 * u_) / 2 - 1
    return (
        Expansion((u_ + 1) * log_u, 2 * l + l**3 / 6 - l**4 / 6, 4),
        Expansion(k2_potential, l**3 / 6 - l**4 / 8, 4),
    )


@theorem(
    catalogue="19a",
    source="catalogue 19",
    harmless={
        "swap_direction": "mirrored, l²e^{-l}/2 is not negative either",
        "drop_term": "the term dropped vanishes as u → 0",
    },
)
def k2_in_reward_descends_something_bounded_below():
    """On-policy, k2 in the reward descends Σ π_ref ((u log²u - 2u log u + 2u)/2 - 1), whose summand rises with u, from
    -1 at u = 0: it is bounded below."""
    potential = (ratio * l**2 - 2 * ratio * l + 2 * ratio) / 2 - 1
    descended = SameGradient(in_reward(k2), Objective(REFERENCE_PROBABILITY * potential), POLICY)
    return descended, Limit(potential, -oo, S.NegativeOne), HasSign(potential.diff(l), 1)


BEHIND = (
    "the gradient flow in the logits",
    "alike in π and π_ref: the m tokens of a set S, and the n others",
    "in the signs over the whole line y stands for e^l/(1 + e^l), any number between 0 and 1",
)


@theorem(
    catalogue=("18b", "19b"),
    source="catalogue 18 and 19",
    hypotheses=BEHIND,
    harmless={
        "swap_direction": "y and 1 - y are any number between 0 and 1; mirrored, k2 and k3 fall and rise alike",
        "drop_term": "of the two the one on S is the larger",
    },
)
def k2_and_k3_in_reward_give_up_a_minority_that_has_fallen_behind():
    """On-policy, k2 or k3 in the reward: let π_ref(S) ≤ ½ and u = 1 - y on S, y > 0. Then u ≤ 1 + y on the others,
    where C rises with l; and C(log(1 - y)) - C(log(1 + y)) rises with y, from 0. So C is larger on S, where a token has
    the probability p, than on the others, where it has p' and C is d, and the logit of S less theirs moves at -(m +
    n)pp'(C - d) < 0 as long as π(S) > 0. However near the reference it began, S is given up: one token, or, where the
    other one is alone, all but one, at a vertex. A coefficient that rises with l, as of k1 in the reward and k3 as a
    loss, is the smaller one on S and leads back."""
    behind, y = Symbol("d", real=True), exp(l) / (1 + exp(l))
    many, others, p = (Symbol(name, positive=True) for name in ("m", "n", "p"))
    rest = (1 - many * p) / others
    mean = many * p * c + others * rest * behind
    larger = [k.expr.xreplace({l: log(1 - y)}) - k.expr.xreplace({l: log(1 + y)}) for k in (k2, k3)]
    return (
        Identity(-p * (c - mean) + rest * (behind - mean), -(many + others) * p * rest * (c - behind)),
        *(HasSign(gap.diff(l), 1) for gap in larger),
        *(HasSign(k.expr.diff(l), 1, above=S.Zero) for k in (k2, k3)),
    )


LEAST = {"drop_term": "1, or e^{-l}, alone keeps its sign", "swap_direction": "mirrored, k2 falls and rises alike"}


@theorem(catalogue="22a", source="catalogue 22", harmless=LEAST)
def unweighted_k2_and_k3_are_least_at_the_reference():
    """k2 and k3 are l²/2 + O(l³) at l = 0, fall before it and rise after it, so they vanish there alone and are
    positive elsewhere: whoever sampled with full support, E_old[k2] and E_old[k3] are least exactly at π = π_ref."""
    slopes = [k.expr.diff(l) for k in (k2, k3)]
    falls_and_rises = [
        HasSign(side * slope, 1, *ends) for slope in slopes for side, ends in ((1, (S.Zero,)), (-1, (-oo, S.Zero)))
    ]
    return [*falls_and_rises, *(Expansion(k.expr, l**2 / 2, 2) for k in (k2, k3))]


@theorem(
    catalogue="22b",
    source="catalogue 22",
    hypotheses=("λ ≠ 0", "in the signs the letter l stands for x = λ l"),
    harmless=LEAST,
)
def unweighted_power_penalties_are_least_at_the_reference():
    """λ² h_λ(l) = e^x - 1 - x with x = λ l, which is x²/2 + O(x³), falls for x < 0 and rises for x > 0, every λ but 0:
    whoever sampled with full support, E_old[h_λ] is least exactly at π = π_ref."""
    value = exp(l) - 1 - l
    return (
        Identity(lam**2 * power(lam).expr, value.xreplace({l: lam * l})),
        Expansion(value, l**2 / 2, 2),
        HasSign(value.diff(l), 1, above=S.Zero),
        HasSign(-value.diff(l), 1, below=S.Zero),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
