"""What a typed formula descends: the answer of ``kltheory identify``."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sympy import Expr, exp, log

from kltheory.calculus.cells import ties
from kltheory.calculus.divergence import Base
from kltheory.calculus.domain import Undefined
from kltheory.calculus.formula.formula import Formula
from kltheory.calculus.formula.parse import NONE, read_formula
from kltheory.calculus.notation import text
from kltheory.calculus.placement import Placement
from kltheory.calculus.regions import EVERYWHERE
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import logp, sg, weight
from kltheory.report.table import Row
from kltheory.report.verdict import about_advantage, advantage_json, summed, verdict

ON_POLICY: Final = {exp(logp - sg(logp)): weight, logp - sg(logp): log(weight)}
"""How the weight is written for people where it is 1."""


@dataclass(frozen=True)
class Answer:
    """What one formula descends, on-policy and off-policy, or where it has no value there."""

    formula: Formula
    placement: str
    weight: str
    found: dict[Sampler, Row | Undefined]

    def to_json(self) -> dict[str, Any]:
        """What was read, where it is ``undefined`` (sampler to text), and ``rows`` as in the class table, with more."""
        return {
            "formula": self.formula.typed,
            "read_as": str(self.formula),
            "notes": list(self.formula.notes),
            "undefined": {s.value: r.where for s, r in self.found.items() if isinstance(r, Undefined)},
            "rows": [{**r.to_json(), **_extra(r)} for r in self.found.values() if isinstance(r, Row)],
        }

    def plain(self) -> str:
        """For people."""
        weight = "" if self.weight == "none" else f", {self.weight} weight w"
        lines = [f"{self.formula.typed}, placed in the {self.placement}{weight}"]
        if self.formula.notes:
            lines += [f"  read as        {self.formula}", *(f"                 {note}" for note in self.formula.notes)]
        for sampler, r in self.found.items():
            lines.append("  on-policy" if sampler is Sampler.POLICY else "  off-policy")
            if isinstance(r, Undefined):
                lines.append(f"    undefined    {_where(r)}")
            else:
                lines += [f"    coefficient  {r.found.coefficient}", f"    descends     {verdict(r.found)}"]
                lines += [f"                 {note}" for note in _notes(r)]
        return "\n".join(lines)


def identify_text(
    typed: str, placement: str = "loss", weight: str = "none", declared: Mapping[str, Expr] = NONE
) -> Answer:
    """Identify a formula typed by a person, with the constants that were declared.

    Raises:
        FormulaError: it is not a formula; the message shows where and what is allowed.
        Undecidable: the zero test has no answer.
    """
    formula = read_formula(typed, declared)
    found: dict[Sampler, Row | Undefined] = {}
    for who in Sampler:
        try:
            formula.confirm_defined(who)
            found[who] = Row.of(typed, formula.expr, Placement(placement, weight, who))
        except Undefined as e:
            found[who] = e
    return Answer(formula, placement, weight, found)


def _where(e: Undefined) -> str:
    """Where a formula has no value, and what follows: any other policy has actions on either side of the reference."""
    where = e.where if e.where == EVERYWHERE else f"where {e.where}"
    return f"{where}, so no policy but the reference has a loss" if e.where in ("l < 0", "0 < l") else where


def _extra(r: Row) -> dict[str, Any]:
    """``f`` and the policy it is over, ``objective``, why it is no f-divergence, and why something is not decided.

    Of a whole loss also ``advantage``, what becomes of it for each sign, and ``penalty``, what the rest descends.
    """
    found = r.found
    over = {"f": None if found.f is None else text(found.f), "base": found.base, "objective": summed(found)}
    penalty = found.penalty
    apart = None if penalty is None else {"gradient_of": penalty.name, "title": verdict(penalty)}
    whole = {"advantage": advantage_json(found.pushes), "penalty": apart}
    why = {"obstacle": found.obstacle, "reason": found.reason, "sampler_reason": r.sampler_dependence[1]}
    return {**over, **why, **whole}


FROM: Final[dict[Base, str]] = {"ref": "", "old": " from the old policy", "uniform": " from the uniform policy"}


def _notes(r: Row) -> Iterator[str]:
    found = r.found
    for tie in ties(r.surrogate.sampled_by(r.sampler).expr):
        yield f"always on the kink of {text(tie.xreplace(ON_POLICY))}: both sides share the gradient,"
        yield "as in minimum and maximum of torch and jax.numpy; torch.clamp passes all of it"
    yield from about_advantage(found.pushes)
    if found.terms == ():
        yield "the coefficient is constant: in expectation nothing is descended"
    elif found.f is not None and found.terms is not None:
        yield f"f(u) = {text(found.f)}, the objective is Σ {found.measured_from} f(u), u = π/{found.measured_from}"
    if found.reason:
        question = "it is an f-divergence" if found.base is None else "f is convex"
        yield f"whether {question} is not decided: {found.reason}"
    elif found.is_divergence:
        yield f"f is convex: an f-divergence{FROM[found.base or 'ref']}"
    elif found.slope == -1:
        yield "f is concave: minus an f-divergence, pushed away from"
    elif found.obstacle:
        yield f"not an f-divergence: {found.obstacle}"
    elif found.terms != () and found.penalty is None:
        yield "not an f-divergence of the policy from the reference: C is no function of l alone"
    if r.sampler is Sampler.OLD:
        yield _sampler(r)


def _sampler(r: Row) -> str:
    """Whether it depends on who sampled."""
    depends, reason = r.sampler_dependence
    if depends is None:
        return f"whether it depends on who sampled is not decided: {reason}"
    return "it depends on who sampled: C moves with w" if depends else "whoever sampled: C is free of w"
