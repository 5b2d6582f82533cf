"""Variances over whole responses: of a number, and the trace of the covariance of a gradient; enclosed in balls."""

from collections.abc import Mapping
from typing import Any

from sympy import Expr, Symbol

from kltheory.calculus.sequence.loss import SequenceLoss
from kltheory.calculus.surrogate import Sampler
from kltheory.numerics.balls import number
from kltheory.numerics.forms import in_logits
from kltheory.numerics.responses import ResponseTree
from kltheory.numerics.spelled import Reading, drawn_from, erased

Numbers = Mapping[Symbol, Any]


def variance(expr: Expr, tree: ResponseTree, at: Numbers) -> Any:
    """Var_π of a formula of responses, a ball."""
    reading = Reading(tree, at)
    values = [(tree.probability(tree.policy, y), reading.value(erased(expr), y, None)) for y in tree.responses]
    mean = sum((p * x for p, x in values), number(0))
    return sum((p * (x - mean) ** 2 for p, x in values), number(0))


def trace_variance(
    loss: SequenceLoss, tree: ResponseTree, sampler: Sampler, at: Numbers, *, shared: bool = False
) -> Any:
    """The trace of the covariance of one response's gradient in the logits, of each prefix or ``shared`` by all."""
    reading, rows, formula = Reading(tree, at), drawn_from(tree, sampler), loss.gradient(sampler)
    drawn = []
    for y in tree.responses:
        components: dict[Any, Any] = {}
        for ((prefix, token),), x in in_logits(reading.value(formula, y, None), tree).items():
            key = token if shared else (prefix, token)
            components[key] = components.get(key, number(0)) + x
        drawn.append((tree.probability(rows, y), components))
    keys = dict.fromkeys(key for _, components in drawn for key in components)
    zero = number(0)
    total = zero
    for key in keys:
        mean = sum((p * c.get(key, zero) for p, c in drawn), zero)
        total += sum((p * (c.get(key, zero) - mean) ** 2 for p, c in drawn), zero)
    return total
