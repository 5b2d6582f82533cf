"""What each JAX primitive does to expressions: a table of rules on NumPy arrays whose entries are SymPy expressions.

Entries are real and finite unless they are literally infinite, as in the mathematics: ``is_finite(x)`` is true, ``x !=
x`` is false, and whatever is added to an infinity is lost in it. Conditions look at values, so they carry no ``sg``.
A maximum over an axis is kept as :class:`Largest`, which the log-softmax that subtracts it again never sees expanded.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial, reduce
from itertools import accumulate
from math import prod
from typing import Any, Final

import numpy as np
from sympy import (
    Abs,
    Add,
    And,
    Basic,
    Expr,
    Function,
    Max,
    Min,
    Mul,
    Not,
    Or,
    Piecewise,
    Pow,
    Rational,
    S,
    cosh,
    exp,
    expand,
    false,
    log,
    nan,
    oo,
    preorder_traversal,
    sign,
    sinh,
    tanh,
    true,
    zoo,
)
from sympy.core.relational import Relational
from sympy.functions.elementary.piecewise import ExprCondPair
from sympy.logic.boolalg import Boolean, BooleanAtom, BooleanFunction

from kltheory.calculus.symbols import erase_sg, sg
from kltheory.tracing.trace import CannotTrace

Array = np.ndarray[tuple[int, ...], Any]
Rule = Callable[..., Any]
INFINITE: Final = (oo, -oo)
TRUTH: Final = (BooleanAtom, BooleanFunction, Relational)
"""Truth values and conditions. SymPy counts symbols as Boolean too, and here they are numbers."""
MAX_LARGEST: Final = 16
"""Most entries of a maximum over an axis that stays in a result: the calculus opens a cell for each."""
MAX_CLAUSES: Final = 64


# --- numbers ----------------------------------------------------------------------------------------------------------
@lru_cache(maxsize=4096)
def simple(value: float, precision: int, rounds: Callable[[float], float]) -> Expr | None:
    """The simplest number that rounds to ``value``: an integer, a short decimal or a small fraction, if there is one.

    So ``0.1`` is 1/10 and ``float32(0.2)`` is 1/5: what was typed, and not what the machine made of it.

    Args:
        value: a number of the floating type.
        precision: how many decimal digits the type can always hold.
        rounds: float64 to the nearest number of the type.
    """
    if not np.isfinite(value):
        return nan if np.isnan(value) else oo if value > 0 else -oo
    if value.is_integer() and abs(value) < 2**53:
        return S(int(value))
    with np.errstate(over="ignore"):
        for digits in range(1, precision + 1):
            if rounds(float(text := f"{value:.{digits}g}")) == value:
                return Rational(text)
        fraction = Rational(value).limit_denominator(100)
        return fraction if rounds(float(fraction)) == value else None


def is_constant(entry: Basic) -> bool:
    """Whether an entry is a number or a truth value."""
    return not entry.free_symbols


def _real(result: Expr) -> Expr:
    """IEEE's answer where SymPy goes complex: NaN."""
    return nan if is_constant(result) and result.is_extended_real is False else result


# --- maxima over an axis ----------------------------------------------------------------------------------------------
class Largest(Function):
    """The maximum of its arguments, unexpanded: a log-softmax subtracts it and adds it back."""

    is_real = True
    is_finite = True

    @classmethod
    def eval(cls, *args: Expr) -> Expr | None:
        """SymPy's hook for automatic simplification: the maximum of one thing, or of numbers."""
        entries = set(args) - {-oo}
        if all(map(is_constant, entries)) or oo in entries:
            return Max(*entries)
        if len(entries) == 1:
            return entries.pop()
        return None if len(entries) == len(args) else cls(*sorted(entries, key=args.index))


def without_largest(expr: Expr) -> Expr:
    """The result with its remaining maxima written out, and a check that nothing in it is undefined.

    Raises:
        CannotTrace: too many entries, or an infinity that was multiplied by an expression.
    """
    for node in expr.atoms(Largest):
        if len(node.args) > MAX_LARGEST:
            raise CannotTrace(f"the result depends on which of {len(node.args)} entries is the largest")
    expr = expr.replace(Largest, Max)
    for node in () if expr in (*INFINITE, nan) else preorder_traversal(expr):
        # An infinity may be the whole of a branch, as a masked logit is; anything else it meets is lost in it.
        if node is zoo or (node.args and not isinstance(node, ExprCondPair) and set(node.args) & {oo, -oo, nan}):
            raise CannotTrace(f"{node} has no value: an infinity is combined with an expression")
    return expr


def _shift(expr: Expr, node: Expr) -> tuple[Expr, Expr] | None:
    """(k, rest) with expr = exp(k node)·rest and no ``node`` in the rest, if it has that form."""
    if not expr.has(node):
        return S.Zero, expr
    if isinstance(expr, exp):
        exponent = expand(expr.args[0])
        k = exponent.coeff(node)
        rest = exponent - k * node
        return None if rest.has(node) or k.free_symbols else (k, exp(rest))
    if isinstance(expr, Pow) and expr.exp.is_Integer and (inner := _shift(expr.base, node)):
        return inner[0] * expr.exp, inner[1] ** expr.exp
    if not isinstance(expr, (Add, Mul)):
        return None
    parts = [_shift(a, node) for a in expr.args]
    if None in parts or (isinstance(expr, Add) and len({p[0] for p in parts if p}) > 1):
        return None
    ks = [p[0] for p in parts if p]
    return (ks[0] if isinstance(expr, Add) else Add(*ks)), expr.func(*(p[1] for p in parts if p))


def _factored(expr: Expr) -> tuple[Expr, Expr]:
    """(k, rest) with expr = exp(k)·rest: the maxima that can be taken out, out."""
    total: Expr = S.Zero
    if expr.has(Largest):
        for node in [n for n in expr.atoms(Largest, sg) if isinstance(n, Largest) or isinstance(n.args[0], Largest)]:
            if found := _shift(expr, node):
                total, expr = total + found[0] * node, found[1]
    return total, expr


def _cancelled(expr: Expr) -> Expr:
    k, rest = _factored(expr)
    return exp(k) * rest


# --- entry by entry ---------------------------------------------------------------------------------------------------
def _add(a: Expr, b: Expr) -> Expr:
    infinite = [x for x in (a, b) if x in INFINITE]
    return Add(*infinite) if infinite else a + b


def _div(a: Expr, b: Expr) -> Expr:
    if b == 0 and is_constant(a):
        return a * oo if a != 0 else nan
    return _cancelled(a / b)


def _log(x: Expr) -> Expr:
    if x == 0:
        return -oo
    k, rest = _factored(x)
    return k + _real(log(rest))


def _pow(x: Expr, y: Expr) -> Expr:
    return oo if x == 0 and y.is_negative else _cancelled(_real(x**y))


def _decided(condition: Boolean) -> Boolean:
    """The condition with the branches inside it brought outside: conditions on conditions are ``And`` and ``Or``."""
    node = next((p for p in condition.atoms(Piecewise) if not any(a.has(Piecewise) for a in p.args)), None)
    if node is None:
        return condition
    met, known, parts = true, {}, []
    for value, where in node.args:
        parts.append(And(met, where, _decided(condition.xreplace({**known, node: value, where: true}))))
        met, known = And(met, Not(where)), {**known, where: false}
    return Or(*parts)


def _clauses(condition: Boolean) -> int:
    """How many clauses a conjunctive normal form has, which SymPy makes of the conditions of a Piecewise."""
    if not isinstance(condition, (And, Or)):
        return 1
    return (sum if isinstance(condition, And) else prod)(map(_clauses, condition.args))


def _compare(op: Callable[[Expr, Expr], Boolean], a: Expr, b: Expr) -> Boolean:
    a, b = erase_sg(a), erase_sg(b)
    if nan in (a, b):
        return false
    if (a in INFINITE or b in INFINITE) and a != b:  # only the infinite side matters
        a, b = (x if x in INFINITE else S.Zero for x in (a, b))
    return _decided(op(a, b))


_ge: Final = partial(_compare, lambda a, b: a >= b)
_gt: Final = partial(_compare, lambda a, b: a > b)


def _eq(a: Basic, b: Basic) -> Boolean:
    if isinstance(a, TRUTH):
        return Or(And(a, b), And(Not(a), Not(b)))
    return And(_ge(a, b), _ge(b, a))


def number_of(condition: Boolean) -> Expr:
    """1 where the condition holds and 0 elsewhere."""
    return select(condition, S.Zero, S.One)


def select(which: Boolean, if_false: Basic, if_true: Basic) -> Basic:
    """``if_true`` where the condition holds, ``if_false`` elsewhere."""
    if isinstance(which, BooleanAtom):
        return if_true if which else if_false
    if if_true == if_false:
        return if_true
    if isinstance(if_true, TRUTH):
        return Or(And(which, if_true), And(Not(which), if_false))
    if _clauses(which) > MAX_CLAUSES:
        raise CannotTrace(f"a condition has {len(which.atoms(Relational))} comparisons, in too many combinations")
    return Piecewise((if_true, which), (if_false, true))


def _select_n(which: Basic, *cases: Basic) -> Basic:
    if isinstance(which, TRUTH):
        return select(which, *cases)
    return reduce(lambda rest, i: select(_eq(which, S(i)), rest, cases[i]), range(len(cases) - 1), cases[-1])


ENTRYWISE: Final[Mapping[str, Rule]] = {
    "abs": Abs,
    "add": _add,
    "add_any": _add,
    "and": And,
    "clamp": lambda low, x, high: Min(Max(x, low), high),
    "cosh": cosh,
    "div": _div,
    "eq": _eq,
    "exp": exp,
    "exp2": lambda x: 2**x,
    "expm1": lambda x: exp(x) - 1,
    "ge": _ge,
    "gt": _gt,
    "integer_pow": lambda x, y: _pow(x, S(y)),
    "is_finite": lambda x: S(x not in (*INFINITE, nan)),
    "le": lambda a, b: _ge(b, a),
    "log": _log,
    "log1p": lambda x: _log(1 + x),
    "logistic": lambda x: 1 / (1 + exp(-x)),
    "lt": lambda a, b: _gt(b, a),
    "max": Max,
    "min": Min,
    "mul": lambda a, b: _cancelled(a * b),
    "ne": lambda a, b: Not(_eq(a, b)),
    "neg": lambda x: -x,
    "not": Not,
    "or": Or,
    "pow": _pow,
    "reduce_precision": lambda x, exponent_bits, mantissa_bits: x,
    "rsqrt": lambda x: _pow(x, -S.Half),
    "select_n": _select_n,
    "sign": sign,
    "sinh": sinh,
    "sqrt": lambda x: _pow(x, S.Half),
    "square": lambda x: _cancelled(x**2),
    "stop_gradient": sg,
    "sub": lambda a, b: _add(a, -b),
    "tanh": tanh,
    "xor": lambda a, b: Not(_eq(a, b)),
}
"""Functions of one entry of each operand; scalars broadcast."""


def entrywise(rule: Rule, *operands: Array) -> Array:
    """The rule applied to each entry of operands that broadcast against each other."""
    return boxed(np.frompyfunc(rule, len(operands), 1)(*operands))


def boxed(entries: Any) -> Array:
    """An object array, of shape () when it is a single entry."""
    return entries if isinstance(entries, np.ndarray) else np.full((), entries, dtype=object)


# --- whole arrays of entries ------------------------------------------------------------------------------------------
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


def _sum(*entries: Expr) -> Expr:
    infinite = [e for e in entries if e in INFINITE]
    return Add(*(infinite or entries))


def _largest(*entries: Basic) -> Basic:
    return Or(*entries) if isinstance(entries[0], TRUTH) else Largest(*entries)


def _smallest(*entries: Basic) -> Basic:
    return And(*entries) if isinstance(entries[0], TRUTH) else -Largest(*(-e for e in entries))


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
    return _reduction(_sum)(entrywise(ENTRYWISE["mul"], left, right), (3,)).reshape((*batch, *n, *m))


ARRAYWISE: Final[Mapping[str, Rule]] = {
    "cummax": _cumulative(Max),
    "cummin": _cumulative(Min),
    "cumprod": _cumulative(ENTRYWISE["mul"]),
    "cumsum": _cumulative(_add),
    "dot_general": _dot_general,
    "reduce_and": _reduction(And),
    "reduce_max": _reduction(_largest),
    "reduce_min": _reduction(_smallest),
    "reduce_or": _reduction(Or),
    "reduce_prod": _reduction(lambda *xs: reduce(ENTRYWISE["mul"], xs, S.One)),
    "reduce_sum": _reduction(_sum),
}
"""Functions of object arrays that combine their entries."""


# --- entries moved, not changed: arrays of any kind -------------------------------------------------------------------
def _broadcast_in_dim(x: Array, shape: tuple[int, ...], broadcast_dimensions: tuple[int, ...], **_: Any) -> Array:
    sizes = [1] * len(shape)
    for axis, size in zip(broadcast_dimensions, x.shape, strict=True):
        sizes[axis] = size
    return np.broadcast_to(x.reshape(sizes), shape)


def _slice(x: Array, start_indices: Any, limit_indices: Any, strides: Any) -> Array:
    steps = strides or (1,) * x.ndim
    return x[tuple(map(slice, start_indices, limit_indices, steps))]


def _dynamic_slice(x: Array, *starts: Array, slice_sizes: tuple[int, ...]) -> Array:
    corners = [max(0, min(int(i), n - size)) for i, n, size in zip(starts, x.shape, slice_sizes, strict=True)]
    return x[tuple(slice(i, i + size) for i, size in zip(corners, slice_sizes, strict=True))]


def _split(x: Array, sizes: tuple[int, ...], axis: int) -> list[Array]:
    return np.split(x, np.cumsum(sizes)[:-1], axis)


MOVES: Final[Mapping[str, Rule]] = {
    "broadcast_in_dim": _broadcast_in_dim,
    "concatenate": lambda *xs, dimension: np.concatenate(xs, dimension),
    "copy": lambda x: x,
    "copy_p": lambda x: x,
    "device_put": lambda *xs, **_: list(xs),
    "dynamic_slice": _dynamic_slice,
    "iota": lambda dtype, shape, dimension, **_: np.indices(shape)[dimension],
    "name": lambda x, **_: x,
    "optimization_barrier": lambda *xs: list(xs),
    "reshape": lambda x, new_sizes, **_: x.reshape(new_sizes),
    "rev": lambda x, dimensions: np.flip(x, dimensions),
    "sharding_constraint": lambda x, **_: x,
    "slice": _slice,
    "split": _split,
    "squeeze": lambda x, dimensions: np.squeeze(x, tuple(dimensions)),
    "stack": lambda *xs, axis: np.stack(xs, axis),
    "tile": lambda x, reps: np.tile(x, tuple(reps)),
    "transpose": lambda x, permutation: np.transpose(x, permutation),
    "unstack": lambda x, axis, **_: [np.take(x, i, axis) for i in range(x.shape[axis])],
}

DATA: Final[Mapping[str, tuple[int, ...]]] = {
    "dynamic_update_slice": (0, 1),
    "gather": (0,),
    "pad": (0, 1),
    "scatter": (0, 2),
}
"""Moves too intricate to write again: JAX itself moves the numbers of the entries. Which operands have the entries."""

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
    "reduce_sum": lambda x, axes, **_: x.sum(axes),
    "select_n": lambda which, *cases: np.choose(which, cases),
    "sub": np.subtract,
}
"""Integers and truth values that no input enters, by NumPy; what is not here JAX computes, and compiles first."""
