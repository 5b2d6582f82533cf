"""The values of a jaxpr being read: arrays of expressions, or plain integers and truth values that no input enters.

A floating array is always one of expressions, exact numbers among them.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from sympy import Basic, Integer, S, false, oo, true
from sympy.logic.boolalg import BooleanAtom

Array = np.ndarray[tuple[int, ...], Any]
Rule = Callable[..., Any]

UNDEFINED: Final = (oo, -oo, S.NaN, S.ComplexInfinity)


def entrywise(rule: Rule, *operands: Array) -> Array:
    """The rule applied to each entry of operands that broadcast against each other."""
    return boxed(np.frompyfunc(rule, len(operands), 1)(*operands))


def boxed(entries: Any) -> Array:
    """An object array, of shape () when it is a single entry."""
    return entries if isinstance(entries, np.ndarray) else np.full((), entries, dtype=object)


def is_constant(entry: Basic) -> bool:
    """Whether an entry is a number or a truth value."""
    return not entry.free_symbols


def is_symbolic(x: Any) -> bool:
    """Whether the entries are expressions."""
    return bool(x.dtype == object)


def is_number(x: Any) -> bool:
    """Whether no entry depends on an input."""
    return not is_symbolic(x) or all(map(is_constant, x.flat))


def is_floating(aval: Any) -> bool:
    """Whether this is the type of a floating array."""
    from jax import numpy as jnp

    return bool(jnp.issubdtype(aval.dtype, np.floating))


def exprs(x: Any) -> Array:
    """Any value as an array of expressions."""
    if is_symbolic(x):
        return x
    lift = (lambda b: true if b else false) if x.dtype == bool else lambda i: Integer(int(i))
    return entrywise(lift, np.asarray(x))


def plain(x: Array, dtype: Any) -> Array:
    """Constant entries as numbers of this type."""
    numbers = [bool(e) if isinstance(e, BooleanAtom) else float(e) for e in x.flat]
    return np.array(numbers).reshape(x.shape).astype(dtype)


def same_kind(arrays: Sequence[Any]) -> list[Any]:
    """The arrays, all of expressions if one of them is."""
    return [exprs(a) for a in arrays] if any(map(is_symbolic, arrays)) else list(arrays)
