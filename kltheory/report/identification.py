"""What a typed formula descends: the answer of ``kltheory identify``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sympy import Expr

from kltheory.calculus.estimators import Estimator, in_reward
from kltheory.calculus.formula.formula import Formula
from kltheory.calculus.formula.parse import NONE, read_formula
from kltheory.calculus.identify import identify
from kltheory.calculus.notation import text as written
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.report.table import WEIGHTS, Row


@dataclass(frozen=True)
class Answer:
    """The rows of one formula: on-policy and off-policy."""

    formula: Formula
    rows: tuple[Row, ...]

    def to_json(self) -> dict[str, Any]:
        """What was read, and ``rows`` with the keys of the class table, and ``f``, ``objective``, ``reason``."""
        extra = [{"f": _text(r.found.f), "objective": r.objective(), "reason": r.found.reason} for r in self.rows]
        return {
            "formula": self.formula.typed,
            "read_as": str(self.formula),
            "notes": list(self.formula.notes),
            "rows": [{**r.to_json(), **e} for r, e in zip(self.rows, extra, strict=True)],
        }

    def plain(self) -> str:
        """For people."""
        first = self.rows[0]
        weight = "" if first.weight == "none" else f", {first.weight} weight w"
        lines = [f"{self.formula.typed}, placed in the {first.placement}{weight}"]
        if self.formula.notes:
            lines += [f"  read as        {self.formula}", *(f"                 {note}" for note in self.formula.notes)]
        for r in self.rows:
            who = "on-policy" if r.sampler is Sampler.POLICY else "off-policy"
            lines += [f"  {who}", f"    coefficient  {r.found.coefficient}", f"    descends     {r.verdict()}"]
            lines += [f"                 {note}" for note in _notes(r)]
        return "\n".join(lines)


def identify_text(
    text: str, placement: str = "loss", weight: str = "none", declared: Mapping[str, Expr] = NONE
) -> Answer:
    """Identify a formula typed by a person, with the constants that were declared.

    Raises:
        FormulaError: it is not a formula; the message shows where and what is allowed.
        Undecidable: the zero test has no answer.
    """
    formula = read_formula(text, declared)
    factor = WEIGHTS[weight]
    s = Surrogate.of(formula.expr) * factor if placement == "loss" else in_reward(Estimator(text, formula.expr), factor)
    return Answer(
        formula,
        tuple(Row(text, placement, weight, who, s, identify(s.coefficient(who))) for who in Sampler),
    )


def _text(value: Any) -> str | None:
    return None if value is None else written(value)


def _notes(r: Row) -> list[str]:
    found = r.found
    notes = []
    if found.terms == ():
        return ["the coefficient is constant: in expectation nothing is descended"]
    if found.f is not None and found.terms is not None:
        notes.append(f"f(u) = {written(found.f)}, the objective is Σ {r.base} f(u), u = π/{r.base}")
    if found.is_divergence:
        notes.append("f is convex: an f-divergence")
    elif found.reason:
        notes.append(f"whether f is convex is not decided: {found.reason}")
    elif found.slope == -1:
        notes.append("f is concave: minus an f-divergence, pushed away from")
    elif found.f is not None or found.slope is None:
        notes.append("not an f-divergence of the policy from the reference")
    if r.depends_on_sampler:
        notes.append("it depends on who sampled")
    return notes
