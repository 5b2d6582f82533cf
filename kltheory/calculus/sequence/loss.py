"""Losses and objectives of whole responses, and the differential of one: which score stands where.

A response drawn from the old policy carries no gradient, so the gradient of a loss is linear in the tokens' scores s_j
= ∇log π(y_j | y_<j): each of l, log w, logp of a token moves by its score. An objective E_π[f] = E_old[w_{1:T} f]
moves with its sampling too, through the weight of the whole response.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sympy import Dummy, Expr, Function, Piecewise, S, Symbol, exp

from kltheory.calculus.cells import split
from kltheory.calculus.decimals import in_decimals
from kltheory.calculus.domain import Undefined, has_no_value, under
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.moments import Mean, map_means
from kltheory.calculus.regions import EVERYWHERE
from kltheory.calculus.sequence.language import SUMS, Ahead, total
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import VARIABLES, erase_sg, log_ratio, log_weight, logp, sg, to_quotients

score: Final = Symbol("s", real=True)
"""The score of the token at which it stands."""
other_score: Final = Symbol("s_2", real=True)
"""The same, in a second direction of the parameters."""
SCORES: Final = (score, other_score)


class Carried(Function):
    """E_π[g s | past], g and s the arguments: what a mean over the vocabulary carries, whatever the token drawn."""

    nargs = 2


class PastValue(Symbol):
    """Any function of the past of a token, the prefix before it: a critic, a baseline."""


class BothScored(PastValue):
    """E_π[f s | past] E_π[g s_2 | past]: the scores of two independent tokens in one place, a number of the past."""

    def __new__(cls, f: Expr, g: Expr) -> "BothScored":
        """The number of these two functions of a token."""
        return Symbol.__xnew__(cls, f"E[({f}) s] E[({g}) s_2]", real=True)


@dataclass(frozen=True)
class SequenceLoss:
    """An expression in ``total(.)`` and ``length``, of one response; minimised."""

    expr: Expr

    def __post_init__(self) -> None:
        object.__setattr__(self, "expr", in_decimals(self.expr))

    @classmethod
    def of(cls, expr: Expr | int) -> "SequenceLoss":
        """The loss with this formula, in the canonical variables logp, l, log w."""
        return cls(to_quotients(S(expr)))

    def __add__(self, other: "SequenceLoss") -> "SequenceLoss":
        return SequenceLoss(self.expr + other.expr)

    def __sub__(self, other: "SequenceLoss") -> "SequenceLoss":
        return SequenceLoss(self.expr - other.expr)

    def __mul__(self, scalar: Expr | int) -> "SequenceLoss":
        return SequenceLoss(scalar * self.expr)

    __rmul__ = __mul__

    def gradient(self, sampler: Sampler) -> Expr:
        """The gradient of one response, linear in :data:`score`, ``sg`` erased.

        Raises:
            Undefined: for some token of some response it has no value.
            Undecidable: it cannot be differentiated, or it is not known whether it has a value.
        """
        return _gradient(self.expr, sampler)


@dataclass(frozen=True)
class SequenceObjective:
    """E_π[f] of a whole response, differentiated through the sampling as well; f as in a :class:`SequenceLoss`."""

    expr: Expr

    def __post_init__(self) -> None:
        object.__setattr__(self, "expr", in_decimals(self.expr))

    @classmethod
    def of(cls, expr: Expr | int) -> "SequenceObjective":
        """The objective with this formula, in the canonical variables logp, l, log w."""
        return cls(to_quotients(S(expr)))

    @property
    def as_loss(self) -> SequenceLoss:
        """f times the live weight of the whole response: its mean is E_π[f] whatever the policy, so its gradient is."""
        return SequenceLoss(exp(total(log_weight)) * self.expr)

    def gradient(self, sampler: Sampler) -> Expr:
        """The gradient of one response, linear in :data:`score`."""
        return self.as_loss.gradient(sampler)


@lru_cache(maxsize=256)
def _gradient(expr: Expr, sampler: Sampler) -> Expr:
    """That of a loss with this formula; kept, since mutants share a side."""
    confirm_defined(expr)
    on_policy = {log_weight: logp - sg(logp)} if sampler is Sampler.POLICY else {}
    return _erased(differential(map_means(expr, lambda f: f.xreplace(on_policy)).xreplace(on_policy)))


def confirm_defined(expr: Expr) -> None:
    """Raise Undefined if a formula of responses has no value for some token, or Undecidable if that is not known."""
    if has_no_value(expr):
        raise Undefined(EVERYWHERE)
    for node in expr.atoms(*SUMS):
        of_token = erase_sg(node.args[0].replace(lambda e: isinstance(e, SUMS), lambda e: Dummy(real=True)))
        if of_token.has(Piecewise) or any(True for _ in under(of_token)):
            split(of_token)


def curl(loss: SequenceLoss, sampler: Sampler) -> Expr:
    """The antisymmetric part of the Jacobian of the expected gradient, before averaging: ∂_a g_b - ∂_b g_a.

    Zero in expectation, whatever the parameters, means that some objective has this gradient.

    Raises:
        Undecidable: the gradient has a mean over the vocabulary in it.
    """
    gradient = loss.gradient(sampler)
    if gradient.has(Carried):
        raise Undecidable("the gradient carries a mean over the vocabulary")
    moved = differential(gradient, other_score)
    if sampler is Sampler.POLICY:
        moved += total(other_score) * gradient
    return moved - moved.xreplace({score: other_score, other_score: score})


def differential(expr: Expr, by: Symbol = score) -> Expr:
    """d expr, with d l = d log w = d logp = s for each token, and nothing through ``sg``.

    Raises:
        Undecidable: a gradient flows into what is to come, or a mean over the vocabulary looks beyond its token.
    """
    nodes: dict[Expr, Dummy] = {}
    flat = _flat(expr, nodes)
    moved = sum((flat.diff(v) for v in (logp, log_ratio, log_weight)), S.Zero) * by
    moved += sum((flat.diff(m) * _carried(m, by) for m in sorted(flat.atoms(Mean), key=str)), S.Zero)
    for node, dummy in nodes.items():
        if (slope := flat.diff(dummy)) != 0:
            moved += slope * _moved(node, by)
    return moved.xreplace({dummy: node for node, dummy in nodes.items()})


def _flat(expr: Expr, nodes: dict[Expr, Dummy]) -> Expr:
    """The expression with its outermost sums and detached parts replaced by dummies."""
    if isinstance(expr, (sg, *SUMS)):
        return nodes.setdefault(expr, Dummy(real=True))
    return expr.func(*(_flat(a, nodes) for a in expr.args)) if expr.has(sg, *SUMS) else expr


def _moved(node: Expr, by: Symbol) -> Expr:
    if isinstance(node, sg):
        return S.Zero
    if isinstance(node, Ahead):
        raise Undecidable(f"a gradient flows into {node}: detach it")
    summand, *discount = node.args
    return node.func(differential(summand, by), *discount)


def _carried(m: Mean, by: Symbol) -> Expr:
    slope = differential(m.integrand, by)
    if slope.has(*SUMS, Carried):
        raise Undecidable(f"the mean of {m.integrand} carries more than its own token's score")
    return Carried(m.integrand + slope.coeff(by), by)


def _erased(expr: Expr) -> Expr:
    return map_means(erase_sg(expr), erase_sg)


def is_of_the_token(expr: Any) -> bool:
    """Whether it depends on the position at which it stands."""
    symbols = expr.free_symbols
    return bool(symbols & {*VARIABLES, *SCORES}) or any(isinstance(s, (Mean, PastValue)) for s in symbols)
