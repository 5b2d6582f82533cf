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


@theorem(catalogue=("103a", "105a", "105b", "106a"), source=GX, harmless=ZERO)
def stationary_points_with_the_reverse_kl_are_exponential_tilts():
    """On-policy, reward A and β times KL(π‖π_ref) leave no expected gradient where A = c + β l, that is u = e^{(A -
    c)/β}: u depends on the reward alone, so actions of equal reward keep the reference's proportions; and any policy is
    stationary for some reward."""
    return balanced(as_loss(k2), l), SameGradient(beta * as_loss(k2), beta * reverse_kl.objective, POLICY)


@theorem(catalogue=("103a", "105a", "105b", "106a"), source=(GX, VOJNOVIC), harmless=ZERO)
def stationary_points_with_the_forward_kl_are_reciprocal_tilts():
    """On-policy, reward A and β times k3 as a loss, that is KL(π_ref‖π), leave no expected gradient where A = c + β(1 -
    e^{-l}), that is π = β π_ref/(Λ - A), Λ = c + β above every reward: a function of the reward alone as well; and any
    policy is stationary for some reward."""
    slope = 1 - exp(-l)
    return (
        balanced(as_loss(k3), slope),
        SameGradient(as_loss(k3), forward_kl.objective, POLICY),
        inverse(slope, lambda y: -log(1 - y)),
    )


G, G_OLD = Function("G")(ratio), Function("G")(exp(l - log_weight))
G_PRIME = G.diff(l) / ratio
"""G'(u), and with G_OLD = G(v), v = π_old/π_ref, the generator at another policy."""


@theorem(catalogue="103a", source=("arXiv 2605.06977", "catalogue 103"))
def stationary_points_with_any_divergence():
    """On-policy, reward A = c + β G'(u) and β times Σ π_ref G(π/π_ref) leave no expected gradient, any differentiable
    G."""
    penalty = Objective(beta * REFERENCE_PROBABILITY * G)
    return SameGradient(penalty, Surrogate(sg(c + beta * G_PRIME) * logp), POLICY)


@theorem(catalogue="103c", source="catalogue 103", hypotheses="G convex, so G(v) - G(u) - G'(u)(v - u) ≥ 0")
def stationary_points_with_a_convex_divergence_are_maxima():
    """Where A = c + β G'(u), Σ π A - β Σ π_ref G(u) exceeds the same at any other policy π_old = v π_ref, the reward
    held fixed, by β Σ π_ref (G(v) - G(u) - G'(u)(v - u)), which is never negative for convex G: the stationary point is
    a maximum."""
    reference, v = REFERENCE_PROBABILITY, exp(l - log_weight)
    reward = c + beta * G_PRIME
    here = Objective(reference * (ratio * reward - beta * G))
    there = Objective(reference * (v * reward - beta * G_OLD))
    return SameValue(here - there, Objective(beta * reference * (G_OLD - G - G_PRIME * (v - ratio))))


@theorem(catalogue="106a", source=VOJNOVIC, about="arXiv 2503.06639")
def k3_as_loss_keeps_the_exponential_tilt():
    """On-policy, k3 as a loss has the exponential tilt as its fixed point, A = c + β l. (False for its expected
    gradient, without normalisation: it has the reciprocal one, A = c + β(1 - e^{-l}).)"""
    return Refuted(
        balanced(as_loss(k3), l),
        corrected=SameGradient(
            Surrogate(-sg(c + beta * (1 - exp(-l))) * logp) + beta * as_loss(k3) + as_loss(k2), as_loss(k2), POLICY
        ),
    )


@theorem(catalogue="103b", source="arXiv 2605.06977", hypotheses="the optimum has full support")
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
    catalogue="104a",
    source=KHANH,
    hypotheses=BANDIT,
    harmless={
        "scale": "a sign is scale-invariant",
        "add_one": "one more keeps it positive",
        "drop_term": "the larger of the two alone is positive",
    },
)
def forward_kl_gives_the_best_action_less_at_a_small_beta_and_more_at_one():
    """The optimum gives the best action more under the reverse KL than under the forward KL at β = 1/10 (over .9995 and
    under .912) and at β = .31, and less at β = .32 and at β = 1 (under .233 and over .315): between .31 and .32 they
    cross."""
    bounds = {TENTH: (".9995", ".912"), S.One: (".233", ".315")}
    gap = {
        b: best_under_reverse_kl(b) - best_under_forward_kl(b) for b in (TENTH, *map(Rational, (".31", ".32")), S.One)
    }
    signs = [HasSign(side * gap[b], 1) for b, side in zip(gap, (1, 1, -1, -1), strict=True)]
    digits = [
        HasSign(side * (best(b) - Rational(bound)), 1)
        for b, outer in ((TENTH, 1), (S.One, -1))
        for best, side, bound in zip(
            (best_under_reverse_kl, best_under_forward_kl), (outer, -outer), bounds[b], strict=True
        )
    ]
    return signs + digits


@theorem(catalogue="104a", source=KHANH, hypotheses=BANDIT)
def normaliser_of_the_reciprocal_tilt_solves_a_quadratic():
    """π = β π_ref/(Λ - A) sums to one where Λ² - (1 + β)Λ + .9β = 0: what the two sides differ by is that over Λ(Λ -
    1)."""
    top = Symbol("Lambda", positive=True)
    total_ = TENTH * beta / (top - 1) + 9 * TENTH * beta / top
    return Identity((1 - total_) * top * (top - 1), top**2 - (1 + beta) * top + 9 * TENTH * beta)


@theorem(
    catalogue="104a",
    source=KHANH,
    hypotheses=BANDIT,
    harmless={
        "scale": "a sign is scale-invariant",
        "add_one": "one more keeps it positive",
        "drop_term": "the entropy of the first alone is positive",
    },
)
def reverse_kl_keeps_more_entropy_at_beta_one():
    """At β = 1 the optimum under the reverse KL has the larger entropy. (False: that under the forward KL has.)"""
    more = entropy(best_under_forward_kl(S.One)) - entropy(best_under_reverse_kl(S.One))
    return Refuted(HasSign(-more, 1), corrected=HasSign(more, 1))


@theorem(catalogue="76a", source="arXiv 2602.05933", hypotheses="c ≠ 0")
def unweighted_square_is_balanced_by_lambert_w():
    """E_old[½(log w - A)²], sampled from the old policy, is stationary at A = log w + c w, where c w e^{c w} = c e^A: w
    = W(c e^A)/c, Lambert's W, for c < 0 its principal branch unless w > 1/|c|."""
    reward = log_weight + c * w
    return (
        SameGradient(Surrogate((log_weight - sg(reward)) ** 2 / 2) + as_loss(k2, sg(w)), as_loss(k2, sg(w)), OLD),
        Identity((c * w) * exp(c * w), c * exp(reward)),
    )


@theorem(
    catalogue="76b",
    source="catalogue 76",
    hypotheses=("c ≥ 0, so y = log w - A = -c w ≤ 0", "the letter l stands for t = log v - log w"),
    harmless={
        "drop_term": "e^t, or 1, alone is positive",
        **dict.fromkeys(("flip_sign", "scale", "swap_direction"), "what is 0 at t = 0 stays so"),
    },
)
def lambert_w_is_the_minimum_of_the_unweighted_square():
    """At any other policy v π_old, ½(log v - A)² exceeds its tangent at w in v, ½y² + y(e^t - 1), by g(t) with g(0) = 0
    and g' = t + y(1 - e^t), of the sign of t where y ≤ 0. The slope in v is y/w = -c, the same for all actions, and Σ
    π_old (v - w) = 0: so E_old[½(log v - A)²] ≥ E_old[½(log w - A)²]."""
    y = Symbol("y", real=True)
    excess = (l + y) ** 2 / 2 - y**2 / 2 - y * (exp(l) - 1)
    return (
        Expansion(excess, S.Zero, 0),
        Identity(excess.diff(l), l + y * (1 - exp(l))),
        HasSign(exp(l) - 1, 1, above=S.Zero),
        HasSign(1 - exp(l), 1, below=S.Zero),
    )


@theorem(
    catalogue="76a",
    source="catalogue 76",
    harmless={"drop_stop_gradient_1": "the gap is the constant -c, so a live weight adds a constant"},
)
def unweighted_square_is_balanced_by_the_exponential_tilt():
    """E_old[½(log w - A)²] is stationary at the exponential tilt, A = log w + c. (False: its coefficient there, -c/w,
    is no constant; weighted with sg(w) it is stationary there.)"""
    gap = log_weight - sg(log_weight + c)
    return Refuted(
        SameGradient(Surrogate(gap**2 / 2), NO_GRADIENT, OLD),
        corrected=SameGradient(Surrogate(sg(w) * gap**2 / 2) + as_loss(k2, sg(w)), as_loss(k2, sg(w)), OLD),
    )


@theorem(catalogue="77b", source="catalogue 77", about=KIMI)
def kimi_square_eq_grad_kl_to_the_old_policy():
    """(τ/2)(log π/π_old)², unweighted, sampled from the old policy, has the gradient of τ KL(π‖π_old). (False: its
    factor is τ log w, and that of the KL is τ w log w.)"""
    half = Surrogate(beta / 2 * log_weight**2)
    target = beta * reverse_kl.from_old().objective
    return Refuted(
        SameGradient(half, target, OLD),
        corrected=SameGradient(sg(w) * half, target, OLD),
    )


@theorem(catalogue="77a", source=KIMI, hypotheses="β stands for τ")
def kimi_square_is_k2_as_loss_from_the_old_policy():
    """(τ/2)(log π/π_old)², unweighted, gives a sample τ log w times the score, without the ½ 2τ log w, and has the
    expected gradient of E_old[τ (log w)²/2]."""
    half = Surrogate(beta / 2 * log_weight**2)
    return (
        SameScore(half, Surrogate(sg(beta * log_weight) * logp), OLD),
        SameScore(2 * half, Surrogate(sg(2 * beta * log_weight) * logp), OLD),
        SameGradient(half, Objective(exp(logp - log_weight) * beta / 2 * log_weight**2), OLD),
    )


# --- penalties without a restoring force ------------------------------------------------------------------------------
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
