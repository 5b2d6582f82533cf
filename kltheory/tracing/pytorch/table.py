"""The table of PyTorch: what each ATen operation does to arrays of expressions, under ATen's own names and arguments.

ATen is what every spelling comes down to: ``x - y``, ``torch.sub(x, y)``, ``x.sub_(y)``. Nothing here imports PyTorch:
arguments are object arrays where the operation has tensors, SymPy numbers where it has floats. Views need no entry
(see :mod:`kltheory.tracing.pytorch.shadows`), nor operations that only move entries (``moves``).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from sympy import And, Basic, Max, Min, Not, Or, S, sympify
from sympy.logic.boolalg import Boolean, Xor

from kltheory.tracing.conditions import COMPARISONS, select, truth, value
from kltheory.tracing.entries import Entry, NoExpression, Operation, each, is_truth, total, unknowns
from kltheory.tracing.pytorch.elementwise import ENTRYWISE
from kltheory.tracing.pytorch.losses import LOSSES
from kltheory.tracing.pytorch.reductions import REDUCTIONS
from kltheory.tracing.trace import Exprs

_SUM: Final = each(total)
_PRODUCT: Final = each(lambda x, y: x * y)
_QUOTIENT: Final = each(lambda x, y: x / y)
_UPPER: Final = each(Min)
_LOWER: Final = each(Max)
_WHERE: Final = each(select, sympify)
_READ: Final = each(lambda x: x)


def _scaled(alpha: Any, x: Any) -> Any:
    return x if alpha == 1 else _PRODUCT(alpha, x)


def _divide(x: Any, y: Any, rounding_mode: str | None = None) -> Exprs:
    if rounding_mode is not None:
        raise NoExpression("a rounded division")
    return _QUOTIENT(x, y)


def _clamp(x: Exprs, low: Any = None, high: Any = None, **bounds: Any) -> Exprs:
    low, high = bounds.get("min", low), bounds.get("max", high)
    x = x if low is None else _LOWER(x, low)
    return x if high is None else _UPPER(x, high)


def _product_of_matrices(x: Exprs, y: Exprs) -> Exprs:
    return np.asarray(np.matmul(_READ(x), _READ(y)), dtype=object)


def _add_product(x: Exprs, a: Exprs, b: Exprs, *, beta: Any = 1, alpha: Any = 1) -> Exprs:
    return _SUM(_scaled(beta, x), _scaled(alpha, _product_of_matrices(a, b)))


def _put(x: Exprs, indices: Sequence[Exprs | None], values: Exprs, accumulate: bool = False) -> Exprs:
    """``x[mask] = number`` where the mask depends on the inputs."""
    mask, *more = indices
    if more or accumulate or mask is None or values.size != 1 or not all(map(is_truth, mask.flat)):
        raise NoExpression("an assignment whose place depends on the inputs")
    return _WHERE(mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim)), values.reshape(()), x)


OTHERS: Final[Mapping[str, Operation]] = {
    "add": lambda x, y, alpha=1: _SUM(x, _scaled(alpha, y)),
    "sub": lambda x, y, alpha=1: _SUM(x, _scaled(-S(alpha), y)),
    "rsub": lambda x, y, alpha=1: _SUM(y, _scaled(-S(alpha), x)),
    "div": _divide,
    "clamp": _clamp,
    "where": lambda condition, x, y: _WHERE(condition, x, y),
    "masked_fill": lambda x, mask, value: _WHERE(mask, value, x),
    "fill": lambda x, value: np.broadcast_to(np.asarray(value, dtype=object), x.shape),
    "zero": lambda x: np.full(x.shape, S.Zero, dtype=object),
    "copy": lambda x, source, *_: np.broadcast_to(source, x.shape),
    "_to_copy": lambda x, **_: x,
    "addcmul": lambda x, a, b, value=1: _SUM(x, _scaled(value, _PRODUCT(a, b))),
    "addcdiv": lambda x, a, b, value=1: _SUM(x, _scaled(value, _QUOTIENT(a, b))),
    "mm": _product_of_matrices,
    "bmm": _product_of_matrices,
    "mv": _product_of_matrices,
    "dot": _product_of_matrices,
    "addmm": _add_product,
    "addmv": _add_product,
    "baddbmm": _add_product,
    "index_put": _put,
    **LOSSES,
}


def _regular(a: Entry) -> Boolean:
    """False: an expression in finite inputs is taken to be finite. Nothing is known of an unknown."""
    if isinstance(a, Basic) and unknowns([a]):
        raise NoExpression("whether a number is finite depends on the inputs")
    return S.false


OF_VALUES: Final[Mapping[str, Callable[..., Boolean]]] = {
    **COMPARISONS,
    "isnan": lambda a: S.true if a is S.NaN else _regular(a),
    "isinf": lambda a: S.true if a.is_infinite else _regular(a),
}
LOGIC: Final[Mapping[str, Callable[..., Boolean]]] = {
    "logical_and": And,
    "logical_or": Or,
    "logical_xor": Xor,
    "logical_not": Not,
}
OPERATIONS: Final[Mapping[str, Operation]] = {
    **{name: each(f) for name, f in ENTRYWISE.items()},
    **{name: each(f, value) for name, f in OF_VALUES.items()},
    **{name: each(f, truth) for name, f in LOGIC.items()},
    **REDUCTIONS,
    **OTHERS,
}
ON_TRUTHS: Final[Mapping[str, str]] = {
    "bitwise_and": "logical_and",
    "bitwise_or": "logical_or",
    "bitwise_xor": "logical_xor",
    "bitwise_not": "logical_not",
    "mul": "logical_and",
    "add": "logical_or",
    "maximum": "logical_or",
    "minimum": "logical_and",
}
"""What these are when every tensor among the arguments is Boolean."""
