"""Clipped importance weights: what PPO's clip, and a truncated weight, leave of a KL penalty.

PPO minimises -min(w A, clip(w, 1-ε, 1+ε) A). A sample is clipped, and then has no gradient, where A > 0 and w > 1+ε, or
A < 0 and w < 1-ε. A penalty folded into the advantage A - β l is clipped along with it; one added beside the clip
keeps its own weight. Truncating the weight of a penalty, min(w, c), bounds its variance, and changes what is descended
where w > c; how depends on whether the gradient flows through the truncated weight. A clamped penalty times a live
weight brings the value of the bound into the gradient.
"""

from kltheory.proving.vocabulary import *

PPO, SEED = "arXiv 1707.06347", "arXiv 2510.01555"
RPG, DUAL = "arXiv 2505.17508", "arXiv 1912.09729"
EPS = Rational(1, 5)
LOW, HIGH = 1 - EPS, 1 + EPS
PENALISED = advantage - beta * sg(log_ratio)
l, r = log_ratio, exp(-log_ratio)
limit = Symbol("c", positive=True)
USUAL = ("ε = 1/5",)
LIVE_PENALTY = {"drop_stop_gradient": "differentiating -β l inside the advantage adds the constant β"}


def clipped(a: Expr) -> Expr:
    """Where PPO's clip leaves no gradient."""
    return Or(And(a > 0, w > HIGH), And(a < 0, w < LOW))


def scored(factor: Expr) -> Surrogate:
    """A detached factor times the score."""
    return Surrogate(sg(factor) * logp)


# --- a penalty folded into the advantage ------------------------------------------------------------------------------
@theorem(catalogue="81", source=(PPO, SEED), hypotheses=USUAL)
def ppo_clip_keeps_the_unclipped_samples():
    """PPO's clip gives a sample -w A times the score, and nothing where A > 0 and w > 1+ε, or A < 0 and w < 1-ε."""
    return SameScore(ppo(advantage), scored(-w * Piecewise((0, clipped(advantage)), (advantage, True))), OLD)


@theorem(catalogue="81", source=(PPO, SEED), hypotheses=(*USUAL, "no other advantage"))
def folded_penalty_cannot_push_a_weight_below_the_clip():
    """-β l as the whole advantage gives a sample w β l times the score, except where l > 0 and w < 1-ε, or l < 0 and w
    > 1+ε: tokens that were pushed down, or up, by the clip's width are let go until the next batch."""
    let_go = Or(And(l > 0, w < LOW), And(l < 0, w > HIGH))
    return SameScore(ppo(-beta * sg(l)), scored(w * Piecewise((0, let_go), (beta * l, True))), OLD)


@theorem(catalogue="81", source=(PPO, SEED), hypotheses=USUAL)
def penalty_beside_the_clip_is_not_clipped():
    """β sg(w) k2, or β w k3, added beside the clip gives every sample w β l times the score, clipped or not."""
    kept = scored(w * (beta * l - Piecewise((0, clipped(advantage)), (advantage, True))))
    return [SameScore(ppo(advantage) + beta * k, kept, OLD) for k in (as_loss(k2, sg(w)), as_loss(k3, w))]


@theorem(catalogue="81", source=(PPO, SEED), hypotheses=USUAL, harmless=LIVE_PENALTY)
def folded_penalty_is_exact_in_the_first_inner_step():
    """On-policy, w = 1 and nothing is clipped: with A - β l as the advantage the coefficient is -A + β l, as without a
    clip."""
    return SameGradient(ppo(PENALISED), scored(beta * l - advantage), POLICY)


@theorem(catalogue="82", source=(PPO, SEED), hypotheses=USUAL)
def penalty_can_move_the_sample_to_the_other_side_of_the_clip():
    """A > 0 and w > 1+ε: clipped. With β l > A the advantage's sign flips, only the other side is active there, and the
    sample is pushed down at full strength, w (β l - A)."""
    there = Piecewise((1, And(advantage > 0, beta * l > advantage, w > HIGH)), (0, True))
    return (
        SameScore(there * (ppo(PENALISED) - ppo(advantage)), scored(there * w * (beta * l - advantage)), OLD),
        SameScore(there * ppo(PENALISED), scored(there * w * (beta * l - advantage)), OLD),
    )


# --- clips of both sides ----------------------------------------------------------------------------------------------
@theorem(catalogue="83", source=RPG, hypotheses=USUAL)
def penalty_of_a_clipped_weight_is_frozen_outside():
    """A penalty with v = clip(w, 1-ε, 1+ε) in place of w: as a detached factor v log v it is frozen at (1±ε) log(1±ε)
    outside; differentiated through v, as v log v - v, it is 0 outside."""
    lowest, highest = LOW * log(LOW), HIGH * log(HIGH)
    v, log_v = Min(Max(w, LOW), HIGH), Min(Max(log_weight, log(LOW)), log(HIGH))
    frozen = Piecewise((lowest, w < LOW), (highest, w > HIGH), (w * log_weight, True))
    cut = Piecewise((0, Or(w < LOW, w > HIGH)), (w * log_weight, True))
    return SameScore(scored(v * log_v), scored(frozen), OLD), SameScore(Surrogate(v * log_v - v), scored(cut), OLD)


@theorem(catalogue="83", source=DUAL, hypotheses=(*USUAL, "dual clip at 3"))
def dual_clip_drops_the_penalty_of_bad_samples_at_large_weights():
    """With A - β l as the advantage, min(PPO's surrogate, -3 (A - β l)), the dual clip where A - β l < 0, drops the
    samples that PPO's clip drops and every one with A - β l < 0 and w > 3, penalty and all."""
    gone = Or(clipped(PENALISED), And(PENALISED < 0, w > 3))
    return SameGradient(dual_clip(PENALISED), scored(-w * Piecewise((0, gone), (PENALISED, True))), OLD)


# --- truncated weights ------------------------------------------------------------------------------------------------
SHORT = Min(w, limit)


@theorem(catalogue="73")
def detached_truncated_weight_shrinks_the_reverse_kl():
    """sg(min(w, c)) k2 has the gradient E_π[min(1, c/w) l s]: KL(π‖π_ref)'s, with less weight where π > c π_old."""
    return SameGradient(as_loss(k2, sg(SHORT)), scored(w * Min(1, limit / w) * l), OLD)


@theorem(catalogue="73")
def live_truncated_weight_turns_to_the_forward_kl():
    """min(w, c) k3, live, gives a sample w l times the score where w < c, the reverse KL's, and c (1 - r) where w > c:
    the forward KL's w (1 - r), shrunk by c/w."""
    return SameScore(as_loss(k3, SHORT), scored(Piecewise((w * l, w < limit), (limit * (1 - r), True))), OLD)


@theorem(catalogue="73")
def live_truncated_weight_eq_grad_reverse_kl():
    """min(w, 1) k3, live, has the gradient of KL(π‖π_ref). (False: where w > 1 its coefficient is (1 - r)/w.)"""
    cut = Piecewise((w * l, w < 1), (1 - r, True))
    return Refuted(
        SameGradient(as_loss(k3, Min(w, 1)), reverse_kl.objective, OLD),
        corrected=SameGradient(as_loss(k3, Min(w, 1)), scored(cut), OLD),
    )


@theorem(catalogue="73")
def truncated_weight_bounds_the_second_moment():
    """min(w, c)² ≤ c w, so E_old[min(w, c)² X] ≤ c E_π[X] for any X ≥ 0, as X = l²‖s‖²."""
    return HasSign(limit * w - SHORT**2, 1)


# --- a clamped penalty beside a weight ----------------------------------------------------------------------------
CLAMPED_K3 = Min(Max(k3.expr, -10), 10)
CLAMP_THEN_WEIGHT = Surrogate(w * CLAMPED_K3)
KEPT = Piecewise((l, k3.expr < 10), (10, True))


@theorem(catalogue="113", hypotheses="m = 10")
def clamping_k3_before_a_live_weight_flips_the_pull():
    """w clamp(k3, -10, 10), w live, has the coefficient l where k3 < 10 and +10 outside: below l = -2.61087 its sign is
    not that of l, and abandoned tokens are pushed further down."""
    return (
        SameGradient(CLAMP_THEN_WEIGHT, Surrogate(sg(w * KEPT) * logp), OLD),
        HasSign(l * KEPT, -1, below=Rational(-261087, 10**5)),
    )


@theorem(catalogue="113", hypotheses="m = 10")
def clamping_k3_before_a_live_weight_eq_grad_reverse_kl():
    """w clamp(k3, -10, 10) with a live weight has the gradient of KL(π‖π_ref). (False: where k3 > 10 its coefficient is
    10.)"""
    return Refuted(
        SameGradient(CLAMP_THEN_WEIGHT, reverse_kl.objective, OLD),
        corrected=SameGradient(CLAMP_THEN_WEIGHT, scored(w * KEPT), OLD),
    )


@theorem(
    catalogue="114",
    hypotheses="m = 10",
    harmless={"swap_direction": "mirrored, k3 is not negative either, and k2 is even"},
)
def clamping_after_the_weight_lets_go_and_flips_nothing():
    """min(w k3, 10), w live, which is clamp(w k3, -10, 10) as w k3 ≥ 0, gives a sample w l times the score where w k3 <
    10, and 0 outside; straight-through beside a detached weight, sg(w)(sg(m) + k2 - sg(k2)), gives w l everywhere."""
    return (
        HasSign(w * k3.expr, 1),
        SameScore(Surrogate(Min(w * k3.expr, 10)), scored(Piecewise((w * l, w * k3.expr < 10), (0, True))), OLD),
        SameScore(straight_through(Estimator("m", CLAMPED_K3), k2, sg(w)), as_loss(k3, w), OLD),
    )


@theorem(catalogue="114", hypotheses="m = 10")
def straight_through_beside_a_live_weight_eq_grad_reverse_kl():
    """w (sg(clamp(k3, -10, 10)) + k2 - sg(k2)) with a live weight has the gradient of KL(π‖π_ref). (False: the gradient
    through w adds the value, clamp(k3, -10, 10), to the coefficient l.)"""
    live = straight_through(Estimator("m", CLAMPED_K3), k2, w)
    return Refuted(
        SameGradient(live, reverse_kl.objective, OLD),
        corrected=SameGradient(live, scored(w * (l + CLAMPED_K3)), OLD),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
