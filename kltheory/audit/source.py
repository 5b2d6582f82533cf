"""Source: what the text of a function says of its parameters, before it runs."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any, Final

from kltheory.audit.framework import innermost

BOUNDS: Final = {"clamp", "clip", "clamp_", "clamp_min", "clamp_max", "minimum", "maximum"}
"""Calls whose later arguments are numbers."""


def source_tree(function: Any) -> ast.AST:
    """The syntax tree of the function that the user wrote; an empty one where Python has no source."""
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(innermost(function))))
    except (OSError, TypeError, SyntaxError):
        return ast.Module(body=[], type_ignores=[])


def annotation_of(parameter: inspect.Parameter) -> str:
    """Its annotation as text; empty where there is none."""
    if parameter.annotation is parameter.empty:
        return ""
    text = parameter.annotation
    return text if isinstance(text, str) else inspect.formatannotation(text)


def is_name(node: ast.AST, name: str) -> bool:
    """Whether a node is just this name."""
    return isinstance(node, ast.Name) and node.id == name


def attributes_of(tree: ast.AST, name: str) -> set[str]:
    """What is read from it: ``log_prob`` and ``entropy`` are read from a distribution."""
    return {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and is_name(n.value, name)}


def calls_with(tree: ast.AST, name: str) -> Iterator[tuple[str, int]]:
    """The last names of the functions that it is handed to, and at which position (-1 by keyword)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            places = [i for i, a in enumerate(node.args) if is_name(a, name)]
            places += [-1 for k in node.keywords if is_name(k.value, name)]
            yield from ((ast.unparse(node.func).rpartition(".")[2], i) for i in places)


def is_subscripted(tree: ast.AST, name: str) -> bool:
    """Whether an entry of it is read, as of a list."""
    return any(isinstance(n, ast.Subscript) and is_name(n.value, name) for n in ast.walk(tree))


def exponentiated(tree: ast.AST, name: str) -> int:
    """1 where it is an exponent, ``x.exp()`` or ``exp(x)``; -1 where minus it is, ``(-x).exp()``; 0 where neither."""
    for n in ast.walk(tree):
        if isinstance(n, ast.Call) and isinstance(n.func, (ast.Attribute, ast.Name)):
            called = n.func.attr if isinstance(n.func, ast.Attribute) else n.func.id
            inner = n.args[0] if n.args else n.func.value if isinstance(n.func, ast.Attribute) else None
            minus = isinstance(inner, ast.UnaryOp) and isinstance(inner.op, ast.USub)
            if called == "exp" and inner is not None and is_name(inner.operand if minus else inner, name):  # type: ignore[attr-defined]
                return -1 if minus else 1
    return 0


def is_inverted(tree: ast.AST, name: str) -> bool:
    """Whether what it marks is left out: ``~padding_mask``, ``1 - pad_mask``, ``masked_fill(pad_mask, 0)``."""
    for n in ast.walk(tree):
        if isinstance(n, ast.UnaryOp) and isinstance(n.op, (ast.Invert, ast.Not)) and is_name(n.operand, name):
            return True
        one = isinstance(n, ast.BinOp) and isinstance(n.op, ast.Sub) and isinstance(n.left, ast.Constant)
        if one and n.left.value == 1 and any(is_name(x, name) for x in ast.walk(n.right)):  # type: ignore[attr-defined]
            return True
    return any(call in ("masked_fill", "masked_fill_", "logical_not") for call, _ in calls_with(tree, name))


def is_compared_with_numbers(tree: ast.AST, name: str) -> bool:
    """Whether a branch depends on how it compares with a number, so that it is one itself: ``if beta != 0``."""
    tests = (n.test for n in ast.walk(tree) if isinstance(n, (ast.If, ast.IfExp, ast.Assert, ast.While)))
    for test in tests:
        for n in ast.walk(test):
            if isinstance(n, ast.Compare):
                sides = [n.left, *n.comparators]
                if any(is_name(s, name) for s in sides) and any(_is_number(s) for s in sides):
                    return True
    return False


def _is_number(node: ast.AST) -> bool:
    node = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool)


def is_bound(tree: ast.AST, name: str) -> bool:
    """Whether something is clamped at it: it is then a number."""
    inside = (
        part
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in BOUNDS - {"minimum", "maximum"}
        for part in (*node.args, *(k.value for k in node.keywords))
        if not is_name(part, name) or node.args[:1] != [part] or _is_method(node)
    )
    return any(is_name(x, name) for part in inside for x in _leaves(part))


MODULES: Final = {"torch", "F", "jnp", "np", "numpy", "jax.numpy", "jax.lax", "lax"}


def _is_method(call: ast.Call) -> bool:
    """Whether it is called on an array, and not on a module: the first argument is then none."""
    return isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) not in MODULES


def _leaves(node: ast.AST) -> Iterator[ast.AST]:
    """The operands of an arithmetic expression: ``1 + eps`` has two, a call has none."""
    if isinstance(node, ast.BinOp):
        yield from (*_leaves(node.left), *_leaves(node.right))
    elif isinstance(node, ast.UnaryOp):
        yield from _leaves(node.operand)
    else:
        yield node


def is_around_one(tree: ast.AST, name: str) -> bool:
    """Whether it is a distance from 1, as a clip range is: ``1 - eps``, ``1 + eps``, ``1 + self.eps``."""
    for n in ast.walk(tree):
        about = isinstance(n, ast.BinOp) and isinstance(n.op, (ast.Add, ast.Sub))
        about = about and ast.unparse(n.right).rpartition(".")[2] == name  # type: ignore[attr-defined]
        if about and isinstance(n.left, ast.Constant) and n.left.value == 1:  # type: ignore[attr-defined]
            return True
    return False
