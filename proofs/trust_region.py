"""Trust regions: how far a surrogate on the old policy's responses can be from the truth, and how that grows.

With A_t the old policy's advantage, J(π) - J(π_old) = E_π[Σ A_t] (S. Kakade, J. Langford 2002), and the surrogate has
E_old[Σ w_t A_t] in its place. Both are sums of g_t = E_π[A_t | past], over prefixes of the policy and of the old one:
what they differ by is how far prefixes have drifted, times how far a token has. Each drift can be bounded token by
token, or by Pinsker's inequality through the KL of the prefix, or of the response.
"""

from kltheory.proving.vocabulary import *

l, lw, r = log_ratio, log_weight, exp(-log_ratio)
TRM = "arXiv 2512.23075"
KAKADE = "S. Kakade, J. Langford 2002"
g = PastValue("g")
DREW = exp(-total(lw))
"""E_old[f] = E_π[f Π 1/w_t]."""


def value(f: Expr) -> SequenceObjective:
    """E_π[f]."""
    return SequenceObjective(f)


@theorem(catalogue="80b", source=KAKADE)
def surrogate_eq_sum_over_prefixes_of_the_old_policy():
    """E_old[Σ w_t h(l_t)] = E_old[Σ E_π[h(l_t) | past]], any h: the token's weight moves the token alone, so the
    surrogate is a sum of g_t = E_π[A_t | past] over the old policy's prefixes."""
    return SameSequenceValue(value(DREW * total(w * h.expr)), value(DREW * total(E(h.expr))))


@theorem(catalogue="80b", source=(KAKADE, TRM))
def surrogate_error_is_the_drift_of_the_prefixes_times_the_tokens():
    """For any g(y_<t), E_π[Σ g_t] - E_old[Σ g_t] = E_π[Σ_t (1 - 1/w_{1:t-1}) g_t], where 1 - 1/w_{1:t-1} is Σ_{i<t} (1
    - 1/w_i)/w_{1:i-1}; and where E_old[A] = 0 after each prefix, g = E_π[(1 - 1/w) A], so |g| ≤ max|A| E_π|1 - 1/w|."""
    drift = 1 - exp(-past(lw))
    token_by_token = past(exp(-past(lw)) * (1 - exp(-lw)))
    return (
        SameSequenceValue(value(total(g) - DREW * total(g)), value(total(drift * g))),
        SameSequenceValue(value(total(drift * g)), value(total(token_by_token * g))),
        SameMoment(E((1 - 1 / w) * h.expr), E(h.expr) - E(h.expr / w)),
    )


@theorem(
    catalogue="80b",
    source=TRM,
    hypotheses="in functions of one variable the letter l stands for log q/(1 - q), and o for (1 - p)/p",
    harmless={"swap_direction": "the total variation is symmetric"},
)
def squared_total_variation_is_at_most_half_the_kl():
    """Pinsker's inequality. On S, where π > π_ref, Σ (π - π_ref) is the total variation ½ Σ |π - π_ref|, and merging S
    and its complement never raises the KL (catalogue 80). Of two actions, p log(p/q) + (1 - p) log((1 - p)/(1 - q)) -
    2(p - q)² is 0 at q = p, and its slope by log q/(1 - q) is (q - p)(1 - 2q)², of the sign of q - p."""
    p, q = 1 / (1 + Symbol("o", positive=True)), 1 / (1 + exp(-l))
    rest = 1 / (1 + exp(l))  # 1 - q
    gap = p * log(p / q) + (1 - p) * log((1 - p) / rest) - 2 * (p - q) ** 2
    return (
        SameValue(expectation(Max(1 - r, 0)), expectation(Abs(1 - r) / 2)),
        Identity(gap.diff(l), (q - p) * (rest - q) ** 2),
        HasSign(q.diff(l), 1),
    )


@theorem(
    catalogue="80b",
    source=TRM,
    hypotheses=(
        "at most T tokens, |A| ≤ a",
        "after every prefix total variation ≤ ε, or KL(π‖π_old) ≤ δ",
        "in the sign the letter l stands for log y",
    ),
    harmless={"swap_direction": "it holds for every y > 0, 1/y too"},
)
def surrogate_error_grows_at_most_with_the_square_the_power_three_halves_or_the_length():
    """The drift E_π|1 - 1/w_{1:t-1}|, twice the total variation of prefixes, is at most Σ_{i<t} 2ε, and by Pinsker at
    most √(2 KL), the KL of the prefix being Σ_{i<t} E_π[KL_i] ≤ (t - 1)δ, or at most D, that of responses; and |g| ≤
    2aε ≤ a√(2δ). So the error is at most 2aε²T(T - 1); at most (4/3)aδT^{3/2}, as √t ≤ (2/3)((t + 1)^{3/2} - t^{3/2}),
    which is 2y³ - 3y² + 1 ≥ 0 for y = √(1 + 1/t); and at most 2aT√(δD)."""
    return (
        SameSequenceValue(value(total(lw)), value(total(E(lw)))),
        HasSign(2 * exp(3 * l) - 3 * exp(2 * l) + 1, 1),
    )


@theorem(
    catalogue="80b",
    source="arXiv 2602.04879",
    hypotheses="in the limits the letter l stands for log w of a token with π_old = e^{-2l}, the others scaled alike",
    harmless={
        "scale": "an infinite limit, or 0, is scale-invariant",
        "flip_sign": "-0 = 0",
        "add_one": "an infinite limit absorbs a constant",
    },
)
def bounded_ratios_bound_the_total_variation_and_not_conversely():
    """½ Σ |π - π_old| = ½ E_old|w - 1|: weights within ε of 1 keep total variation to ε/2. The converse fails: where
    one token of π_old = e^{-2l} gets w = e^l, total variation (w - 1)π_old vanishes as its weight grows without
    bound."""
    old = exp(logp - log_weight)
    return (
        SameValue(expectation(Abs(1 - 1 / w) / 2), Objective(old * Abs(w - 1) / 2)),
        Limit((exp(l) - 1) * exp(-2 * l), oo, S.Zero),
        Limit(exp(l), oo, oo),
    )


@theorem(
    catalogue="200",
    source="catalogue 200",
    harmless={
        "swap_direction": "mirrored, the excess of e^l - 1 over l, and |l| over -l, are not negative either",
    },
)
def mean_absolute_log_ratio_is_between_the_kl_and_the_kl_and_its_root():
    """KL(π‖π_ref) ≤ E_π|l| ≤ KL + √(2 KL): |l| ≥ l, and |l| is l + 2(-l)₊ where (-l)₊ ≤ (r - 1)₊, whose mean is the
    total variation, at most √(KL/2) (catalogue 80). A controller that holds E|l| at a small target holds KL at the
    order of its square: near the reference KL is E[l²]/2, to second order."""
    return (
        AlwaysSign(E(Abs(l) - l), 1),
        Identity(Abs(l), l + 2 * Max(-l, 0)),
        HasSign(Max(r - 1, 0) - Max(-l, 0), 1),
        SameValue(expectation(Max(r - 1, 0)), expectation(Abs(1 - r) / 2)),
        Expansion(k3.expr, l**2 / 2, 2),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
