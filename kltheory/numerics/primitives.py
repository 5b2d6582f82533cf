"""JAX programs run by NumPy: JAX differentiates, and nothing is compiled.

XLA compiles every operation anew for every shape, 60 ms each, which for small arrays is more than all of their
arithmetic. Here JAX writes its program down once, a *jaxpr*, and NumPy does what stands there, operation by operation;
what is not in the table JAX runs itself.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np

Array = Any
Function = Callable[..., Any]


@lru_cache(maxsize=64)
def by_numpy(function: Function) -> Function:
    """A JAX function of arrays and pytrees of them, as one that NumPy computes, and that gives NumPy's arrays.

    It is written down once for each combination of shapes and types. Call it within :func:`.autodiff.scope`.
    """
    known: dict[Any, Any] = {}

    def run(*arguments: Any) -> Any:
        import jax

        leaves, tree = jax.tree.flatten(arguments)
        leaves = [np.asarray(x) for x in leaves]
        key = (tree, *((x.shape, x.dtype) for x in leaves))
        if key not in known:
            known[key] = jax.make_jaxpr(function, return_shape=True)(*arguments)
        closed, shape = known[key]
        with np.errstate(all="ignore"):
            found = _run(closed.jaxpr, closed.consts, leaves)
        return jax.tree.unflatten(jax.tree.structure(shape), found)

    return run


def _run(jaxpr: Any, constants: Sequence[Array], arguments: Sequence[Array]) -> list[Array]:
    """The outputs of a program."""
    values: dict[Any, Array] = dict(zip(jaxpr.constvars, map(np.asarray, constants), strict=True))
    values.update(zip(jaxpr.invars, arguments, strict=True))

    def read(atom: Any) -> Array:
        return np.asarray(atom.val, atom.aval.dtype) if hasattr(atom, "val") else values[atom]

    for step in jaxpr.eqns:
        given = [read(x) for x in step.invars]
        values.update(zip(step.outvars, _outputs(step, given), strict=True))
    return [read(x) for x in jaxpr.outvars]


def _outputs(step: Any, given: list[Array]) -> Sequence[Array]:
    name, how = step.primitive.name, step.params
    if name in CALLS:
        inner = how.get("jaxpr", how.get("call_jaxpr"))
        return _run(inner.jaxpr, inner.consts, given)
    if name in ENTRYWISE:
        return [ENTRYWISE[name](*given)]
    if name in SHAPED:
        return [SHAPED[name](how, *given)]
    found = step.primitive.bind(*given, **how)
    return [np.asarray(x) for x in (found if step.primitive.multiple_results else [found])]


CALLS: Final = frozenset({"jit", "custom_jvp_call", "custom_vjp_call"})
"""Programs inside a program."""


def _quotient(a: Array, b: Array) -> Array:
    return a / b if np.issubdtype(a.dtype, np.inexact) else np.trunc(a / b).astype(a.dtype)


ENTRYWISE: Final[dict[str, Function]] = {
    **{name: getattr(np, name) for name in ("exp", "expm1", "log", "sqrt", "square", "sinh", "cosh", "tanh")},
    "abs": np.abs,
    "sign": np.sign,
    "asin": np.arcsin,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "neg": np.negative,
    "add": np.add,
    "add_any": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": _quotient,
    "pow": np.power,
    "max": np.maximum,
    "min": np.minimum,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "not": np.invert,
    "select_n": lambda which, *cases: np.choose(which.astype(int), cases),
    "stop_gradient": np.asarray,
}
"""Operations that act entry by entry; JAX has broadcast and cast their arguments."""


def _broadcast(how: dict[str, Any], x: Array) -> Array:
    shape = [1] * len(how["shape"])
    for size, axis in zip(x.shape, how["broadcast_dimensions"], strict=True):
        shape[axis] = size
    return np.broadcast_to(x.reshape(shape), how["shape"])


SHAPED: Final[dict[str, Function]] = {
    "convert_element_type": lambda how, x: x.astype(how["new_dtype"]),
    "integer_pow": lambda how, x: x ** how["y"] if how["y"] >= 0 else 1 / x ** -how["y"],
    "reshape": lambda how, x: x.reshape(how["new_sizes"]),
    "transpose": lambda how, x: x.transpose(how["permutation"]),
    "concatenate": lambda how, *xs: np.concatenate(xs, how["dimension"]),
    "broadcast_in_dim": _broadcast,
    "reduce_sum": lambda how, x: x.sum(tuple(how["axes"])),
    "reduce_max": lambda how, x: x.max(tuple(how["axes"])),
}
"""Operations with parameters: those, then the arguments."""
