"""Variants: the configurations that one command line asks for."""

import ast
import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, get_args

from kltheory.audit.binding import enumeration
from kltheory.audit.roles import expected
from kltheory.audit.source import annotation_of, is_name, source_tree
from kltheory.audit.target import CannotRun, Target
from kltheory.calculus.names import words_of

CHOICE: Final = {"kind", "type", "mode", "index", "idx", "method", "variant", "estimator", "which", "version"} | {
    "level", "scheme", "option", "choice", "loss", "algo", "algorithm", "kl", "penalty", "reduction",
}  # fmt: skip
"""Words of what a number is chosen by; any other number is a quantity."""


@dataclass(frozen=True)
class Variant:
    """One configuration: the settings that distinguish it, and all settings."""

    name: str
    settings: Mapping[str, Any]


def parse_settings(texts: Iterable[str]) -> dict[str, list[Any]]:
    """``name=value`` with commas between the values of a choice; values are Python literals or else text.

    Raises:
        CannotRun: there is no ``=``.
    """
    out: dict[str, list[Any]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise CannotRun(f"--set {text}: write --set name=value, or --set name=value1,value2")
        out[name.strip()] = [_literal(v) for v in _parts(value)]
    return out


def parse_arguments(texts: Iterable[str]) -> dict[str, str]:
    """``role=name`` with commas between. Raises CannotRun."""
    out = {}
    for text in texts:
        for part in text.split(","):
            role, equals, name = part.partition("=")
            if not equals or not name.strip():
                raise CannotRun(f"--args {text}: write --args logp=NAME,logp_ref=NAME")
            out[role.strip()] = name.strip()
    return out


def _parts(text: str) -> list[str]:
    """The text cut at commas that stand in no bracket."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return text.strip()


def variants(target: Target, choices: Mapping[str, list[Any]]) -> Iterator[Variant]:
    """Every combination of the choices; a selector without a default that is not given runs through its own choices."""
    every = {**{name: values for name, values in _required_selectors(target).items() if name not in choices}, **choices}
    several = [name for name, values in every.items() if len(values) > 1]
    for values in product(*every.values()):
        settings = dict(zip(every, values, strict=True))
        named = several or list(settings)
        yield Variant(", ".join(f"{name}={shown(settings[name])}" for name in named), settings)


def shown(value: Any) -> str:
    """A choice as ``--set`` takes it: a member of an enumeration by its name."""
    return value.name if isinstance(value, enum.Enum) else str(value)


def other_choices(target: Target, settings: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Selectors left at their default, with the choices that the source compares them with."""
    selectors = (
        name
        for name, p in target.signature.parameters.items()
        if isinstance(p.default, (str, int, enum.Enum)) and not isinstance(p.default, bool) and name not in settings
    )
    return {name: found for name in selectors if len(found := choices_of(target, name)) > 1}


def _required_selectors(target: Target) -> dict[str, list[Any]]:
    return {
        name: found
        for name, p in target.signature.parameters.items()
        if p.default is p.empty
        and expected(name) is None
        and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        and (found := choices_of(target, name))
    }


def choices_of(target: Target, name: str) -> list[Any]:
    """What a parameter chooses from, in order: what its annotation lists, else what the function compares it with.

    A text is a choice. A number is one where the name or the annotation says that it is no quantity: ``alpha == 1`` is
    a limit of a formula, ``kind == 1`` a choice.
    """
    parameter = target.signature.parameters[name]
    scope = getattr(target.inner, "__globals__", {})
    if literals := _literals(parameter.annotation, scope):
        return literals
    if (kind := enumeration(parameter, target)) is not None:
        return list(kind)
    if annotation_of(parameter) == "bool":
        return [False, True]
    found: dict[Any, None] = {}
    for node in ast.walk(source_tree(target.function)):
        found.update(dict.fromkeys(_compared(node, name, scope)))
    counted = bool(set(words_of(name)) & CHOICE) or annotation_of(parameter) == "int"
    return [c for c in found if counted or not isinstance(c, int) or isinstance(c, enum.Enum)]


def _literals(annotation: Any, scope: Mapping[str, Any]) -> list[Any]:
    """What a ``Literal`` lists, in an annotation that may be a text."""
    if isinstance(annotation, str) and "Literal" in annotation:
        try:
            annotation = eval(annotation, dict(scope))  # noqa: S307  as typing.get_type_hints does
        except Exception:
            return []
    inside = get_args(annotation)
    return [a for x in inside for a in (get_args(x) or (x,)) if isinstance(a, (str, int)) and not isinstance(a, bool)]


def _compared(node: ast.AST, name: str, scope: Mapping[str, Any]) -> Iterator[Any]:
    """The constants that one node compares a parameter with, or looks it up among."""
    if isinstance(node, ast.Compare):
        if _is_about(node.left, name):
            yield from (c for other in node.comparators for c in _constants(other, scope))
        elif isinstance(node.ops[0], (ast.Eq, ast.NotEq)) and _is_about(node.comparators[0], name):
            yield from _constants(node.left, scope)
    if isinstance(node, ast.Match) and _is_about(node.subject, name):
        yield from (c for case in node.cases for c in _constants(case.pattern, scope))
    if isinstance(node, ast.Subscript) and is_name(node.slice, name) and isinstance(node.value, ast.Name):
        table = scope.get(node.value.id)
        yield from (key for key in table if isinstance(key, str)) if isinstance(table, Mapping) else ()


def _is_about(node: ast.AST, name: str) -> bool:
    """Whether a node is the parameter, or the parameter in small letters and the like."""
    method = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args
    return is_name(node.func.value if method else node, name)  # type: ignore[attr-defined]


def _constants(node: ast.AST, scope: Mapping[str, Any]) -> Iterator[Any]:
    if isinstance(node, ast.Name) and isinstance(scope.get(node.id), (tuple, list, set, frozenset, Mapping)):
        listed = scope[node.id]
        ordered = sorted(map(str, listed)) if isinstance(listed, (set, frozenset)) else listed
        yield from (x for x in ordered if isinstance(x, (str, int)))
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        member = getattr(scope.get(node.value.id), node.attr, None)
        if isinstance(member, enum.Enum):
            yield member
    for inner in ast.walk(node):
        value = inner.value if isinstance(inner, ast.Constant) else None
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            yield value


def single_values(texts: Iterable[str]) -> dict[str, Any]:
    """``name=value`` where one value is meant. Raises CannotRun for a choice."""
    out = {}
    for name, values in parse_settings(texts).items():
        if len(values) > 1:
            raise CannotRun(f"--set {name}: one value is compared with one value; give one")
        out[name] = values[0]
    return out
