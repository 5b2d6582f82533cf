"""Optima side by side: the policy that each penalty leaves, in numbers and, where there is one, as a formula."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, log
from typing import Any

import numpy as np
from sympy import Expr

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import DIVERGENCES, Divergence
from kltheory.calculus.estimators import Estimator, as_loss
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.formula.parse import NONE
from kltheory.calculus.identify import identify
from kltheory.calculus.notation import text
from kltheory.calculus.optimum import gives_up, ratio_of
from kltheory.calculus.surrogate import Sampler
from kltheory.numerics.optimum import Optimum, optimum
from kltheory.report.columns import columns
from kltheory.report.typed import numeric

NAMES = tuple(d.name for d in DIVERGENCES)


class NoOptimum(Exception):
    """A penalty has no optimum of this kind; the message says why."""


@dataclass(frozen=True)
class Penalty:
    """What is subtracted from the reward: a coefficient that never decreases, and its divergence where one is known."""

    name: str
    coefficient: Coefficient
    divergence: Divergence | None

    @classmethod
    def named(cls, name: str) -> "Penalty":
        """A divergence of :data:`NAMES`."""
        found = next(d for d in DIVERGENCES if d.name == name)
        return cls(found.title, found.coefficient, found)

    @classmethod
    def of_loss(cls, formula: str, declared: Mapping[str, Expr] = NONE) -> "Penalty":
        """What a formula descends as a loss, on-policy.

        Raises:
            FormulaError: it is not a formula.
            NoNumber: a constant in it has no value.
            NoOptimum: its coefficient falls somewhere, or depends on more than the log-ratio.
        """
        c = as_loss(Estimator(formula, numeric(formula, declared))).coefficient(Sampler.POLICY)
        try:
            rises = c.is_nondecreasing()
        except Undecidable as e:
            raise NoOptimum(f"{formula}: {e}") from None
        if not rises or c.is_constant():
            why = "is constant: it is no penalty" if c.is_constant() else "falls somewhere: it descends no divergence"
            raise NoOptimum(f"the coefficient of {formula}, {c}, {why}")
        found = identify(c)
        f = found.f
        divergence = None if f is None else Divergence(found.name, found.title, f)
        return cls(f"{formula} as loss", c, divergence)

    @property
    def formula(self) -> Expr | None:
        """u = π/π_ref as a function of y = (A - λ)/β."""
        return None if self.divergence is None else ratio_of(self.divergence)

    @property
    def gives_up(self) -> bool:
        """Whether actions may have probability zero at the optimum."""
        return self.divergence is not None and gives_up(self.divergence)


@dataclass(frozen=True)
class Optima:
    """One problem, several penalties."""

    reward: tuple[float, ...]
    reference: tuple[float, ...]
    beta: float
    rows: tuple[tuple[Penalty, Optimum], ...]

    def to_json(self) -> dict[str, Any]:
        """The JSON object of ``kltheory optimum``; the README lists its keys."""
        problem = {"reward": list(self.reward), "reference": list(self.reference), "beta": self.beta}
        return {**problem, "optima": [self._entry(p, o) for p, o in self.rows]}

    def _entry(self, penalty: Penalty, found: Optimum) -> dict[str, Any]:
        formula = penalty.formula
        return {
            "penalty": penalty.name,
            "divergence": None if penalty.divergence is None else penalty.divergence.name,
            "formula": None if formula is None else text(formula),
            "policy": found.policy.tolist(),
            "log_ratio": [log(p / q) if p > 0 else None for p, q in zip(found.policy, self.reference, strict=True)],
            "multiplier": found.multiplier,
            "objective": _number(found.objective),
            "value": _number(found.divergence),
            "entropy": found.entropy,
            "residual": found.residual,
            "dropped": list(found.dropped),
        }

    def plain(self) -> str:
        """A table with a line for each penalty, then the formulas."""
        head = ("penalty", *(f"π_{i}" for i in range(1, len(self.reward) + 1)), "E[A] - βD", "D", "entropy", "residual")
        lines = columns([head, *(self._row(p, o) for p, o in self.rows)])
        return "\n".join([*lines, "", *self._formulas()])

    def _row(self, penalty: Penalty, found: Optimum) -> tuple[str, ...]:
        policy = ("0" if i in found.dropped else f"{p:.5g}" for i, p in enumerate(found.policy))
        numbers = (found.objective, found.divergence, found.entropy)
        return (penalty.name, *policy, *(f"{x:.5g}" for x in numbers), f"{found.residual:.0e}")

    def _formulas(self) -> Iterator[str]:
        yield "π = π_ref·u, with y = (A - λ)/β and λ such that the probabilities sum to 1:"
        for penalty, found in self.rows:
            formula = penalty.formula
            gives_up = formula is not None and found.dropped and penalty.gives_up
            shown = "no closed form, solved by bisection" if formula is None else f"u = {text(formula)}"
            yield f"  {penalty.name}: {shown}" + (", 0 where that is negative" if gives_up else "")


def optima(penalties: Sequence[Penalty], reward: Sequence[float], reference: Sequence[float], beta: float) -> Optima:
    """The optimum for each penalty."""
    a, p = np.asarray(reward, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    rows = tuple((x, optimum(x.coefficient, x.divergence, a, p, beta)) for x in penalties)
    return Optima(tuple(map(float, a)), tuple(map(float, p)), float(beta), rows)


def _number(x: float) -> float | None:
    return None if isnan(x) else x
