"""Responses spelled out: averages, expected gradients and Jacobians on one small prefix tree, enclosed in balls.

Nothing is reduced: every response is written down, every sum over tokens is a sum, every mean over the vocabulary and
over what is to come is taken. Scores are basis vectors, one for each entry of the table of log-probabilities, so a
gradient is a linear form, and a Jacobian a bilinear one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sympy import Expr, Symbol

from kltheory.calculus.moments import Mean, map_means
from kltheory.calculus.sequence.language import Ahead, Future, Past, Total, length, total
from kltheory.calculus.sequence.loss import (
    SCORES,
    Carried,
    PastValue,
    SequenceLoss,
    SequenceObjective,
    curl,
    differential,
    score,
)
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import erase_sg, inside, log_ratio, log_weight, logp
from kltheory.numerics.balls import BALLS, number
from kltheory.numerics.bridge import NotNumeric
from kltheory.numerics.forms import Component, Form, in_logits
from kltheory.numerics.responses import ResponseTree, Rows, Tokens, pseudorandom
from kltheory.numerics.settings import membership

Numbers = Mapping[Symbol, Any]


def average(expr: Expr, tree: ResponseTree, at: Numbers) -> Any:
    """E_π of a formula of responses, a ball."""
    return Reading(tree, at).mean(erased(expr), tree.policy)


def gradient(
    term: SequenceLoss | SequenceObjective, tree: ResponseTree, sampler: Sampler, at: Numbers
) -> dict[Component, Any]:
    """The expected gradient in every logit; an objective is differentiated as a sum over all responses."""
    if isinstance(term, SequenceLoss):
        moved = Reading(tree, at).mean(term.gradient(sampler), drawn_from(tree, sampler))
    else:
        moved = Reading(tree, at).mean(erased(differential(term.expr) + total(score) * term.expr), tree.policy)
    return in_logits(moved, tree)


def asymmetry(loss: SequenceLoss, tree: ResponseTree, sampler: Sampler, at: Numbers) -> dict[Component, Any]:
    """J - Jᵀ, J the Jacobian of the expected gradient, for every pair of logits."""
    return in_logits(Reading(tree, at).mean(curl(loss, sampler), drawn_from(tree, sampler)), tree)


def drawn_from(tree: ResponseTree, sampler: Sampler) -> Rows:
    """The rows of who sampled."""
    return tree.policy if sampler is Sampler.POLICY else tree.old


def erased(expr: Expr) -> Expr:
    """Without ``sg``, inside means as well."""
    return map_means(erase_sg(expr), erase_sg)


@dataclass
class Reading:
    """Formulas of one tree's responses as balls, or forms in scores, at the current precision."""

    tree: ResponseTree
    at: Mapping[Symbol, Any]
    seen: dict[Any, Any] = field(default_factory=dict)

    def mean(self, expr: Expr, rows: Rows) -> Any:
        """The average over responses drawn from the rows, of a formula without ``sg``."""
        tree = self.tree
        return _total(tree.probability(rows, y) * self.value(expr, y, None) for y in tree.responses)

    def value(self, expr: Expr, y: Tokens, t: int | None) -> Any:
        """A formula of one response, or of its token at position t."""
        key = (expr, y, t)
        if key not in self.seen:
            self.seen[key] = self._value(expr, y, t)
        return self.seen[key]

    def _value(self, expr: Expr, y: Tokens, t: int | None) -> Any:
        if isinstance(expr, (Past, Future, Total)):
            return self._summed(expr, y, t)
        if (constant := BALLS.constant(expr)) is not None:
            return constant
        if isinstance(expr, Symbol) and expr in self.at:
            return number(self.at[expr])
        if expr == length:
            return number(len(y))
        if isinstance(expr, (Symbol, Ahead, Carried)):
            if t is None:
                raise NotNumeric(f"{expr} speaks of one token, and stands outside of any sum over tokens")
            return self._at_token(expr, y[: t + 1])
        if (head := BALLS.heads.get(expr.func)) is None:
            raise NotNumeric(f"{expr.func.__name__} has no numeric meaning here")
        return head(*(self.value(a, y, t) for a in expr.args))

    def _at_token(self, expr: Expr, known: Tokens) -> Any:
        """What is known once the token is."""
        key = (expr, known)
        if key not in self.seen:
            prefix, token = known[:-1], known[-1]
            if isinstance(expr, Mean):
                found = self._over_tokens(expr.integrand, prefix)
            elif isinstance(expr, Carried):
                found = self._over_tokens(expr.args[0] * expr.args[1], prefix)
            elif isinstance(expr, Ahead):
                found = self._over_futures(Future(expr.summand, 1), known)
            elif expr in SCORES:
                found = Form({((expr, prefix, token),): number(1)})
            elif isinstance(expr, PastValue):
                found = number(pseudorandom((*prefix, len(expr.name))))
            else:
                found = self._logarithm(expr, prefix, token)
            self.seen[key] = found
        return self.seen[key]

    def _logarithm(self, symbol: Symbol, prefix: Tokens, token: int) -> Any:
        if symbol == inside:
            return number(membership(token))
        p, q, o = (rows(prefix)[token] for rows in (self.tree.policy, self.tree.reference, self.tree.old))
        ratios = {logp: p, log_ratio: p / q, log_weight: p / o}
        if symbol not in ratios:
            raise NotNumeric(f"no value is given for {symbol}")
        return number(ratios[symbol]).log()

    def _summed(self, node: Expr, y: Tokens, t: int | None) -> Any:
        if isinstance(node, Total):
            return _total(self.value(node.summand, y, i) for i in range(len(y)))
        if t is None:
            raise NotNumeric(f"{node} is relative to a token, and stands outside of any sum over tokens")
        if isinstance(node, Past):
            return _total(self.value(node.summand, y, i) for i in range(t))
        discount = self.value(node.discount, y, t)
        return _total(discount ** (u - t) * self.value(node.summand, y, u) for u in range(t + 1, len(y)))

    def _over_tokens(self, expr: Expr, prefix: Tokens) -> Any:
        row = self.tree.policy(prefix)
        return _total(number(p) * self.value(expr, (*prefix, a), len(prefix)) for a, p in enumerate(row))

    def _over_futures(self, expr: Expr, known: Tokens) -> Any:
        tree, t = self.tree, len(known) - 1
        drawn = ((tree.probability(tree.policy, y, t + 1), y) for y in tree.continuations(known))
        return _total(p * self.value(expr, y, t) for p, y in drawn)


def _total(terms: Iterator[Any]) -> Any:
    """Their sum."""
    found = list(terms)
    return Form.total(found) if any(isinstance(x, Form) for x in found) else sum(found, number(0))
