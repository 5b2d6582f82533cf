"""Equations on numbers alone: integers and truth values by NumPy, and by JAX itself what is not in the table."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from kltheory.tracing.jax.values import Rule

CONCRETE: Final[Mapping[str, Rule]] = {
    "add": np.add,
    "and": np.bitwise_and,
    "eq": np.equal,
    "ge": np.greater_equal,
    "gt": np.greater,
    "le": np.less_equal,
    "lt": np.less,
    "max": np.maximum,
    "min": np.minimum,
    "mul": np.multiply,
    "ne": np.not_equal,
    "neg": np.negative,
    "not": np.invert,
    "or": np.bitwise_or,
    "select_n": lambda which, *cases: np.choose(which, cases),
    "sub": np.subtract,
}
"""What indices and masks are made of: JAX would compile each of these first."""


def computed(eqn: Any, args: list[Any]) -> list[Any]:
    """What the equation makes of numbers."""
    if rule := CONCRETE.get(eqn.primitive.name):
        return [rule(*args)]
    out = eqn.primitive.bind(*args, **eqn.params)
    return list(out) if eqn.primitive.multiple_results else [out]
