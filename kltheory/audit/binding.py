"""Binding: which argument of a function holds what."""

import ast
import functools
import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from kltheory.audit.roles import Role, guess, guess_all
from kltheory.audit.stand_in import Wanted
from kltheory.audit.subject import PASSED, Arrays, Raised, Subject
from kltheory.audit.target import CannotRun, Target
from kltheory.tracing.trace import CannotTrace

PLAIN: Final = ("str", "int", "bool", "float", "str | None", "float | None", "int | None")
"""Annotations of what is no array."""


def bind(
    target: Target, arguments: Mapping[str, str], settings: Mapping[str, Any], output: str | None = None
) -> Subject:
    """The subject with arguments told apart by their names, except those that are given.

    Args:
        target: the function.
        arguments: role to parameter or path, for what names do not tell.
        settings: path to value.
        output: which of several outputs is meant.

    Raises:
        CannotRun: a role, a parameter or a setting does not exist; the message lists those that do.
    """
    parameters = target.signature.parameters
    own = [*parameters][1:] if target.owner is not None else [*parameters]
    settings = {**_fixed(target.function), **settings}
    for path in (*arguments.values(), *settings):
        head = path.partition(".")[0].removesuffix("()")
        if head not in parameters and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            raise CannotRun(f"{target.name} has no parameter {head}; it has {', '.join(own) or 'none'}")
    given: dict[str, Role] = {}
    for role, path in arguments.items():
        if role not in set(Role):
            raise CannotRun(f"there is no role {role}; the roles are {', '.join(Role)}")
        given[path] = Role(role)
    free = [
        n
        for n, p in parameters.items()
        if n in own and n not in settings and n not in given and p.kind not in PASSED and not _is_plain(p)
    ]
    guessed = {n: r for n, r in guess_all(free).items() if r not in given.values()}
    known = {**given, **guessed}
    methods = {p: r for p, r in _model_methods(target).items() if r not in known.values() and p not in known}
    return Subject(target, {**known, **methods}, settings, output)


def _fixed(function: Any) -> dict[str, Any]:
    """What ``functools.partial`` has fixed by keyword."""
    return dict(function.keywords) if isinstance(function, functools.partial) else {}


def _model_methods(target: Target) -> dict[str, Role]:
    """Methods of ``self`` that the function hands a model, and whose names say that log-probabilities come back."""
    if target.owner is None:
        return {}
    own = next(iter(target.signature.parameters))
    found: dict[str, Role] = {}
    for node in ast.walk(source_tree(target.function)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        of_self = isinstance(node.func.value, ast.Name) and node.func.value.id == own
        with_model = not hasattr(target.owner, node.func.attr) or any("model" in ast.unparse(a) for a in node.args)
        role = guess(node.func.attr)
        if of_self and with_model and role is not None and role not in found.values():
            found[f"{own}.{node.func.attr}()"] = role
    return found


def source_tree(function: Any) -> ast.AST:
    """The syntax tree of a function; an empty one where Python has no source."""
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return ast.Module(body=[], type_ignores=[])


def _is_plain(parameter: inspect.Parameter) -> bool:
    """Whether a parameter holds a number or a text, by its default or annotation."""
    plain = isinstance(parameter.default, (bool, int, float, str))
    return plain or getattr(parameter.annotation, "__name__", str(parameter.annotation)) in PLAIN


def discovered(subject: Subject, arrays: Arrays) -> Subject:
    """The subject with the arrays that the function reads through stand-ins, up to where it ends or raises.

    Raises:
        CannotRun: more than a few dozen are wanted.
    """
    for _ in range(40):
        try:
            subject.run({r: arrays[r] for r in subject.roles})
        except Wanted as wanted:
            subject = replace(subject, paths={**subject.paths, wanted.path: wanted.role})
        except (Raised, CannotTrace):
            return subject
        else:
            return subject
    raise CannotRun(f"{subject.target.name} reads more arrays than a loss does: name them with --args")
