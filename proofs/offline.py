"""Fits to data of another policy: regressions on rewards, and which optimum keeps which action.

Samples of an old policy and their rewards can be fitted without sampling anew: by likelihood with weights e^{A/β}, or
by the square of log w - A/β. Both aim at π_old e^{A/β}/Z, the optimum of E_π[A] - β KL(π‖π_old); whether they land
there depends on what baseline A has. Which divergence stands beside a reward decides whether the optimum may drop an
action.
"""

from kltheory.proving.vocabulary import *

DRO, CHI = "arXiv 2405.19107", "arXiv 2407.13399"
A, l = advantage, log_ratio
Z = Symbol("Z", positive=True)
TARGET = "π_ref stands for π_old e^{A/β}/Z"
TILT = w / ratio
"""π_ref/π_old."""


def scored(factor: Expr) -> Surrogate:
    """A detached factor times the score."""
    return Surrogate(sg(factor) * logp)


@theorem(catalogue="194", source="catalogue 194")
def awr_ascends_the_expected_exponential_of_on_policy():
    """On-policy, -e^{A/β} log π descends -E_π[e^{A/β}], linear in π: its maximum puts all on the actions of largest
    A."""
    return SameGradient(awr(A, beta), Objective(-POLICY_PROBABILITY * exp(A / beta)), POLICY)


@theorem(
    catalogue="194",
    source="catalogue 194",
    hypotheses=TARGET,
)
def awr_descends_the_kl_from_the_tilted_old_policy_of_off_policy():
    """Sampled from the old policy, -e^{A/β} log π descends Z KL(π_old e^{A/β}/Z‖π): its minimiser is the tilted old
    policy."""
    tilted = beta * (log_weight - l + log(Z))
    return SameGradient(
        Surrogate(-exp(tilted / beta) * logp), Objective(Z * REFERENCE_PROBABILITY * -l), OLD
    ), Identity(exp(tilted / beta), Z * TILT)


@theorem(catalogue="195", source=DRO, harmless={"forget_weight": "at w = 1 and A = 0 there is no residual either"})
def dro_has_no_residual_at_the_tilted_old_policy():
    """-A log π + (β/2) log² w gives a sample β log w - A times the score: none in any sample where w = e^{A/β}, so
    where A has the baseline β log E_old[e^{r/β}], as E_old[w] = 1."""
    no_residual = dro(sg(beta * log_weight), beta)
    return (
        SameScore(dro(A, beta), scored(beta * log_weight - A), OLD),
        SameScore(no_residual + as_loss(k2), as_loss(k2), OLD),
    )


@theorem(
    catalogue="195",
    source="catalogue 195",
    hypotheses="c is the stationary constant",
)
def dro_with_the_mean_baseline_lands_beside_the_tilted_old_policy():
    """-A log π + (β/2) log² w is stationary where A = β log w - c w: with the mean reward as the baseline E_old[A] is
    0, so c = β E_old[log w] = -β KL(π_old‖π), and not 0 unless π is the old policy."""
    stationary = beta * log_weight - c * w
    return (
        SameGradient(dro(sg(stationary), beta) + as_loss(k2), as_loss(k2), OLD),
        SameMoment(E(stationary / w) + c, beta * E(log_weight / w)),
    )


@theorem(
    catalogue="201",
    source=CHI,
    hypotheses="λ the multiplier of Σ π = 1",
    harmless={"swap_direction": "1 + e^{-l} is positive as well", "drop_term": "1 alone is positive"},
)
def chi2_and_kl_together_have_a_lambert_optimum():
    """KL(π‖π_ref) + χ²(π‖π_ref)/2 has the coefficient l + u, which rises: with a reward A and β times it the optimum
    has u + log u = (A - λ)/β, so u = W(e^{(A - λ)/β}), W Lambert's function."""
    mixed = reverse_kl.objective + Rational(1, 2) * pearson_chi2.objective
    return SameGradient(mixed, scored(l + ratio), POLICY), HasSign((l + ratio).diff(l), 1)


HALF = Rational(1, 2)


@theorem(
    catalogue="205",
    source="catalogue 205",
    hypotheses="α = 1 + λ of the Cressie-Read divergence, here 3/2 and 1/2",
    harmless={
        "scale": "an infinite limit is scale-invariant",
        "add_one": "an infinite limit absorbs a constant",
        "drop_term": "what is left has the limit",
    },
)
def optima_drop_actions_iff_the_coefficient_is_bounded_below():
    """As u → 0 the coefficient f'(u) goes to -2 for χ²(π‖ref), to -1/2 for the total variation and to -4/3 at α = 3/2,
    so that an action of small enough reward cannot be balanced at any u > 0 and is dropped; and to -∞ for both KLs,
    χ²(ref‖π), the squared Hellinger distance and at α = 1/2: their optima drop none."""
    bounded = ((pearson_chi2, S(-2)), (total_variation, -HALF), (cressie_read(HALF), -Rational(4, 3)))
    unbounded = (reverse_kl, forward_kl, neyman_chi2, squared_hellinger, cressie_read(-HALF))
    rows = (*bounded, *((d, -oo) for d in unbounded))
    return [Limit(d.coefficient.cells[0][1], -oo, value) for d, value in rows]


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
