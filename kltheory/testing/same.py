"""What ``assert_same_gradient`` checks, and the finding that it prints."""

from collections.abc import Iterator, Sequence
from typing import Final

from kltheory.audit.compare import Comparison, Configured, Question, compare_targets
from kltheory.audit.rows import PLACEMENTS, WEIGHTS
from kltheory.audit.subject import Raised
from kltheory.audit.target import CannotRun
from kltheory.calculus.surrogate import Sampler
from kltheory.report.audit import formula
from kltheory.testing.claim import PLACED, SAMPLED, WEIGHTED
from kltheory.testing.records import Outcome
from kltheory.testing.subject import Call, for_python
from kltheory.testing.witness import between
from kltheory.testing.words import block, known

WHICH: Final = ("value", "derivative", "expected")


def check(a: Call, b: Call, which: Sequence[str]) -> Outcome:
    """The outcome; every question that is not answered with yes is shown, the first with a witness."""
    asked = [which] if isinstance(which, str) else list(which)
    for name in asked:
        known("which", name, WHICH)
    if not asked:
        raise ValueError(f"which={which!r}: nothing is asked; it holds some of {', '.join(WHICH)}")
    try:
        targets = [_configured(call) for call in (a, b)]
        found = compare_targets(*targets)
    except CannotRun as e:
        return Outcome(for_python(f"there is nothing to compare yet: {e}"))
    except Raised as e:
        return Outcome(f"one of the functions raises {e}")
    wrong = [q for q in found.questions if q.what.partition(" ")[0] in asked and q.same is not True]
    places = [target.place for target, *_ in targets]
    return Outcome(_finding(found, wrong, places) if wrong else _coupled(found), found)


def _coupled(found: Comparison) -> str:
    """Coupled tokens were compared one at a time: then agreement says nothing."""
    names = [n for n, f in zip(found.names, found.formulas, strict=True) if f.coupled]
    return f"undecided: the tokens of {' and '.join(names)} are coupled" if names else ""


def _configured(call: Call) -> Configured:
    return call.target, call.settings or {}, call.arguments or {}


def _finding(found: Comparison, wrong: list[Question], places: list[str]) -> str:
    heads = [
        (letter, f"{name} · {place}: {formula(f) or 'no formula, measured'}")
        for letter, name, place, f in zip("ab", found.names, places, found.formulas, strict=True)
    ]
    gradients = [q for q in wrong if q.what.startswith("expected")]
    facts = [
        *heads,
        *(fact for q in wrong if q not in gradients for fact in _sample(q)),
        *_rows(found, gradients),
        ("witness", _gradient_witness(found, gradients)),
    ]
    return block(f"{found.names[0]} and {found.names[1]} are not shown to be the same", facts)


def _sample(q: Question) -> list[tuple[str, str]]:
    name = "differs" if q.same is False else "undecided"
    parts = [("where", " or ".join(q.parts))] if q.parts else []
    shown = ""
    if q.witness:
        l, log_w, a, b = (f"{q.witness[k]:.4g}" for k in ("l", "log_w", "a", "b"))
        shown = f"at l = {l}, log w = {log_w}: {a} and {b}"
    return [(name, f"{q.what} ({q.how})"), *parts, ("witness", shown)]


def _rows(found: Comparison, gradients: list[Question]) -> Iterator[tuple[str, str]]:
    """One line each, or one for all when all differ."""
    every = [q for q in found.questions if q.what.startswith("expected")]
    if len(gradients) == len(every) and all(q.same is False for q in every):
        yield "differs", "expected gradient, in every placement, with every weight, under every sampler"
        return
    for q in gradients:
        text = f"{q.what} ({q.how}; the running functions differ by {q.gap:.1e})"
        yield "differs" if q.same is False else "undecided", text


def _gradient_witness(found: Comparison, gradients: list[Question]) -> str:
    """For the first placement whose running gradients differ on a small setting."""
    for q in gradients:
        for placement in PLACEMENTS:
            for weight in WEIGHTS:
                for sampler in Sampler:
                    if q.what.endswith(f": {placement}, weight {weight}, sampler {sampler.value}"):
                        seen = between(*found.formulas, (placement, weight, sampler))
                        if seen is not None:
                            row = f"{PLACED[placement]} {WEIGHTED[weight]}, {SAMPLED[sampler.value]}"
                            return f"{row}, at {seen.describe('a', 'b')}"
    return ""
