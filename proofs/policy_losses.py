"""Policy losses: what a surrogate with an advantage descends, in the first inner step and after it.

A policy loss multiplies an advantage A, a detached number of the action, by some function of the weight w = π/π_old. If
a sample's gradient is -A g(w) times the score, its coefficient is -A g(w)/w: the same -A for every loss with g(1) = 1
as long as the policy is still the one that sampled, and another function of w for each as soon as it is not. Whatever g
is, an objective is descended, -E_old[A Φ(w)] with Φ' = g/w: one integral names it. Where Φ is w, it is -E_π[A].
"""

from kltheory.proving.vocabulary import *

PPO, CISPO, SAPO = "arXiv 1707.06347", "arXiv 2506.13585", "arXiv 2511.20347"
TOPR, ASYMRE, ASPO = "arXiv 2503.14286", "arXiv 2506.20520", "arXiv 2510.06062"
SPO, VESPO, COV = "arXiv 2401.16025", "arXiv 2602.10693", "arXiv 2505.22617"
POLGRAD = "github.com/SaifPunjwani/polgrad"
A, l = advantage, log_ratio
tau = Symbol("tau", positive=True)
LOW, HIGH = Rational(4, 5), Rational(6, 5)
USUAL = ("ε = 1/5",)
OLD_PROBABILITY = exp(logp - log_weight)


def scored(factor: Expr) -> Surrogate:
    """A detached factor times the score."""
    return Surrogate(sg(factor) * logp)


def ascent(value: Expr) -> Objective:
    """-E_old[value], so that descending it ascends E_old[value]."""
    return Objective(-OLD_PROBABILITY * value)


# --- the first inner step, and the others -----------------------------------------------------------------------------
ON_POLICY = {"forget_weight": "on-policy a detached weight is the number 1"}
INFINITE = {"scale": "an infinite limit is scale-invariant", "add_one": "an infinite limit absorbs a constant"}


@theorem(
    catalogue="129", source=(POLGRAD, PPO, CISPO, SAPO), hypotheses="PPO's and CISPO's ε = 1/5", harmless=ON_POLICY
)
def policy_losses_have_one_gradient_of_on_policy():
    """On-policy, -A log π, -w A, -sg(w) A log π, PPO's clip, CISPO and SAPO at any τ all give a sample -A times the
    score."""
    losses = (reinforce(A), importance(A), sg(w) * reinforce(A), ppo(A), cispo(A), sapo(A, tau, tau))
    return [SameScore(loss, scored(-A), POLICY) for loss in losses]


@theorem(catalogue="130a", source=(PPO, CISPO, SAPO), hypotheses="PPO's and CISPO's ε = 1/5")
def policy_losses_part_off_policy():
    """Off-policy a sample gets, times the score, -A from -A log π; -w A from -w A and -sg(w) A log π; -w A where it is
    not clipped, and 0 where it is, from PPO; -clip(w) A from CISPO; and -w A/cosh²(τ(w - 1)/2) from SAPO at any τ."""
    clipped = Or(And(A > 0, w > HIGH), And(A < 0, w < LOW))
    cosh = (exp(tau * (w - 1) / 2) + exp(-tau * (w - 1) / 2)) / 2
    rows = (
        (reinforce(A), -A),
        (importance(A), -w * A),
        (sg(w) * reinforce(A), -w * A),
        (ppo(A), -w * Piecewise((0, clipped), (A, True))),
        (cispo(A), -Min(Max(w, LOW), HIGH) * A),
        (sapo(A, tau, tau), -w * A / cosh**2),
    )
    return [SameScore(loss, scored(factor), OLD) for loss, factor in rows]


@theorem(
    catalogue="130b",
    source=PPO,
    harmless=dict.fromkeys(("forget_weight", "detach_weight"), "-A, or -sg(w) A without the score, has no gradient"),
)
def importance_weighted_loss_is_free_of_the_sampler():
    """-w A and -sg(w) A log π descend -E_π[A] whoever sampled."""
    return (
        SamplerFree(importance(A)),
        *(SameGradient(loss, Objective(-exp(logp) * A), OLD) for loss in (importance(A), sg(w) * reinforce(A))),
    )


@theorem(catalogue="130b", source="catalogue 130")
def reinforce_is_free_of_the_sampler():
    """The expected gradient of -A log π does not depend on who sampled. (False; that of -sg(w) A log π does not.)"""
    return Refuted(SamplerFree(reinforce(A)), corrected=SamplerFree(sg(w) * reinforce(A)))


@theorem(catalogue="130b", source="catalogue 130", hypotheses=USUAL)
def ppo_is_free_of_the_sampler():
    """The expected gradient of PPO's loss does not depend on who sampled. (False: its weight is clipped; that of -sg(w)
    A log π does not.)"""
    return Refuted(SamplerFree(ppo(A)), corrected=SamplerFree(sg(w) * reinforce(A)))


@theorem(catalogue="130b", source="catalogue 130", hypotheses=USUAL)
def cispo_is_free_of_the_sampler():
    """The expected gradient of CISPO's loss does not depend on who sampled. (False: its weight is clipped; that of
    -sg(w) A log π does not.)"""
    return Refuted(SamplerFree(cispo(A)), corrected=SamplerFree(sg(w) * reinforce(A)))


@theorem(catalogue="130b", source="catalogue 130")
def sapo_is_free_of_the_sampler():
    """The expected gradient of SAPO's loss, τ = 1, does not depend on who sampled. (False: its gate moves with w; that
    of -sg(w) A log π does not.)"""
    return Refuted(SamplerFree(sapo(A, 1, 1)), corrected=SamplerFree(sg(w) * reinforce(A)))


# --- the objective of each --------------------------------------------------------------------------------------------
@theorem(
    catalogue="131a",
    source="catalogue 131",
    hypotheses="π_ref stands for π_old, so l for log w, and h(l) for Φ(w)",
)
def policy_loss_with_any_weight_has_an_objective():
    """A loss that gives a sample -A g(w) times the score has the coefficient -A g(w)/w, and descends -E_old[A Φ(w)],
    where w Φ'(w) = g(w)."""
    return SameGradient(Objective(-REFERENCE_PROBABILITY * A * h.expr), scored(-A * h_prime.expr / ratio), POLICY)


@theorem(catalogue="131a", source="catalogue 131")
def coefficient_of_each_probability_has_an_objective():
    """The coefficient ∂F/∂π of each action, where F = A f(log π) + g(l) for any f and g, descends Σ F."""
    f, g = Function("f")(logp), Function("g")(l)
    by_probability = (A * f.diff(logp) + g.diff(l)) * exp(-logp)
    return SameGradient(scored(by_probability), Objective(A * f + g), POLICY)


@theorem(catalogue="131b", source=(PPO, CISPO, SAPO, VESPO), hypotheses="PPO's and CISPO's ε = 1/5")
def objectives_of_policy_losses():
    """Minus the objective of each is E_old of: A w for -w A; A log w for -A log π; min(w A, clip(w) A) for PPO; for
    CISPO, clipped above alone, A w up to c = 1+ε and A (c log(w/c) + c) beyond; A (4/τ) σ(τ(w - 1)) for SAPO; and for
    VESPO, k = 1 and 2, A e^λ λ^{-k} times the lower incomplete gamma function γ(k, λw)."""
    rows = (
        (importance(A), A * w),
        (reinforce(A), A * log_weight),
        (ppo(A), Min(w * A, clip(w, 1 - LOW, HIGH - 1) * A)),
        (cispo(A, 1), A * Piecewise((w, w < HIGH), (HIGH * log(w / HIGH) + HIGH, True))),
        (sapo(A, tau, tau), A * 4 / tau / (1 + exp(-tau * (w - 1)))),
        (vespo(A, 1, lam), A * exp(lam) / lam * (1 - exp(-lam * w))),
        (vespo(A, 2, lam), A * exp(lam) / lam**2 * (1 - (1 + lam * w) * exp(-lam * w))),
    )
    return [SameGradient(loss, ascent(value), OLD) for loss, value in rows]


# --- negative advantages ----------------------------------------------------------------------------------------------
@theorem(
    catalogue="132a",
    source=TOPR,
    hypotheses="in the limit the letter l stands for log π of an action",
    harmless=INFINITE,
)
def negative_advantages_make_reinforce_unbounded_below():
    """Off-policy -A log π descends -E_old[A log π], and a single A < 0 sends that to -∞: the action's term is -π_old A
    > 0 times log π, which goes to -∞ as π → 0."""
    descended = Objective(-OLD_PROBABILITY * A * logp)
    return SameGradient(reinforce(A), descended, OLD), Limit(l, -oo, -oo)


@theorem(
    catalogue="132a",
    source=TOPR,
    hypotheses="in the sign the letter l stands for log w",
    harmless={"swap_direction": "mirrored, Φ is not negative either"},
)
def capping_the_weight_of_negative_advantages_bounds_the_loss():
    """TOPR gives a sample -A times the score where A > 0 and -min(w, 1) A where A < 0. There it descends -E_old[A
    Φ(w)], Φ = w up to 1 and 1 + log w beyond, which is never negative."""
    phi = Piecewise((exp(l), l < 0), (1 + l, True))
    negative = phi.xreplace({l: log_weight})
    return (
        SameScore(topr(A), scored(-Piecewise((A, A > 0), (Min(w, 1) * A, True))), OLD),
        SameGradient(topr(A), ascent(A * Piecewise((log_weight, A > 0), (negative, True))), OLD),
        HasSign(phi, 1),
    )


@theorem(
    catalogue="132b",
    source=ASYMRE,
    hypotheses=("β > 0", "π_ref stands for the maximiser, proportional to π_old (r - V), where r > V for every action"),
)
def reinforce_with_a_low_baseline_has_a_maximiser():
    """Where every r > V, write r - V = β π_ref/π_old. E_old[(r - V) log π] is stationary at π = π_ref, and less there
    than at any other policy by β KL(π_ref‖π): its maximiser is π_old (r - V)/β."""
    at_maximiser = scored(-beta * w)
    gap = OLD_PROBABILITY * (beta * exp(log_weight - l)) * l
    return (
        SameGradient(at_maximiser + as_loss(k2), as_loss(k2), OLD),
        SameValue(Objective(-gap), beta * forward_kl.objective),
    )


@theorem(catalogue="137", source="catalogue 137")
def aspo_descends_a_weighted_chi2_of_the_positive_advantages():
    """With the ratio of positive advantages flipped to 1/w, unclipped, a sample gets -A/w times the score where A > 0
    and -w A where A < 0: descended is Σ_{A>0} A π_old²/π - Σ_{A<0} A π."""
    descended = Piecewise((A * OLD_PROBABILITY / w, A > 0), (-A * exp(logp), True))
    return (
        SameScore(aspo(A), scored(-Piecewise((A / w, A > 0), (w * A, True))), OLD),
        SameGradient(aspo(A), Objective(descended), OLD),
    )


@theorem(catalogue="137", source="catalogue 137", about=ASPO)
def aspo_descends_minus_the_expected_advantage():
    """With the ratio of positive advantages flipped to 1/w, unclipped, the loss descends -E_π[A]. (False off-policy:
    where A > 0 its coefficient is -A/w². On-policy it does.)"""
    target = Objective(-exp(logp) * A)
    return Refuted(SameGradient(aspo(A), target, OLD), corrected=SameGradient(aspo(A), target, POLICY))


# --- penalties beside a policy loss -----------------------------------------------------------------------------------
@theorem(
    catalogue="143", source="catalogue 143", harmless={"forget_weight": "what has no gradient on-policy is forgotten"}
)
def absolute_log_weight_is_asleep_in_the_first_inner_step():
    """On-policy |log w| has no expected gradient: beside k2 it adds nothing. Afterwards it gives a sample sign(log w)
    times the score, and descends E_old|log w|."""
    return (
        SameGradient(kl_cov() + as_loss(k2), as_loss(k2), POLICY),
        SameScore(kl_cov(), scored(sign(log_weight)), OLD),
        SameGradient(kl_cov(), Objective(OLD_PROBABILITY * Abs(log_weight)), OLD),
    )


@theorem(catalogue="143", source="catalogue 143", about=COV)
def absolute_log_weight_descends_a_kl():
    """Sampled from the old policy, |log w| has the gradient of KL(π_old‖π). (False: that of E_old|log w|.)"""
    return Refuted(
        SameGradient(kl_cov(), forward_kl.from_old().objective, OLD),
        corrected=SameGradient(kl_cov(), Objective(OLD_PROBABILITY * Abs(log_weight)), OLD),
    )


# --- soft trust regions -----------------------------------------------------------------------------------------------
@theorem(catalogue="206", source=SPO)
def spo_pulls_back_outside_its_region():
    """SPO gives a sample w(-A + |A|(w - 1)/ε) times the score: where A > 0 its coefficient A((w - 1)/ε - 1) is 0 at w =
    1+ε, and positive beyond, a pull back that PPO's clip lacks; where A < 0, A(-1 - (w - 1)/ε) is 0 at 1-ε."""
    return (
        SameScore(spo(A, epsilon), scored(w * (-A + Abs(A) * (w - 1) / epsilon)), OLD),
        *(
            SameScore(
                Piecewise((1, side * A > 0), (0, True)) * spo(A, epsilon),
                scored(Piecewise((w * A / epsilon * (side * (w - 1) - epsilon), side * A > 0), (0, True))),
                OLD,
            )
            for side in (1, -1)
        ),
    )


@theorem(catalogue="206", source=VESPO, harmless=ON_POLICY)
def vespo_scales_the_coefficient_by_a_soft_weight():
    """VESPO gives a sample -A φ(w) times the score, φ = w^k e^{λ(1-w)}, 1 at w = 1, any k and λ."""
    k = Symbol("k", positive=True)
    return (
        SameScore(vespo(A, k, lam), scored(-A * exp(k * log_weight + lam - lam * w)), OLD),
        SameScore(vespo(A, k, lam), scored(-A), POLICY),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
