"""Clips, caps and masks of a policy loss: what they take away, what they descend by themselves, what they permit.

PPO's clip takes the gradient from samples whose weight has left [1-ε, 1+ε] on the side that the advantage pushes to.
What is taken away is a force of its own: under advantages that are pure noise it is all that is left, a pull back into
the interval. A truncated weight, min(w, c), and a masked one, w where a < w < b and 0 elsewhere, bias the gradient by
what they cut off; and as E_π[s] = 0 holds over all actions only, a constant added to every advantage is then no longer
harmless.
"""

from kltheory.proving.vocabulary import *

PPO, DUAL, DAPO = "arXiv 1707.06347", "arXiv 1912.09729", "arXiv 2503.14476"
ENTROPY, DPPO = "arXiv 2509.26114", "arXiv 2602.04879"
TRL, VERL = "github.com/huggingface/trl", "github.com/verl-project/verl/pull/2953"
A, l = advantage, log_ratio
EPS = Rational(1, 5)
LOW, HIGH = 1 - EPS, 1 + EPS
USUAL = ("ε = 1/5",)
OLD_PROBABILITY = exp(logp - log_weight)
HALF = Rational(1, 2)
cap = Symbol("c", positive=True)
shift = Symbol("b", real=True)


def scored(factor: Expr) -> Surrogate:
    """A detached factor times the score."""
    return Surrogate(sg(factor) * logp)


def where(condition: Expr) -> Expr:
    """1 where it holds, 0 elsewhere."""
    return Piecewise((1, condition), (0, True))


EDGES = ((1, HIGH), (-1, LOW))
"""Which side of the interval, and where it ends."""


# --- noise ------------------------------------------------------------------------------------------------------------
@theorem(
    catalogue="133",
    source="catalogue 133",
    hypotheses=(*USUAL, "β stands for |A|, A = β or -β with equal chances", "for f', π_ref stands for π_old"),
)
def ppo_under_noise_descends_a_trust_region():
    """Where the advantage of every sample is β or -β by a fair coin, PPO's loss descends (β/2) E_old[(w - 1 - ε)₊ + (1
    - ε - w)₊]: an f-divergence of π from π_old, f'(u) being 1 for u > 1+ε, -1 for u < 1-ε and 0 between, so zero as
    long as no w leaves [1-ε, 1+ε]."""
    noisy = HALF * (ppo(beta) + ppo(-beta))
    outside = Max(w - HIGH, 0) + Max(LOW - w, 0)
    return (
        SameGradient(noisy, Objective(beta / 2 * OLD_PROBABILITY * outside), OLD),
        IsDivergence(Surrogate((where(ratio > HIGH) - where(ratio < LOW)) * logp), POLICY),
    )


@theorem(
    catalogue="134",
    source="catalogue 134",
    hypotheses=(*USUAL, "in the inner product S is {w > 1+ε}, or {w < 1-ε}"),
)
def force_of_the_clip_changes_the_entropy_by_how_rare_its_tokens_are():
    """Where the advantage is noise, β or -β by a fair coin, the clip above adds (β/2) 1{w > 1+ε} to the coefficient,
    and the one below -(β/2) 1{w < 1-ε}. Following the first down the natural gradient changes the entropy H at the rate
    (β/2)(E_π[1_S log π] + π(S) H), that is (β/2) π(S) (H - E_π[-log π | S]): it falls iff S has tokens rarer than
    e^{-H} on geometric average. The clip below has the opposite sign."""
    above, below = (Objective(beta / 2 * OLD_PROBABILITY * Max(side * (w - edge), 0)) for side, edge in EDGES)
    centred = logp - E(logp)
    return (
        SameGradient(above, scored(w * beta / 2 * where(w > HIGH)), OLD),
        SameGradient(below, scored(-w * beta / 2 * where(w < LOW)), OLD),
        NaturalInner(scored(-centred), scored(-beta / 2 * inside), Objective(beta / 2 * exp(logp) * inside * centred)),
    )


@theorem(
    catalogue="134",
    source="catalogue 134",
    about=ENTROPY,
    hypotheses=("V = 3", "S is tokens 1 and 3", "the clip above of catalogue 133, as S = {w > 1+ε}"),
)
def clip_high_always_lowers_the_entropy():
    """Under noise, following the force of the clip above down the natural gradient lowers the entropy, whichever tokens
    have w > 1+ε. (False: where these are the common ones it rises; the rate is (β/2) Cov_π(1_S, log π).)"""
    rate = covariance(inside, logp)
    return Refuted(
        AlwaysSign(rate, -1, ((".45 .1 .45", ".3 .4 .3"),)),
        corrected=SameMoment(rate, E(inside * logp) - E(inside) * E(logp)),
    )


# --- what a clip permits ----------------------------------------------------------------------------------------------
@theorem(
    catalogue="135",
    source=DPPO,
    hypotheses="in the sign the letter l stands for log π ≤ 0, and (1 + β)/(1 + ε) for π_old",
    harmless={"drop_term": "1 + ε alone is positive"},
)
def ratio_clip_permits_moves_in_proportion_to_the_old_probability():
    """|π - π_old| = π_old |w - 1|: at the edge of the clip a token has moved by ε π_old. One with π_old ≥ 1/(1+ε) is
    never clipped from above, as w = π/π_old ≤ 1/π_old ≤ 1+ε."""
    return (
        Identity(Abs(exp(logp) - OLD_PROBABILITY), OLD_PROBABILITY * Abs(w - 1)),
        HasSign(1 + epsilon - exp(l) * (1 + epsilon) / (1 + beta), 1, below=S.Zero),
    )


@theorem(catalogue="136", source=DPPO, hypotheses="δ = 1/5")
def total_variation_mask_clips_the_probability():
    """A weight masked where A > 0 and π - π_old > δ, or A < 0 and π - π_old < -δ, descends -Σ_{A>0} A min(π, π_old + δ)
    - Σ_{A<0} A max(π, π_old - δ): a clip of the probability and not of the ratio."""
    new, old = exp(logp), OLD_PROBABILITY
    kept = Or(And(A > 0, new - old < EPS), And(A < 0, new - old > -EPS))
    clipped = Piecewise((A * Min(new, old + EPS), A > 0), (A * Max(new, old - EPS), True))
    return (
        SameScore(dppo_tv(A), scored(-w * A * where(kept)), OLD),
        SameGradient(dppo_tv(A), Objective(-clipped), OLD),
    )


# --- variants of the clip ---------------------------------------------------------------------------------------------
@theorem(catalogue="138", source=(DUAL, TRL), hypotheses=(*USUAL, "dual clip at 3"))
def dual_clip_stops_negative_advantages_on_both_sides():
    """Where A < 0 the dual clip gives a sample -w A times the score for 1-ε < w < 3 and 0 elsewhere: what pushes the
    token down stops below and above. Clipping w at 3 first, min(min(w, 3) A, clip(w) A), is the same loss in every
    sample."""
    negative = where(A < 0)
    capped = Surrogate(-Min(Min(w, 3) * A, clip(w, EPS, EPS) * A))
    return (
        SameScore(negative * dual_clip(A), scored(negative * where(And(w > LOW, w < 3)) * -w * A), OLD),
        SameScore(capped, dual_clip(A), OLD),
    )


@theorem(catalogue="139", source=DAPO, hypotheses="ε = 1/5, and above 2/5")
def clip_higher_adds_one_set_of_samples():
    """Raising the clip above from 1.2 to 1.4 adds -w A times the score where A > 0 and 1.2 < w < 1.4, and changes
    nothing elsewhere."""
    raised = 2 * EPS
    added = And(A > 0, w > HIGH, w < 1 + raised)
    return SameScore(ppo(A, EPS, raised) - ppo(A), scored(-w * A * where(added)), OLD)


# --- truncated and masked weights -------------------------------------------------------------------------------------
@theorem(catalogue="140", source=VERL, hypotheses="in the bound of the length A stands for X")
def bias_of_a_truncated_weight():
    """-sg(min(w, c)) A log π has the gradient of -E_π[A], but for E_π[(1 - c/w)₊ A s], where E_π[(1 - c/w)₊] = Σ (π - c
    π_old)₊; and its length, in logits, is at most √2 E_π|X| for any factor X in place of (1 - c/w)₊ A."""
    cut = Max(1 - cap / w, 0)
    return (
        SameGradient(tis(A, cap) - importance(A), scored(w * cut * A), OLD),
        SameValue(Objective(exp(logp) * cut), Objective(Max(exp(logp) - cap * OLD_PROBABILITY, 0))),
        GradientBound(Surrogate(A * logp), Abs(A), POLICY),
    )


@theorem(
    catalogue="140",
    source=VERL,
    hypotheses=("kept where 1/2 < w < 2", "in the sign the letter l stands for log w"),
    harmless={
        "swap_direction": "mirrored, 1 - (1 - 2/w)₊ is not negative either",
        "drop_term": "1 alone is positive",
    },
)
def masked_weight_drops_whole_samples():
    """A weight masked outside 1/2 < w < 2 gives a sample -w A times the score inside and 0 outside. Where w > 2 it is
    off by w |A|, and the weight truncated at 2 by (1 - 2/w) w |A|, never more."""
    kept = where(And(w > HALF, w < 2))
    return (
        SameScore(mis(A), scored(-w * A * kept), OLD),
        HasSign(1 - Max(1 - 2 * exp(-l), 0), 1),
    )


@theorem(catalogue="141", source="catalogue 141")
def offset_of_the_advantages_counts_under_a_mask():
    """Adding b to every advantage changes the gradient of a masked weight by -b ∇π(kept), {1/2 < w < 2} or any fixed
    set S kept, and that of a truncated weight by -b E_π[min(1, c/w) s]."""
    kept = Surrogate(E(where(And(w > HALF, w < 2))))
    fixed = inside * importance(A + shift) - inside * importance(A)
    return (
        SameGradient(mis(A + shift) - mis(A), -shift * kept, OLD),
        SameGradient(fixed, -shift * Surrogate(E(inside)), OLD),
        SameGradient(tis(A + shift, cap) - tis(A, cap), scored(-shift * w * Min(1, cap / w)), OLD),
    )


@theorem(catalogue="141", source="catalogue 141")
def offset_of_the_advantages_is_harmless_under_a_mask():
    """Under a mask 1/2 < w < 2 adding 1 to every advantage leaves the expected gradient as it is. (False; without the
    mask it does.)"""
    return Refuted(
        SameGradient(mis(A + 1), mis(A), OLD),
        corrected=SameGradient(importance(A + 1), importance(A), OLD),
    )


# --- three policies ---------------------------------------------------------------------------------------------------
PROXIMAL = (*USUAL, "π_ref stands for the proximal policy, π_old for the sampler")
TO_PROXIMAL = w / ratio
"""The proximal policy over the sampler."""
PROXIMAL_CLIP = Min(ratio * A, clip(ratio, EPS, EPS) * A)
CLIPPED = Or(And(A > 0, ratio > HIGH), And(A < 0, ratio < LOW))


@theorem(
    catalogue="142",
    source=VERL,
    hypotheses=PROXIMAL,
    harmless={"detach_weight": "with w held and 1/u live it has another gradient, free of the sampler too"},
)
def weighted_proximal_clip_is_free_of_the_sampler():
    """With u = π/π_proximal, -π_proximal/π_old min(u A, clip(u) A) has the coefficient -A where it is not clipped and 0
    elsewhere, whoever sampled."""
    loss = Surrogate(-TO_PROXIMAL * PROXIMAL_CLIP)
    return SameGradient(loss, scored(-w * Piecewise((0, CLIPPED), (A, True))), OLD), SamplerFree(loss)


@theorem(catalogue="142", source=VERL, hypotheses=PROXIMAL)
def proximal_clip_is_free_of_the_sampler():
    """With u = π/π_proximal, the expected gradient of -min(u A, clip(u) A) does not depend on who sampled. (False: its
    coefficient is -A π_old/π_proximal where it is not clipped.)"""
    loss = Surrogate(-PROXIMAL_CLIP)
    kept = Piecewise((0, CLIPPED), (A / TO_PROXIMAL, True))
    return Refuted(SamplerFree(loss), corrected=SameGradient(loss, scored(-w * kept), OLD))


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
