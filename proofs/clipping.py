"""Clipping: importance weights that are cut off, and PPO's clip with the penalty inside the advantage.

A clipped weight leaves the sampler in the coefficient: C is multiplied by min(1, c/w) where the weight is detached, and
where a live weight is clipped only the score path through k is left. PPO's clip, -min(w A, clip(w, 1-ε, 1+ε) A), zeroes
the gradient of a sample with A > 0 and w > 1+ε, or A < 0 and w < 1-ε (arXiv 1707.06347), penalty included.
"""

from kltheory.proving.vocabulary import *

l, r = log_ratio, exp(-log_ratio)
RPG = "arXiv 2505.17508"
PPO = "arXiv 1707.06347"
EPS = Rational(1, 5)
C = S(2)
CLIPPED = Min(Max(w, 1 - EPS), 1 + EPS)
BAND = And(w > 1 - EPS, w < 1 + EPS)


def in_gradient(c: Expr) -> Surrogate:
    """c, detached, times the score."""
    return Surrogate(sg(c) * logp)


@theorem(catalogue="73", hypotheses=("full support", "c = 2"))
def truncated_detached_weight_shrinks_the_reverse_kl():
    """sg(min(w, c)) k2 has the coefficient min(1, c/w) l: the reverse KL's, shrunk where π > c π_old."""
    return SameGradient(as_loss(k2, sg(Min(w, C))), in_gradient(w * Min(1, C / w) * l), OLD)


@theorem(catalogue="73", hypotheses=("full support", "c = 2"))
def truncated_live_weight_turns_to_the_forward_kl():
    """min(w, c) k3, live, has w l where w < c, but c (1 - r), the forward KL's, where w > c."""
    kept = Piecewise((w * l, w < C), (C * (1 - r), True))
    return SameScore(Surrogate(Min(w, C) * k3.expr), in_gradient(kept), OLD)


@theorem(catalogue="73", hypotheses=("full support", "c = 2"))
def truncated_live_weight_eq_grad_reverse_kl():
    """min(w, c) k3 has the gradient of KL(π‖π_ref), as w k3 has. (False on tokens with w > c.)"""
    kept = Piecewise((w * l, w < C), (C * (1 - r), True))
    truncated = Surrogate(Min(w, C) * k3.expr)
    return Refuted(
        SameGradient(truncated, reverse_kl.objective, OLD), corrected=SameGradient(truncated, in_gradient(kept), OLD)
    )


@theorem(
    catalogue="73",
    hypotheses=("full support", "c = 2"),
    harmless={
        "scale": "a sign is scale-invariant",
        "swap_direction": "l enters squared",
        "drop_term": "c alone is positive",
    },
)
def truncated_weight_bounds_the_second_moment():
    """min(w, c)² l²‖s‖²/w ≤ c l²‖s‖² on every sample, so the second moment is at most c E_π[l²‖s‖²]."""
    x = exp(l)  # here e^l stands for w > 0
    return HasSign(C - Min(x, C) ** 2 / x, 1)


PENALISED = advantage - beta * sg(l)


@theorem(catalogue="81", source=PPO, hypotheses=("full support", "ε = 1/5"))
def folded_penalty_is_clipped_and_separate_penalty_is_not():
    """A sample that PPO's clip removes loses its penalty when that is folded into A, and keeps it as a loss of its
    own."""
    is_clipped = Or(And(advantage > 0, w > 1 + EPS), And(advantage < 0, w < 1 - EPS))
    reward = Surrogate(-Min(w * advantage, CLIPPED * advantage))
    kept = in_gradient(-w * Piecewise((0, is_clipped), (advantage, True)))
    return SameGradient(reward + beta * as_loss(k2, sg(w)), kept + beta * as_loss(k2, sg(w)), OLD)


@theorem(
    catalogue="81",
    source=PPO,
    hypotheses=("full support", "first inner step: w = 1"),
    harmless={"drop_stop_gradient": "differentiating -β l inside the advantage adds the constant β"},
)
def folded_penalty_is_exact_at_the_first_step():
    """At w = 1 nothing is clipped: the folded penalty has the gradient -E[A s] + β∇KL(π‖π_ref)."""
    folded = Surrogate(-Min(w * PENALISED, CLIPPED * PENALISED))
    return SameGradient(folded, in_gradient(-advantage) + beta * in_reward(k1), POLICY)


@theorem(catalogue="82", source=PPO, hypotheses=("full support", "ε = 1/5", "β = 1", "A = 1", "l = 2"))
def penalty_turns_the_clip_to_its_other_side():
    """With A = 1 and l = 2 the folded advantage A - l is -1: the sample is clipped for w < 1-ε, where A alone is not
    clipped, and no longer for w > 1+ε, where A alone is."""
    alone, folded = (Surrogate(-Min(w * a, CLIPPED * a)) for a in (S.One, -S.One))
    return (
        SameScore(alone, in_gradient(Piecewise((-w, w < 1 + EPS), (0, True))), OLD),
        SameScore(folded, in_gradient(Piecewise((w, w > 1 - EPS), (0, True))), OLD),
    )


@theorem(catalogue="83", source=RPG + ", released code", hypotheses=("full support", "ε = 1/5"))
def penalty_with_a_clipped_weight_is_frozen_outside_the_band():
    """clip(w) log w with a live, clipped weight has the factor w (log w + 1) within [1-ε, 1+ε]; outside, the clipped
    weight alone, a constant."""
    kept = Piecewise((w * (log_weight + 1), BAND), (CLIPPED, True))
    return SameScore(Surrogate(CLIPPED * log_weight), in_gradient(kept), OLD)


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
