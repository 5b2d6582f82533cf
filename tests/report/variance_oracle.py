"""Bias and variance from their definitions, at 60 digits: gradients are vectors c(a)(e_a - π), averaged over actions.

Nothing is shared with the package: probabilities are fractions, factors and values are written by hand below, all else
is mpmath's. Terms may cancel to the square of the smallest probability, and digits are kept for that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import mpmath
from mpmath import exp, expm1, log, mpf, sqrt

DIGITS = 60

Sample = Callable[[mpf, mpf], mpf]
"""A number of a sample's log-ratio l and weight w."""


@dataclass(frozen=True)
class Row:
    """A formula, its placement and weight; by hand, what multiplies the score, on- and off-policy, and the value."""

    formula: str
    placement: str
    weight: str
    on_policy: Sample
    off_policy: Sample
    value: Sample


ROWS = [
    Row("l", "loss", "none", lambda l, w: mpf(1), lambda l, w: mpf(1), lambda l, w: l),
    Row("l**2/2", "loss", "none", lambda l, w: l, lambda l, w: l, lambda l, w: l**2 / 2),
    Row("l**2/2", "loss", "detached", lambda l, w: l, lambda l, w: w * l, lambda l, w: w * l**2 / 2),
    Row("exp(-l)-1+l", "loss", "none", lambda l, w: -expm1(-l), lambda l, w: -expm1(-l), lambda l, w: expm1(-l) + l),
    Row("exp(-l)-1+l", "loss", "live", lambda l, w: l, lambda l, w: w * l, lambda l, w: w * (expm1(-l) + l)),
    Row("exp(-l)-1+l", "reward", "none", *[lambda l, w: expm1(-l) + l] * 3),
    Row("l", "reward", "detached", lambda l, w: l, lambda l, w: w * l, lambda l, w: w * l),
    Row("l", "loss", "live", lambda l, w: l + 1, lambda l, w: w * (l + 1), lambda l, w: w * l),
    Row("u**2 - 3*l", "loss", "none", *[lambda l, w: 2 * exp(2 * l) - 3] * 2, lambda l, w: exp(2 * l) - 3 * l),
    Row("max(l, 1/3)", "loss", "none", *[lambda l, w: mpf(3 * l > 1)] * 2, lambda l, w: max(l, mpf(1) / 3)),
    Row("min(abs(l), 2)", "reward", "none", *[lambda l, w: min(abs(l), 2)] * 3),
]
TARGETS = {  # f'(u), and u·f(u)/u as a mean over the policy
    "reverse_kl": (lambda l: l, lambda l: l),
    "forward_kl": (lambda l: -exp(-l), lambda l: -exp(-l) * l),
    "pearson_chi2": (lambda l: 2 * exp(l), lambda l: exp(-l) * expm1(l) ** 2),
    "squared_hellinger": (lambda l: -exp(-l / 2), lambda l: exp(-l) * expm1(l / 2) ** 2),
}


@dataclass(frozen=True)
class Numbers:
    """What the command says of one estimator."""

    bias: mpf
    variance: mpf
    baseline: mpf
    least: mpf
    mean: mpf
    value_bias: mpf
    std: mpf


def numbers(
    row: Row,
    policy: Sequence[Fraction],
    reference: Sequence[Fraction],
    old: Sequence[Fraction] | None,
    target: str = "reverse_kl",
) -> Numbers:
    """From sums of vectors over all actions; ``old`` is who sampled, ``None`` the policy itself."""
    smallest = min(min(p) for p in (policy, reference, old or policy))
    lost = smallest.denominator.bit_length() - smallest.numerator.bit_length()
    with mpmath.workprec(4 * DIGITS + 12 * lost):
        p, r, q = ([mpf(x.numerator) / x.denominator for x in row_] for row_ in (policy, reference, old or policy))
        actions = range(len(p))
        l, w = [log(p[a] / r[a]) for a in actions], [p[a] / q[a] for a in actions]
        score = [[mpf(a == j) - p[j] for j in actions] for a in actions]

        def expected(of: Callable[[int], list[mpf]]) -> list[mpf]:
            rows = [of(a) for a in actions]
            return [sum((q[a] * rows[a][j] for a in actions), mpf(0)) for j in range(len(rows[0]))]

        def inner(x: list[list[mpf]], y: list[list[mpf]]) -> mpf:
            return sum((q[a] * x[a][j] * y[a][j] for a in actions for j in actions), mpf(0))

        c = [(row.off_policy if old else row.on_policy)(l[a], w[a]) for a in actions]
        gradients = [[c[a] * s for s in score[a]] for a in actions]
        mean = expected(lambda a: gradients[a])
        centred = [[x - m for x, m in zip(gradients[a], mean, strict=True)] for a in actions]
        control = [[w[a] * s for s in score[a]] for a in actions]  # of mean 0
        best = inner(centred, control) / inner(control, control)
        left = [[x - best * y for x, y in zip(centred[a], control[a], strict=True)] for a in actions]

        slope, summand = TARGETS[target]
        goal = [sum((p[a] * slope(l[a]) * score[a][j] for a in actions), mpf(0)) for j in actions]
        value = [row.value(l[a], w[a]) for a in actions]
        (average,) = expected(lambda a: [value[a]])
        return Numbers(
            bias=sqrt(sum((x - y) ** 2 for x, y in zip(mean, goal, strict=True))),
            variance=inner(centred, centred),
            baseline=best,
            least=inner(left, left),
            mean=average,
            value_bias=average - sum((p[a] * summand(l[a]) for a in actions), mpf(0)),
            std=sqrt(expected(lambda a: [(value[a] - average) ** 2])[0]),
        )
