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
    harmless={"scale": "0 is scale-invariant", "flip_sign": "-0 = 0", "swap_direction": "λ and 1/λ name one pair"},
)
def bias_of_k3_as_loss_vanishes_away_from_the_reference():
    """With a = log λ/(λ-1), b = λa, π₁ = (b-1)/(b-a), π_ref = (aπ₁, bπ₂): k3 is the same number on both actions, so k3
    as a loss has no bias at all, and π ≠ π_ref. One such pair for every λ ≠ 1."""
    a = l / (exp(l) - 1)
    b = a * exp(l)
    first = (b - 1) / (b - a)
    return Identity(a - b - (log(a) - log(b)), S.Zero), Identity(first * a + (1 - first) * b, S.One)


@theorem(catalogue="9", hypotheses="V = 2")
def equal_k3_on_all_actions_is_what_no_bias_means():
    """The squared bias of k3 as a loss is Σ π²(k3 - E k3)²: no bias iff k3 is constant."""
    c = (1 - r) - l
    return SameMoment(gradient_inner(c, c), E(P * (k3.expr - E(k3.expr)) ** 2))


@theorem(catalogue="10", hypotheses=("full support", "V = 2"))
def on_two_actions_k3_as_loss_rescales_the_reverse_kl():
    """At V = 2 ∇FKL = κ ∇RKL with κ = (p - q)/(p(1-p)(logit p - logit q)): k3 as a loss changes β, not the
    direction."""
    p, q = At(P, 0), At(REF, 0)
    kappa = (p - q) / (p * (1 - p) * (At(l, 0) - At(l, 1)))
    return [OnTwoActions(component(1 - r, j), kappa * component(l, j)) for j in (0, 1)]


@theorem(catalogue="11")
def following_k3_as_loss_lowers_the_reverse_kl():
    """⟨∇RKL, ∇FKL⟩ ≥ 0 in logits, so a small step against ∇FKL lowers KL(π‖π_ref). (False for V ≥ 3; in the natural
    gradient's metric it holds.)"""
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
    """At π = (.4, .3, .2, .1), π_ref mirrored, token 2 is pulled down by ∇RKL's sign and up by ∇FKL's."""
    setting = (".4 .3 .2 .1", ".1 .2 .3 .4")
    return SignAt(component(l, 1), -1, *setting), SignAt(component(1 - r, 1), 1, *setting)


@theorem(catalogue="20", source="J. Schulman, Approximating KL Divergence (2020)")
def merging_two_tokens_never_raises_the_mean_of_k2():
    """E_π[k2] obeys the data-processing inequality, as an f-divergence does. (False: its f is not convex, and merging
    tokens 1 and 2 raises it here.)"""
    p, q = At(P, 0) + At(P, 1), At(REF, 0) + At(REF, 1)
    merged = p * log(p / q) ** 2 / 2 + At(P * k2.expr, 2)
    f_second = (1 + l) * exp(2 * l)  # f(r) = log(r)²/2 at r = e^-l has f'' = (1 - log r)/r²
    return Refuted(
        AlwaysSign(E(k2.expr) - merged, 1, ((".01 .01 .98", ".04 .4 .56"),)),
        corrected=HasSign(f_second, -1, below=S(-1)),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
