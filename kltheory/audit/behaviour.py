"""Behaviour: what a function does besides computing, seen by calling it as its library would."""

from collections.abc import Iterator

import numpy as np

from kltheory.audit.codes import Code
from kltheory.audit.finding import Finding
from kltheory.audit.layout import Layout
from kltheory.audit.subject import Subject, guarded
from kltheory.tracing.trace import Floats


def behaviour(subject: Subject, layout: Layout) -> Iterator[Finding]:
    """Random results, changed inputs, an output of an unexpected shape.

    Raises:
        Raised: the function raises.
    """
    first, *others = (_called(subject, layout) for _ in range(4))  # a mask of six bits may repeat
    if not all(np.array_equal(a, b, equal_nan=True) for other in others for a, b in zip(first, other, strict=True)):
        yield Finding(Code.RANDOM, "calls with the same inputs give different results: nothing more is said of it")
    shape = first[0].shape
    if shape not in (layout.shape, layout.tokens, (), (1,), *(layout.tokens[:n] for n in range(len(layout.tokens)))):
        told = f"inputs of shape {layout.shape} give an output of shape {shape}"
        yield Finding(Code.SHAPE, told + _several(shape, layout))
    if subject.target.framework == "torch":
        yield from _changes(subject, layout)
    yield from _unnormalised(subject, layout)


def _several(shape: tuple[int, ...], layout: Layout) -> str:
    """What to do where an output holds several, stacked."""
    return ": --output N for one of them" if shape[1:] in (layout.shape, layout.tokens) else ""


def _unnormalised(subject: Subject, layout: Layout) -> Iterator[Finding]:
    """Whether the output moves with a number that is added to all logits of a position, as no softmax lets it."""
    roles = [r for r in subject.roles if r.is_over_vocabulary]
    if not roles:
        return
    at = layout.arrays()
    shift = 1.0 + np.arange(np.prod(layout.tokens, dtype=int)).reshape((*layout.tokens, 1))
    shifted = {**at, **{role: at[role] + shift for role in roles}}
    before, after = (subject.run(x)[0] for x in (at, shifted))
    if not np.allclose(before, after, rtol=1e-6, atol=1e-9, equal_nan=True):
        names = [p for p, r in subject.paths.items() if r in roles]
        yield Finding(
            Code.UNNORMALISED,
            f"a number added to all logits of a position changes the output: no softmax normalises {' or '.join(names)}"
            "; what follows is for log-probabilities",
        )


def _called(subject: Subject, layout: Layout) -> list[Floats]:
    """What the function gives when it is simply called, and with PyTorch its derivatives."""
    at = layout.arrays()
    if subject.target.framework == "torch":
        value, slopes = subject.run(at)
        return [value, *slopes.values()]
    with guarded():  # compiled, a number drawn by NumPy would be the same each time
        arrays = {**subject.variables(at, "float32"), **subject.constants(at, "float32")}
        return [np.asarray(subject(**arrays), dtype=np.float64)]


def _changes(subject: Subject, layout: Layout) -> Iterator[Finding]:
    at = layout.arrays()
    arrays = subject.variables(at, "float64")
    before = {role: a.clone() for role, a in arrays.items()}
    with guarded():
        subject(**arrays, **subject.constants(at, "float64"))
    for role, array in arrays.items():
        if not np.array_equal(array.detach().numpy(), before[role].numpy(), equal_nan=True):
            names = [p for p, r in subject.paths.items() if r.value == role]
            yield Finding(Code.CHANGES_INPUT, f"it changes its argument {names[0]} in place")
