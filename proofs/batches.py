"""Batches: advantages that are centred or normalised over G samples of the same prompt.

In a batch of independent samples the others are constants to a sample's own score: of the batch mean of f a sample sees
its own part f/G and, in expectation, (G - 1) E[f]/G. With a binary reward, 1 on S, p = π(S) is the success rate.
"""

from kltheory.proving.vocabulary import *

XIHUAI = "Xihuai, KL estimators (2025), 8.3"
FRPO = "arXiv 2601.10201"
l = log_ratio
G = Symbol("G", positive=True)
p = E(inside)
SUCCESS = (inside - p) / (sqrt(p) * sqrt(1 - p))
"""A binary reward, centred and divided by its standard deviation."""


def batch_mean(f: Expr) -> Expr:
    """E[(f_1 + ... + f_G)/G | sample 1], the other samples averaged over."""
    return (f + (G - 1) * E(f)) / G


def in_gradient(c: Expr) -> Surrogate:
    """c, detached, times the score."""
    return Surrogate(sg(c) * logp)


@theorem(catalogue="84", source=XIHUAI)
def centring_by_the_batch_mean_shrinks_the_gradient():
    """On-policy, in the reward, centring any k(l) by the mean of G independent samples, the sample itself included,
    multiplies its gradient by exactly 1 - 1/G."""
    return SameGradient(in_gradient(h.expr - batch_mean(h.expr)), (1 - 1 / G) * in_reward(h), POLICY)


@theorem(catalogue="84", source=XIHUAI, hypotheses="G ≥ 2")
def centring_by_the_others_is_unbiased():
    """On-policy, in the reward, centring any k(l) by the mean of the G - 1 others, independent, leaves its gradient as
    it is."""
    others = (G * batch_mean(h.expr) - h.expr) / (G - 1)
    return SameGradient(in_gradient(h.expr - others), in_reward(h), POLICY)


def normalised_in_three(x: list[Expr]) -> list[Expr]:
    """E[(x_1 - mean)/deviation | action of sample 1] over three samples of three actions; equal ones give 0."""
    p, actions = [At(exp(logp), i) for i in range(3)], range(3)

    def advantage_of_first(a: int, b: int, d: int) -> Expr:
        mean = (x[a] + x[b] + x[d]) / 3
        return (x[a] - mean) / sqrt(sum((x[i] - mean) ** 2 for i in (a, b, d)) / 3)

    others = [(b, d) for b in actions for d in actions]
    return [sum(p[b] * p[d] * advantage_of_first(a, b, d) for b, d in others if not a == b == d) for a in actions]


@theorem(catalogue="85", hypotheses=("V = 3", "G = 3"))
def normalising_the_penalty_alone_keeps_the_sign_of_every_component():
    """On-policy, k1 in the reward, centred by the mean of three samples and divided by their deviation, pulls every
    logit to the side of ∇KL(π‖π_ref). (False: here logit 1 is pulled to the other one; dividing by a constant keeps
    it.)"""
    normalised = normalised_in_three([At(l, i) for i in range(3)])
    pull = normalised[0] - sum(At(exp(logp), i) * c for i, c in enumerate(normalised))
    principled = At(l, 0) - E(l)
    return Refuted(
        AlwaysSign(pull * principled, 1, ((".58 .34 .08", ".2 .1 .7"),)),
        corrected=SameGradient(in_gradient((l - E(l)) / beta), in_gradient(l / beta), POLICY),
    )


@theorem(catalogue="86", source=("arXiv 2510.13651", FRPO), hypotheses=("reward 1 on S, else 0", "0 < p < 1", "G → ∞"))
def normalised_binary_reward_has_the_gradient_of_twice_the_arcsine():
    """On-policy, with p = π(S) the success rate, E[(R - p)/√(p(1-p)) s] = ∇ 2 arcsin √p."""
    return SameGradient(in_gradient(SUCCESS), Surrogate(2 * asin(sqrt(p))), POLICY)


@theorem(catalogue="87", source=FRPO, hypotheses=("reward 1 on S, else 0", "0 < p < 1", "G → ∞"))
def penalty_before_or_after_normalisation_is_the_same():
    """On-policy, normalising R - β l, and normalising R alone with -β l after it, have the same gradient. (False: the
    second has that of 2 arcsin √p - β KL(π‖π_ref), the first (∇p - β∇KL)/σ with σ the deviation of the mix.)"""
    mix = inside - beta * l
    after = in_gradient(SUCCESS - beta * l)
    return Refuted(
        SameGradient(in_gradient(mix / sqrt(variance(mix))), after, POLICY),
        corrected=SameGradient(after, Surrogate(2 * asin(sqrt(p)) - beta * E(l)), POLICY),
    )


@theorem(catalogue="87", source=FRPO, hypotheses=("reward 1 on S, else 0", "0 < p < 1", "G → ∞"))
def normalising_the_mix_scales_both_gradients():
    """On-policy, normalising R - β l by its own deviation σ gives (∇p - β∇KL(π‖π_ref))/σ: β stays, the step size
    moves."""
    sigma = sqrt(variance(inside - beta * l))
    mixed = in_gradient((inside - beta * l) / sigma)
    return SameGradient(mixed, Surrogate((p - beta * E(l)) / sg(sigma)), POLICY)


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
