"""Behaviour: what a function does besides computing, seen by calling it as its library would."""

from collections.abc import Iterator

import numpy as np

from kltheory.audit.alarms import Alarm
from kltheory.audit.layout import Layout
from kltheory.audit.subject import Subject, guarded


def behaviour(subject: Subject, layout: Layout) -> Iterator[Alarm]:
    """Random results, changed inputs, an output of an unexpected shape.

    Raises:
        Raised: the function raises.
    """
    at = layout.arrays()
    first, slopes = subject.run(at)
    again, slopes_again = subject.run(at)
    same = np.array_equal(first, again, equal_nan=True) and all(
        np.array_equal(slopes[r], slopes_again[r], equal_nan=True) for r in slopes
    )
    if not same:
        yield Alarm("random", "two calls with the same inputs give different results: nothing more is said of it")
    if first.shape not in (layout.tokens, (), (1,), *(layout.tokens[:n] for n in range(len(layout.tokens)))):
        yield Alarm("shape", f"inputs of shape {layout.shape} give an output of shape {first.shape}")
    if subject.target.framework == "torch":
        yield from _changes(subject, layout)


def _changes(subject: Subject, layout: Layout) -> Iterator[Alarm]:
    at = layout.arrays()
    arrays = {r: subject.array(at[r], "float64") for r in subject.traced}
    before = {r: a.clone() for r, a in arrays.items()}
    with guarded():
        subject(**{r.value: a for r, a in arrays.items()}, **subject.constants(at, "float64"))
    for role, array in arrays.items():
        if not np.array_equal(array.detach().numpy(), before[role].numpy(), equal_nan=True):
            names = [p for p, r in subject.paths.items() if r is role]
            yield Alarm("changes_input", f"it changes its argument {names[0]} in place")
