"""Frameworks: whose arrays a function computes on, and the function that the user wrote under its wrappers."""

import functools
import inspect
import sys
import types
from collections.abc import Callable
from typing import Any, Final, Literal

Framework = Literal["jax", "torch", "formula"]

FAMILIES: Final[dict[str, Framework]] = {"jax": "jax", "jaxlib": "jax", "flax": "jax", "optax": "jax", "torch": "torch"}
"""Top-level package to framework."""


def framework_of(function: Callable[..., Any]) -> Framework | None:
    """Whose arrays a function computes on.

    By what kind of object it is, the names its code uses, its module, its annotations, and what is loaded.
    """
    for kind in type(function).__mro__:
        if (top := _top(kind)) in FAMILIES:
            return FAMILIES[top]  # a module of PyTorch, or a compiled function of either
    inner = innermost(function)
    scope = {**getattr(inner, "__globals__", {}), **_closure(inner)}
    used = {n: scope[n] for n in _names(getattr(inner, "__code__", None)) if n in scope}
    for values in (used, scope):
        found = {FAMILIES[top] for v in values.values() if (top := _top(v)) in FAMILIES}
        if found:
            return found.pop() if len(found) == 1 else _by_annotation(inner)
    if annotated := _by_annotation(inner):
        return annotated
    loaded = {"jax", "torch"} & {m.partition(".")[0] for m in sys.modules}
    return "torch" if loaded == {"torch"} else "jax" if loaded else None


def _by_annotation(function: Any) -> Framework | None:
    text = " ".join(map(str, getattr(function, "__annotations__", {}).values()))
    return "torch" if "torch" in text or "Tensor" in text else "jax" if "jax" in text or "Array" in text else None


def _top(value: Any) -> str:
    name = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
    return str(name).partition(".")[0]


def _names(code: Any) -> set[str]:
    if code is None:
        return set()
    nested = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return {*code.co_names, *code.co_freevars}.union(*map(_names, nested))


def _closure(function: Any) -> dict[str, Any]:
    cells = getattr(function, "__closure__", None) or ()
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    return {n: c.cell_contents for n, c in zip(names, cells, strict=False) if _is_filled(c)}


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def innermost(function: Any) -> Any:
    """The function that the user wrote, under partial, decorators, bound methods, compilers and callable objects."""
    while (inner := _inner(function)) is not None:
        function = inner
    return function


def _inner(function: Any) -> Any:
    if isinstance(function, functools.partial):
        return function.func
    if isinstance(function, types.MethodType):
        return function.__func__
    for name in ("__wrapped__", "_torchdynamo_orig_callable"):
        if (inner := getattr(function, name, None)) is not None:
            return inner
    if inspect.isroutine(function) or inspect.isclass(function):
        return None
    method = getattr(function, "forward", None) or type(function).__call__
    return method if hasattr(method, "__code__") else None
