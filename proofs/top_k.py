"""Sums over the vocabulary, or over a part of it: top-k heads with and without a sampled tail.

A loss may sum π l over a head S instead of sampling. Such a sum carries a gradient through π as well as through l, and
E_π[s] = 0 holds over the whole vocabulary only: over the head, or over the tail, a constant is no longer harmless.
``inside`` is the indicator of the head, any fixed set S.
"""

from kltheory.proving.vocabulary import *

EMA = "arXiv 2602.04417, Alg. 1-2"
l, r = log_ratio, exp(-log_ratio)
LIVE = exp(logp - sg(logp))
RKL, FKL = Surrogate(E(l)), Surrogate(E(-r * l))
HEAD_MASS = Surrogate(E(inside))
HEAD, FORWARD_HEAD = Surrogate(E(inside * l)), Surrogate(E(-inside * r * l))


def tail(expr: Expr) -> Surrogate:
    """A sampled term that counts outside the head only."""
    return Surrogate((1 - inside) * expr)


@theorem(catalogue="102", hypotheses="one step, or frozen prefixes")
def full_vocabulary_loss_eq_grad_divergence():
    """The sums Σ π l and Σ π_ref log(π_ref/π) over the whole vocabulary, differentiated through π and l, have the
    gradients of KL(π‖π_ref) and KL(π_ref‖π)."""
    return SameGradient(RKL, reverse_kl.objective, POLICY), SameGradient(FKL, forward_kl.objective, POLICY)


@theorem(catalogue=("96", "101"), source="arXiv 2603.25562")
def truncated_kl_misses_the_tail():
    """Σ_S π log(π/π_ref) has the gradient ∇KL(π‖π_ref) - Σ_{S^c} π (l + 1) s; at π = π_ref that is ∇π(S), not 0."""
    return (
        SameGradient(HEAD, RKL - tail(sg(l + 1) * logp), POLICY),
        Identity(formula(HEAD, POLICY).xreplace({l: S.Zero}), formula(HEAD_MASS, POLICY)),
    )


@theorem(catalogue="96")
def truncated_kl_is_never_negative():
    """Σ_S π log(π/π_ref) ≥ 0. (False, as shown, with tokens 1 and 3 in S; with the tail as one token besides it is Σ_S
    π k3 + π(S^c) k3(log π(S^c)/π_ref(S^c)), a sum of what is never negative.)"""
    head, left, q = E(inside * l), E(1 - inside), E((1 - inside) * r)
    merged = head + left * log(left / q)
    return Refuted(
        AlwaysSign(head, 1, ((".2 .6 .2", ".4 .2 .4"),)),
        corrected=SameMoment(merged, E(inside * k3.expr) + left * (q / left - 1 + log(left / q))),
    )


@theorem(
    catalogue="80a",
    source="arXiv 2602.04879",
    harmless={"swap_direction": "mirrored, k3 is not negative either"},
)
def merging_tokens_never_raises_the_kl():
    """KL(π‖π_ref) exceeds the KL with the tokens outside S, any set, merged by Σ_{S^c} π k3(l - log π(S^c)/π_ref(S^c))
    ≥ 0. Merged once more, binary KL is at most top-k KL."""
    left, q = E(1 - inside), E((1 - inside) * r)
    gap = l - log(left / q)
    merged = E(inside * l) + left * log(left / q)
    return SameMoment(E(l) - merged, E((1 - inside) * (exp(-gap) - 1 + gap))), HasSign(k3.expr, 1)


@theorem(
    catalogue="80a",
    source="arXiv 2602.04879",
    harmless={"swap_direction": "mirrored, the bound is one on e^l - 1"},
)
def merging_tokens_never_raises_the_total_variation():
    """±(1 - r) ≤ |1 - r| on every token, so ±(π(S^c) - π_ref(S^c)) ≤ Σ_{S^c} |π - π_ref|."""
    return [
        AlwaysSign(E((1 - inside) * (Abs(1 - r) - side * (1 - r))), 1, ((".2 .6 .2", ".4 .2 .4"),)) for side in (1, -1)
    ]


@theorem(catalogue="97", source="catalogue 97", about=EMA)
def head_with_detached_tail_eq_grad_reverse_kl():
    """Head Σ_S π l, tail π/sg(π) sg(l): the expected gradient is ∇KL(π‖π_ref). (False: it is ∇KL(π‖π_ref) + ∇π(S); with
    l live in the tail it is ∇KL(π‖π_ref).)"""
    return Refuted(
        SameGradient(HEAD + tail(LIVE * sg(l)), RKL, POLICY),
        corrected=SameGradient(HEAD + tail(LIVE * l), RKL, POLICY),
    )


@theorem(catalogue="97", source="catalogue 97", about=EMA)
def forward_head_with_log_ratio_tail_eq_grad_forward_kl():
    """Head Σ_S π_ref log(π_ref/π), tail sg(r) log r + log π/sg(π): the expected gradient is ∇KL(π_ref‖π). (False: it
    is ∇KL(π_ref‖π) - ∇π(S); without the last term it is ∇KL(π_ref‖π).)"""
    return Refuted(
        SameGradient(FORWARD_HEAD + tail(-sg(r) * l + logp - sg(logp)), FKL, POLICY),
        corrected=SameGradient(FORWARD_HEAD + tail(-sg(r) * l), FKL, POLICY),
    )


@theorem(catalogue="97", source="catalogue 97")
def drift_of_the_detached_tail_eq_head_mass():
    """Head Σ_S π l, tail π/sg(π) sg(l), descends KL(π‖π_ref) + π(S), stationary where l + 1_S is constant, π ∝ π_ref
    e^{-1_S}: a lighter head. Head Σ_S π_ref log(π_ref/π), tail sg(r) log r + log π/sg(π), descends KL(π_ref‖π) - π(S),
    stationary where r + 1_S is constant: a heavier head."""
    reverse = HEAD + tail(LIVE * sg(l))
    forward = FORWARD_HEAD + tail(-sg(r) * l + logp - sg(logp))
    return (
        SameGradient(reverse, RKL + HEAD_MASS, POLICY),
        SameGradient(reverse, Surrogate(sg(l + inside) * logp), POLICY),
        SameGradient(forward, FKL - HEAD_MASS, POLICY),
        SameGradient(forward, Surrogate(-sg(r + inside) * logp), POLICY),
    )


@theorem(catalogue="98", source=EMA)
def head_with_sampled_tail_is_unbiased_in_value():
    """In value, head Σ_S π l and sampled tail l add up to KL(π‖π_ref), and head Σ_S π_ref log(π_ref/π) and sampled tail
    r log r to KL(π_ref‖π)."""
    return (
        SameMoment(E(inside * l) + E((1 - inside) * l), E(l)),
        SameMoment(E(-inside * r * l) + E((1 - inside) * (-r * l)), E(-r * l)),
    )


@theorem(catalogue="99", hypotheses="π(a) ≠ e^{-β}: no ranking switches")
def head_chosen_by_the_policy_has_the_gradient_of_a_fixed_head():
    """A head {π > e^{-β}} chosen by the policy itself is locally constant: the derivative is that of the fixed head."""
    chosen = Piecewise((l, logp > -beta), (0, True))
    fixed = Piecewise((l + 1, logp > -beta), (0, True))
    return SameGradient(Surrogate(E(chosen)), Surrogate(sg(fixed) * logp), POLICY)


@theorem(catalogue="100", source="arXiv 2605.07865")
def top_k_baseline_is_unbiased():
    """On-policy, k1 in the reward less a detached baseline Σ_S π l has the expected gradient ∇KL(π‖π_ref)."""
    return SameGradient(Surrogate(sg(l - E(inside * l)) * logp), reverse_kl.objective, POLICY)


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
