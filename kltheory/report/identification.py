"""What a typed formula descends: the answer of ``kltheory identify``."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kltheory.calculus.domain import Undefined
from kltheory.calculus.estimators import Estimator, in_reward
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.formula.parse import parse_formula
from kltheory.calculus.identify import identify
from kltheory.calculus.notation import text
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.report.table import WEIGHTS, Row


@dataclass(frozen=True)
class Answer:
    """The rows of one formula, on-policy and off-policy, or where it has no value."""

    formula: str
    placement: str
    weight: str
    rows: tuple[Row, ...]
    undefined: str = ""

    def to_json(self) -> dict[str, Any]:
        """``formula``, ``undefined``, and ``rows`` with the keys of the class table and those of :func:`_extra`."""
        rows = [{**r.to_json(), **_extra(r)} for r in self.rows]
        return {"formula": self.formula, "undefined": self.undefined, "rows": rows}

    def plain(self) -> str:
        """For people."""
        weight = "" if self.weight == "none" else f", {self.weight} weight w"
        lines = [f"{self.formula}, placed in the {self.placement}{weight}"]
        if self.undefined:
            lines.append(f"  undefined {self.undefined}")
        for r in self.rows:
            who = "on-policy" if r.sampler is Sampler.POLICY else "off-policy"
            lines += [f"  {who}", f"    coefficient  {r.found.coefficient}", f"    descends     {r.verdict()}"]
            lines += [f"                 {note}" for note in _notes(r)]
        return "\n".join(lines)


def identify_text(formula: str, placement: str = "loss", weight: str = "none") -> Answer:
    """Identify a formula typed by a person.

    Raises:
        FormulaError: it is not a formula; the message shows where and what is allowed.
        Undecidable: the zero test has no answer.
    """
    expr = parse_formula(formula)
    factor = WEIGHTS[weight]
    s = Surrogate.of(expr) * factor if placement == "loss" else in_reward(Estimator(formula, expr), factor)
    try:
        rows = tuple(Row(formula, placement, weight, who, s, identify(s.coefficient(who))) for who in Sampler)
    except Undefined as e:
        return Answer(formula, placement, weight, (), _where(e))
    return Answer(formula, placement, weight, rows)


def _where(e: Undefined) -> str:
    """Where a formula has no value, and what follows: any other policy has actions on either side of the reference."""
    sides = {"l < 0", "0 < l"}
    return (
        f"where {e.where}, so no policy but the reference has a loss" if e.where in sides else str(e).partition(" ")[2]
    )


def _extra(r: Row) -> dict[str, Any]:
    """``f`` and the policy it is over, ``objective``, why it is no f-divergence, or why that is not decided."""
    found = r.found
    over = {"f": None if found.f is None else text(found.f), "base": found.base, "objective": r.objective()}
    return {**over, "obstacle": found.obstacle, "reason": found.reason}


def _notes(r: Row) -> Iterator[str]:
    found = r.found
    if found.terms == ():
        yield "the coefficient is constant: in expectation nothing is descended"
    elif found.f is not None and found.terms is not None:
        yield f"f(u) = {text(found.f)}, the objective is Σ {r.base} f(u), u = π/{r.base}"
    if found.reason:
        yield f"whether f is convex is not decided: {found.reason}"
    elif found.is_divergence:
        yield f"f is convex: an f-divergence{'' if found.base == 'ref' else ' from the old policy'}"
    elif found.slope == -1:
        yield "f is concave: minus an f-divergence, pushed away from"
    elif found.obstacle:
        yield f"not an f-divergence: {found.obstacle}"
    elif found.terms != ():
        yield "not an f-divergence of the policy from the reference: C is no function of l alone"
    if r.sampler is Sampler.OLD:
        yield _sampler(r)


def _sampler(r: Row) -> str:
    """Whether it depends on who sampled."""
    try:
        return (
            "it depends on who sampled: C moves with w" if r.depends_on_sampler else "whoever sampled: C is free of w"
        )
    except Undecidable as e:
        return f"whether it depends on who sampled is not decided: {e}"
