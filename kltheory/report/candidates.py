"""Estimators whose noise is compared: typed by a person, or those in use."""

from collections.abc import Mapping
from dataclasses import dataclass

from sympy import Expr

from kltheory.calculus.estimators import as_loss, in_reward, k1, k2, k3, w
from kltheory.calculus.formula.parse import NONE
from kltheory.calculus.placement import WEIGHTS, Placement
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import advantage, erase_sg, sg
from kltheory.report.typed import NoNumber, numeric


@dataclass(frozen=True)
class Candidate:
    """An estimator by name: what is differentiated, and what it reports as a value of the divergence."""

    name: str
    surrogate: Surrogate
    value: Expr

    @classmethod
    def typed(cls, text: str, placement: str, weight: str, declared: Mapping[str, Expr] = NONE) -> "Candidate":
        """A formula as ``kltheory identify`` reads it. Raises FormulaError, and NoNumber where it has an advantage."""
        expr = numeric(text, declared)
        if advantage in expr.free_symbols:
            raise NoNumber(f"{text} has the advantage A, which has no number here")
        return cls.placed(text, Surrogate.of(expr).expr, placement, weight)

    @classmethod
    def placed(cls, name: str, expr: Expr, placement: str, weight: str) -> "Candidate":
        """An expression in the loss or in the reward, with a weight."""
        return cls(name, Placement(placement, weight).of(Surrogate.of(expr)), erase_sg(WEIGHTS[weight] * expr))


def usual() -> tuple[Candidate, ...]:
    """The estimators in use."""
    return (
        Candidate("k1 in reward", in_reward(k1), k1.expr),
        Candidate("w k1 in reward", in_reward(k1, w), w * k1.expr),
        Candidate("k1 as loss", as_loss(k1), k1.expr),
        Candidate("k2 as loss", as_loss(k2), k2.expr),
        Candidate("k3 as loss", as_loss(k3), k3.expr),
        Candidate("w k1 as loss", as_loss(k1, w), w * k1.expr),
        Candidate("w k3 as loss", as_loss(k3, w), w * k3.expr),
        Candidate("sg(w) k2 as loss", as_loss(k2, sg(w)), w * k2.expr),
        Candidate("k3 in reward", in_reward(k3), k3.expr),
    )
