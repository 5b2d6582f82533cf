"""Responses spelled out: averages, expected gradients and Jacobians on one small prefix tree, enclosed in balls.

Nothing is reduced: every response is written down, every sum over tokens is a sum, every mean over the vocabulary and
over what is to come is taken. The log-probabilities of the tree are the variables of dual numbers, so derivatives come
from the formula by the chain rule, and ``sg`` drops them. An experiment of one step is a tree of one token.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import Any, Final

from sympy import Dummy, Expr, Symbol

from kltheory.calculus.divergence import Objective
from kltheory.calculus.moments import At, Mean
from kltheory.calculus.sequence.language import Ahead, Future, Past, Total, length
from kltheory.calculus.sequence.loss import PastValue, SequenceLoss, SequenceObjective
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import advantage, inside, log_ratio, log_weight, logp, sg
from kltheory.numerics.balls import BALLS, number
from kltheory.numerics.bridge import NotNumeric
from kltheory.numerics.dual import Dual, bottom, detached, moved, power, scaled, slopes, total
from kltheory.numerics.responses import ResponseTree, Tokens, pseudorandom
from kltheory.numerics.settings import membership

Numbers = Mapping[Symbol, Any]
Term = Surrogate | Objective | SequenceLoss | SequenceObjective
Gradient = dict[Tokens, Any]
"""Slopes in the logits, each named by a prefix and its token."""

ONE_STEP: Final = (Surrogate, Objective)
"""Terms whose formula speaks of the one token; those of the others speak of a response."""


def formula(term: Term) -> Expr:
    """What is averaged, or summed."""
    return term.summand if isinstance(term, Objective) else term.expr


def average(objective: SequenceObjective, tree: ResponseTree, at: Numbers) -> Any:
    """E_π of a formula of responses, a ball."""
    return Reading(tree, at).expected(objective)


def gradient(term: Term, tree: ResponseTree, sampler: Sampler, at: Numbers) -> Gradient:
    """The expected gradient in the logits; an objective is differentiated as a sum over all responses."""
    return in_logits(slopes(Reading(tree, at, sampler, 1).expected(term)), tree)


def jacobian(loss: SequenceLoss, tree: ResponseTree, sampler: Sampler, at: Numbers) -> dict[tuple[Tokens, Tokens], Any]:
    """∂_b g_a for pairs (a, b) of logits, g the expected gradient."""
    moving: Mapping[Any, Any] = slopes(Reading(tree, at, sampler, 2).expected(loss))
    rows = {e: in_logits(slopes(x), tree) for e, x in moving.items()}
    logits = dict.fromkeys(b for row in rows.values() for b in row)
    columns = {b: in_logits({e: row[b] for e, row in rows.items() if b in row}, tree) for b in logits}
    found = {(a, b): x for b, column in columns.items() for a, x in column.items()}
    for prefix in dict.fromkeys(e[:-1] for e in moving):  # log-probabilities bend: ∂_b of δ_ia - π_a
        whole = sum((bottom(x) for e, x in moving.items() if e[:-1] == prefix), number(0))
        for (a, p), (b, q) in product(enumerate(tree.policy(prefix)), repeat=2):
            key = ((*prefix, a), (*prefix, b))
            found[key] = found.get(key, 0) - whole * number(p * ((a == b) - q))
    return found


def each_gradient(loss: Term, tree: ResponseTree, sampler: Sampler, at: Numbers) -> list[tuple[Any, Gradient]]:
    """For each response, how probable it is under who sampled, and its gradient in the logits."""
    reading, drawn = Reading(tree, at, sampler, 1), Reading(tree, at, sampler)
    return [(drawn.drawn(y), in_logits(slopes(reading.of_response(loss, y)), tree)) for y in tree.responses]


def past_value(symbol: PastValue, prefix: Tokens) -> Fraction:
    """The value of an arbitrary function of the past: a number without a pattern."""
    return pseudorandom((*prefix, *map(ord, symbol.name)))


def in_logits(by_entry: Mapping[Any, Any], tree: ResponseTree) -> Gradient:
    """Slopes in log-probabilities as slopes in logits: log π_i moves with logit j by 1 if i = j, less π_j."""
    out: Gradient = {}
    for prefix in dict.fromkeys(known[:-1] for known in by_entry):
        row = [by_entry.get((*prefix, j), number(0)) for j in range(tree.size)]
        whole = sum(row, number(0))
        for j, (x, p) in enumerate(zip(row, tree.policy(prefix), strict=True)):
            out[*prefix, j] = x - number(p) * whole
    return out


@lru_cache(maxsize=1024)
def _looks_ahead(expr: Expr) -> bool:
    """Whether a gradient flows into what an exact critic says."""
    return bool(expr.has(Ahead) and expr.replace(sg, lambda x: Dummy()).has(Ahead))


@dataclass
class Reading:
    """Formulas of one tree's responses as balls, or as duals of some depth, at the current precision.

    Attributes:
        tree: where.
        at: numbers for the parameters.
        sampler: who drew; on-policy the old policy is the policy, detached.
        depth: the number of levels on which log-probabilities move; ``sg`` stops the first.
    """

    tree: ResponseTree
    at: Numbers
    sampler: Sampler = Sampler.OLD
    depth: int = 0
    seen: dict[Any, Any] = field(default_factory=dict)

    def expected(self, term: Term) -> Any:
        """The average of a loss under who sampled, whose sampling carries no gradient; of an objective, the sum."""
        if isinstance(term, Objective):
            return total(self.of_response(term, y) for y in self.tree.responses)
        drawn = self._probability if isinstance(term, SequenceObjective) else self.drawn
        return total(drawn(y) * self.of_response(term, y) for y in self.tree.responses)

    def of_response(self, term: Term, y: Tokens) -> Any:
        """The formula of a response, or of the one token it has."""
        if self.depth and _looks_ahead(formula(term)):
            raise NotNumeric("the gradient flows into what is to come: detach it")
        return self.value(formula(term), y, 0 if isinstance(term, ONE_STEP) else None)

    def drawn(self, y: Tokens) -> Any:
        """How probable a response is under who sampled."""
        if self.sampler is Sampler.POLICY:
            return detached(self._probability(y))
        return number(self.tree.probability(self.tree.old, y))

    def _probability(self, known: Tokens, given: int = 0) -> Any:
        """How probable the policy finds a continuation of the first tokens."""
        p = number(self.tree.probability(self.tree.policy, known, given))
        return scaled(p, [known[: t + 1] for t in range(given, len(known))], self.depth)

    def value(self, expr: Expr, y: Tokens, t: int | None) -> Any:
        """A formula of one response, or of its token at position t; of the vocabulary where y ends before it."""
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
        if isinstance(expr, At):
            return self._at_action(expr)
        if isinstance(expr, (Symbol, Ahead)):
            if t is None:
                raise NotNumeric(f"{expr} speaks of one token, and stands outside of any sum over tokens")
            return self._at_token(expr, y[: t + 1], t)
        if (head := BALLS.heads.get(expr.func)) is None:
            raise NotNumeric(f"{expr.func.__name__} has no numeric meaning here")
        return head(*(self.value(a, y, t) for a in expr.args))

    def _at_action(self, expr: At) -> Any:
        if self.tree.horizon != 1:
            raise NotNumeric(f"{expr} speaks of an action, and responses have several tokens")
        return self.value(expr.integrand, (expr.action,), 0)

    def _at_token(self, expr: Expr, known: Tokens, t: int) -> Any:
        """What is known once the token is, or before it."""
        early = isinstance(expr, (Mean, PastValue))
        key = (expr, known[:t] if early else known)
        if key not in self.seen:
            if isinstance(expr, Mean):
                found = self._over_tokens(expr.integrand, known[:t])
            elif isinstance(expr, PastValue):
                found = number(past_value(expr, known[:t]))
            elif isinstance(expr, Ahead):
                found = self._over_futures(Future(expr.summand, 1), known, t)
            else:
                found = self._symbol(expr, known, t)
            self.seen[key] = found
        return self.seen[key]

    def _symbol(self, symbol: Symbol, known: Tokens, t: int) -> Any:
        if symbol not in (logp, log_ratio, log_weight, inside, advantage):
            raise NotNumeric(f"no value is given for {symbol}")
        if len(known) == t:
            raise NotNumeric(f"{symbol} speaks of one action, and stands outside of any mean")
        prefix, token = known[:t], known[t]
        if symbol == inside:
            return number(membership(token))
        if symbol == advantage:
            if not self.tree.advantage:
                raise NotNumeric("an advantage belongs to an action, and responses have several tokens")
            return number(self.tree.advantage[token])
        if symbol == log_weight and self.sampler is Sampler.POLICY:
            return Dual(number(0), {known: number(1)}) if self.depth else number(0)
        p = self.tree.policy(prefix)[token]
        if symbol == logp:
            return moved(number(p).log(), (known,), self.depth)
        q = (self.tree.reference if symbol == log_ratio else self.tree.old)(prefix)[token]
        exact = isinstance(q, Fraction)
        return moved(number(p / q).log() if exact else number(p).log() - q.log(), (known,), self.depth)

    def _summed(self, node: Expr, y: Tokens, t: int | None) -> Any:
        if isinstance(node, Total):
            return total(self.value(node.summand, y, i) for i in range(len(y)))
        if t is None:
            raise NotNumeric(f"{node} is relative to a token, and stands outside of any sum over tokens")
        if isinstance(node, Past):
            return total(self.value(node.summand, y, i) for i in range(t))
        discount = self.value(node.discount, y, t)
        return total(power(discount, u - t) * self.value(node.summand, y, u) for u in range(t + 1, len(y)))

    def _over_tokens(self, expr: Expr, prefix: Tokens) -> Any:
        known = [(*prefix, a) for a in range(self.tree.size)]
        return total(self._probability(y, len(prefix)) * self.value(expr, y, len(prefix)) for y in known)

    def _over_futures(self, expr: Expr, known: Tokens, t: int) -> Any:
        drawn = ((self._probability(y, t + 1), y) for y in self.tree.continuations(known))
        return total(p * self.value(expr, y, t) for p, y in drawn)
