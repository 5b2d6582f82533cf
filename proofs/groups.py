"""Groups of one prompt with a binary reward: every advantage estimator is one function of the success rate.

G responses are drawn independently, K of them succeed, and the gradient is the mean of A_i s_i. If the advantage of a
response depends on its own reward and on K, its mean given the response is one number for a success and another for a
failure; what is left of both is their difference ω, times ∇p. Given that a response succeeds, K - 1 is binomial of the
other G - 1, given that it fails K is, so ω is a polynomial in the success rate p = π(S), and what is ascended is its
primitive. ``inside`` is the reward.
"""

from math import comb

from kltheory.proving.vocabulary import *

DAPO = "arXiv 2503.14476"
l = log_ratio
p, q = success_rate, failure_rate
BINARY = "reward 1 on S, else 0"


def scored(factor: Expr) -> Surrogate:
    """A detached factor times the score."""
    return Surrogate(sg(factor) * logp)


# --- one function of the success rate ---------------------------------------------------------------------------------
a, b = Symbol("a", real=True), Symbol("b", real=True)


@theorem(
    catalogue="148",
    source="catalogue 148",
    hypotheses=(BINARY, "a and b are the mean advantages given r = 1, and r = 0"),
)
def group_ascends_a_multiple_of_the_success_rate():
    """On-policy, whatever the group's size, advantages whose means are a given a success and b given a failure ascend
    (a - b) ∇p, p = π(S): ω(p) ∇p, where a and b are functions of p."""
    return SameGradient(Surrogate((inside * a + (1 - inside) * b) * logp), (a - b) * Surrogate(p), POLICY)


def numbers(name: str, size: int) -> list[Symbol]:
    """Any numbers, one for each K."""
    return [Symbol(f"{name}_{k}", real=True) for k in range(size + 1)]


@theorem(catalogue="148", source="catalogue 148", hypotheses=(BINARY, "G = 2, 3 and 4"))
def weight_of_a_group_is_a_sum_over_its_successes():
    """For any advantages a(K) of successes and b(K) of failures, ω = (1/G) Σ_K C(G, K) p^K q^{G-K} (K a(K)/p - (G - K)
    b(K)/q)."""
    claims = []
    for size in (2, 3, 4):
        won, lost = numbers("a", size), numbers("b", size)
        weights = [(S(comb(size, k)) / size, k) for k in range(size + 1)]
        gained = sum((c * k * p ** (k - 1) * q ** (size - k) * won[k] for c, k in weights if k > 0), S.Zero)
        missed = sum((c * (size - k) * p**k * q ** (size - k - 1) * lost[k] for c, k in weights if k < size), S.Zero)
        claims.append(
            SameMoment(of_success(size, won.__getitem__) - of_failure(size, lost.__getitem__), gained - missed)
        )
    return claims


# --- divided by the deviation -----------------------------------------------------------------------------------------
def over_deviation(size: int) -> Surrogate:
    """(r - r̄)/σ, σ² = K(G - K)/G²; groups of equal rewards have none."""
    return group(size, lambda k: sqrt(S(size - k) / k), lambda k: -sqrt(S(k) / (size - k)))


def bernstein(size: int, x: Expr) -> Expr:
    """h_G(x) = (1/G) Σ C(G, k) √(k(G - k)) x^{k-1} (1 - x)^{G-k-1}."""
    terms = (comb(size, k) * sqrt(k * (size - k)) * x ** (k - 1) * (1 - x) ** (size - k - 1) for k in range(1, size))
    return sum(terms, S.Zero) / size


@theorem(catalogue="145", source="catalogue 145", hypotheses=(BINARY, "G = 2, 3 and 4"))
def normalised_group_advantages_ascend_a_polynomial():
    """On-policy, (r - r̄)/σ over a group of G ascends h_G(p) ∇p, h_G(p) = (1/G) Σ_{k=1}^{G-1} C(G, k) √(k(G - k))
    p^{k-1} q^{G-k-1}: of two responses ∇p itself, of three √2 ∇p."""
    ascended = [SameGradient(over_deviation(n), sg(bernstein(n, p)) * Surrogate(p), POLICY) for n in (2, 3, 4)]
    return *ascended, *(SameMoment(p + bernstein(n, p), p + weight) for n, weight in ((2, S.One), (3, sqrt(2))))


k, m, x = (Symbol(name, positive=True) for name in "kmx")


@theorem(catalogue="145", source="catalogue 145", hypotheses=(BINARY, "m = G - k", "x stands for p"))
def normalised_group_advantages_of_any_size():
    """With a(k) = √(m/k) and b(k) = -√(k/m), m = G - k, the two terms of ω at k, k a(k)/p - m b(k)/q, are √(km)/(pq): ω
    = h_G for every G. At p = 0 and p = 1 a single term is left of h_G, C(G, 1)√(G - 1)/G = √(G - 1)."""
    return (
        Identity(k * sqrt(m / k) / x + m * sqrt(k / m) / (1 - x), sqrt(k * m) / (x * (1 - x))),
        *(Identity(bernstein(n, S(end)), sqrt(n - 1)) for n in (3, 4, 5) for end in (0, 1)),
    )


# --- dropped groups ---------------------------------------------------------------------------------------------------
def kept(size: int) -> Expr:
    """P(0 < K < G)."""
    return 1 - p**size - q**size


def kept_over_p(size: int) -> Expr:
    """P(0 < K < G)/p, the letter l standing for log p."""
    return sum((comb(size, k) * exp((k - 1) * l) * (1 - exp(l)) ** (size - k) for k in range(1, size)), S.Zero)


@theorem(
    catalogue="146",
    source=DAPO,
    hypotheses=(BINARY, "G = 3, in the limits 2, 4 and 8", "in the limits the letter l stands for log p"),
)
def dropping_groups_of_equal_rewards_divides_by_how_often_they_are_kept():
    """On-policy, given 0 < K < G, r - r̄ ascends (1 - 1/G)/(1 - p^G - q^G) ∇p, and (r - r̄)/σ h_G/(1 - p^G - q^G) ∇p: p
    times the first weight tends to (1 - 1/G)/G as p → 0, so it grows like 1/p."""
    mean_baseline = group(3, lambda k: 1 - S(k) / 3, lambda k: -S(k) / 3)
    return (
        SameGradient(sg(1 / kept(3)) * mean_baseline, sg(2 / (3 * kept(3))) * Surrogate(p), POLICY),
        SameGradient(sg(1 / kept(3)) * over_deviation(3), sg(bernstein(3, p) / kept(3)) * Surrogate(p), POLICY),
        *(Limit((1 - 1 / S(n)) / kept_over_p(n), -oo, (1 - 1 / S(n)) / n) for n in (2, 4, 8)),
    )


X, Y = Symbol("X", positive=True), Symbol("Y", positive=True)


@theorem(
    catalogue="147",
    source="arXiv 2601.08521",
    hypotheses=(BINARY, "x stands for p, X for p^{G-1} and Y for (1 - p)^{G-1}"),
)
def mean_of_a_kept_group_is_above_the_success_rate_of_hard_prompts():
    """As P(K = G) = p^G, E[r̄; kept] = p - p^G; so p - E[r̄ | kept], the mean of (r - r̄) - (r - p) over kept groups,
    is p(1 - p)(p^{G-1} - (1 - p)^{G-1})/(1 - p^G - (1 - p)^G): below 0 for p < ½, 0 at ½, above 0 for p > ½. By the
    same factor the chance to be kept rises up to p = ½ and falls from there, its slope being G((1 - p)^{G-1} -
    p^{G-1}): a kept prompt's weight (1 - 1/G)/P(kept) is least at p = ½."""
    return Identity(x * (1 - x * X - (1 - x) * Y) - (x - x * X), x * (1 - x) * (X - Y))


@theorem(catalogue="147", source="catalogue 147", hypotheses=(BINARY, "G = 4", "p = 1/2"))
def advantage_of_a_success_in_kept_groups_is_unbiased_at_one_half():
    """Given that the response succeeds and its group of four is kept, the mean of (r - r̄) - (r - p) at p = ½ is 0, as
    it is over all responses of kept groups. (False: it is -1/14.)"""
    half = Rational(1, 2)
    chances = [comb(3, n - 1) * half**3 for n in (1, 2, 3)]
    given = sum(c * (half - S(n) / 4) for c, n in zip(chances, (1, 2, 3), strict=True)) / sum(chances)
    return Refuted(Identity(given, S.Zero), corrected=Identity(given, -Rational(1, 14)))


# --- identities of one group ------------------------------------------------------------------------------------------
WON, LOST = Symbol("s_1", real=True), Symbol("s_0", real=True)


@theorem(
    catalogue="154",
    source="catalogue 154",
    hypotheses=(BINARY, "k successes and m failures, G = k + m", "s_1 and s_0 stand for the mean scores of both"),
)
def deviation_of_a_group_of_binary_rewards():
    """Of k successes and m failures, the root mean square of r - r̄ is σ = √(km)/G, the mean of |r - r̄| is 2σ², and
    the step (1/G) Σ (r - r̄) s is σ² times the mean score of the successes less that of the failures; divided by σ, σ
    times it."""
    size = k + m
    up, down, variance_ = m / size, k / size, k * m / size**2
    return (
        Identity((k * up**2 + m * down**2) / size, variance_),
        Identity((k * up + m * down) / size, 2 * variance_),
        Identity((k * up * WON - m * down * LOST) / size, variance_ * (WON - LOST)),
        Identity((k * up * WON - m * down * LOST) / size / sqrt(variance_), sqrt(variance_) * (WON - LOST)),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
