"""Whole responses: which estimator is the noisier one, and how the noise grows with the length.

Reward-to-go buys the right gradient at a price: each score is multiplied by everything that follows. With N equal,
independent steps the trace of the variance is a polynomial in N, which the calculus derives. Replacing a sampled
log-ratio by its exact mean over the vocabulary (Rao-Blackwell) removes noise at each prefix, but a sum over the
response is no conditional expectation of the sampled sum: there are policies on which it is the noisier one.
"""

from kltheory.proving.vocabulary import *

l = log_ratio
AMINI = "arXiv 2504.10637"
GROWTH = "arXiv 2603.25562"
SPREAD = 1 - E(POLICY_PROBABILITY)
"""E‖∇log π‖² of one step, in its logits: 1 - Σ π²."""


# --- growth with the length -------------------------------------------------------------------------------------------
@theorem(catalogue="62a", source=GROWTH)
def variance_of_token_losses_grows_linearly():
    """On-policy, k2 as a loss on each of N independent, equal steps: N times the variance of one step, to leading
    order."""
    return VarianceGrowth(token_loss(k2), E(l**2 * SCORE_SQUARE) - gradient_inner(l, l), 1)


@theorem(catalogue="62a", source=GROWTH)
def variance_of_reward_to_go_grows_like_the_cube():
    """On-policy, N independent, equal steps, k1 in the reward with reward-to-go: N³/3 · KL² (1 - Σ π²), to leading
    order."""
    return VarianceGrowth(in_sequence_reward(to_go(l)), E(l) ** 2 * SPREAD / 3, 3)


@theorem(catalogue="62a", source=GROWTH)
def variance_of_whole_returns_grows_like_the_cube():
    """On-policy, N independent, equal steps, k1 in the reward with whole returns: N³ KL² (1 - Σ π²), to leading order,
    three times what reward-to-go has."""
    return VarianceGrowth(in_sequence_reward(total(l)), E(l) ** 2 * SPREAD, 3)


@theorem(catalogue="62a", source=GROWTH)
def variance_of_reward_to_go_with_an_exact_value_grows_like_the_square():
    """On-policy, N independent, equal steps, k1 in the reward with reward-to-go less its exact value: N²/2 · Var(l)
    (1 - Σ π²), to leading order."""
    return VarianceGrowth(in_sequence_reward(to_go(l - E(l))), (E(l**2) - E(l) ** 2) * SPREAD / 2, 2)


X = h.expr - E(h.expr)
"""Any function of the token and its prefix less its mean given the prefix: the score of a parameter is one."""
SQUARE_OF_A_MEAN = SameMoment(E(h.expr**2) - E(h.expr) ** 2, E((h.expr - E(h.expr)) ** 2))
"""Never negative: (Σ y_t)² ≤ N Σ y_t², the mean being that over N positions."""
BOUNDED = ("N tokens", "credits |c_t| ≤ R", "scores ‖s_t‖ ≤ G")
first, share = inside, E(inside)


@theorem(catalogue="62b", source=(GROWTH, "catalogue 62"), hypotheses=BOUNDED)
def second_moment_of_token_losses_is_at_most_of_the_order_of_the_square():
    """On-policy, ‖Σ c_t s_t‖² ≤ N Σ c_t² ‖s_t‖² ≤ R²G²N². It is reached: after a first token that is in S or not, let
    tokens be fair, s_t = ±1/2, and c_t = ±2 s_t with the sign of the first one: Σ c_t s_t = ±N/2, of variance N² π(S)(1
    - π(S))."""
    steps = Symbol("n", positive=True)
    return SQUARE_OF_A_MEAN, SameMoment(variance(steps * (2 * first - 1) / 2), steps**2 * share * (1 - share))


@theorem(catalogue="62b", source=(GROWTH, "catalogue 62"), hypotheses=BOUNDED)
def second_moment_with_returns_is_at_most_of_the_order_of_the_cube():
    """On-policy, E‖Σ s_t‖² = E Σ ‖s_t‖² ≤ G²N, for any length: so with whole returns, |Σ c_t| ≤ RN, the second moment
    is at most R²G²N³, not N⁴. With reward-to-go, Σ_t s_t Σ_{u≥t} c_u = Σ_u c_u S_u, S_u = Σ_{t≤u} s_t, it is at most
    R²N E[Σ ‖S_u‖²] ≤ R²G²N²(N + 1)/2. The order is reached by k1 in the reward, on equal steps (catalogue 62)."""
    so_far = up_to(X)
    return (
        SameSequenceValue(SequenceObjective(total(X) ** 2), SequenceObjective(total(X**2))),
        SameSequenceValue(SequenceObjective(total(X * to_go(l)) ** 2), SequenceObjective(total(l * so_far) ** 2)),
        SQUARE_OF_A_MEAN,
        SameSequenceValue(
            SequenceObjective(total(so_far**2)), SequenceObjective(total(up_to(X**2))), fixed_length=True
        ),
    )


@theorem(catalogue="39d", source="catalogue 39")
def second_moment_of_the_ratio_grows_by_one_add_chi2_a_step():
    """On-policy, with r_{1:t} = Π_{u≤t} π_ref/π, Σ_t E[r_{1:t}²] = E[Σ_t r_{1:t-1}² E[r_t² | past]], where E[r_t² |
    past] = 1 + χ²(π_ref‖π) after the prefix: every step multiplies it by as much."""
    squared = exp(-2 * l)
    return (
        SameSequenceValue(
            SequenceObjective(total(exp(-2 * up_to(l)))), SequenceObjective(total(exp(-2 * past(l)) * E(squared)))
        ),
        SameMoment(E(squared), 1 + E((exp(-l) - 1) ** 2)),
    )


# --- Rao-Blackwell ----------------------------------------------------------------------------------------------------
SAMPLED = SequenceObjective(total(l))
EXACT = SequenceObjective(total(E(l)))
PATH = (("", ".5 .5"), ("0", ".5 .5"), ("1", ".01 .99"))
PATH_REFERENCE = (("", ".25 .75"), ("0", ".5 .5"), ("1", ".99 .01"))


OF_A_VALUE = {
    "detach": "the variance of a value does not feel it",
    "swap_direction": "mirrored, it is minus itself, and as noisy",
}


@theorem(catalogue="60a", source="catalogue 60", about=AMINI, harmless=OF_A_VALUE)
def exact_token_kls_sum_with_less_variance():
    """On-policy, Σ KL_t, exact at each prefix, has less variance over whole responses than Σ l_t. (False: 5.0697
    against 3.3159 on a tree of two steps. Of each term, given its prefix, it is true.)"""
    return Refuted(
        LessVarianceAt(EXACT, SAMPLED, PATH, PATH_REFERENCE),
        corrected=LessVarianceAt(SAMPLED, EXACT, PATH, PATH_REFERENCE),
    )


@theorem(catalogue="60b", source="catalogue 60")
def exact_sum_is_noisier_iff_noise_and_mean_are_anticorrelated_enough():
    """Var[A + M] - Var[A] = Var[M] + 2 Cov(A, M) for any two numbers of a sample: with A = Σ KL_t and M = Σ (l_t -
    KL_t), the sampled sum is the noisier one iff the right side is positive."""
    a, noise = h.expr, Function("g")(l)
    return SameMoment(variance(a + noise) - variance(a), variance(noise) + 2 * covariance(a, noise))


@theorem(
    catalogue="60c",
    source="catalogue 60",
    hypotheses=("V = 2", "two tokens", "the letter l stands for L > 0"),
    harmless={"scale": "an infinite limit is scale-invariant", "add_one": "an infinite limit absorbs a constant"},
)
def exact_sum_has_no_bounded_multiple_of_the_sampled_ones_variance():
    """On-policy, let π be (½, ½) first and, with e = 1/(1 + e^L), (e, 1 - e) after token 2; let π_ref be (e, 1 - e)
    first and (1 - e, e) after token 2; after token 1 both agree. Then l_1 + l_2 is the same on all responses but the
    one of probability e/2, where it is 2L less: of variance 4L² (e/2)(1 - e/2), while Σ KL_t has (1 - 2e)²L²/4. The
    ratio grows without bound with L."""
    rare = 1 / (1 + exp(l))
    first, second = (log(Rational(1, 2) / q) for q in (rare, 1 - rare))
    paths = ((Rational(1, 2), first), ((1 - rare) / 2, second + l), (rare / 2, second - l))
    sampled = sum(p * x**2 for p, x in paths) - sum(p * x for p, x in paths) ** 2
    kl = (1 - 2 * rare) * l
    exact = kl**2 / 2 - (kl / 2) ** 2
    spread = 4 * l**2 * (rare / 2) * (1 - rare / 2)
    return (
        Identity(sampled, spread),
        Identity(kl, rare * log(rare / (1 - rare)) + (1 - rare) * log((1 - rare) / rare)),
        Limit(exact / spread, oo, oo),
    )


@theorem(catalogue="61a", source=AMINI, hypotheses="X is h(l) log π; q is the probability of the visit")
def exact_token_terms_have_less_variance_for_a_parameter_of_one_prefix():
    """For a parameter of one prefix, visited with probability q, the sampled term X there has the variance q E[X²] -
    q² E[X]², its mean in its place q E[X]² - q² E[X]²: less by q E[(X - E[X])²]."""
    x, q = h.expr * logp, Symbol("q", positive=True)
    sampled, exact = q * E(x**2) - q**2 * E(x) ** 2, q * E(x) ** 2 - q**2 * E(x) ** 2
    return SameMoment(sampled - exact, q * E((x - E(x)) ** 2))


SHARED = (("", ".9 .1"), ("0", ".95 .05"), ("1", ".2 .8"))
SHARED_REFERENCE = (("", ".8 .2"), ("0", ".95 .05"), ("1", ".99 .01"))
BIAS = inside - E(inside)
"""The score of one parameter that all steps share: the logit of the first token."""


@theorem(
    catalogue="61b",
    source="catalogue 61",
    about=AMINI,
    harmless={**OF_A_VALUE, "scale": "twice the sampled one is less noisy still"},
)
def exact_token_gradients_have_less_variance_with_shared_parameters():
    """On-policy, Σ E[l s | prefix] has less variance than Σ l_t s_t for a parameter that all steps share. (False:
    .08243 against .01331 on a tree of two steps, by the covariance between steps. With parameters of each prefix it is
    true.)"""
    sampled, exact = (SequenceObjective(total(x)) for x in (BIAS * l, E(BIAS * l)))
    return Refuted(
        LessVarianceAt(exact, sampled, SHARED, SHARED_REFERENCE),
        corrected=LessVarianceAt(sampled, exact, SHARED, SHARED_REFERENCE),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
