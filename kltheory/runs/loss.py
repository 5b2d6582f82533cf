"""A loss at a run's tokens: its pull on each log-probability, with the advantage and without, as the run had them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import polars as pl
from sympy import Expr, S, Symbol

from kltheory.calculus.formula.formula import Formula
from kltheory.calculus.surrogate import Surrogate, derivative
from kltheory.calculus.symbols import advantage, log_ratio, log_weight, logp, off_jumps
from kltheory.runs.heads import POLARS
from kltheory.runs.ratios import LOG_W, L, W
from kltheory.runs.schema import NoRun

HELD: Final[dict[Symbol, tuple[str, pl.Expr]]] = {
    logp: ("logp", pl.col("logp")),
    log_ratio: ("logp_ref", L),
    log_weight: ("logp_old", LOG_W),
    advantage: ("advantage", pl.col("advantage")),
}
"""A variable: the column that it takes besides logp, and what it is in columns."""


@dataclass(frozen=True)
class Loss:
    """A loss of one token, minimised.

    Attributes:
        name: as it was given.
        surrogate: its formula.
    """

    name: str
    surrogate: Surrogate

    @classmethod
    def typed(cls, formula: Formula) -> "Loss":
        """A typed formula."""
        return cls(formula.typed, Surrogate.of(formula.expr))

    def confirm(self, columns: frozenset[str]) -> None:
        """Raise NoRun where the run lacks a column that it takes, or it has a constant without a value."""
        used = self._slope.free_symbols | self._penalty.free_symbols
        if unknown := sorted(str(s) for s in used - {*HELD}):
            raise NoRun(f"{self.name} needs numbers for {', '.join(unknown)}: --param {unknown[0]}=VALUE")
        missing = sorted({HELD[s][0] for s in used if s in HELD} - columns)
        if missing:
            raise NoRun(f"{self.name} needs the column {missing[0]}, and the run has none")

    @cached_property
    def _slope(self) -> Expr:
        return off_jumps(derivative(self.surrogate.expr))

    @cached_property
    def _penalty(self) -> Expr:
        return off_jumps(derivative(self.surrogate.expr.xreplace({advantage: S.Zero})))

    @property
    def has_penalty(self) -> bool:
        """Whether something is pulled where the advantage is 0."""
        return self._penalty != 0

    @property
    def has_advantage(self) -> bool:
        """Whether an advantage enters."""
        return advantage in self._slope.free_symbols

    @property
    def pull(self) -> pl.Expr:
        """∂loss/∂log π of the sampled token: what multiplies its score. On a kink both sides share."""
        return _in_columns(self._slope)

    @property
    def penalty(self) -> pl.Expr:
        """The same where the advantage is 0."""
        return _in_columns(self._penalty)

    @property
    def rewarded(self) -> pl.Expr:
        """The part that the advantage brings."""
        return _in_columns(self._slope - self._penalty)


TARGET: Final = W * L
"""The pull of w k2, w held: KL(π‖π_ref)'s gradient, whoever sampled."""
ON_POLICY_TARGET: Final = L


def _in_columns(expr: Expr) -> pl.Expr:
    found: Any = POLARS(expr, {s: e for s, (_, e) in HELD.items()})
    return found if isinstance(found, pl.Expr) else pl.lit(float(found))
