"""Fixed points: which policy reward and penalty leave in balance, for each divergence.

Maximising E_π[A] - β D_f(π‖π_ref), the coefficient A - β C(l) has to be one constant c on all actions. So a policy is
stationary for exactly the rewards A = c + β C(l), and given the reward, l = C⁻¹((A - c)/β): an exponential tilt for the
reverse KL, a reciprocal one for the forward KL, which is what k3 as a loss descends.
"""

from collections.abc import Callable

from kltheory.proving.vocabulary import *

l = log_ratio
GX = "arXiv 2510.20817"
VOJNOVIC = "arXiv 2502.18548"
KIMI = "arXiv 2501.12599"
KHANH = "github.com/khanhptnk/kl-penalty-in-grpo"


def balanced(penalty: Surrogate, coefficient: Expr) -> SameGradient:
    """With the reward A = c + β C(l), reward and penalty leave no expected gradient."""
    return SameGradient(Surrogate(-sg(c + beta * coefficient) * logp) + beta * penalty, NO_GRADIENT, POLICY)


def inverse(coefficient: Expr, solution: Callable[[Expr], Expr]) -> Identity:
    """The log-ratio that the closed form gives where (A - c)/β = C(l) is l itself."""
    return Identity(solution(coefficient), l)


ZERO = {"scale": "0 is scale-invariant", "flip_sign": "-0 = 0", "detach": "no gradient is what is claimed"}


@theorem(catalogue=("103", "105"), source=GX, harmless=ZERO)
def optimum_of_the_reverse_kl_is_an_exponential_tilt():
    """For KL(π‖π_ref), π = π_ref e^{(A - c)/β}: u depends on the reward alone, so actions of equal reward keep the
    reference's proportions, and no mode is sought."""
    return balanced(as_loss(k2), l), SameGradient(beta * as_loss(k2), beta * in_reward(k1), POLICY)


@theorem(catalogue=("103", "105", "106"), source=(GX, VOJNOVIC), harmless=ZERO)
def optimum_of_the_forward_kl_is_a_reciprocal_tilt():
    """For KL(π_ref‖π), and so for k3 as a loss, π = β π_ref/(Λ - A) with Λ = c + β above every reward: a function of
    the reward alone as well."""
    slope = 1 - exp(-l)
    return balanced(as_loss(k3), slope), inverse(slope, lambda y: -log(1 - y))


@theorem(catalogue="106", source=VOJNOVIC)
def k3_as_loss_keeps_the_exponential_tilt():
    """k3 as a loss has the exponential tilt as its fixed point, A = c + β l. (False: it has the reciprocal one, A = c +
    β(1 - e^{-l}).)"""
    return Refuted(
        balanced(as_loss(k3), l),
        corrected=SameGradient(
            Surrogate(-sg(c + beta * (1 - exp(-l))) * logp) + beta * as_loss(k3) + as_loss(k2), as_loss(k2), POLICY
        ),
    )


@theorem(catalogue="103", source="arXiv 2605.06977")
def optima_of_other_divergences_in_closed_form():
    """With y = (A - c)/β = C(l): u = 1 + y/2 for χ²(π‖ref), u⁻² = 1 - y for χ²(ref‖π), u^{-1/2} = 1 - y for squared
    Hellinger, 2u/(1 + u) = e^{2y} for Jensen-Shannon."""
    rows = (
        (pearson_chi2, lambda y: 1 + y / 2, ratio),
        (neyman_chi2, lambda y: 1 - y, ratio**-2),
        (squared_hellinger, lambda y: 1 - y, exp(-l / 2)),
        (jensen_shannon, lambda y: exp(2 * y), 2 * ratio / (1 + ratio)),
    )
    return [Identity(of_y(d.coefficient.cells[0][1]), of_u) for d, of_y, of_u in rows]


BANDIT = "A = (1, 0, 0), π_ref = (.1, .6, .3)"
TENTH = Rational(1, 10)


def best_under_reverse_kl(b: Expr) -> Expr:
    """What the optimum for β = b gives the best action: the exponential tilt."""
    return TENTH * exp(1 / b) / (TENTH * exp(1 / b) + 9 * TENTH)


def best_under_forward_kl(b: Expr) -> Expr:
    """π = β π_ref/(Λ - A) sums to 1: Λ² - (1 + β)Λ + .9β = 0, the root above 1."""
    return TENTH * b / ((1 + b + sqrt((1 + b) ** 2 - 36 * b / 10)) / 2 - 1)


def entropy(best: Expr) -> Expr:
    """Of (p, 2(1-p)/3, (1-p)/3), as both optima keep the proportions of the other two."""
    others = ((1 - best) * share for share in (Rational(2, 3), Rational(1, 3)))
    return -sum((p * log(p) for p in (best, *others)), S.Zero)


@theorem(
    catalogue="104",
    source=KHANH,
    hypotheses=BANDIT,
    harmless={
        "scale": "a sign is scale-invariant",
        "add_one": "one more keeps it positive",
        "drop_term": "the larger of the two alone is positive",
    },
)
def forward_kl_gives_the_best_action_less_only_where_reward_dominates():
    """Of the best action the optimum under the reverse KL has more than under the forward KL at β = 1/10 (.9996 and
    .911), and less at β = 1 (.232 and .316)."""
    gap = {b: best_under_reverse_kl(b) - best_under_forward_kl(b) for b in (TENTH, S.One)}
    return HasSign(gap[TENTH], 1), HasSign(-gap[S.One], 1)


@theorem(
    catalogue="104",
    source=KHANH,
    hypotheses=BANDIT,
    harmless={
        "scale": "a sign is scale-invariant",
        "add_one": "one more keeps it positive",
        "drop_term": "the entropy of the first alone is positive",
    },
)
def reverse_kl_keeps_more_entropy_where_reward_does_not_dominate():
    """At β = 1 the optimum under the reverse KL has the larger entropy. (False: the forward KL has, though
    not by giving the best action less.)"""
    more = entropy(best_under_forward_kl(S.One)) - entropy(best_under_reverse_kl(S.One))
    return Refuted(HasSign(-more, 1), corrected=HasSign(more, 1))


@theorem(catalogue="76", source="arXiv 2602.05933")
def unweighted_square_is_balanced_by_lambert_w():
    """E_old[½(log w - A)²], π_old the reference, is stationary at A = log w + c w: w = W(c e^A)/c, Lambert's W."""
    reward = log_weight + c * w
    return (
        SameGradient(Surrogate((log_weight - sg(reward)) ** 2 / 2) + as_loss(k2, sg(w)), as_loss(k2, sg(w)), OLD),
        Identity((c * w) * exp(c * w), c * exp(reward)),
    )


@theorem(
    catalogue="76",
    source="arXiv 2602.05933",
    harmless={"drop_stop_gradient_1": "the gap is the constant -c, so a live weight adds a constant"},
)
def unweighted_square_is_balanced_by_the_exponential_tilt():
    """E_old[½(log w - A)²] is stationary at the normalised tilt, A = log w + c. (False: -c/w is no constant; weighted
    by w it is.)"""
    gap = log_weight - sg(log_weight + c)
    return Refuted(
        SameGradient(Surrogate(gap**2 / 2), NO_GRADIENT, OLD),
        corrected=SameGradient(Surrogate(sg(w) * gap**2 / 2) + as_loss(k2, sg(w)), as_loss(k2, sg(w)), OLD),
    )


@theorem(catalogue="77", source=KIMI)
def kimi_square_is_k2_as_loss_from_the_old_policy():
    """(τ/2)(log π/π_old)², unweighted, has the sample gradient τ log w, without the ½ 2τ log w, and the expected one of
    E_old[τ (log w)²/2]: biased for KL(π‖π_old), whose factor is w log w."""
    half = Surrogate(beta / 2 * log_weight**2)
    return (
        SameScore(half, Surrogate(sg(beta * log_weight) * logp), OLD),
        SameScore(2 * half, Surrogate(sg(2 * beta * log_weight) * logp), OLD),
        SameGradient(half, Objective(exp(logp - log_weight) * beta / 2 * log_weight**2), OLD),
    )


# --- penalties without a restoring force ------------------------------------------------------------------------------
GROWS = {"scale": "an infinite limit is scale-invariant", "add_one": "an infinite limit absorbs a constant"}


@theorem(catalogue="18", source="arXiv 2512.21852", harmless=GROWS)
def k3_in_reward_descends_something_unbounded_below():
    """KL(π‖π_ref) - KL(π_ref‖π) = Σ π_ref (u + 1) log u, and (u + 1) log u → -∞ as u → 0: any token's loss lowers it
    without bound."""
    return (
        SameGradient(in_reward(k3), Objective(REFERENCE_PROBABILITY * (ratio + 1) * l), POLICY),
        Limit((ratio + 1) * l, -oo, -oo),
    )


@theorem(catalogue=("18", "19"), source="catalogue 18 and 19")
def k2_and_k3_in_reward_are_cubic_at_the_reference():
    """With π = π_ref(1 + ε), Σ π_ref ε = 0: both potentials are Σ π_ref ε³/6 + O(ε⁴), a saddle; the letter l stands for
    ε."""
    u_, log_u = 1 + l, log(1 + l)
    k2_potential = (u_ * log_u**2 - 2 * u_ * log_u + 2 * u_) / 2 - 1
    return Expansion((u_ + 1) * log_u, 2 * l + l**3 / 6, 3), Expansion(k2_potential, l**3 / 6, 3)


@theorem(
    catalogue="19",
    source="catalogue 19",
    harmless={
        "swap_direction": "mirrored, l²e^{-l}/2 is not negative either",
        "drop_term": "the term dropped vanishes as u → 0",
    },
)
def k2_in_reward_descends_something_bounded_below():
    """The potential (u log²u - 2u log u + 2u)/2 - 1 rises with u, from -1 at u = 0: a token is abandoned, at a finite
    price."""
    potential = (ratio * l**2 - 2 * ratio * l + 2 * ratio) / 2 - 1
    return Limit(potential, -oo, S.NegativeOne), HasSign(potential.diff(l), 1)


@theorem(
    catalogue="22",
    source="catalogue 22",
    harmless={"swap_direction": "mirrored, they are not negative either", "scale": "0 is scale-invariant"},
)
def unweighted_penalties_are_least_at_the_reference():
    """k2, k3 and h_λ (here λ = 1, -2) are never negative and vanish with their slope at l = 0 alone: whoever sampled,
    with full support, the penalty alone is least exactly at π = π_ref."""
    estimators = (k2, k3, power(S.One), power(S(-2)))
    return [HasSign(k.expr, 1) for k in estimators] + [Expansion(k.expr, l**2 / 2, 2) for k in estimators]


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
