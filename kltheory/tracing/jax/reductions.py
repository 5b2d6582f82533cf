"""What a primitive makes of the entries along an axis: a table of rules on arrays of expressions."""

from collections.abc import Mapping
from functools import reduce
from itertools import accumulate
from typing import Any, Final

import numpy as np
from sympy import And, Basic, Max, Min, Or, S

from kltheory.tracing.entries import is_truth, total
from kltheory.tracing.jax.conditions import first_true
from kltheory.tracing.jax.entries import ENTRYWISE, log_add_exp
from kltheory.tracing.jax.largest import Largest
from kltheory.tracing.jax.values import Array, Rule, entrywise


def _reduction(combine: Rule) -> Rule:
    def rule(x: Array, axes: tuple[int, ...], **_: Any) -> Array:
        kept = [n for i, n in enumerate(x.shape) if i not in axes]
        rows = np.moveaxis(x, axes, range(-len(axes), 0)).reshape(int(np.prod(kept, dtype=int)), -1)
        out = np.empty(len(rows), dtype=object)
        out[:] = [combine(*row) for row in rows]
        return out.reshape(kept)

    return rule


def _cumulative(combine: Rule) -> Rule:
    def along(entries: Array) -> Array:
        out = np.empty(len(entries), dtype=object)
        out[:] = list(accumulate(entries, combine))
        return out

    def rule(x: Array, axis: int, reverse: bool) -> Array:
        if not x.size:
            return x
        out = np.apply_along_axis(along, axis, np.flip(x, axis) if reverse else x)
        return np.flip(out, axis) if reverse else out

    return rule


def _largest(*entries: Basic) -> Basic:
    return Or(*entries) if is_truth(entries[0]) else Largest(*entries)


def _smallest(*entries: Basic) -> Basic:
    return And(*entries) if is_truth(entries[0]) else -Largest(*(-e for e in entries))


def _dot_general(a: Array, b: Array, dimension_numbers: Any, **_: Any) -> Array:
    (contract_a, contract_b), (batch_a, batch_b) = dimension_numbers
    free_a = [i for i in range(a.ndim) if i not in (*contract_a, *batch_a)]
    free_b = [i for i in range(b.ndim) if i not in (*contract_b, *batch_b)]
    left = np.transpose(a, [*batch_a, *free_a, *contract_a])
    right = np.transpose(b, [*batch_b, *free_b, *contract_b])
    batch, n, m = (tuple(x.shape[i] for i in d) for x, d in ((a, batch_a), (a, free_a), (b, free_b)))
    k = int(np.prod([a.shape[i] for i in contract_a], dtype=int))
    sizes = [int(np.prod(s, dtype=int)) for s in (batch, n, m)]
    left, right = left.reshape(sizes[0], sizes[1], 1, k), right.reshape(sizes[0], 1, sizes[2], k)
    return _reduction(total)(entrywise(ENTRYWISE["mul"], left, right), (3,)).reshape((*batch, *n, *m))


REDUCTIONS: Final[Mapping[str, Rule]] = {
    "argmax": _reduction(first_true),
    "cumlogsumexp": _cumulative(log_add_exp),
    "cummax": _cumulative(Max),
    "cummin": _cumulative(Min),
    "cumprod": _cumulative(ENTRYWISE["mul"]),
    "cumsum": _cumulative(total),
    "dot_general": _dot_general,
    "reduce_and": _reduction(And),
    "reduce_max": _reduction(_largest),
    "reduce_min": _reduction(_smallest),
    "reduce_or": _reduction(Or),
    "reduce_prod": _reduction(lambda *xs: reduce(ENTRYWISE["mul"], xs, S.One)),
    "reduce_sum": _reduction(total),
}
"""Functions of arrays that combine their entries."""
