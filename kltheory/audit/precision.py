"""The precision a function really computes in, whatever it says: found by moving its inputs a little."""

from collections.abc import Iterable
from typing import Final

import numpy as np

from kltheory.audit.batches import Batch, Outcome, run
from kltheory.audit.confirm import EPSILON
from kltheory.audit.subject import Subject
from kltheory.tracing.trace import Floats

STEPS: Final = {"float64": 1e-12, "float32": 1e-6, "bfloat16": 3e-2}
"""Relative steps that are seen in each type and not in a coarser one."""


def precision(subject: Subject, batch: Batch, rank: int, start: Outcome) -> str:
    """The finest type in which the output follows a step of the inputs; a rounding behind NumPy is seen as well.

    Raises:
        Raised: the function raises.
    """
    before = _numbers(start)
    live = _numbers(run(subject, batch.moved(0.1), rank)) != before
    for dtype, step in STEPS.items():
        if not live.any() or (_numbers(run(subject, batch.moved(step), rank)) != before)[live].mean() > 0.5:
            return dtype
    return "bfloat16"


def _numbers(outcome: Outcome) -> Floats:
    return np.concatenate([outcome.value.ravel(), outcome.slope.ravel()])


def coarsest(dtypes: Iterable[str]) -> str:
    """The type of these that rounds most."""
    return max(dtypes, key=lambda d: EPSILON.get(d, EPSILON["float32"]))


ROUNDINGS: Final = {"float64": 1024, "float32": 256}
"""How many roundings of 1 may add up, as where terms of about a hundred cancel; 16 in coarser types."""


def tolerance(dtype: str) -> float:
    """What two numbers of about 1 may differ by where one of them was computed in this type."""
    return ROUNDINGS.get(dtype, 16) * EPSILON.get(dtype, EPSILON["float32"])
