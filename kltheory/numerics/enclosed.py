"""Coefficients and means over the vocabulary, enclosed in balls: arrays of ``arb`` of shape (N, V).

A number is a ball that contains the true one. :func:`settled` works it out at a higher and higher precision until
:data:`ENOUGH` bits are known; what no precision separates from zero is looked at once more in exact arithmetic.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final, Protocol

import flint
import numpy as np
from flint import arb
from sympy import Expr, Pow, Symbol, exp, log

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.moments import Mean
from kltheory.calculus.regions import Region
from kltheory.calculus.roots import Root
from kltheory.calculus.symbols import VARIABLES, advantage
from kltheory.numerics.balls import BALLS, enclose, number, precision
from kltheory.numerics.bridge import SHARED, Bridge

WORK: Final = 1 << 26
"""Bits times actions beyond which no higher precision is tried: it would take minutes."""

Balls = Any
"""A NumPy array of ``arb``."""

PRECISIONS: Final = tuple(1 << k for k in range(7, 14))
"""Bits tried, one after the other."""
ENOUGH: Final = 64
"""Bits of a number that are wanted: more than float64 holds."""


def each(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of single numbers, on arrays of objects that broadcast."""
    arity: dict[int, Any] = {}

    def everywhere(*arrays: Any) -> Any:
        n = len(arrays)
        if n not in arity:
            arity[n] = np.frompyfunc(function, n, 1)
        return arity[n](*arrays)

    return everywhere


def filled(n: int, x: Any) -> Balls:
    """N times a number, or N numbers, as an array of objects."""
    out = np.empty(n, dtype=object)
    out[:] = x
    return out


def pick(where: Any, a: Any, b: Any) -> Balls:
    """``a`` where the condition holds, else ``b``: arrays or single numbers."""
    return np.where(where, np.asarray(a, dtype=object), np.asarray(b, dtype=object))


def floats(numbers: Balls) -> Any:
    """The midpoints in float64."""
    return numbers.astype(np.float64)


ARRAYS: Final = Bridge({h: f if h in SHARED else each(f) for h, f in BALLS.heads.items()}, BALLS.constant)
"""The table of balls, on arrays of them."""
EXACT: Final = Bridge({**SHARED, **{h: each(h) for h in (Pow, exp, log)}}, lambda e: e if e.is_number else None)
"""SymPy's own arithmetic, on arrays of its numbers."""


@dataclass(frozen=True)
class Columns:
    """The canonical variables at every action of N settings.

    Attributes:
        at: variable to an array of shape (N, V).
        policy: the probabilities, the same shape.
        bridge: how a formula of them is read.
        balls: the same columns in balls, which tell the cell an action lies in; ``None`` where these are balls.
    """

    at: Mapping[Symbol, Any]
    policy: Any
    bridge: Bridge = ARRAYS
    balls: "Columns | None" = None

    def having(self, values: Any) -> "Columns":
        """With numbers as the advantages."""
        return replace(self, at={**self.at, advantage: values})


class Setting(Protocol):
    """What has columns: N settings of V actions."""

    @property
    def count(self) -> int:
        """N."""

    @property
    def size(self) -> int:
        """V."""

    def columns(self) -> Columns:
        """In balls, at the current precision."""

    def exactly(self) -> Columns | None:
        """In numbers of SymPy, where there are such and the zero test is quick."""


# --- formulas ---------------------------------------------------------------------------------------------------------
def values(coefficient: Coefficient, columns: Columns) -> Balls:
    """C at every action, shape (N, V).

    On the edge of cells it is what they agree on: a ball around both, and NaN where they differ (a kink, a jump).
    """
    if len(coefficient.cells) == 1 and coefficient.cells[0][0].is_everything:
        return evaluate(coefficient.cells[0][1], columns)
    judge = columns.balls or columns
    out, seen = np.full(columns.policy.shape, arb.nan(), dtype=object), np.zeros(columns.policy.shape, dtype=bool)
    for region, expr in coefficient.cells:
        here = _possible(region, judge)
        found, again = evaluate(expr, columns, here).copy(), seen[here]
        found[again] = _agreed(out[here][again], found[again])
        out[here] = found
        seen |= here
    return out


def finite_values(coefficient: Coefficient, setting: Setting) -> Balls:
    """C at every action, with as many bits as it takes for all to be finite; those that never are have no value."""
    for bits in PRECISIONS:
        with precision(bits):
            found = values(coefficient, setting.columns())
        if each(arb.is_finite)(found).all():
            break
    return found


def edges(coefficient: Coefficient, columns: Columns) -> Any:
    """Which actions lie on the edge of two cells, or too near to tell; shape (N, V)."""
    return sum(_possible(region, columns).astype(int) for region, _ in coefficient.cells) > 1


def _possible(region: Region, columns: Columns) -> Any:
    """Which actions are not certainly outside; shape (N, V)."""
    outside = np.zeros(columns.policy.shape, dtype=bool)
    for variable in filter(region.is_cut, VARIABLES):
        lo, hi = region.bounds(variable)
        if lo is not None:
            outside |= (columns.at[variable] < threshold(lo)).astype(bool)
        if hi is not None:
            outside |= (columns.at[variable] > threshold(hi)).astype(bool)
    for guard, sign in region.conditions.items():
        outside |= (sign * evaluate(guard, columns) < 0).astype(bool)
    return ~outside


def threshold(root: Root) -> Any:
    """An ``arb`` around the end of a region."""
    if root.exact is not None:
        return enclose(root.exact, {})
    root.interval(min(flint.ctx.prec, 128))  # narrows lo and hi
    return number(root.lo).union(number(root.hi))


@each
def _agreed(a: Any, b: Any) -> Any:
    """What two cells say of a point on their edge; an exact number stands for itself."""
    if not isinstance(a, arb):
        return a
    return a.union(b) if a.overlaps(b) else arb.nan()


def moments(formulas: Sequence[Expr], columns: Columns) -> tuple[Balls, ...]:
    """Formulas in means, numbers of each setting: shape (N,) each."""
    return tuple(evaluate(e, columns)[:, 0] for e in formulas)


def evaluate(expr: Expr, columns: Columns, where: Any = ...) -> Balls:
    """A formula at every action, shape (N, V), or at the chosen ones."""
    at = {v: columns.at[v][where] for v in expr.free_symbols if v in columns.at}
    for m in expr.atoms(Mean):
        average = (columns.policy * evaluate(m.integrand, columns)).sum(axis=-1, keepdims=True)
        at[m] = average if where is ... else np.broadcast_to(average, columns.policy.shape)[where]
    value = np.asarray(columns.bridge(expr, at), dtype=object)
    return np.broadcast_to(value, columns.policy[where].shape)


# --- numbers ----------------------------------------------------------------------------------------------------------
Quantity = Callable[[Columns], tuple[Balls, ...]]
"""Some numbers of every setting, each an array of shape (N,)."""


def settled(quantity: Quantity, setting: Setting) -> tuple[Balls, ...]:
    """The numbers to :data:`ENOUGH` bits; exactly 0 where that is proved.

    One that is not finite has no value; one that contains 0 and is not exact could not be told from it.
    """
    undefined = -1
    for bits in PRECISIONS:
        with precision(bits):
            found = quantity(setting.columns())
        numbers = list(chain.from_iterable(a.flat for a in found))
        before, undefined = undefined, sum(x.is_nan() for x in numbers)
        if all(x.rel_accuracy_bits() >= ENOUGH or (x.is_nan() and undefined == before) for x in numbers):
            return found
        if bits * setting.count * setting.size > WORK:
            break
    with precision(bits):
        if (exact := setting.exactly()) is None:
            return found
        return tuple(each(_or_zero)(x, y) for x, y in zip(found, quantity(exact), strict=True))


def _or_zero(x: Any, exact: Expr) -> Any:
    """Exactly zero, if the number, exactly, is."""
    try:
        return arb(0) if x.is_finite() and x.contains(0) and is_zero(exact) else x
    except Undecidable:
        return x
