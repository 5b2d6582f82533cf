"""Counterexamples: what is often said of two or three tokens and fails on three others.

Each is one exact setting, probabilities given as fractions, on which an inequality is certain: both sides are enclosed
in ball arithmetic. Vocabularies of two actions cannot show an error of direction, for all gradients are collinear
there; three can."""

from kltheory.proving.vocabulary import *

l, r = log_ratio, exp(-log_ratio)
P, REF = POLICY_PROBABILITY, REFERENCE_PROBABILITY
POLGRAD = "github.com/SaifPunjwani/polgrad"


def component(c: Expr, j: int) -> Expr:
    """The derivative by logit j of the expected gradient with coefficient c."""
    return At(P * (c - E(c)), j)


@theorem(
    catalogue="9",
    hypotheses=("V = 2", "λ = e^l ≠ 1"),
    harmless={"drop_term": "1 alone is positive"},
)
def bias_of_k3_as_loss_vanishes_away_from_the_reference():
    """With a = log λ/(λ-1), b = λa, π₁ = (b-1)/(b-a), π_ref = (aπ₁, bπ₂): k3 is the same number on both actions, so k3
    as a loss has no bias at all, and as a < 1 < b for λ > 1, b < 1 < a for λ < 1, π is a policy and π ≠ π_ref. One such
    pair for every λ ≠ 1; the letter l stands for log λ."""
    a = l / (exp(l) - 1)
    b = a * exp(l)
    first = (b - 1) / (b - a)
    return (
        Identity(a - b - (log(a) - log(b)), S.Zero),
        Identity(first * a + (1 - first) * b, S.One),
        HasSign(1 - a, 1, above=S.Zero),
        HasSign(b - 1, 1, above=S.Zero),
        HasSign(a - 1, 1, below=S.Zero),
        HasSign(1 - b, 1, below=S.Zero),
    )


@theorem(catalogue="9")
def equal_k3_on_all_actions_is_what_no_bias_means():
    """On-policy, in logits, the squared length of the bias of k3 as a loss for the reverse KL is Σ π²(k3 - E k3)²: no
    bias iff k3 is the same on all actions."""
    c = (1 - r) - l
    return SameMoment(gradient_inner(c, c), E(P * (k3.expr - E(k3.expr)) ** 2))


@theorem(
    catalogue=("10a", "10b"),
    source="catalogue 10",
    hypotheses="p ≠ q",
    harmless={"swap_direction": "mirrored, l(1 - r) is not negative either"},
)
def on_two_actions_k3_as_loss_rescales_the_reverse_kl():
    """On-policy at V = 2, with p and q the first probabilities, ∇FKL = κ ∇RKL, κ = (p - q)/(p(1-p)(logit p - logit q)),
    and (p - q)(logit p - logit q) = KL(π‖π_ref) + KL(π_ref‖π), the mean of l(1 - r) ≥ 0, so κ > 0: k3 as a loss changes
    β, not the direction."""
    p, q = At(P, 0), At(REF, 0)
    kappa = (p - q) / (p * (1 - p) * (At(l, 0) - At(l, 1)))
    return (
        *(OnTwoActions(component(1 - r, j), kappa * component(l, j)) for j in (0, 1)),
        OnTwoActions((p - q) * (At(l, 0) - At(l, 1)), E(l * (1 - r))),
        SameMoment(E(l * (1 - r)), E(l) - E(r * l)),
        AlwaysSign(E(l * (1 - r)), 1),
    )


@theorem(
    catalogue="10c",
    source="catalogue 10",
    hypotheses=("V = 2", "the letter l stands for a logit"),
    harmless={"drop_term": "σ' alone is positive"},
)
def factor_on_two_actions_exceeds_one_iff_the_policy_is_the_more_extreme():
    """With σ(θ) = 1/(1 + e^{-θ}), σ' = σ(1 - σ) is even and falls for θ > 0. By the mean value theorem p - q =
    σ'(ξ)(logit p - logit q), ξ between the two logits, so κ = σ'(ξ)/(p(1 - p)) = σ'(ξ)/σ'(logit p): it exceeds 1 iff
    |ξ| < |logit p|."""
    sigma = 1 / (1 + exp(-l))
    slope = sigma.diff(l)
    return (
        Identity(slope, sigma * (1 - sigma)),
        Identity(slope.xreplace({l: -l}), slope),
        HasSign(-slope.diff(l), 1, above=S.Zero),
    )


@theorem(catalogue="11", source="catalogue 11 and 12")
def following_k3_as_loss_lowers_the_reverse_kl():
    """⟨∇RKL, ∇FKL⟩ ≥ 0 in logits, so a small step against ∇FKL never raises KL(π‖π_ref). (False, at V = 3 as shown; in
    the natural gradient's metric the product is KL(π‖π_ref) + KL(π_ref‖π).)"""
    return Refuted(
        AlwaysSign(gradient_inner(l, 1 - r), 1, ((".16 .83 .01", ".01 .37 .62"),)),
        corrected=NaturalInner(in_reward(k1), as_loss(k3), jeffreys.objective),
    )


@theorem(
    catalogue="13",
    source=POLGRAD,
    harmless={"swap_direction": "1 - e^l leaves token 2 on the same side"},
)
def reverse_and_forward_kl_pull_a_token_to_opposite_sides():
    """On-policy at π = (.4, .3, .2, .1), π_ref mirrored, descending KL(π‖π_ref) raises the logit of token 2, its
    component of ∇RKL being negative, and descending KL(π_ref‖π) lowers it, that of ∇FKL being positive."""
    setting = (".4 .3 .2 .1", ".1 .2 .3 .4")
    return SignAt(component(l, 1), -1, *setting), SignAt(component(1 - r, 1), 1, *setting)


@theorem(
    catalogue=("20", "34c"),
    source="catalogue 20",
    about="J. Schulman, Approximating KL Divergence (2020)",
    hypotheses=("V = 3", "f(r) = log(r)²/2, the letter l stands for log u = -log r"),
)
def merging_two_tokens_never_raises_the_mean_of_k2():
    """E_π[k2] = E_π[f(r)] obeys the data-processing inequality, as an f-divergence does. (False: merging tokens 1 and 2
    raises it here; f'' = (1 + l)e^{2l} is negative for l < -1, so f is not convex.)"""
    p, q = At(P, 0) + At(P, 1), At(REF, 0) + At(REF, 1)
    merged = p * log(p / q) ** 2 / 2 + At(P * k2.expr, 2)
    f_first = k2.expr.diff(l) / r.diff(l)
    f_second = f_first.diff(l) / r.diff(l)
    return Refuted(
        AlwaysSign(E(k2.expr) - merged, 1, ((".01 .01 .98", ".04 .4 .56"),)),
        corrected=HasSign(f_second, -1, below=S(-1)),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
