"""Baselines: what may be taken off a reward, and what is then ascended.

On-policy a number that does not depend on the response leaves the expected gradient as it is. The mean of a group that
contains the response depends on it, by 1/G of its own reward; so does any mean with weights of the response's own. What
a baseline does to the noise is another question: the mean reward can make it larger.
"""

from kltheory.proving.vocabulary import *

RLOO, DR_GRPO, REMAX = "arXiv 2402.14740", "arXiv 2503.20783", "arXiv 2310.10505"
A, l = advantage, log_ratio
G = Symbol("G", positive=True)
P = POLICY_PROBABILITY


def scored(factor: Expr) -> Surrogate:
    """A detached factor times the score."""
    return Surrogate(sg(factor) * logp)


def batch_mean(f: Expr) -> Expr:
    """E[(f_1 + ... + f_G)/G | sample 1], the other samples averaged over."""
    return (f + (G - 1) * E(f)) / G


# --- the mean of the group --------------------------------------------------------------------------------------------
@theorem(catalogue="144", source=(RLOO, DR_GRPO), hypotheses="G ≥ 2")
def leave_one_out_is_unbiased_and_the_group_mean_shrinks():
    """On-policy, any reward less the mean of the G - 1 others ascends E_π[A], and less the mean of all G responses (1 -
    1/G) E_π[A]: the direction is right, the size is not."""
    others = (G * batch_mean(A) - A) / (G - 1)
    target = Surrogate(E(A))
    return (
        SameGradient(scored(A - others), target, POLICY),
        SameGradient(scored(A - batch_mean(A)), (1 - 1 / G) * target, POLICY),
    )


@theorem(catalogue="144", source="catalogue 144")
def group_mean_without_the_deviation_is_unbiased():
    """On-policy, rewards less the mean of a group of eight ascend E_π[A]. (False: 7/8 of it.)"""
    centred = scored(A - batch_mean(A).xreplace({G: S(8)}))
    target = Surrogate(E(A))
    return Refuted(
        SameGradient(centred, target, POLICY), corrected=SameGradient(centred, Rational(7, 8) * target, POLICY)
    )


r, total_ = Symbol("r", real=True), Symbol("s", real=True)


@theorem(catalogue="193", source=RLOO, hypotheses="G ≥ 2, s the sum of the group's rewards")
def leave_one_out_is_a_multiple_of_the_centred_reward():
    """r - (s - r)/(G - 1) = G/(G - 1) (r - s/G) in every sample: leave-one-out and group mean differ by one scale, in
    gradient and in noise."""
    return Identity(r - (total_ - r) / (G - 1), G / (G - 1) * (r - total_ / G))


@theorem(catalogue="159", source="catalogue 159", hypotheses="G ≥ 2")
def group_mean_enlarges_the_share_of_a_penalty_beside_it():
    """On-policy, rewards less the mean of all G responses, with β k2 as a loss beside them, ascend (1 - 1/G) times
    E_π[A] - β G/(G - 1) KL(π‖π_ref)."""
    loss = -1 * scored(A - batch_mean(A)) + beta * as_loss(k2)
    return SameGradient(loss, -(1 - 1 / G) * Surrogate(E(A) - beta * G / (G - 1) * E(l)), POLICY)


@theorem(catalogue="157", source=REMAX, hypotheses="the greedy response is action 1")
def reward_of_the_greedy_response_is_an_unbiased_baseline():
    """On-policy, rewards less that of one response chosen by the policy, the likeliest, ascend E_π[A]."""
    return SameGradient(Surrogate((A - At(A, 0)) * logp), Surrogate(E(A)), POLICY)


# --- means with weights of their own ----------------------------------------------------------------------------------
THREE = (".2 .3 .5", ".4 .3 .3")
"""A policy of three responses, and a reference that plays no part."""
PROBABILITIES = [At(P, i) for i in range(3)]
REWARDS = (S.Zero, S.One, S(2))
LENGTHS = (S.One, S(4), S(2))


def turn(c: list[Expr], d: list[Expr]) -> Expr:
    """g_1 h_2 - g_2 h_1 of the logit gradients with these coefficients: zero where they are parallel."""
    means = [sum((p * x for p, x in zip(PROBABILITIES, e, strict=True)), S.Zero) for e in (c, d)]
    (g_1, g_2), (h_1, h_2) = (
        [PROBABILITIES[i] * (e[i] - m) for i in (0, 1)] for e, m in zip((c, d), means, strict=True)
    )
    return g_1 * h_2 - g_2 * h_1


@theorem(
    catalogue="155",
    source="catalogue 155",
    hypotheses=("G = 2", "rewards 0, 1, 2 and lengths 1, 4, 2"),
    harmless={"drop_term": "what is left keeps the sign"},
)
def length_weighted_baseline_with_the_sample_in_it_turns_the_gradient():
    """With Σ|y|r/Σ|y| over a group that contains the response as the baseline, the expected gradient, of coefficient
    E[|y'|(r - r')/(|y| + |y'|)], is not parallel to that of E_π[r] at π = (.2, .3, .5)."""
    responses = range(3)
    baseline = [
        sum(
            (PROBABILITIES[b] * LENGTHS[b] * (REWARDS[a] - REWARDS[b]) / (LENGTHS[a] + LENGTHS[b]) for b in responses),
            S.Zero,
        )
        for a in responses
    ]
    return SignAt(turn(baseline, list(REWARDS)), 1, *THREE)


eta = Symbol("eta", positive=True)


@theorem(catalogue="160", source="catalogue 160", hypotheses="η > 0")
def log_mean_exp_has_a_self_normalised_coefficient():
    """(1/η) log E_π[e^{ηA}] has the coefficient e^{ηA}/(η E_π[e^{ηA}])."""
    tilt = exp(eta * A)
    return SameGradient(Surrogate(log(E(tilt)) / eta), scored(tilt / (eta * E(tilt))), POLICY)


@theorem(
    catalogue="160",
    source="catalogue 160",
    hypotheses=("G = 2, η = 1", "rewards 0, 1, 2"),
    harmless={"drop_term": "what is left keeps the sign"},
)
def self_normalised_weights_turn_the_gradient():
    """Estimated by e^r over the mean of e^r in a group of two that contains the response, the gradient of log E_π[e^r]
    is turned at π = (.2, .3, .5): the mean coefficient E[2e^r/(e^r + e^{r'})] is not parallel to e^r."""
    tilts = [exp(x) for x in REWARDS]
    estimated = [sum((p * 2 * t / (t + s) for p, s in zip(PROBABILITIES, tilts, strict=True)), S.Zero) for t in tilts]
    return SignAt(turn(estimated, tilts), 1, *THREE)


# --- noise ------------------------------------------------------------------------------------------------------------
PEAKED = (".9 .05 .05", ".9 .05 .05")
REWARD = (P - Rational(1, 20)) / Rational(17, 20)
"""1 on the first token, of probability .9, and 0 on the others, of .05."""


def noise(baseline: Expr | int) -> Expr:
    """The trace, in logits, of the covariance of one sample's (r - b) times the score."""
    return trace_variance(REWARD - baseline)


@theorem(catalogue="204", source="catalogue 204", hypotheses="reward 1 on token 1, else 0")
def mean_reward_as_baseline_is_noisier_than_none_on_one_policy():
    """At π = (.9, .05, .05) the trace of one sample's covariance is between .1268 and .127 with the mean reward as the
    baseline, between .0013 and .0014 with none, and below .0004 with the best, b = E[r‖s‖²]/E[‖s‖²]."""
    best = optimal_baseline(REWARD)
    bounds = (
        noise(E(REWARD)) - Rational(".1268"),
        Rational(".127") - noise(E(REWARD)),
        noise(0) - Rational(".0013"),
        Rational(".0014") - noise(0),
        Rational(".0004") - noise(best),
    )
    return [SignAt(gap, 1, *PEAKED) for gap in bounds]


# --- positives, negatives, filters ------------------------------------------------------------------------------------
POSITIVES, NEGATIVES = Surrogate(inside * logp), Surrogate((inside - 1) * logp)
"""The score of the successes, and minus that of the failures."""


@theorem(
    catalogue="192",
    source="catalogue 192",
    hypotheses="reward 1 on S, else 0",
)
def positives_alone_and_negatives_alone_have_one_gradient():
    """On-policy, the score of the successes alone and minus that of the failures alone have the same expected gradient,
    ∇p, p = π(S): in what they do to the entropy to first order they are the same."""
    return [SameGradient(loss, Surrogate(E(inside)), POLICY) for loss in (POSITIVES, NEGATIVES)]


@theorem(
    catalogue="192",
    source="catalogue 192",
    hypotheses="reward 1 on S, else 0",
)
def positives_alone_and_negatives_alone_have_one_gradient_off_policy():
    """Sampled from the old policy, the score of the successes alone and minus that of the failures alone have the same
    expected gradient. (False: they differ by E_old[s] = -∇KL(π_old‖π); with the weight w they agree.)"""
    return Refuted(
        SameGradient(POSITIVES, NEGATIVES, OLD), corrected=SameGradient(sg(w) * POSITIVES, sg(w) * NEGATIVES, OLD)
    )


@theorem(catalogue="192", source="catalogue 192", hypotheses="reward 1 on S, else 0")
def positives_alone_are_noisier_than_negatives_alone_where_successes_are_rare():
    """At π = (.04, .92, .04), where a success is rare and moves much, the trace of one sample's covariance is larger
    for the successes alone than for the failures alone, by more than .13."""
    gap = trace_variance(inside) - trace_variance(1 - inside)
    return SignAt(gap - Rational(".13"), 1, ".04 .92 .04", ".3 .3 .4")


@theorem(
    catalogue="197",
    source="catalogue 197",
    hypotheses=("a response is one action, finished on S", "b is held, as a number"),
)
def dropping_unfinished_responses_with_a_baseline_lowers_how_many_finish():
    """On-policy, (r - b) on finished responses and 0 on the others ascends E[r; finished] - b P(finished): beside what
    an advantage of r 1_S ascends, b > 0 lowers the chance to finish."""
    b = Symbol("b", real=True)
    return (
        SameGradient(Surrogate(inside * (A - b) * logp), Surrogate(E(inside * A) - b * E(inside)), POLICY),
        SameGradient(Surrogate(-b * inside * logp), -b * Surrogate(E(inside)), POLICY),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
