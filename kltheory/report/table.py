"""The class table: estimators × placements × weights × samplers, with coefficients and what they descend."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sympy import Expr

from kltheory.calculus.estimators import ESTIMATORS, Estimator
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.identify import Identification, identify
from kltheory.calculus.placement import Placement, placements
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import log_weight
from kltheory.report.columns import columns, markdown_table
from kltheory.report.verdict import verdict


@dataclass(frozen=True)
class Row:
    """One cell of the class table."""

    estimator: str
    placed: Placement
    surrogate: Surrogate
    found: Identification

    @classmethod
    def of(cls, name: str, expr: Expr, placed: Placement) -> "Row":
        """The row of a formula. Raises Undecidable."""
        s = placed.of(Surrogate.of(expr))
        return cls(name, placed, s, identify(s.coefficient(placed.who)))

    @property
    def placement(self) -> str:
        """``loss`` or ``reward``."""
        return self.placed.where

    @property
    def weight(self) -> str:
        """``none``, ``detached`` or ``live``."""
        return self.placed.weight

    @property
    def sampler(self) -> Sampler:
        """Who drew the samples."""
        return self.placed.who

    @cached_property
    def sampler_dependence(self) -> tuple[bool | None, str]:
        """Whether the expected gradient changes with the old policy; ``None`` and why, where that is not decided."""
        try:
            return self.sampler is Sampler.OLD and self.found.coefficient.depends_on(log_weight), ""
        except Undecidable as e:
            return None, str(e)

    def to_json(self) -> dict[str, Any]:
        """Plain data; docs/json.md has the keys."""
        return {
            "estimator": self.estimator,
            **self.placed.to_json(),
            "coefficient": str(self.found.coefficient),
            "gradient_of": self.found.name,
            "title": verdict(self.found),
            "is_divergence": self.found.is_divergence,
            "depends_on_sampler": self.sampler_dependence[0],
        }


def class_table(estimators: tuple[Estimator, ...] = ESTIMATORS) -> Iterator[Row]:
    """Every row, estimators in order; in the reward a live weight is the detached one, and is left out."""
    for k in estimators:
        for placed in placements():
            if not placed.is_repeated:
                yield Row.of(k.name, k.expr, placed)


def markdown(rows: list[Row]) -> str:
    """The table in Markdown: a line for each estimator, placement and weight, on-policy beside off-policy."""
    cells = []
    off = {(r.estimator, r.placement, r.weight): r for r in rows if r.sampler is Sampler.OLD}
    for r in rows:
        if r.sampler is Sampler.POLICY:
            o = off[r.estimator, r.placement, r.weight]
            cells.append((r.estimator, r.placement, r.weight, _c(r), _cell(r), _c(o), _cell(o)))
    head = ("estimator", "placed", "weight", "C on-policy", "descends on-policy", "C off-policy", "descends off-policy")
    return "\n".join(markdown_table(head, cells))


def plain(rows: list[Row]) -> str:
    """The table in columns of text."""
    head = ("estimator", "placed", "weight", "sampled by", "coefficient", "descends")
    body = [(r.estimator, r.placement, r.weight, r.sampler.value, str(r.found.coefficient), _mark(r)) for r in rows]
    return "\n".join(columns([head, *body]))


def _c(r: Row) -> str:
    return f"`{r.found.coefficient}`"


def _mark(r: Row) -> str:
    note = "" if r.found.is_divergence or not r.found.terms else " (not an f-divergence)"
    if r.found.terms is None:
        note = " (no f-divergence)"
    return verdict(r.found) + note


def _cell(r: Row) -> str:
    return _mark(r) if r.found.terms is not None else f"`{verdict(r.found)}`"
