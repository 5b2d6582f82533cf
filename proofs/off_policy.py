"""Off-policy, one step: samples come from an old policy, and the importance weight w = π/π_old decides what is
descended.

A surrogate's coefficient is its derivative divided by w. Without a weight the sampler stays in it; with a detached
weight it cancels and leaves k'(l); with a live weight the gradient flows through w as well and leaves k(l) + k'(l),
the gradient of E_π[k].
"""

from kltheory.proving.vocabulary import *

SEED = "arXiv 2510.01555"
XIHUAI = "Xihuai, KL estimators (2025), 7.2-7.3"
DEEPSEEK = "arXiv 2512.02556, eq. 7"
ZERO = {"scale": "0 is scale-invariant", "flip_sign": "-0 = 0", "detach": "no gradient is what is claimed"}

kl_old_policy = forward_kl.from_old()


@theorem(catalogue=("66", "67"), source=(XIHUAI, DEEPSEEK), hypotheses="unclipped")
def live_weighted_k1_and_k3_as_loss_eq_grad_reverse_kl():
    """w k1 and w k3, with the gradient flowing through w, have the gradient of KL(π‖π_ref) whoever sampled."""
    return [SameGradient(as_loss(k, w), reverse_kl.objective, OLD) for k in (k1, k3)]


@theorem(catalogue="66", source=XIHUAI)
def live_weighted_as_loss_eq_grad_of_expectation():
    """For any h(l), w h with a live weight has the gradient of E_π[h]."""
    return SameGradient(as_loss(h, w), expectation(h.expr), OLD)


@theorem(catalogue="66", source=XIHUAI)
def live_weighted_k2_as_loss_eq_grad_reverse_kl():
    """w k2 with a live weight has the gradient of KL(π‖π_ref). (False: it has that of E_π[k2].)"""
    return Refuted(
        SameGradient(as_loss(k2, w), reverse_kl.objective, OLD),
        corrected=SameGradient(as_loss(k2, w), expectation(k2.expr), OLD),
    )


@theorem(catalogue=("66", "S6"), source=(XIHUAI, SEED))
def detached_weighted_k2_as_loss_eq_live_weighted_k3():
    """sg(w) k2 and w k3, live, have the same gradient in every sample, w l times the score, and descend KL(π‖π_ref)."""
    return (
        SameScore(as_loss(k2, sg(w)), as_loss(k3, w), OLD),
        SameGradient(as_loss(k2, sg(w)), reverse_kl.objective, OLD),
    )


@theorem(catalogue="66", source="catalogue 66")
def detached_weighted_k3_as_loss_eq_grad_forward_kl():
    """sg(w) k3, with the weight detached, descends the forward KL, KL(π_ref‖π), whoever sampled."""
    return SameGradient(as_loss(k3, sg(w)), forward_kl.objective, OLD)


@theorem(catalogue="67", source="catalogue 67")
def detached_weighted_k3_as_loss_eq_grad_reverse_kl():
    """sg(w) k3, the weight of w k3 detached, has the gradient of KL(π‖π_ref). (False: it has the forward KL's; with a
    live weight it has.)"""
    return Refuted(
        SameGradient(as_loss(k3, sg(w)), reverse_kl.objective, OLD),
        corrected=SameGradient(as_loss(k3, sg(w)), forward_kl.objective, OLD),
    )


@theorem(
    catalogue="66", source="catalogue 66", harmless={**ZERO, "swap_direction": "the coefficient is a constant, ±1"}
)
def detached_weighted_k1_as_loss_eq_zero():
    """sg(w) k1 has no expected gradient."""
    return SameGradient(as_loss(k1, sg(w)), NO_GRADIENT, OLD)


@theorem(catalogue=("66", "S6"), source="catalogue 66")
def k1_as_loss_eq_neg_grad_kl_old_policy():
    """k1 as a loss, unweighted and off-policy, ascends KL(π_old‖π): it pushes sampled tokens down, and the reference
    is absent."""
    return SameGradient(as_loss(k1), -1 * kl_old_policy.objective, OLD)


@theorem(catalogue=("66", "S6"), source=SEED)
def unweighted_as_loss_eq_grad_of_expectation_under_old():
    """For any h(l), h as a loss without a weight has the gradient of E_old[h], the old policy held fixed."""
    return SameGradient(as_loss(h), Objective(exp(logp - log_weight) * h.expr), OLD)


@theorem(catalogue="S6", source=SEED)
def k2_as_loss_is_free_of_the_sampler():
    """The expected gradient of k2 as a loss does not depend on who sampled. (False: it is E_old[l ∇log π]; that of
    sg(w) k2 does not.)"""
    return Refuted(SamplerFree(as_loss(k2)), corrected=SamplerFree(as_loss(k2, sg(w))))


@theorem(catalogue="S6", source=SEED)
def k3_as_loss_is_free_of_the_sampler():
    """The expected gradient of k3 as a loss does not depend on who sampled. (False: it is E_old[(1 - r) ∇log π]; that
    of sg(w) k3 does not.)"""
    return Refuted(SamplerFree(as_loss(k3)), corrected=SamplerFree(as_loss(k3, sg(w))))


@theorem(catalogue="S6", source=SEED)
def detached_weighted_as_loss_eq_weighted_derivative_in_reward():
    """For any h(l), sg(w) h as a loss has the gradient of h' in the reward weighted by w, sample by sample."""
    return SameScore(as_loss(h, sg(w)), in_reward(h_prime, w), OLD)


@theorem(
    catalogue=("68", "66"),
    source=XIHUAI,
    hypotheses="w = π/sg(π)",
    harmless={"forget_weight": "on-policy a detached weight is the number 1"},
)
def on_policy_weight_table():
    """On-policy with w = π/sg(π): w k1, w k3 and sg(w) k2 descend the reverse KL, sg(w) k3 the forward KL."""
    return (
        SameGradient(as_loss(k1, w), reverse_kl.objective, POLICY),
        SameGradient(as_loss(k3, w), reverse_kl.objective, POLICY),
        SameGradient(as_loss(k2, sg(w)), reverse_kl.objective, POLICY),
        SameGradient(as_loss(k3, sg(w)), forward_kl.objective, POLICY),
    )


@theorem(catalogue="68", source=XIHUAI)
def weight_may_be_replaced_by_one_on_policy():
    """On-policy w = 1, so w k3, w = π/sg(π), may be written k3. (False: the gradient through w, k3 in the reward, is
    lost.)"""
    return Refuted(
        SameGradient(as_loss(k3), as_loss(k3, w), POLICY),
        corrected=SameGradient(as_loss(k3) + in_reward(k3), as_loss(k3, w), POLICY),
    )


# --- other tables of the same losses, with the old policy as the reference --------------------------------------------
RPG = "arXiv 2505.17508, Tables 1, 2 and 4"
LOG_W = log_weight


@theorem(catalogue="71", source=RPG, harmless={"detach_weight": "w alone has the coefficient 1: only log w counts"})
def rpg_losses_and_their_divergences_from_the_old_policy():
    """w - log w - 1 and -log π descend KL(π_old‖π); w log w - w and w log w descend KL(π‖π_old)."""
    kl_policy_old = reverse_kl.from_old()
    forward, reverse = (w - LOG_W - 1, -logp), (w * LOG_W - w, w * LOG_W)
    rows = [(e, kl_old_policy) for e in forward] + [(e, kl_policy_old) for e in reverse]
    return [SameGradient(Surrogate(e), d.objective, OLD) for e, d in rows]


@theorem(catalogue="71", source=RPG)
def rpg_reverse_losses_are_weighted_k3_and_k1():
    """With l = log w, w log w - w has the sample gradient of w k3, live (b = 0), and w log w that of w k1 (b = -1)."""
    k3_old = exp(-LOG_W) - 1 + LOG_W
    return (
        SameScore(Surrogate(w * LOG_W - w), Surrogate(w * k3_old), OLD),
        SameScore(Surrogate(w * LOG_W - w), Surrogate(sg(w * LOG_W) * logp), OLD),
        SameScore(Surrogate(w * LOG_W), Surrogate(sg(w * (LOG_W + 1)) * logp), OLD),
    )


@theorem(catalogue="72", source=("arXiv 2505.17508, Alg. 1", "catalogue 72"))
def live_advantage_shifts_the_reverse_and_erases_the_forward_penalty():
    """If the gradient flows through w and the advantage, a penalty log w + 1 in it gets the factor w (log w + 2), a
    shift, and KL(π‖π_old) is descended; a penalty 1 - 1/w, by analogy, gets w, and no expected gradient is left."""
    return (
        SameScore(Surrogate(w * (LOG_W + 1)), Surrogate(sg(w * (LOG_W + 2)) * logp), OLD),
        SameGradient(Surrogate(w * (LOG_W + 1)), reverse_kl.from_old().objective, OLD),
        SameScore(Surrogate(w * (1 - 1 / w)), Surrogate(sg(w) * logp), OLD),
        SameGradient(Surrogate(w * (1 - 1 / w)) + as_loss(k2, sg(w)), as_loss(k2, sg(w)), OLD),
    )


@theorem(catalogue="75", source="catalogue 75")
def stale_k1_in_reward_misses_the_trust_region():
    """∇KL(π‖π_ref) = E_π[log(π_old/π_ref) s] + ∇KL(π‖π_old): the stale penalty of PPO's inner epochs, k1 as it was when
    the samples were drawn, is the gradient of E_π[log(π_old/π_ref)], linear in π, and lacks ∇KL(π‖π_old)."""
    stale = log_ratio - LOG_W
    return (
        SameGradient(in_reward(k1, w), reverse_kl.objective, OLD),
        SameGradient(in_reward(k1, w), Surrogate(sg(w * stale) * logp) + Surrogate(w * LOG_W), OLD),
        SameGradient(Surrogate(sg(w * stale) * logp), expectation(stale), OLD),
        SameGradient(Surrogate(w * LOG_W), reverse_kl.from_old().objective, OLD),
    )


# --- combined with the reward's advantage, or a head of its own; PPO's clip (arXiv 1707.06347) -------------------
PENALISED = advantage - beta * sg(log_ratio)


LIVE_PENALTY = {"drop_stop_gradient": "differentiating -β l inside the advantage adds the constant β"}


@theorem(catalogue="S6", source=SEED, hypotheses="unclipped", harmless=LIVE_PENALTY)
def combined_eq_decoupled_of_unclipped():
    """Without a clip, folding -β l into the advantage and adding β sg(w) k2 as a head of its own have the same
    gradient."""
    return SameGradient(Surrogate(-w * PENALISED), Surrogate(-w * advantage) + beta * as_loss(k2, sg(w)), OLD)


@theorem(
    catalogue="S6",
    source=("catalogue S6", "arXiv 1707.06347"),
    hypotheses="ε = 1/5",
)
def combined_eq_decoupled_of_clipped():
    """With PPO's clip, folding -β l into the advantage and adding β sg(w) k2 as a head of its own still have the same
    gradient. (False where a sample is clipped; inside (1-ε, 1+ε), so at w = 1, they have.)"""
    eps = Rational(1, 5)
    decoupled = ppo(advantage, eps, eps) + beta * as_loss(k2, sg(w))
    within = Piecewise((1, And(w > 1 - eps, w < 1 + eps)), (0, True))
    return Refuted(
        SameGradient(ppo(PENALISED, eps, eps), decoupled, OLD),
        corrected=SameGradient(within * ppo(PENALISED, eps, eps), within * decoupled, OLD),
    )


@theorem(catalogue="S6", source=(SEED, "arXiv 1707.06347"), hypotheses="ε = 1/5")
def clip_removes_the_penalty_on_clipped_samples():
    """With the penalty folded into the advantage, A - β l, a sample has the coefficient -w(A - β l), except where A - β
    l > 0 and w > 1+ε, or A - β l < 0 and w < 1-ε: there it has none, and the penalty neither."""
    eps = Rational(1, 5)
    is_clipped = Or(And(PENALISED > 0, w > 1 + eps), And(PENALISED < 0, w < 1 - eps))
    kept = Surrogate(-sg(w * Piecewise((0, is_clipped), (PENALISED, True))) * logp)
    return SameGradient(ppo(PENALISED, eps, eps), kept, OLD)


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
