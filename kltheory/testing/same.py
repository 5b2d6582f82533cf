"""What ``assert_same_gradient`` checks, and what it prints."""

from collections.abc import Sequence
from typing import Final

from kltheory.audit.compare import Comparison, Configured, compare_targets
from kltheory.audit.question import Question
from kltheory.audit.subject import Raised
from kltheory.audit.target import CannotRun
from kltheory.report.comparison import parted, sides
from kltheory.testing.judged import message
from kltheory.testing.records import Outcome
from kltheory.testing.subject import Call, for_python
from kltheory.testing.words import known

WHICH: Final = {
    "value": "value",
    "derivative": "derivative",
    "others": "derivative by",
    "expected": "expected gradient",
}
"""What may be asked, and how the questions begin."""


def check(a: Call, b: Call, which: Sequence[str]) -> Outcome:
    """The outcome; every question that is not answered with yes is shown, each with a witness."""
    asked = [which] if isinstance(which, str) else list(which)
    for name in asked:
        known("which", name, WHICH)
    if not asked:
        raise ValueError(f"which={which!r}: nothing is asked; it holds some of {', '.join(WHICH)}")
    try:
        found = compare_targets(*(_configured(call) for call in (a, b)))
    except CannotRun as e:
        return Outcome(for_python(f"there is nothing to compare yet: {e}"))
    except Raised as e:
        return Outcome(f"one of the functions raises {e}")
    wrong = [q for q in found.questions if q.same is not True and any(_is(q, name) for name in asked)]
    return Outcome(_message(found, wrong) if wrong or found.limits else "", found)


def _is(q: Question, name: str) -> bool:
    return q.kind == WHICH[name] if name != "others" else q.kind.startswith(WHICH[name])


def _configured(call: Call) -> Configured:
    return call.target, call.settings or {}, call.arguments or {}


def _message(found: Comparison, wrong: list[Question]) -> str:
    shown = [("answer", found.verdict), *parted(found, wrong), *sides(found)]
    return message(f"{found.names[0]} and {found.names[1]} are not shown to be the same", shown)
