"""The report of a comparison."""

from typing import Any, Final

from kltheory.__about__ import __version__
from kltheory.audit.compare import Comparison
from kltheory.audit.question import Question

SCHEMA: Final = 1
ANSWERS: Final = {True: "the same", False: "DIFFERENT", None: "UNDECIDED"}


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
        "questions": [{**vars(q), "parts": list(q.parts), "witness": dict(q.witness)} for q in found.questions],
    }


def plain(found: Comparison) -> str:
    """For people: the answer, then what it rests on."""
    formulas = [
        f"{letter}  {name}: {f.formula or 'no formula, measured'}"
        for letter, name, f in zip("ab", found.names, found.formulas, strict=True)
    ]
    questions = (line for q in found.questions for line in _lines(q))
    limits = (f"not looked at: {limit}" for limit in found.limits)
    return "\n".join([found.verdict, *formulas, *questions, *limits])


def _lines(q: Question) -> list[str]:
    lines = [f"{ANSWERS[q.same]:<10} {q.what} ({q.how}; the running functions differ by {q.gap:.1e})"]
    if not q.same:
        lines += [f"           they part {part if part == 'everywhere' else 'where ' + part}" for part in q.parts]
        if q.witness:
            digits = 4 if q.gap > 1e-3 else 12
            at = ", ".join(f"{name} = {value:.{digits}g}" for name, value in q.witness.items())
            lines.append(f"           for instance {at}")
        lines += [f"           {q.reason}"] * bool(q.reason)
    return lines
