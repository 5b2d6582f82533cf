"""Comparing two functions: on whole batches, masks, lengths, both signs of the advantage and all policies included.

Numbers decide where they differ. That they agree is derived where both have formulas, and measured where not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from kltheory.audit.binding import bind
from kltheory.audit.chosen import choices, otherwise
from kltheory.audit.multiple import Multiple, multiple
from kltheory.audit.pair import Pair
from kltheory.audit.question import Question
from kltheory.audit.reading import Reading
from kltheory.audit.recover import recover
from kltheory.audit.subject import Raised
from kltheory.audit.target import CannotRun, Target
from kltheory.tracing.trace import CannotTrace

Configured = tuple[Target, Mapping[str, Any], Mapping[str, str]]
"""A target, its settings, and its arguments by role."""


@dataclass(frozen=True)
class Comparison:
    """The answers for two targets.

    Attributes:
        names: how they were asked for.
        formulas: what was recovered of each.
        questions: the answers.
        precision: the coarsest floating type that one of them computes in.
        multiple: what the second derivative is a multiple of the first by, where they differ and it is one.
        limits: what was not looked at.
        choices: at what choices they agree, where they do not at others; empty where that makes no difference.
    """

    names: tuple[str, str]
    formulas: tuple[Reading, Reading]
    questions: tuple[Question, ...]
    precision: str = "float64"
    multiple: Multiple | None = None
    limits: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()

    @property
    def status(self) -> int:
        """0 the same, 1 they differ, 2 undecided."""
        answers = [q.same for q in self.questions]
        return 1 if False in answers else 2 if None in answers or self.limits else 0

    @property
    def verdict(self) -> str:
        """One line: what is the same and what is not."""
        if self.status == 0:
            on = "of one token" if any(f.is_typed for f in self.formulas) else "on whole batches"
            coarse = f", to the rounding of {self.precision}" if self.precision != "float64" else ""
            return f"the same: value, derivative and expected gradient {on}{coarse}"
        answers: dict[str, list[bool | None]] = {}
        for q in self.questions:
            answers.setdefault(q.kind, []).append(q.same)
        alike = [kind for kind, every in answers.items() if set(every) == {True}]
        tail = f"; the same: {', '.join(alike)}" if alike else ""
        if self.status == 2:
            open_ = [kind for kind, every in answers.items() if None in every]
            return f"UNDECIDED: {', '.join(open_) or '; '.join(self.limits)}{tail}{_in_brackets(self._agreeing)}"
        parted = [_in_part(kind, every) for kind, every in answers.items() if False in every]
        most = max(q.gap for q in self.questions if q.same is False)
        notes = [str(self.multiple)] if self.multiple else []
        notes += self._agreeing
        notes += [f"by no more than {most:.0e}"] if 0 < most < SLIGHT else []
        if not any(kind.startswith("derivative") for kind in answers if False in answers[kind]):
            notes.append("every derivative is the same, another value")
        return f"DIFFERENT: {', '.join(parted)}{_in_brackets(notes)}{tail}"

    @property
    def _agreeing(self) -> list[str]:
        return [f"the same where {', '.join(self.choices)}"] if self.choices else []


SLIGHT: Final = 1e-6
"""A difference below this is that of a small constant, such as 1e-8 beside a count."""


def _in_brackets(notes: list[str]) -> str:
    return f" ({'; '.join(notes)})" if notes else ""


def _in_part(kind: str, answers: list[bool | None]) -> str:
    differ = answers.count(False)
    return kind if differ == len(answers) else f"{kind} in {differ} of {len(answers)} placements"


def compare_targets(a: Configured, b: Configured) -> Comparison:
    """Compare two configured targets.

    Raises:
        CannotRun: one of them cannot be called.
    """
    names, found = (a[0].name, b[0].name), (_recovered(*a), _recovered(*b))
    first = _compared(names, *found)
    others = otherwise(*found) if first.status == 0 else None
    again = None if others is None else _compared(names, *others)
    if again is None or again.status == 0:
        return first
    plain = tuple(replace(q, parts=()) for q in again.questions)
    return replace(again, formulas=first.formulas, questions=plain, multiple=None, choices=tuple(choices(*found)))


def _compared(names: tuple[str, str], a: Reading, b: Reading) -> Comparison:
    pair = Pair.of(a, b)
    value, derivative = pair.value(), pair.derivative()
    questions = [value, derivative, *pair.by_others(), *pair.expected(value, derivative)]
    seen = None if derivative.same else multiple(*pair.ran, pair.batches, pair.tolerance)
    return Comparison(names, (a, b), tuple(questions), pair.precision, seen, tuple(pair.limits()))


def _recovered(target: Target, settings: Mapping[str, Any], arguments: Mapping[str, str]) -> Reading:
    subject, unknown = (
        bind(target, arguments, settings),
        f"no argument of {target.name} is known to be a log-probability",
    )
    try:
        found = recover(subject)
    except (Raised, CannotTrace) as e:
        advice = "" if subject.traced else f"; {unknown}: say --args-a or --args-b"
        raise CannotRun(f"{target.name} raises {e}{advice}") from e
    if not found.subject.traced:
        raise CannotRun(f"{unknown}: say --args-a or --args-b")
    return found
