"""What a typed formula descends: the answer of ``kltheory identify``."""

from dataclasses import dataclass
from typing import Any

from kltheory.calculus.estimators import Estimator, in_reward
from kltheory.calculus.formula.parse import parse_formula
from kltheory.calculus.identify import identify
from kltheory.calculus.notation import text
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.report.table import WEIGHTS, Row


@dataclass(frozen=True)
class Answer:
    """The rows of one formula: on-policy and off-policy."""

    formula: str
    rows: tuple[Row, ...]

    def to_json(self) -> dict[str, Any]:
        """``formula`` and ``rows`` with the keys of the class table, and ``f``, ``objective``, ``reason``."""
        extra = [{"f": _text(r.found.f), "objective": r.objective(), "reason": r.found.reason} for r in self.rows]
        return {"formula": self.formula, "rows": [{**r.to_json(), **e} for r, e in zip(self.rows, extra, strict=True)]}

    def plain(self) -> str:
        """For people."""
        first = self.rows[0]
        weight = "" if first.weight == "none" else f", {first.weight} weight w"
        lines = [f"{self.formula}, placed in the {first.placement}{weight}"]
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
    return Answer(
        formula,
        tuple(Row(formula, placement, weight, who, s, identify(s.coefficient(who))) for who in Sampler),
    )


def _text(value: Any) -> str | None:
    return None if value is None else text(value)


def _notes(r: Row) -> list[str]:
    found = r.found
    notes = []
    if found.terms == ():
        return ["the coefficient is constant: in expectation nothing is descended"]
    if found.f is not None and found.terms is not None:
        base = "π_old" if r.base_is_old else "π_ref"
        notes.append(f"f(u) = {text(found.f)}, the objective is Σ {base} f(u), u = π/{base}")
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
