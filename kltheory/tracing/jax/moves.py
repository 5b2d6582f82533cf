"""Entries moved, not changed: a table for the simple moves, and JAX itself for the intricate ones."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from sympy import S

from kltheory.tracing.entries import total
from kltheory.tracing.jax.values import Array, Rule, boxed, entrywise, exprs


def _broadcast_in_dim(x: Array, shape: tuple[int, ...], broadcast_dimensions: tuple[int, ...], **_: Any) -> Array:
    sizes = [1] * len(shape)
    for axis, size in zip(broadcast_dimensions, x.shape, strict=True):
        sizes[axis] = size
    return np.broadcast_to(x.reshape(sizes), shape)


def _slice(x: Array, start_indices: Any, limit_indices: Any, strides: Any) -> Array:
    steps = strides or (1,) * x.ndim
    return x[tuple(map(slice, start_indices, limit_indices, steps))]


MOVES: Final[Mapping[str, Rule]] = {
    "broadcast_in_dim": _broadcast_in_dim,
    "concatenate": lambda *xs, dimension: np.concatenate(xs, dimension),
    "copy": lambda x: x,
    "device_put": lambda *xs, **_: list(xs),
    "iota": lambda dtype, shape, dimension, **_: np.indices(shape)[dimension],
    "name": lambda x, **_: x,
    "optimization_barrier": lambda *xs: list(xs),
    "reshape": lambda x, new_sizes, **_: x.reshape(new_sizes),
    "rev": lambda x, dimensions: np.flip(x, dimensions),
    "slice": _slice,
    "split": lambda x, sizes, axis: np.split(x, np.cumsum(sizes)[:-1], axis),
    "squeeze": lambda x, dimensions: np.squeeze(x, tuple(dimensions)),
    "stack": lambda *xs, axis: np.stack(xs, axis),
    "tile": lambda x, reps: np.tile(x, tuple(reps)),
    "transpose": lambda x, permutation: np.transpose(x, permutation),
    "unstack": lambda x, axis, **_: [np.moveaxis(x, axis, 0)[i, ...] for i in range(x.shape[axis])],
}
"""Moves of arrays of any kind; a list is of several results."""

ASKED: Final[Mapping[str, tuple[int, ...]]] = {
    "dynamic_slice": (0,),
    "dynamic_update_slice": (0, 1),
    "gather": (0,),
    "pad": (0, 1),
    "scatter": (0, 2),
    "scatter-add": (0, 2),
}
"""Moves too intricate to write again. Which operands have the entries: the others say where to."""


def asked(eqn: Any, args: list[Any]) -> Array:
    """What a move gives, asked of JAX by moving numbers in place of the entries."""
    return _added(eqn, *args) if eqn.primitive.name == "scatter-add" else _moved(eqn, args)


def _moved(eqn: Any, args: list[Any]) -> Array:
    """JAX moves the numbers of the entries; 0 is what it fills in for a missing one."""
    entries, operands = [S.NaN], list(args)
    for i in ASKED[eqn.primitive.name]:
        flat = exprs(args[i])
        operands[i] = np.arange(len(entries), len(entries) + flat.size, dtype=np.int32).reshape(flat.shape)
        entries.extend(flat.flat)
    params = {**eqn.params, "fill_value": 0} if "fill_value" in eqn.params else eqn.params
    table = np.empty(len(entries), dtype=object)
    table[:] = entries
    return boxed(table[np.asarray(eqn.primitive.bind(*operands, **params))])


def _added(eqn: Any, x: Any, where: Any, updates: Any) -> Array:
    """The entries with updates added, each where JAX adds a one in its place."""
    out, terms, dtype = exprs(x).copy(), exprs(updates), eqn.invars[0].aval.dtype
    for i in np.ndindex(terms.shape):
        one = np.zeros(terms.shape, dtype)
        one[i] = 1
        hit = np.asarray(eqn.primitive.bind(np.zeros(out.shape, dtype), where, one, **eqn.params)) != 0
        out[hit] = entrywise(total, out[hit], terms[i])
    return out
