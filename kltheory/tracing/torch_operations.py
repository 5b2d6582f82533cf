"""The table of PyTorch: what each ATen operation does to arrays of expressions, under ATen's own names and arguments.

ATen is what every spelling comes down to: ``x - y``, ``torch.sub(x, y)``, ``x.sub_(y)``. Nothing here imports PyTorch:
arguments are object arrays where the operation has tensors, SymPy numbers where it has floats. Views need no entry
(see :mod:`kltheory.tracing.torch_function`), and an operation that only moves entries is a name in MOVES.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from sympy import (
    Abs,
    Add,
    And,
    Basic,
    Dummy,
    Expr,
    Max,
    Min,
    Mul,
    Not,
    Or,
    Piecewise,
    Pow,
    S,
    Symbol,
    cosh,
    exp,
    log,
    preorder_traversal,
    sign,
    sinh,
    sqrt,
    sympify,
    tanh,
)
from sympy.functions.elementary.piecewise import ExprCondPair
from sympy.logic.boolalg import Boolean, Xor

from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.regions import is_smooth
from kltheory.calculus.symbols import erase_sg, sg
from kltheory.tracing.trace import Exprs

Entry = Any
"""What an array holds: an expression, or a truth value such as ``x > 0``."""
Operation = Callable[..., Any]


class NoExpression(Exception):
    """The result has no expression in the entries; the message says why."""


class Unknown(Dummy):
    """An entry without an expression; its name says why. A trace is refused only if its output depends on one."""


# --- entries ----------------------------------------------------------------------------------------------------------
def is_truth(e: Any) -> bool:
    """Whether an entry is a truth value. To SymPy a symbol is one, too."""
    return isinstance(e, Boolean) and not isinstance(e, Expr)


@lru_cache(maxsize=65536)
def is_live(e: Basic) -> bool:
    """Whether a gradient can flow through ``e``: a symbol occurs outside ``sg`` and outside conditions."""
    if isinstance(e, sg) or is_truth(e):
        return False
    if isinstance(e, ExprCondPair):
        return is_live(e.args[0])
    return isinstance(e, Symbol) or any(map(is_live, e.args))


def held(e: Entry) -> Entry:
    """``e`` as a value without a gradient."""
    return sg(e) if is_live(e) else e


def number(e: Entry) -> Expr:
    """A truth value as 0 or 1; a number as it is."""
    e = sympify(e)
    if not is_truth(e):
        return e
    return S.One if e is S.true else S.Zero if e is S.false else Piecewise((1, e), (0, True))


def truth(e: Entry) -> Boolean:
    """A number as a truth value: whether it is not 0."""
    e = sympify(e)
    if is_truth(e):
        return e
    if isinstance(e, Piecewise) and e == number(e.args[0][1]):
        return e.args[0][1]
    return Not(_equal(e, S.Zero))


def is_constant(array: Exprs) -> bool:
    """Whether no entry depends on an input."""
    entries: Iterable[Any] = array.flat
    return not any(e.free_symbols for e in entries)


def unknowns(entries: Iterable[Basic]) -> set[Unknown]:
    """The unknowns in some entries."""
    return set[Unknown]().union(*(e.atoms(Unknown) for e in entries))


def undefined(e: Expr) -> Basic | None:
    """A part of ``e`` in which an infinity or NaN meets an expression; alone, or as a whole branch, they may stand."""
    unusual = {S.Infinity, S.NegativeInfinity, S.NaN, S.ComplexInfinity}
    nodes = preorder_traversal(e) if e not in unusual and e.has(*unusual) else ()
    return next((n for n in nodes if not isinstance(n, ExprCondPair) and unusual & set(n.args)), None)


def _each(function: Callable[..., Entry], reading: Callable[[Entry], Entry] = number) -> Operation:
    """A function of entries as a function of arrays, with broadcasting."""

    def applied(*args: Any) -> Exprs:
        return np.asarray(np.frompyfunc(lambda *es: function(*map(reading, es)), len(args), 1)(*args), dtype=object)

    return applied


# --- entry by entry ---------------------------------------------------------------------------------------------------
def _sigmoid(x: Expr) -> Expr:
    return 1 / (1 + exp(-x))


def _softplus(x: Expr, beta: Expr = S.One, threshold: Any = 20) -> Expr:
    """PyTorch's is the identity above the threshold, where the formula differs from it by less than 3e-9."""
    return Piecewise((x, beta * x > threshold), (log(1 + exp(beta * x)) / beta, True))


def _plus(x: Expr, y: Expr) -> Expr:
    """An infinity absorbs an expression, which is finite."""
    return x + y if x.is_number and y.is_number else x if x.is_infinite else y if y.is_infinite else x + y


def _xlogy(x: Expr, y: Expr) -> Expr:
    return S.Zero if x == 0 else x * log(y)


def _finite(x: Expr, *_: Entry) -> Expr:
    """``nan_to_num``: an expression in finite inputs is finite; of a constant, the recorder takes the true value."""
    return S.ComplexInfinity if x.is_number and not x.is_finite else x


def _select(condition: Entry, x: Entry, y: Entry) -> Entry:
    condition = truth(condition)
    if is_truth(x) and is_truth(y):
        return Or(And(condition, x), And(Not(condition), y))
    return Piecewise((number(x), condition), (number(y), True))


def _elu(x: Expr, alpha: Expr = S.One, scale: Expr = S.One, input_scale: Expr = S.One) -> Expr:
    return scale * Piecewise((x, x > 0), (alpha * (exp(input_scale * x) - 1), True))


ENTRIES: Final[Mapping[str, Callable[..., Entry]]] = {
    "exp": exp,
    "exp2": lambda x: Pow(2, x),
    "expm1": lambda x: exp(x) - 1,
    "log": log,
    "log2": lambda x: log(x) / log(2),
    "log10": lambda x: log(x) / log(10),
    "log1p": lambda x: log(1 + x),
    "sqrt": sqrt,
    "rsqrt": lambda x: 1 / sqrt(x),
    "square": lambda x: x**2,
    "reciprocal": lambda x: 1 / x,
    "neg": lambda x: -x,
    "positive": lambda x: x,
    "abs": Abs,
    "sign": lambda x: sg(sign(x)),
    "sgn": lambda x: sg(sign(x)),
    "sigmoid": _sigmoid,
    "logit": lambda x: log(x) - log(1 - x),
    "log_sigmoid_forward": lambda x: -log(1 + exp(-x)),
    "softplus": _softplus,
    "silu": lambda x: x * _sigmoid(x),
    "elu": _elu,
    "tanh": tanh,
    "sinh": sinh,
    "cosh": cosh,
    "relu": lambda x: Max(x, 0),
    "leaky_relu": lambda x, slope: Piecewise((x, x > 0), (slope * x, True)),
    "threshold": lambda x, at, value: Piecewise((x, x > at), (value, True)),
    "hardtanh": lambda x, low=-S.One, high=S.One: Min(Max(x, low), high),
    "mul": lambda x, y: x * y,
    "pow": Pow,
    "maximum": Max,
    "minimum": Min,
    "fmax": Max,
    "fmin": Min,
    "clamp_min": Max,
    "clamp_max": Min,
    "xlogy": _xlogy,
    "logaddexp": lambda x, y: log(exp(x) + exp(y)),
    "lerp": lambda x, end, weight: x + weight * (end - x),
    "nan_to_num": _finite,
}
"""Numbers to a number; truth values are read as 0 and 1."""


# --- truth values -----------------------------------------------------------------------------------------------------
def _equal(a: Expr, b: Expr) -> Boolean:
    """Equality, decided almost everywhere: two smooth expressions are equal identically, or on a null set."""
    if a == b:
        return S.true
    if a.is_number and b.is_number:
        return S.true if (a - b).is_zero else S.false
    if a.is_infinite or b.is_infinite:
        return S.false
    if unknowns([a, b]) or not (is_smooth(a) and is_smooth(b)):
        raise NoExpression("whether two numbers are equal depends on the inputs")
    try:
        return S.true if is_zero(a - b) else S.false
    except Undecidable as e:
        raise NoExpression(f"whether two numbers are equal is not decided: {e}") from None


def _same(a: Entry, b: Entry) -> Boolean:
    if is_truth(a) or is_truth(b):
        return Not(Xor(truth(a), truth(b)))
    return _equal(a, b)


def _value(e: Entry) -> Entry:
    """Comparisons look at values: stop-gradients are transparent to them."""
    e = sympify(e)
    return e if is_truth(e) else erase_sg(e)


def _ordered(relation: Callable[[Expr, Expr], Boolean]) -> Callable[[Entry, Entry], Boolean]:
    return lambda a, b: relation(number(a), number(b))


COMPARISONS: Final[Mapping[str, Callable[..., Boolean]]] = {
    "gt": _ordered(lambda a, b: a > b),
    "ge": _ordered(lambda a, b: a >= b),
    "lt": _ordered(lambda a, b: a < b),
    "le": _ordered(lambda a, b: a <= b),
    "eq": _same,
    "ne": lambda a, b: Not(_same(a, b)),
    "isnan": lambda a: S.true if a is S.NaN else _regular(a),
    "isinf": lambda a: S.true if a.is_infinite else _regular(a),
}
LOGIC: Final[Mapping[str, Callable[..., Boolean]]] = {
    "logical_and": And,
    "logical_or": Or,
    "logical_xor": Xor,
    "logical_not": Not,
}


def _regular(a: Entry) -> Boolean:
    """False: an expression in finite inputs is taken to be finite. Nothing is known of an unknown."""
    if isinstance(a, Basic) and unknowns([a]):
        raise NoExpression("whether a number is finite depends on the inputs")
    return S.false


# --- sums and the like ------------------------------------------------------------------------------------------------
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


def _total(es: list[Entry]) -> Expr:
    infinite = [e for e in es if e.is_infinite]
    return Add(*(infinite or es))


def _mean(es: list[Entry]) -> Expr:
    return _total(es) / len(es) if es else S.NaN


def _logsumexp(es: list[Entry]) -> Expr:
    return log(Add(*map(exp, es)))


def _log_softmax(es: list[Entry]) -> list[Entry]:
    total = _logsumexp(es)
    return [_plus(e, -total) for e in es]


def _softmax(es: list[Entry]) -> list[Entry]:
    total = Add(*map(exp, es))
    return [exp(e) / total for e in es]


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
    "sum": _reduction(_total),
    "nansum": _reduction(_total),
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
    "std": lambda *args, **kwargs: _each(sqrt)(_var(*args, **kwargs)),
    "linalg_vector_norm": _norm,
    "cumsum": _running(_total),
    "cumprod": _running(lambda es: Mul(*es)),
    "logcumsumexp": _running(_logsumexp),
    "_softmax": _scan(_softmax),
    "_log_softmax": _scan(_log_softmax),
}

# --- operations with arguments of their own ---------------------------------------------------------------------------
_SUM: Final = _each(_plus)
_PRODUCT: Final = _each(lambda x, y: x * y)
_QUOTIENT: Final = _each(lambda x, y: x / y)
_UPPER: Final = _each(Min)
_LOWER: Final = _each(Max)
_WHERE: Final = _each(_select, sympify)


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
    return np.asarray(np.matmul(_NUMBERS(x), _NUMBERS(y)), dtype=object)


_NUMBERS: Final = _each(lambda x: x)


def _add_product(x: Exprs, a: Exprs, b: Exprs, *, beta: Any = 1, alpha: Any = 1) -> Exprs:
    return _SUM(_scaled(beta, x), _scaled(alpha, _product_of_matrices(a, b)))


def _put(x: Exprs, indices: Sequence[Exprs | None], values: Exprs, accumulate: bool = False) -> Exprs:
    """``x[mask] = number`` where the mask depends on the inputs."""
    mask, *more = indices
    if more or accumulate or mask is None or values.size != 1 or not all(map(is_truth, mask.flat)):
        raise NoExpression("an assignment whose place depends on the inputs")
    return _WHERE(mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim)), values.reshape(()), x)


NONE, MEAN = 0, 1


def _reduced(losses: Exprs, reduction: int) -> Exprs:
    return losses if reduction == NONE else REDUCTIONS["mean" if reduction == MEAN else "sum"](losses)


def _mse(x: Exprs, y: Exprs, reduction: int = MEAN) -> Exprs:
    return _reduced(_each(lambda a, b: (a - b) ** 2)(x, y), reduction)


def _huber(x: Exprs, y: Exprs, reduction: int = MEAN, delta: Any = 1) -> Exprs:
    def loss(a: Expr, b: Expr) -> Expr:
        d = Abs(a - b)
        return Piecewise((d**2 / 2, d < delta), (delta * (d - delta / S(2)), True))

    return _reduced(_each(loss)(x, y), reduction)


def _smooth_l1(x: Exprs, y: Exprs, reduction: int = MEAN, beta: Any = 1) -> Exprs:
    if beta == 0:
        return _reduced(_each(lambda a, b: Abs(a - b))(x, y), reduction)
    return _QUOTIENT(_huber(x, y, reduction, beta), beta)


def _cross_entropy_of_logits(
    x: Exprs, y: Exprs, weight: Any = None, pos_weight: Any = None, reduction: int = MEAN
) -> Exprs:
    if weight is not None or pos_weight is not None:
        raise NoExpression("a weighted cross entropy")
    return _reduced(_each(lambda a, b: (1 - b) * a + log(1 + exp(-a)))(x, y), reduction)


def _cross_entropy(x: Exprs, y: Exprs, weight: Any = None, reduction: int = MEAN) -> Exprs:
    """PyTorch bounds both logarithms at -100."""
    if weight is not None:
        raise NoExpression("a weighted cross entropy")
    loss = _each(lambda a, b: -b * Max(log(a), -100) - (1 - b) * Max(log(1 - a), -100))
    return _reduced(loss(x, y), reduction)


def _nll(x: Exprs, target: Exprs, weight: Any, reduction: int, ignored: int) -> tuple[Exprs, None]:
    if weight is not None or not is_constant(target):
        raise NoExpression("a negative log-likelihood with weights, or of targets that depend on the inputs")
    axis = min(1, x.ndim - 1)
    classes = np.moveaxis(x, axis, -1)
    losses = np.empty(target.shape, dtype=object)
    for i in np.ndindex(target.shape):
        losses[i] = S.Zero if target[i] == ignored else -classes[i][int(target[i])]
    if reduction != MEAN:
        return _reduced(losses, reduction), None
    return _QUOTIENT(_reduced(losses, 2), sum(t != ignored for t in target.flat)), None


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
    "mse_loss": _mse,
    "huber_loss": _huber,
    "smooth_l1_loss": _smooth_l1,
    "binary_cross_entropy": _cross_entropy,
    "binary_cross_entropy_with_logits": _cross_entropy_of_logits,
    "nll_loss_forward": _nll,
    "nll_loss2d_forward": _nll,
}


# --- the table --------------------------------------------------------------------------------------------------------
_NAMES: Final = """
    cat clone constant_pad_nd diag_embed flip gather index index_copy index_fill index_put index_select masked_scatter
    masked_select repeat roll rot90 scatter select_scatter slice_scatter stack take tril triu
"""
MOVES: Final = frozenset(_NAMES.split())
"""Operations that move entries and compute nothing: they are run once more, on the numbers of the entries."""
DATA: Final = frozenset({"self", "tensors", "src", "source", "values", "value", "input"})
"""What ATen calls the arguments of a move that hold entries; the others say where to."""
SHAPES: Final = frozenset(
    {
        *("empty_like", "empty_strided", "full_like", "ones_like", "zeros_like"),
        *("new_empty", "new_empty_strided", "new_full", "new_ones", "new_zeros"),
    }
)
"""Operations that look at shapes only: their results are constants."""

OPERATIONS: Final[Mapping[str, Operation]] = {
    **{name: _each(f) for name, f in ENTRIES.items()},
    **{name: _each(f, _value) for name, f in COMPARISONS.items()},
    **{name: _each(f, truth) for name, f in LOGIC.items()},
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
