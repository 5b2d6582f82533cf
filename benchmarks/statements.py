"""The class table as statements: the expected gradient of a surrogate is that of its target, or is not reverse KL's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sympy import S, Symbol

from kltheory.calculus.divergence import Objective, reverse_kl
from kltheory.calculus.estimators import ESTIMATORS, power
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.report.table import Row, class_table

TABLE: Final = (*ESTIMATORS, power(Symbol("λ", positive=True)))

SUBSET: Final = (
    "k1 loss none policy",
    "k2 loss none policy",
    "k3 loss none policy",
    "k1 reward none policy",
    "k3 reward none policy",
    "k1 reward detached old",
    "k1 loss live old",
    "k3 loss none old",
    "h[λ] loss none policy",
)
"""What the baseline is run on by default: each smooth estimator, both placements, three weights, both samplers."""


@dataclass(frozen=True)
class Statement:
    """Whether the expected gradient of ``surrogate`` is ∇ ``target``, and whether that is true."""

    name: str
    surrogate: Surrogate
    sampler: Sampler
    target: Objective
    holds: bool

    @property
    def smooth(self) -> bool:
        """Whether plain ``diff`` and ``simplify`` know every head: |l| is left out of the baseline."""
        return not self.name.startswith("abs")

    def decide(self) -> bool:
        """The calculus' answer, from the formulas, for every V."""
        return self.surrogate.coefficient(self.sampler).equals(self.target.coefficient())


def statement(row: Row) -> Statement:
    """Equality with the named objective of a row, where there is one; else inequality with reverse KL."""
    terms = row.found.terms
    target = reverse_kl.objective if terms is None else Objective(S.Zero)
    for scale, divergence in terms or ():
        target = target + scale * divergence.objective
    name = f"{row.estimator} {row.placement} {row.weight} {row.sampler.value}"
    return Statement(name, row.surrogate, row.sampler, target, holds=terms is not None)


def statements() -> Iterator[Statement]:
    """One for each row of the class table."""
    return map(statement, class_table(TABLE))
