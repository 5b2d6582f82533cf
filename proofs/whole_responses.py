"""Whole responses with a reward: lengths, and weights of the token, of the response, of its geometric mean.

A reward R(y) of the whole response carries no gradient, and its policy gradient is E[R Σ_t s_t]. Dividing by the length
makes the length part of the reward; off-policy the sum of scores needs the weight of the whole response, and whatever
stands in its place, the token's weight or the geometric mean of all, leaves an objective of another kind. All is linear
in R, so it is enough to look at R = Σ_t a(y_<t) h(l_t), any a and h: where the tokens after each prefix have different
log-ratios, sums of these are all functions of the response.
"""

from kltheory.proving.vocabulary import *

DR_GRPO, DAPO = "arXiv 2503.20783", "arXiv 2503.14476"
GSPO, GMPO, POLGRAD = "arXiv 2507.18071", "arXiv 2507.20673", "github.com/SaifPunjwani/polgrad"
l, lw = log_ratio, log_weight
SUM = total(PastValue("a") * h.expr)
R = sg(SUM)
"""R(y), held."""
REWARD = "R = Σ a(y_<t) h(l_t)"
LIVE = exp(logp - sg(logp))


def on_policy(left: SequenceLoss, right: SequenceLoss | SequenceObjective) -> SameSequenceGradient:
    """Responses of the policy."""
    return SameSequenceGradient(left, right, POLICY)


def off_policy(left: SequenceLoss, right: SequenceLoss | SequenceObjective) -> SameSequenceGradient:
    """Responses of the old policy."""
    return SameSequenceGradient(left, right, OLD)


def scored(factor: Expr) -> SequenceLoss:
    """A detached factor times the sum of the scores."""
    return SequenceLoss(total(sg(factor) * logp))


def minus(value: Expr) -> SequenceObjective:
    """-E_π[value]."""
    return SequenceObjective(-value)


# --- the length -------------------------------------------------------------------------------------------------------
b, rho, G = Symbol("b", real=True), Symbol("rho", real=True), Symbol("G", positive=True)


@theorem(catalogue="161", source=DR_GRPO, hypotheses=(REWARD, "b is held, as a number"))
def dividing_by_the_length_ascends_the_reward_per_token():
    """On-policy, -(R - b)/|y| Σ log π_t ascends E[R/|y|] - b E[1/|y|]: a constant reward is not neutral, and b > 0
    alone ascends -E[1/|y|], longer responses."""
    return on_policy(scored(-(SUM - b) / length), minus((R - b) / length))


@theorem(
    catalogue="161",
    source=DR_GRPO,
    hypotheses=(REWARD, "ρ the mean reward, held", "of the others of a group only their mean is seen"),
)
def group_mean_over_the_length_scales_both_parts():
    """On-policy, with the mean of G responses, R/G + (1 - 1/G)ρ in expectation, as the baseline it ascends (1 - 1/G)
    times E[R/|y|] - ρ E[1/|y|]."""
    baseline = (SUM + (G - 1) * rho) / G
    return on_policy(scored(-(SUM - baseline) / length), minus((1 - 1 / G) * (R - rho) / length))


THREE = (".2 .3 .5", ".4 .3 .3")
"""A policy of three responses, and a reference that plays no part."""
PROBABILITIES = [At(POLICY_PROBABILITY, i) for i in range(3)]
GAINS, LENGTHS = (S.Zero, S.One, S(2)), (S.One, S(4), S(2))


def turn(c: list[Expr], d: list[Expr]) -> Expr:
    """g_1 h_2 - g_2 h_1 of the logit gradients with these coefficients: zero where they are parallel."""
    means = [sum((p * x for p, x in zip(PROBABILITIES, e, strict=True)), S.Zero) for e in (c, d)]
    pairs = zip((c, d), means, strict=True)
    (g_1, g_2), (h_1, h_2) = ([PROBABILITIES[i] * (e[i] - mean) for i in (0, 1)] for e, mean in pairs)
    return g_1 * h_2 - g_2 * h_1


n, m, total_ = (Symbol(name, positive=True) for name in ("n", "m", "sigma"))


@theorem(
    catalogue="162",
    source=(DAPO, "catalogue 162"),
    hypotheses=(
        "responses as actions: advantages 0, 1, 2, lengths 1, 4, 2, B = 2",
        "σ, n and m stand for Σ A s, the batch's tokens and their mean number",
    ),
)
def token_mean_over_a_batch_turns_the_gradient():
    """Over a batch of two, Σ A Σ_t s_t/Σ|y| has the mean coefficient E[2A/(|y| + |y'|)] for a response: at π = (.2, .3,
    .5) it is not parallel to ∇E[A], of coefficient A. In general σ/n is σ/m, the gradient with a fixed divisor, less
    σ(n - m)/(mn), which vanishes as the batch grows and n/m → 1."""
    batch = [
        sum((p * 2 * gain / (own + other) for p, other in zip(PROBABILITIES, LENGTHS, strict=True)), S.Zero)
        for gain, own in zip(GAINS, LENGTHS, strict=True)
    ]
    return SignAt(turn(batch, list(GAINS)), -1, *THREE), Identity(total_ / n, total_ / m - total_ * (n - m) / (m * n))


# --- one ratio for the response ---------------------------------------------------------------------------------------
@theorem(catalogue="163a", source=GSPO, hypotheses=(REWARD, "unclipped"))
def geometric_ratio_with_a_reward():
    """GSPO's -R ρ^{1/|y|}, ρ = Π w_t, gives -R ρ^{1/|y|}/|y| Σ s_t, and on-policy -R/|y| Σ s_t: a reward divided by the
    length."""
    loss = SequenceLoss(-R * geometric_weight)
    return off_policy(loss, scored(-SUM * geometric_weight / length)), on_policy(loss, scored(-SUM / length))


@theorem(catalogue="163a", source="catalogue 163", about=GSPO, hypotheses="unclipped")
def geometric_ratio_has_the_gradient_of_the_expected_reward():
    """Off-policy, responses of one length N, N times GSPO's -R ρ^{1/N} has the gradient of -E_π[R]. (False; on-policy
    it has.)"""
    loss = length * SequenceLoss(-R * geometric_weight)
    return Refuted(
        SameSequenceGradient(loss, minus(R), OLD, fixed_length=True),
        corrected=SameSequenceGradient(loss, minus(R), POLICY, fixed_length=True),
    )


@theorem(
    catalogue="163b",
    source="catalogue 163",
    hypotheses=("responses of one length N", "the letter l stands for log ρ/N"),
    harmless={"swap_direction": "it holds on both sides of 0"},
)
def geometric_ratio_of_a_long_response_is_almost_no_weight():
    """|ρ^{1/N} - 1 - log ρ/N| ≤ ½ (log ρ/N)² e^{|log ρ|/N}: E_old[-R ρ^{1/N}] is E_old[-R], a number, and E_old[-R log
    ρ]/N, the unweighted REINFORCE objective over N, up to the mean of |R| times that bound, of second order in the mean
    log-weight of a token."""
    bound, rest = l**2 / 2 * exp(Abs(l)), exp(l) - 1 - l
    return HasSign(bound - rest, 1), HasSign(bound + rest, 1)


@theorem(catalogue="164", source=(GSPO, POLGRAD), hypotheses=REWARD)
def geometric_ratio_spread_over_the_tokens_is_the_same_with_one_advantage():
    """-(R/|y|) Σ sg(ρ^{1/|y|}) π_t/sg(π_t), GSPO per token, has the gradient of -R ρ^{1/|y|}, off-policy too."""
    return off_policy(
        SequenceLoss(-total(sg(SUM * geometric_weight) * LIVE) / length), SequenceLoss(-R * geometric_weight)
    )


@theorem(catalogue="164", source="catalogue 164")
def geometric_ratio_spread_over_the_tokens_is_the_same_with_token_advantages():
    """With an advantage per token, -(1/|y|) Σ A_t sg(ρ^{1/|y|}) π_t/sg(π_t) has the gradient of -(1/|y|) Σ A_t
    ρ^{1/|y|}. (False: the first credits each token with its own advantage, ρ^{1/|y|} A_t/|y| s_t, the second with their
    mean.)"""
    apart = SequenceLoss(-total(sg(h.expr * geometric_weight) * LIVE) / length)
    together = SequenceLoss(-sg(total(h.expr)) / length * geometric_weight)
    return Refuted(
        off_policy(apart, together), corrected=off_policy(apart, scored(-h.expr * geometric_weight / length))
    )


CLIP = Rational(2, 5)
CLIPPED_MEAN = exp(total(Min(Max(lw, -CLIP), CLIP)) / length)
INSIDE = Piecewise((1, And(lw > -CLIP, lw < CLIP)), (0, True))


@theorem(catalogue="165", source=GMPO, hypotheses=(REWARD, "log w_t clipped at -2/5 and 2/5, both signs of R alike"))
def clipped_tokens_of_a_geometric_mean_keep_their_weight_and_lose_their_gradient():
    """-R (Π clip(w_t))^{1/|y|}, the geometric mean of clipped weights, gives -R (Π clip(w_t))^{1/|y|}/|y| times the
    scores of the tokens inside the clip: those outside still weigh, and are not moved."""
    return off_policy(SequenceLoss(-R * CLIPPED_MEAN), scored(-SUM * CLIPPED_MEAN / length * INSIDE))


# --- weights of the token, the prefix, the response -------------------------------------------------------------------
@theorem(catalogue="166", source="catalogue 166", hypotheses=REWARD)
def token_weights_with_a_response_reward_are_exact_on_policy():
    """E_old[R Σ w_t], R the reward of the response, is an objective, linear in each token's probability; on-policy it
    has the gradient of E_π[R]."""
    return on_policy(SequenceLoss(-R * total(w)), minus(R))


@theorem(catalogue="166", source="catalogue 166")
def token_weights_with_a_response_reward_eq_grad_expected_reward():
    """Off-policy, R Σ w_t has the gradient of E_π[R]. (False: R w_1 ... w_N Σ s_t has; as π → π_old the two meet.)"""
    return Refuted(
        off_policy(SequenceLoss(-R * total(w)), minus(R)),
        corrected=off_policy(SequenceLoss(-R * response_weight), minus(R)),
    )


@theorem(catalogue="167", source="catalogue 167", hypotheses=REWARD)
def weights_that_repair_a_reward():
    """Off-policy, w_{1:N} R Σ s_t has the gradient of E_π[R], and so has Σ_t s_t Σ_{u≥t} w_{1:u} A_u, A_u = a(y_<u)
    h(l_u), where each token's part of R is known at the token."""
    of_token = PastValue("a") * h.expr
    return (
        off_policy(scored(-response_weight * SUM), minus(R)),
        off_policy(scored(-to_go(prefix_weight * of_token)), minus(R)),
    )


@theorem(catalogue="167", source="catalogue 167")
def prefix_weights_repair_a_terminal_reward():
    """Off-policy, Σ w_{1:t} R s_t, each token with the weight of its prefix and the reward of the response, has the
    gradient of E_π[R]. (False: R is met as the old policy goes on; it needs w_{1:N}.)"""
    return Refuted(
        off_policy(scored(-prefix_weight * SUM), minus(R)),
        corrected=off_policy(scored(-response_weight * SUM), minus(R)),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
