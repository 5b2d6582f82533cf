"""Sums and the like: functions of lists of entries, along dimensions of an array."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from sympy import Abs, Add, And, Expr, Max, Min, Mul, Or, S, exp, log, sqrt

from kltheory.tracing.conditions import truth
from kltheory.tracing.entries import Entry, NoExpression, Operation, each, number, total
from kltheory.tracing.trace import Exprs


def _axes(x: Exprs, dim: Any) -> tuple[int, ...]:
    if dim is None or (isinstance(dim, Sequence) and not dim):
        return tuple(range(x.ndim))
    return tuple(d % max(x.ndim, 1) for d in (dim if isinstance(dim, Sequence) else [dim]) if x.ndim)


def _rows(x: Exprs, axes: tuple[int, ...]) -> Exprs:
    """The entries along these axes as the last one."""
    kept = [n for i, n in enumerate(x.shape) if i not in axes]
    return np.moveaxis(x, axes, range(x.ndim - len(axes), x.ndim)).reshape(*kept, -1)


def _reduction(function: Callable[[list[Entry]], Entry], reading: Callable[[Entry], Entry] = number) -> Operation:
    """A function of a list of entries as a reduction along dimensions."""

    def reduced(x: Exprs, dim: Any = None, keepdim: bool = False, **_: Any) -> Exprs:
        axes = _axes(x, dim)
        rows = _rows(x, axes)
        out = np.empty(rows.shape[:-1], dtype=object)
        for i in np.ndindex(out.shape):
            out[i] = function([reading(e) for e in rows[i]])
        return np.expand_dims(out, axes) if keepdim else out

    return reduced


def _scan(function: Callable[[list[Entry]], list[Entry]]) -> Operation:
    """A function of a list of entries to a list of the same length, along one dimension."""

    def scanned(x: Exprs, dim: int, *_: Any, **__: Any) -> Exprs:
        rows = _rows(x, _axes(x, dim)) if x.ndim else x.reshape(1)
        out = np.empty(rows.shape, dtype=object)
        for i in np.ndindex(out.shape[:-1]):
            out[i] = function([number(e) for e in rows[i]])
        return np.moveaxis(out, -1, dim) if x.ndim else out.reshape(())

    return scanned


def _running(function: Callable[[list[Entry]], Entry]) -> Operation:
    return _scan(lambda es: [function(es[: i + 1]) for i in range(len(es))])


def _sum(es: list[Entry]) -> Expr:
    return total(*es)


def _mean(es: list[Entry]) -> Expr:
    return total(*es) / len(es) if es else S.NaN


def _logsumexp(es: list[Entry]) -> Expr:
    return log(Add(*map(exp, es)))


def _log_softmax(es: list[Entry]) -> list[Entry]:
    whole = _logsumexp(es)
    return [total(e, -whole) for e in es]


def _softmax(es: list[Entry]) -> list[Entry]:
    whole = Add(*map(exp, es))
    return [exp(e) / whole for e in es]


def _extreme(function: Callable[..., Expr]) -> Operation:
    """``max`` and ``min``: of everything, or along a dimension together with an index, which is not traced."""
    values = _reduction(lambda es: function(*es))

    def extreme(x: Exprs, dim: int | None = None, keepdim: bool = False) -> Any:
        return values(x) if dim is None else (values(x, dim, keepdim), None)

    return extreme


def _var(x: Exprs, dim: Any = None, *, correction: Any = 1, keepdim: bool = False) -> Exprs:
    correction = 1 if correction is None else correction

    def variance(es: list[Entry]) -> Expr:
        mean = _mean(es)
        return Add(*((e - mean) ** 2 for e in es)) / (len(es) - correction)

    return _reduction(variance)(x, dim, keepdim)


def _norm(x: Exprs, p: Any = 2, dim: Any = None, keepdim: bool = False, **_: Any) -> Exprs:
    def norm(es: list[Entry]) -> Expr:
        if p == S.Infinity:
            return Max(*map(Abs, es))
        if p == 2:
            return sqrt(Add(*(e**2 for e in es)))
        if p == 1:
            return Add(*map(Abs, es))
        raise NoExpression(f"a norm of order {p}")

    return _reduction(norm)(x, dim, keepdim)


REDUCTIONS: Final[Mapping[str, Operation]] = {
    "sum": _reduction(_sum),
    "nansum": _reduction(_sum),
    "mean": _reduction(_mean),
    "prod": _reduction(lambda es: Mul(*es)),
    "amax": _reduction(lambda es: Max(*es)),
    "amin": _reduction(lambda es: Min(*es)),
    "max": _extreme(Max),
    "min": _extreme(Min),
    "any": _reduction(lambda es: Or(*es), truth),
    "all": _reduction(lambda es: And(*es), truth),
    "logsumexp": _reduction(_logsumexp),
    "var": _var,
    "std": lambda *args, **kwargs: each(sqrt)(_var(*args, **kwargs)),
    "linalg_vector_norm": _norm,
    "cumsum": _running(_sum),
    "cumprod": _running(lambda es: Mul(*es)),
    "logcumsumexp": _running(_logsumexp),
    "_softmax": _scan(_softmax),
    "_log_softmax": _scan(_log_softmax),
}
