"""Groups of a binary reward, further estimators: the successes alone, the best response, masked groups, left-out
deviations.

As in groups.py, G responses of one prompt are drawn independently and K of them succeed; ``inside`` is the reward, p
its mean. The mean score of the successes alone ascends the beginning of log p = -Σ (1 - p)^k/k, so hard prompts weigh
more; the advantage of the single best response ascends the chance that any of them succeeds, pass@G. A mask of whole
groups weighs a penalty by the outcome.
"""

from math import comb

from kltheory.proving.vocabulary import *

MAXRL, PKPO = "arXiv 2602.02710", "arXiv 2505.15201"
l = log_ratio
p, q = success_rate, failure_rate
BINARY = "reward 1 on S, else 0"


def scored(factor: Expr) -> Surrogate:
    """A detached factor times the score."""
    return Surrogate(sg(factor) * logp)


def no(k: int) -> Expr:
    """No advantage."""
    return S.Zero


# --- the successes alone, and pass@k ----------------------------------------------------------------------------------
def power_series(order: int) -> Surrogate:
    """-Σ_{k≤order} q^k/k, the beginning of log p."""
    return Surrogate(-sum((q**k / k for k in range(1, order + 1)), S.Zero))


@theorem(catalogue="150", source=MAXRL, hypotheses=(BINARY, "N = 2 and 3"))
def mean_score_of_the_successes_ascends_the_beginning_of_the_logarithm():
    """On-policy, (1/K) Σ s over the successes of N responses, 0 where there are none, ascends -Σ_{k≤N} q^k/k, the
    beginning of log p = log(1 - q); less the mean score of all responses, in every group, it does as well."""
    return [
        SameGradient(group(n, won, lost), power_series(n), POLICY)
        for n in (2, 3)
        for won, lost in (
            (lambda k, n=n: S(n) / k, no),
            (lambda k, n=n: S(n) / k - 1, lambda k: S.NegativeOne),
        )
    ]


@theorem(catalogue="150", source="catalogue 150", hypotheses=(BINARY, "N = 2 and 3"))
def centring_groups_with_a_success_loses_one_order():
    """On-policy, (r - r̄)/r̄ in groups with a success, and 0 in the others, ascends -Σ_{k≤N-1} q^k/k: one order less
    than the mean score of the successes."""
    return [
        SameGradient(group(n, lambda k, n=n: S(n - k) / k, lambda k: -S(int(k > 0))), power_series(n - 1), POLICY)
        for n in (2, 3)
    ]


x, X, Y = (Symbol(name, positive=True) for name in "xXY")


@theorem(
    catalogue="150",
    source=(MAXRL, "catalogue 150"),
    hypotheses=(BINARY, "x stands for p, X for (1 - p)^N and Y for (1 - p)^{N-1}, any N"),
)
def orders_of_the_logarithm_for_any_number_of_responses():
    """As C(N - 1, k - 1) N/k = C(N, k), the mean score of the successes has ω = (1 - q^N)/p, by the binomial theorem;
    and -Σ_{k≤N} q^k/k has that slope for every N, as (1 - X)/p + X = (1 - qX)/p goes from N to N + 1. Centred in groups
    with a success it has ω = (1 - q^N)/p - 1 + (1 - q^{N-1}), which is (1 - q^{N-1})/p: one order less."""
    return (
        Identity((1 - X) / x + X, (1 - (1 - x) * X) / x),
        Identity((1 - (1 - x) * Y) / x - 1 + (1 - Y), (1 - Y) / x),
    )


@theorem(catalogue="151", source="catalogue 151", hypotheses=("r > t on S", "G = 2 and 3"))
def best_minus_second_best_ascends_the_expected_best():
    """On-policy, 1 on the only sample above a threshold t, else 0, ascends (1/G) ∇P(some r > t). Over all thresholds
    the first adds up to r_max - r_2nd on the best sample and 0 elsewhere, the second to (1/G) ∇E[max r]. Divided by the
    deviation 1/√G of such a group it ascends 1/√G ∇P."""
    claims = []
    for n in (2, 3):
        best = group(n, lambda k: S(int(k == 1)), no)
        claims += [SameGradient(scale * best, (scale / n) * Surrogate(1 - q**n), POLICY) for scale in (S.One, sqrt(n))]
    return claims


def among(n: int, c: int, size: int) -> Expr:
    """The share of the subsets of that size, of n responses with c successes, that have a success."""
    return 1 - S(comb(n - c, size)) / comb(n, size)


@theorem(catalogue="151", source=PKPO, hypotheses=(BINARY, "of n responses: (n, k) = (3, 2) and (4, 2)"))
def pass_at_k_rewards_are_unbiased():
    """On-policy, the reward k/n on a success, and on a failure k/n times the share of sets of k - 1 of the other
    responses that hold a success, summed over n responses, ascends pass@k = 1 - q^k."""
    return [
        SameGradient(
            group(n, lambda c, size=size: S(size), lambda c, n=n, size=size: size * among(n - 1, c, size - 1)),
            Surrogate(1 - q**size),
            POLICY,
        )
        for n, size in ((3, 2), (4, 2))
    ]


@theorem(
    catalogue="151",
    source=(PKPO, "catalogue 151"),
    hypotheses=(BINARY, "X stands for the number q^{k-1}, or q^{G-1}", "any n, k and G"),
)
def best_of_any_number_of_responses():
    """The mean of the share above is the chance 1 - q^{k-1} that k - 1 responses hold a success, so the rewards of
    pass@k ascend k q^{k-1} ∇p, the gradient of 1 - q^k; and the only success of G has a mean advantage q^{G-1}, the
    slope of (1 - q^G)/G."""
    size = Symbol("k", positive=True)
    return (
        SameGradient(
            Surrogate(size * (inside + (1 - inside) * (1 - X)) * logp), size * X * Surrogate(success_rate), POLICY
        ),
        SameGradient(Surrogate(inside * X * logp), X * Surrogate(success_rate), POLICY),
    )


# --- masked groups, left-out deviations -------------------------------------------------------------------------------
@theorem(
    catalogue="198",
    source="catalogue 198",
    hypotheses=(BINARY, "G = 2 and 3", "k2 is masked in groups of equal rewards"),
)
def masking_groups_of_equal_rewards_reweights_the_penalty_by_outcome():
    """A success is in a kept group with chance 1 - p^{G-1}, a failure with 1 - q^{G-1}: on-policy, k2 on kept groups
    has the coefficient l (1 - p^{G-1}) on successes and l (1 - q^{G-1}) on failures."""
    claims: list[SameMoment | SameGradient] = []
    for size in (2, 3):
        won, lost = (of(size, lambda n, size=size: S(int(0 < n < size))) for of in (of_success, of_failure))
        by_outcome = l * (inside * (1 - p ** (size - 1)) + (1 - inside) * (1 - q ** (size - 1)))
        claims.append(SameGradient(sg(inside * won + (1 - inside) * lost) * as_loss(k2), scored(by_outcome), POLICY))
    return claims


@theorem(catalogue="198", source="catalogue 198", hypotheses=(BINARY, "G = 3"))
def masking_groups_of_equal_rewards_scales_the_kl():
    """On-policy, k2 on kept groups of three has the gradient of KL(π‖π_ref) times the chance 1 - p³ - q³ to be kept.
    (False: its coefficient is l (1 - p²) on successes and l (1 - q²) on failures.)"""
    masked = sg(inside * (1 - p**2) + (1 - inside) * (1 - q**2)) * as_loss(k2)
    by_outcome = l * (inside * (1 - p**2) + (1 - inside) * (1 - q**2))
    return Refuted(
        SameGradient(masked, sg(1 - p**3 - q**3) * as_loss(k2), POLICY),
        corrected=SameGradient(masked, scored(by_outcome), POLICY),
    )


def deviation_of_the_others(size: int, won: int, own: int) -> Expr:
    """The variance of the rewards of a group but for one of reward ``own``."""
    mean = S(won - own) / (size - 1)
    return mean * (1 - mean)


@theorem(
    catalogue="153",
    source="catalogue 153",
    hypotheses=(BINARY, "G = 3, 4 and 5", "p = 1/(1 + e^{-l})"),
)
def leave_one_out_deviation_is_zero_where_one_response_is_alone():
    """Of G ≥ 3 responses some has others of equal rewards and another reward itself, so that its advantage is not zero
    and its leave-one-out deviation is, with chance G(p q^{G-1} + q p^{G-1})."""
    won, lost = 1 / (1 + exp(-l)), 1 / (1 + exp(l))
    claims = []
    for n in (3, 4, 5):
        divides = [
            c
            for c in range(1, n)
            if any(deviation_of_the_others(n, c, own) == 0 for own in (0, 1) if S(c - own) / (n - 1) != own)
        ]
        chance = sum((comb(n, c) * won**c * lost ** (n - c) for c in divides), S.Zero)
        claims.append(Identity(chance, n * (won * lost ** (n - 1) + lost * won ** (n - 1))))
    return claims


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
