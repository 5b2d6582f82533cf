"""Reach: the code that a function runs of its own: itself, the methods that it calls on itself, helpers beside it."""

import ast
import inspect
from collections.abc import Iterator
from typing import Any

from kltheory.audit.roles import guess
from kltheory.audit.source import source_tree
from kltheory.audit.target import Target


def reached(target: Target) -> Iterator[ast.AST]:
    """The nodes of the function, and of what it calls of its own class and module, each once.

    What gives log-probabilities by its name is not entered: a stand-in takes its place.
    """
    own = next(iter(target.signature.parameters), "") if target.owner is not None else ""
    waiting, seen = [target.inner], set[Any]()
    while waiting:
        function = waiting.pop()
        for node in ast.walk(source_tree(function)):
            yield node
            called = _called(node, own, target.owner, getattr(function, "__globals__", {}))
            if called is not None and called not in seen:
                seen.add(called)
                waiting.append(called)


def _called(node: ast.AST, own: str, owner: type | None, scope: dict[str, Any]) -> Any:
    if not isinstance(node, ast.Call):
        return None
    called = None
    if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == own and guess(node.func.attr) is None:
        called = inspect.getattr_static(owner, node.func.attr, None)
        called = getattr(called, "__func__", called)  # of a static method, or one of the class
    elif isinstance(node.func, ast.Name):
        called = scope.get(node.func.id)
    beside = inspect.isfunction(called) and (own or called.__globals__ is scope)
    return called if beside else None


def shifted(target: Target) -> tuple[set[str], set[str]]:
    """The names from which the last position is taken away, and those from which the first is, as in a causal shift."""
    without_last, without_first = set[str](), set[str]()
    for node in reached(target):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
            parts = [ast.unparse(e) for e in node.slice.elts]
            if parts[:2] in ([":", ":-1"], ["...", ":-1"]):
                without_last.add(_last_name(node.value))
            if parts in ([":", "1:"], ["...", "1:"]):
                without_first.add(_last_name(node.value))
    return without_last, without_first


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        return str(node.slice.value) if isinstance(node.slice, ast.Constant) else ""
    return node.attr if isinstance(node, ast.Attribute) else ast.unparse(node)


def largest_number(target: Target) -> int:
    """The largest whole number written down in what a function runs: it may count tokens or actions up to it."""
    numbers = (n.value for n in reached(target) if isinstance(n, ast.Constant))
    return max((n for n in numbers if isinstance(n, int) and not isinstance(n, bool)), default=0)
