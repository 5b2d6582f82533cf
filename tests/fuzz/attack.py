"""The attacks at large: ``python -m fuzz.attack identify 0 500`` in ``tests/``, a CPU minute for each."""

import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from fuzz.attacks import ATTACKS, Question, Trial, put
from fuzz.complaint import Complaint

BUDGET: Final = 60.0
"""CPU seconds for an answer; the oracle has three times as many."""


class OutOfTime(BaseException):
    """What took longer than its budget."""


@contextmanager
def within(seconds: float, what: str, spent: list[float]) -> Iterator[None]:
    """Raise OutOfTime in this thread after so many seconds, and note how many were spent."""

    def ring(*_: Any) -> None:
        raise OutOfTime(what)

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        left, _ = signal.setitimer(signal.ITIMER_PROF, 0)
        spent.append(seconds - left)
        signal.signal(signal.SIGPROF, before)


def guarded(question: Question) -> tuple[Trial, float]:
    """Put a question on time: a hang is no answer; and the seconds that the answer took."""
    spent: list[float] = []

    def answer() -> Any:
        with within(BUDGET, "hang", spent):
            return question.answer()

    def complaints(found: Any) -> Iterator[Complaint]:
        with within(3 * BUDGET, "oracle out of time", spent):
            yield from question.complaints(found)

    try:
        trial = put(replace(question, answer=answer, complaints=complaints))
    except OutOfTime as e:
        trial = Trial(str(e), f"after {BUDGET:g} s or more")
    return trial, spent[0]


def main(name: str, first: str, last: str) -> int:
    """Attack with a range of seeds: print what is not answered and what is wrong, then the slowest and the counts."""
    counts: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    slowest: list[tuple[float, str]] = []
    for seed in range(int(first), int(last)):
        for question in ATTACKS[name](seed):
            trial, seconds = guarded(question)
            counts[trial.kind] += 1
            wrong.update(c.kind for c in trial.complaints)
            slowest = sorted([*slowest, (seconds, question.asked)], reverse=True)[:10]
            if trial.why or trial.complaints:
                print(seed, trial.kind, question.asked, trial.why, *trial.complaints, sep=" | ", flush=True)  # noqa: T201
    for seconds, asked in slowest:
        print(f"{seconds:8.1f} s", asked)  # noqa: T201
    share = (counts["undecided"] + counts["UNDECIDED"]) / counts.total()
    print(f"{counts.total()} questions, {share:.1%} undecided: {dict(counts)}; complaints: {dict(wrong)}")  # noqa: T201
    return int(bool(wrong) or counts["hang"] > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
