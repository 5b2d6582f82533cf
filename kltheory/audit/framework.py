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

METHODS: Final = {
    *("requires_grad", "detach", "clamp", "clamp_", "clamp_min", "clamp_max", "exp", "log", "log1p", "expm1", "float"),
    *("bool", "long", "double", "half", "bfloat16", "numel", "unsqueeze", "gather", "log_softmax", "softmax", "pow"),
    *("abs", "square", "masked_fill", "sigmoid", "logsumexp", "masked_select", "no_grad", "contiguous", "expand"),
}
"""What is read from a tensor of PyTorch and from no array of JAX."""


def framework_of(function: Callable[..., Any]) -> Framework | None:
    """Whose arrays a function computes on.

    By what kind of object it is, the names its code uses, its module, its annotations, and what is loaded.
    """
    for kind in type(function).__mro__:
        if (top := _top(kind)) in FAMILIES:
            return FAMILIES[top]  # a module of PyTorch, or a compiled function of either
    inner = innermost(function)
    scope = {**getattr(inner, "__globals__", {}), **_closure(inner)}
    used = _used(inner)
    has_methods = bool(set(used) & METHODS) and not {"numpy", "math"} & {_top(v) for v in used.values()}
    for values in (used, scope):
        found = {FAMILIES[top] for v in values.values() if (top := _top(v)) in FAMILIES}
        if len(found) == 1:
            return found.pop()
        if found:  # of both: what is only arithmetic runs on either
            return _by_annotation(inner) or ("torch" if has_methods or values is scope else None)
    if annotated := _by_annotation(inner):
        return annotated
    if has_methods:
        return "torch"
    loaded = {"jax", "torch"} & {m.partition(".")[0] for m in sys.modules}
    return "torch" if loaded == {"torch"} else "jax" if loaded else None


def _used(function: Any, depth: int = 3) -> dict[str, Any]:
    """The names that its code uses, and that of the helpers beside it, with what they stand for where that is known."""
    scope = {**getattr(function, "__globals__", {}), **_closure(function)}
    found = {name: scope.get(name) for name in _names(getattr(function, "__code__", None))}
    for helper in [*found.values()] if depth else []:
        if inspect.isfunction(helper) and helper.__globals__ is getattr(function, "__globals__", None):
            found = {**_used(helper, depth - 1), **found}
    return found


def _by_annotation(function: Any) -> Framework | None:
    text = " ".join(map(str, getattr(function, "__annotations__", {}).values()))
    return "torch" if "torch" in text or "Tensor" in text else "jax" if "jax" in text or "Array" in text else None


def _top(value: Any) -> str:
    try:
        name = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
    except Exception:  # a dummy of what is not installed, which tells whoever asks
        return ""
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


def passed_on(function: Any) -> Any:
    """The one function that a wrapper hands everything it is given, where it does not say so itself; else ``None``."""
    call = function if inspect.isroutine(function) or inspect.isclass(function) else type(function).__call__
    code = getattr(call, "__code__", None)
    if code is None or not code.co_flags & inspect.CO_VARARGS or hasattr(function, "__wrapped__"):
        return None
    held = _closure(function) if call is function else dict(getattr(function, "__dict__", {}))
    inside = [v for v in held.values() if callable(v) and hasattr(innermost(v), "__code__")]
    return inside[0] if len(inside) == 1 else None


def _inner(function: Any) -> Any:
    if isinstance(function, functools.partial):
        return function.func
    if isinstance(function, types.MethodType):
        return function.__func__
    if (inner := passed_on(function)) is not None:
        return inner
    for name in ("__wrapped__", "_torchdynamo_orig_callable"):
        if (inner := getattr(function, name, None)) is not None:
            return inner
    if inspect.isroutine(function) or inspect.isclass(function):
        return None
    method = getattr(function, "forward", None) or type(function).__call__
    return method if hasattr(method, "__code__") else None
