"""The class table: estimators × placements × weights × samplers, with coefficients and what they descend."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from sympy import Expr, S

from kltheory.calculus.estimators import ESTIMATORS, Estimator, as_loss, in_reward, w
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.identify import Identification, identify
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import log_weight, sg
from kltheory.report.columns import columns, markdown_table
from kltheory.report.verdict import verdict

WEIGHTS: Final[dict[str, Expr]] = {"none": S.One, "detached": sg(w), "live": w}
"""The importance weight as code writes it: absent, w.detach(), or w with its gradient."""

PLACEMENTS: Final = {"loss": as_loss, "reward": in_reward}


@dataclass(frozen=True)
class Row:
    """One cell of the class table."""

    estimator: str
    placement: str
    weight: str
    sampler: Sampler
    surrogate: Surrogate
    found: Identification

    @cached_property
    def sampler_dependence(self) -> tuple[bool | None, str]:
        """Whether the expected gradient changes with the old policy; ``None`` and why, where that is not decided."""
        try:
            return self.sampler is Sampler.OLD and self.found.coefficient.depends_on(log_weight), ""
        except Undecidable as e:
            return None, str(e)

    def to_json(self) -> dict[str, Any]:
        """Plain data; the keys are documented in the README."""
        return {
            "estimator": self.estimator,
            "placement": self.placement,
            "weight": self.weight,
            "sampler": self.sampler.value,
            "coefficient": str(self.found.coefficient),
            "gradient_of": self.found.name,
            "title": verdict(self.found),
            "is_divergence": self.found.is_divergence,
            "depends_on_sampler": self.sampler_dependence[0],
        }


def class_table(estimators: tuple[Estimator, ...] = ESTIMATORS) -> Iterator[Row]:
    """Every row, estimators in order; in the reward a live weight is the detached one, and is left out."""
    for k in estimators:
        for placement, place in PLACEMENTS.items():
            for name, factor in WEIGHTS.items():
                if placement == "reward" and name == "live":
                    continue
                for sampler in Sampler:
                    s = place(k, factor)
                    yield Row(k.name, placement, name, sampler, s, identify(s.coefficient(sampler)))


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
