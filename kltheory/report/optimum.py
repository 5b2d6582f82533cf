"""Optima side by side: the policy that each penalty leaves, in numbers and, where there is one, as a formula."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sympy import Expr

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import DIVERGENCES, Divergence
from kltheory.calculus.domain import Undefined
from kltheory.calculus.estimators import Estimator, as_loss
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.formula.parse import NONE
from kltheory.calculus.identify import identify
from kltheory.calculus.notation import text
from kltheory.calculus.optimum import gives_up, ratio_of
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import log_ratio
from kltheory.numerics.optimum import Optimum, optimum
from kltheory.report.columns import columns
from kltheory.report.number import in_json, shown
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
            NoOptimum: its coefficient falls somewhere, depends on more than the log-ratio, or has no value at some.
        """
        try:
            c = as_loss(Estimator(formula, numeric(formula, declared))).coefficient(Sampler.POLICY)
            if (variable := c.sole_variable) != log_ratio:
                raise NoOptimum(
                    f"the coefficient of {formula}, {c}, depends on {variable}: a penalty is one of l alone"
                )
            found = identify(c)
        except Undefined as e:
            raise NoOptimum(f"{formula} is {e}") from None
        except Undecidable as e:
            raise NoOptimum(f"{formula}: {e}") from None
        if found.reason:
            raise NoOptimum(f"{formula}: whether its coefficient falls is not decided: {found.reason}")
        if found.terms == ():
            raise NoOptimum(f"the coefficient of {formula}, {c}, is constant: it is no penalty")
        if not found.is_divergence:
            raise NoOptimum(f"{formula} descends no f-divergence: {found.obstacle}, where C = {c}")
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

    reward: tuple[Fraction, ...]
    reference: tuple[Fraction, ...]
    beta: Fraction
    rows: tuple[tuple[Penalty, Optimum], ...]

    def to_json(self) -> dict[str, Any]:
        """The JSON object of ``kltheory optimum``; docs/json.md lists its keys."""
        columns = {name: [in_json(x) for x in getattr(self, name)] for name in ("reward", "reference")}
        return {**columns, "beta": in_json(self.beta), "optima": [self._entry(p, o) for p, o in self.rows]}

    def _entry(self, penalty: Penalty, found: Optimum) -> dict[str, Any]:
        formula, dropped = penalty.formula, set(found.dropped)
        return {
            "penalty": penalty.name,
            "divergence": None if penalty.divergence is None else penalty.divergence.name,
            "formula": None if formula is None else text(formula),
            "policy": found.policy.tolist(),
            "log_ratio": [None if a in dropped else in_json(l) for a, l in enumerate(found.log_ratio)],
            "multiplier": in_json(found.multiplier),
            "objective": None if found.objective is None else in_json(found.objective),
            "value": None if found.divergence is None else in_json(found.divergence),
            "entropy": in_json(found.entropy),
            "residual": in_json(found.residual),
            "dropped": list(found.dropped),
        }

    def plain(self) -> str:
        """A table with a line for each penalty, then the formulas."""
        head = ("penalty", *(f"π_{i}" for i in range(1, len(self.reward) + 1)), "E[A] - βD", "D", "entropy", "residual")
        lines = columns([head, *(self._row(p, o) for p, o in self.rows)])
        return "\n".join([*lines, "", *self._formulas()])

    def _row(self, penalty: Penalty, found: Optimum) -> tuple[str, ...]:
        policy = map(shown, found.probability)
        numbers = ("-" if x is None else shown(x) for x in (found.objective, found.divergence, found.entropy))
        return (penalty.name, *policy, *numbers, f"{float(found.residual):.0e}")

    def _formulas(self) -> Iterator[str]:
        yield "π = π_ref·u, with y = (A - λ)/β and λ such that the probabilities sum to 1:"
        for penalty, found in self.rows:
            formula = penalty.formula
            gives_up = formula is not None and found.dropped and penalty.gives_up
            solution = "no closed form, solved by bisection" if formula is None else f"u = {text(formula)}"
            yield f"  {penalty.name}: {solution}" + (", 0 where that is negative" if gives_up else "")


def optima(
    penalties: Sequence[Penalty], reward: Sequence[Fraction], reference: Sequence[Fraction], beta: Fraction
) -> Optima:
    """The optimum for each penalty.

    Raises:
        NoOptimum: nothing balances the rewards, as where a coefficient has no value at the log-ratio that would.
    """
    rows = []
    for penalty in penalties:
        found = optimum(penalty.coefficient, penalty.divergence, reward, reference, beta)
        if not found.residual.is_zero():
            raise NoOptimum(
                f"{penalty.name}: no policy balances these rewards; {penalty.coefficient} has no value there"
            )
        rows.append((penalty, found))
    return Optima(tuple(reward), tuple(reference), beta, tuple(rows))
