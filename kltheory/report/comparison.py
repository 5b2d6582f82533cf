"""The report of a comparison: the answer first, then where the two part, then what both are."""

from collections.abc import Collection, Iterator
from typing import Any, Final

from kltheory.__about__ import __version__
from kltheory.audit.compare import Comparison
from kltheory.audit.question import Question
from kltheory.report.columns import Fact, facts, paragraphs

SCHEMA: Final = 1
ANSWERS: Final = {True: "the same", False: "differs", None: "undecided"}
EXPECTED: Final = "expected gradient"


def to_json(found: Comparison) -> dict[str, Any]:
    """Plain data."""
    return {
        "schema": SCHEMA,
        "version": __version__,
        "targets": list(found.names),
        "formulas": [f.formula for f in found.formulas],
        "same": {0: True, 1: False, 2: None}[found.status],
        "verdict": found.verdict,
        "multiple": None if found.multiple is None else str(found.multiple),
        "limits": list(found.limits),
        "choices": list(found.choices),
        "questions": [{**vars(q), "parts": list(q.parts), "witness": dict(q.witness)} for q in found.questions],
    }


def plain(found: Comparison, width: int | None = None, details: bool = False) -> str:
    """For people.

    Args:
        found: the answers.
        width: of a line; as long as it is if ``None``.
        details: whether what is the same is shown as well, question by question.
    """
    questions = found.questions if details else [q for q in found.questions if q.same is not True]
    shown = [*(parted(found, questions) if not details else (f for q in questions for f in _lines(q))), *sides(found)]
    return "\n".join([*paragraphs([found.verdict], width, "  "), *facts(shown, width, "  ")])


def sides(found: Comparison) -> Iterator[Fact]:
    """What is compared, and what was not looked at."""
    for letter, name, f in zip("ab", found.names, found.formulas, strict=True):
        target = f.subject.target
        where = f"{name} · {target.place}: " if target.file else ""
        yield letter, f"{where}{f.formula or 'no formula, measured'}"
    yield from (("not seen", limit) for limit in found.limits)


def parted(found: Comparison, questions: Collection[Question]) -> Iterator[Fact]:
    """Where they part, with witnesses; expected gradients in one line where all of them differ."""
    every = [q for q in found.questions if q.kind == EXPECTED]
    asked = [q for q in questions if q.kind == EXPECTED]
    yield from (fact for q in questions if q.kind != EXPECTED for fact in _lines(q))
    if len(asked) == len(every) and all(q.same is False for q in every):
        yield ANSWERS[False], f"{EXPECTED}, in every placement, with every weight, under every sampler"
    else:
        yield from (next(_lines(q)) for q in asked)


def _lines(q: Question) -> Iterator[Fact]:
    gap = f"; the running functions differ by {q.gap:.1e}" if q.kind == EXPECTED or q.same else ""
    yield ANSWERS[q.same], f"{q.what} ({q.how}{gap})"
    if q.same:
        return
    yield "where", " or ".join(q.parts)
    yield "reason", q.reason
    if q.witness:
        digits = 4 if q.gap > 1e-3 else 12
        *place, a, b = (f"{value:.{digits}g}" for value in q.witness.values())
        at = ", ".join(f"{name} = {value}" for name, value in zip(q.witness, place, strict=False))
        yield "witness", f"at {at}: {a} and {b}" if at else f"{a} and {b}"
