"""What ``assert_same_gradient`` checks, and the finding that it prints."""

from collections.abc import Iterator, Sequence
from typing import Final

from kltheory.audit.compare import Comparison, Configured, compare_targets
from kltheory.audit.question import Question
from kltheory.audit.subject import Raised
from kltheory.audit.target import CannotRun
from kltheory.testing.records import Outcome
from kltheory.testing.subject import Call, for_python
from kltheory.testing.words import block, known

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
    places = [call.target.place for call in (a, b)]
    return Outcome(_finding(found, wrong, places) if wrong or found.limits else "", found)


def _is(q: Question, name: str) -> bool:
    return q.kind == WHICH[name] if name != "others" else q.kind.startswith(WHICH[name])


def _configured(call: Call) -> Configured:
    return call.target, call.settings or {}, call.arguments or {}


def _finding(found: Comparison, wrong: list[Question], places: list[str]) -> str:
    heads = [
        (letter, f"{name} · {place}: {f.formula or 'no formula, measured'}")
        for letter, name, place, f in zip("ab", found.names, places, found.formulas, strict=True)
    ]
    facts = [
        ("answer", found.verdict),
        *heads,
        *(fact for q in wrong if not q.kind.startswith("expected") for fact in _sample(q)),
        *_rows(found, [q for q in wrong if q.kind.startswith("expected")]),
        *(("not seen", limit) for limit in found.limits),
    ]
    return block(f"{found.names[0]} and {found.names[1]} are not shown to be the same", facts)


def _sample(q: Question) -> list[tuple[str, str]]:
    name = "differs" if q.same is False else "undecided"
    facts = [(name, f"{q.what} ({q.how})"), ("where", " or ".join(q.parts)), ("reason", q.reason)]
    if q.witness:
        *place, a, b = (f"{value:.4g}" for value in q.witness.values())
        at = ", ".join(f"{name} = {value}" for name, value in zip(q.witness, place, strict=False))
        facts.append(("witness", f"at {at}: {a} and {b}" if at else f"{a} and {b}"))
    return facts


def _rows(found: Comparison, gradients: list[Question]) -> Iterator[tuple[str, str]]:
    """One line each, or one for all when all differ."""
    every = [q for q in found.questions if q.kind.startswith("expected")]
    if len(gradients) == len(every) and all(q.same is False for q in every):
        yield "differs", "expected gradient, in every placement, with every weight, under every sampler"
        return
    for q in gradients:
        text = f"{q.what} ({q.how}; the running functions differ by {q.gap:.1e})"
        yield "differs" if q.same is False else "undecided", text
