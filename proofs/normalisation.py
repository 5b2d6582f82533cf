"""Dividing advantages by a deviation: what it makes of several rewards, of a penalty, and of where training ends.

The deviation of a group depends on the policy. With two reward values it is a function of the success rate, and so is
all that a group ascends; with three the gradient that is left need not be the gradient of anything. A penalty that is
normalised with the reward loses its size where it is all that tells responses of a group apart.
"""

from collections.abc import Sequence

from kltheory.proving.vocabulary import *

FRPO = "arXiv 2601.10201"
A, l = advantage, log_ratio
p = E(inside)
PROBABILITIES = [Symbol(f"p_{i}", positive=True) for i in range(3)]
ACTIONS = {x: At(POLICY_PROBABILITY, i) for i, x in enumerate(PROBABILITIES)}
THREE = (".2 .3 .5", ".4 .3 .3")
"""One policy of three actions, and a reference that plays no part."""


def scored(factor: Expr) -> Surrogate:
    """A detached factor times the score."""
    return Surrogate(sg(factor) * logp)


def components(c: Sequence[Expr]) -> list[Expr]:
    """π_j (c_j - Σ π c) for each of three actions: the gradient in logits of a coefficient."""
    mean = sum((x * y for x, y in zip(PROBABILITIES, c, strict=True)), S.Zero)
    return [x * (y - mean) for x, y in zip(PROBABILITIES, c, strict=True)]


def curl(c: Sequence[Expr]) -> Expr:
    """∂g_1/∂θ_2 - ∂g_2/∂θ_1, where ∂π_i/∂θ_j = π_i (1_{i=j} - π_j)."""

    def slope(g: Expr, j: int) -> Expr:
        return sum((g.diff(x) * x * (int(i == j) - PROBABILITIES[j]) for i, x in enumerate(PROBABILITIES)), S.Zero)

    g = components(c)
    return (slope(g[0], 1) - slope(g[1], 0)).xreplace(ACTIONS)


def turn(c: Sequence[Expr], d: Sequence[Expr]) -> Expr:
    """g_1 h_2 - g_2 h_1 of two gradients: zero where they are parallel."""
    g, h_ = components(c), components(d)
    return (g[0] * h_[1] - g[1] * h_[0]).xreplace(ACTIONS)


# --- more than two values ---------------------------------------------------------------------------------------------
FIRST, SECOND, THIRD = PROBABILITIES
SIGNS = (-SECOND - THIRD, FIRST - THIRD, FIRST + SECOND)
"""E[sign(r - r') | action], for rewards that rise with the action."""


@theorem(
    catalogue="149",
    source="catalogue 149",
    hypotheses=("G = 2", "three reward values, that of token 3 the largest and of token 1 the least"),
    harmless={"drop_term": "what is left keeps the sign"},
)
def normalised_advantages_of_three_values_have_no_objective():
    """Of two responses (r - r̄)/σ is the sign of r - r', so a token has the coefficient P(r' < r) - P(r' > r). At π =
    (.2, .3, .5) ∂g_1/∂θ_2 < ∂g_2/∂θ_1, for the gradient g in logits: no function has it."""
    return SignAt(curl(SIGNS), -1, *THREE)


@theorem(catalogue="149", source="catalogue 149", hypotheses=("V = 3", "rewards x, y, z"))
def advantages_without_the_deviation_have_an_objective():
    """With r - r̄ alone, any rewards of three tokens, ∂g_1/∂θ_2 = ∂g_2/∂θ_1: g is half of ∇E[r]."""
    x, y, z = (Symbol(name, real=True) for name in "xyz")
    return SameMoment(curl((x, y, z)), S.Zero)


@theorem(catalogue="156", source="catalogue 156", hypotheses=("reward 1 on S, else 0", "0 < p < 1", "G → ∞"))
def each_of_several_normalised_rewards_ascends_its_own_arcsine():
    """On-policy, (r - p)/√(p(1 - p)), added to any other advantage A, adds the gradient of 2 arcsin √p: rewards that
    are normalised one by one ascend the sum of theirs."""
    own = (inside - p) / (sqrt(p) * sqrt(1 - p))
    return SameGradient(scored(own + A), Surrogate(2 * asin(sqrt(p)) + E(A)), POLICY)


@theorem(
    catalogue="156",
    source="catalogue 156",
    hypotheses=("two rewards, 1 on token 1 and on token 2, else 0", "G → ∞"),
    harmless={"drop_term": "what is left keeps the sign"},
)
def normalising_the_sum_of_rewards_turns_the_gradient():
    """At π = (.2, .3, .5) the gradient of 2 arcsin √π_1 + 2 arcsin √π_2, of rewards normalised one by one, is not
    parallel to that of π_1 + π_2, which the sum of both rewards has when it is centred and divided by a deviation."""
    apart = (1 / sqrt(FIRST * (1 - FIRST)), 1 / sqrt(SECOND * (1 - SECOND)), S.Zero)
    return SignAt(turn(apart, (S.One, S.One, S.Zero)), 1, *THREE)


# --- a penalty that is normalised -------------------------------------------------------------------------------------
r = Symbol("r", real=True)
LOG_RATIOS = [Symbol(f"l_{i}", real=True) for i in (1, 2, 3)]


def normalised(values: Sequence[Expr]) -> Expr:
    """The first of three values, centred and divided by their deviation."""
    mean = sum(values, S.Zero) / 3
    return (values[0] - mean) / sqrt(sum(((x - mean) ** 2 for x in values), S.Zero) / 3)


@theorem(catalogue="152", source=FRPO, hypotheses=("G = 3", "l_1, l_2, l_3 not all equal", "no ε beside the deviation"))
def size_of_a_normalised_penalty_cancels_where_rewards_are_equal():
    """With rewards r - β l_i, r the same for all of a group, the normalised advantage is that of -l_i: the same for
    every β > 0. So is that of any other term that alone tells the responses apart."""
    return Identity(normalised([r - beta * x for x in LOG_RATIOS]), normalised([-x for x in LOG_RATIOS]))


@theorem(
    catalogue="196",
    source="catalogue 196",
    hypotheses="σ is the deviation over a batch of many prompts, no number of this one",
)
def deviation_of_the_batch_scales_every_prompt_alike():
    """On-policy, (A - E[A])/σ ascends E_π[A]/σ: one scale for all prompts, without a weight of their success rates."""
    sigma = Symbol("sigma", positive=True)
    return SameGradient(scored((A - E(A)) / sigma), (1 / sigma) * Surrogate(E(A)), POLICY)


# --- fixed points of a binary reward ----------------------------------------------------------------------------------
WON, LOST = 1 / (1 + exp(-l)), 1 / (1 + exp(l))
WEIGHT = exp(l / 2) + exp(-l / 2)
"""1/√(p(1 - p))."""
odds = Symbol("o", positive=True)
LIKELY, UNLIKELY = 1 / (1 + odds), odds / (1 + odds)
"""p_ref and 1 - p_ref."""
OF_LOGIT = ("reward 1 on S, else 0", "G → ∞", "the letter l stands for logit p, and o for (1 - p_ref)/p_ref")
NOTHING = {"scale": "0 is scale-invariant", "flip_sign": "-0 = 0"}


@theorem(catalogue="158a", source="catalogue 158", hypotheses=OF_LOGIT, harmless=NOTHING)
def stationary_success_rates_of_normalised_advantages():
    """Where actions of equal reward keep the reference's proportions, 2 arcsin √p - β KL(p‖p_ref) has the slope p(1 -
    p) (ω - β (logit p - logit p_ref)) in logit p, ω = 1/√(p(1 - p)): stationary iff logit p = logit p_ref + ω/β. With
    KL(p_ref‖p) for it the slope is √(p(1 - p)) - β (p - p_ref): negative near p = 1, as the first term vanishes
    there."""
    gain = 2 * asin(sqrt(WON))
    reverse = WON * log(WON / LIKELY) + LOST * log(LOST / UNLIKELY)
    forward = LIKELY * log(LIKELY / WON) + UNLIKELY * log(UNLIKELY / LOST)
    return (
        Identity((gain - beta * reverse).diff(l), WON * LOST * (WEIGHT - beta * (l + log(odds)))),
        Identity((gain - beta * forward).diff(l), 1 / WEIGHT - beta * (WON - LIKELY)),
        Limit(1 / WEIGHT, oo, S.Zero),
    )


i, j = (Symbol(name, nonnegative=True) for name in "ij")


@theorem(
    catalogue="158b",
    source="catalogue 158",
    hypotheses=(
        "k = i + 1 and m = j + 1 successes and failures of G = i + j + 2",
        "in the limit the letter l stands for logit p",
    ),
    harmless={**NOTHING, "swap_direction": "mirrored, it tends to 0 as well"},
)
def infinite_groups_let_the_success_rate_go_to_one_and_finite_ones_do_not():
    """For G → ∞, β logit p/ω tends to 0 as p → 1 for every β: the reverse KL never stops ω near p = 1. In a group of G
    the weight is h_G, the mean of (G - 1)/√(km) over a binomial k - 1 of G - 2, as C(G, k)√(km)/G is C(G - 2, k - 1)(G
    - 1)/√(km); and km - (G - 1) = (k - 1)(m - 1) ≥ 0, so it is at most √(G - 1), which β logit p outgrows."""
    return Limit(l / WEIGHT, oo, S.Zero), Identity((i + 1) * (j + 1) - (i + j + 1), i * j)


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
