"""Operations that move entries and compute nothing: they are run once more, on the numbers of the entries."""

from typing import Any, Final

import numpy as np
from sympy import Basic, S

from kltheory.tracing.entries import NoExpression
from kltheory.tracing.pytorch.constants import constant
from kltheory.tracing.pytorch.shadows import Shadows
from kltheory.tracing.pytorch.tensors import tensors_in, torch_module
from kltheory.tracing.trace import Exprs

_NAMES: Final = """
    cat clone constant_pad_nd diag_embed flip gather index index_copy index_fill index_put index_select masked_scatter
    masked_select repeat roll rot90 scatter select_scatter slice_scatter stack take tril triu
"""
MOVES: Final = frozenset(_NAMES.split())
_DATA: Final = frozenset({"self", "tensors", "src", "source", "values", "value", "input"})
"""What ATen calls the arguments that hold entries; the others say where to."""


def moved(func: Any, args: Any, kwargs: Any, shadows: Shadows) -> Exprs:
    """Where the entries go: they are counted from 1, and 0 is what the operation fills in."""
    torch = torch_module()
    pool: list[Basic] = [S.Zero]

    def numbered(value: Any) -> Any:
        if isinstance(value, (tuple, list)):
            return [numbered(v) for v in value]
        if isinstance(value, torch.Tensor):
            start = len(pool)
            pool.extend(shadows.read(value).flat)
            return torch.arange(start, len(pool)).reshape(value.shape)
        pool[0] = constant(value, None)
        return 0

    def replaced(name: str, value: Any) -> Any:
        if name in _DATA:
            return numbered(value)
        if name in ("accumulate", "reduce") and value:
            raise NoExpression(f"it computes, by {name}={value}")
        if any(map(shadows.depends, tensors_in(value))):
            raise NoExpression("the places depend on the inputs")
        return value

    names = [a.name for a in func._schema.arguments]
    places = func(
        *(replaced(name, v) for name, v in zip(names, args, strict=False)),
        **{name: replaced(name, v) for name, v in kwargs.items()},
    )
    out = np.empty(places.numel(), dtype=object)
    out[:] = [pool[i] for i in places.reshape(-1).tolist()]
    return out.reshape(places.shape)
