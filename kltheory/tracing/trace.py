"""What tracing gives: for each entry of a function's output, the expression it computes in the entries of its inputs.

A function is called once on numbers, and every operation on them is repeated on expressions. So the trace follows what
the function really does with this configuration and these shapes. What cannot be followed is :class:`CannotTrace`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Exprs = np.ndarray[tuple[int, ...], np.dtype[np.object_]]


class CannotTrace(Exception):
    """The function does something that has no expression; the message names the operation, and where it stands."""


@dataclass(frozen=True, eq=False)
class Input:
    """One argument: its entries as numbers (float64) and as expressions, of the same shape.

    ``differentiated`` says whether a gradient may flow through it.
    """

    values: Floats
    exprs: Exprs
    differentiated: bool = True


@dataclass(frozen=True, eq=False)
class Trace:
    """The output: its entries as expressions and as the numbers the function returned, of the same shape.

    ``dtype`` is the name of the floating type the function computed in, e.g. ``float32``.
    """

    exprs: Exprs
    values: Floats
    dtype: str


class Tracer(Protocol):
    """A framework's way to trace, and to run, a function: keyword arguments are arrays, and configuration as it is."""

    def trace(self, fn: Callable[..., Any], inputs: Mapping[str, Input], config: Mapping[str, Any]) -> Trace:
        """The trace of ``fn(**inputs, **config)``. Raises CannotTrace."""
        ...

    def gradient(
        self, fn: Callable[..., Any], arrays: Mapping[str, Floats], config: Mapping[str, Any], dtype: str
    ) -> tuple[Floats, dict[str, Floats]]:
        """The output at ``arrays`` cast to ``dtype``, and the derivative of its *sum* by each, as the function runs.

        An array that the output does not depend on has derivative zero.
        """
        ...
