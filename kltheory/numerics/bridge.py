"""From a SymPy expression to numbers: a walk over the tree, and a table from SymPy head to function for each engine.

All tables have the same heads (a test says so); a head that no table has is :class:`NotNumeric`, with the reason.
Piecewise is each library's own ``where``: what JAX differentiates must be finite in the branches not taken, too.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from sympy import (
    Abs,
    Add,
    And,
    Basic,
    Expr,
    Heaviside,
    Max,
    Min,
    Mul,
    Not,
    Or,
    Piecewise,
    Pow,
    Symbol,
    asin,
    cosh,
    exp,
    log,
    sign,
    sinh,
    tanh,
)
from sympy.codegen.cfunctions import expm1
from sympy.core.function import AppliedUndef, Derivative, Subs
from sympy.core.relational import Ge, Gt, Le, Lt
from sympy.functions.elementary.piecewise import ExprCondPair
from sympy.logic.boolalg import BooleanFalse, BooleanTrue

from kltheory.calculus.symbols import sg

Heads = Mapping[type, Callable[..., Any]]
Parameters = Mapping[Symbol, Any]
NO_PARAMETERS: Final[Parameters] = MappingProxyType({})


class NotNumeric(Exception):
    """The expression has no number here; the message says why."""


@dataclass(frozen=True)
class Bridge:
    """One engine's reading of expressions.

    Attributes:
        heads: SymPy head to function of the evaluated arguments.
        constant: the value of a node that is a constant, or ``None`` to descend into it.
    """

    heads: Heads
    constant: Callable[[Basic], Any]

    def __call__(self, expr: Expr, at: Mapping[Symbol, Any]) -> Any:
        """The value of ``expr`` with each symbol replaced by ``at[symbol]``: arrays that broadcast, or single numbers.

        Raises:
            NotNumeric: a symbol has no value, or a head is in no table.
        """
        return self._walk(expr, dict(at))

    def _walk(self, expr: Basic, seen: dict[Basic, Any]) -> Any:
        if expr in seen:
            return seen[expr]
        value = self.constant(expr)
        if value is None:
            head = self.heads.get(expr.func)
            if head is None:
                raise NotNumeric(_reason(expr))
            value = head(*(self._walk(a, seen) for a in expr.args))
        seen[expr] = value
        return value


def _reason(expr: Basic) -> str:
    if isinstance(expr, Symbol):
        return f"no value is given for {expr}"
    if isinstance(expr, (AppliedUndef, Derivative, Subs)):
        return f"{expr} stands for any function, and has no value"
    return f"{expr.func.__name__} in {expr} has no numeric meaning here"


def as_float(expr: Basic) -> float | None:
    """A constant expression as a float, and ``None`` for what has symbols or is a truth value."""
    if not isinstance(expr, Expr) or not expr.is_number:  # which stops at the first symbol, as free_symbols does not
        return None
    try:
        return float(expr)
    except (TypeError, OverflowError):
        raise NotNumeric(f"{expr} is not a real number that float64 can hold") from None


def floats(parameters: Parameters) -> dict[Symbol, float]:
    """Parameters as floats: numbers of any exact kind will do, so that every engine takes the same ones."""
    return {symbol: float(value) for symbol, value in parameters.items()}


# --- the heads that read alike with every array library ---------------------------------------------------------------
SHARED: Final[Heads] = {
    Add: lambda *xs: reduce(operator.add, xs),
    Mul: lambda *xs: reduce(operator.mul, xs),
    Gt: operator.gt,
    Lt: operator.lt,
    Ge: operator.ge,
    Le: operator.le,
    ExprCondPair: lambda value, condition: (value, condition),
    BooleanTrue: lambda: True,
    BooleanFalse: lambda: False,
}


def _array_heads(xp: Any, detach: Callable[[Any], Any]) -> Heads:
    """The table for an array library with NumPy's names."""

    def power(base: Any, exponent: Any) -> Any:
        if isinstance(exponent, float):
            if exponent.is_integer():
                return base ** int(exponent)
            if exponent == 0.5:
                return xp.sqrt(base)
        return xp.power(base, exponent)

    def step(x: Any, at_zero: Any) -> Any:
        return xp.where(x > 0, 1.0, xp.where(x < 0, 0.0, at_zero))

    def piecewise(*pairs: Any) -> Any:
        return reduce(lambda rest, pair: xp.where(pair[1], pair[0], rest), reversed(pairs), np.nan)

    return {
        **SHARED,
        sg: detach,
        Pow: power,
        exp: xp.exp,
        log: xp.log,
        asin: xp.arcsin,
        expm1: xp.expm1,
        sinh: xp.sinh,
        cosh: xp.cosh,
        tanh: xp.tanh,
        Abs: xp.abs,
        sign: xp.sign,
        Heaviside: step,
        Min: lambda *xs: reduce(xp.minimum, xs),
        Max: lambda *xs: reduce(xp.maximum, xs),
        And: lambda *xs: reduce(xp.logical_and, xs),
        Or: lambda *xs: reduce(xp.logical_or, xs),
        Not: xp.logical_not,
        Piecewise: piecewise,
    }


NUMPY: Final = Bridge(_array_heads(np, lambda x: x), as_float)
"""Values in NumPy, float64; ``sg`` is the identity."""


@lru_cache(maxsize=1)
def jax_bridge() -> Bridge:
    """Differentiable values in JAX; ``sg`` is ``jax.lax.stop_gradient``. Imports JAX."""
    import jax

    return Bridge(_array_heads(jax.numpy, jax.lax.stop_gradient), as_float)
