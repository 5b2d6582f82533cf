"""Variances over whole responses: of a number, and the trace of the covariance of a gradient; enclosed in balls."""

from collections.abc import Mapping
from typing import Any

from sympy import Expr, Symbol

from kltheory.calculus.sequence.loss import SequenceLoss
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.numerics.balls import number
from kltheory.numerics.dual import power
from kltheory.numerics.responses import ResponseTree
from kltheory.numerics.spelled import Reading, each_gradient

Numbers = Mapping[Symbol, Any]


def variance(expr: Expr, tree: ResponseTree, at: Numbers) -> Any:
    """Var_π of a formula of responses, a ball."""
    reading = Reading(tree, at)
    values = [(tree.probability(tree.policy, y), reading.value(expr, y, None)) for y in tree.responses]
    mean = sum((p * x for p, x in values), number(0))
    return sum((p * power(x - mean, 2) for p, x in values), number(0))


def trace_variance(
    loss: SequenceLoss | Surrogate, tree: ResponseTree, sampler: Sampler, at: Numbers, *, shared: bool = False
) -> Any:
    """The trace of the covariance of one response's gradient in the logits, of each prefix or ``shared`` by all."""
    drawn = []
    for p, gradient in each_gradient(loss, tree, sampler, at):
        components: dict[Any, Any] = {}
        for logit, x in gradient.items():
            key = logit[-1] if shared else logit
            components[key] = components.get(key, number(0)) + x
        drawn.append((p, components))
    keys = dict.fromkeys(key for _, components in drawn for key in components)
    zero = number(0)
    total = zero
    for key in keys:
        mean = sum((p * c.get(key, zero) for p, c in drawn), zero)
        total += sum((p * power(c.get(key, zero) - mean, 2) for p, c in drawn), zero)
    return total
