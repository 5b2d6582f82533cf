"""Variants: the configurations that one command line asks for."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, get_args

from kltheory.audit.binding import source_tree
from kltheory.audit.roles import guess
from kltheory.audit.target import CannotRun, Target


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
        shown = several or list(settings)
        yield Variant(", ".join(f"{name}={settings[name]}" for name in shown), settings)


def other_choices(target: Target, settings: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Selectors left at their default, with the choices that the source compares them with."""
    selectors = (
        name
        for name, p in target.signature.parameters.items()
        if isinstance(p.default, (str, int)) and not isinstance(p.default, bool) and name not in settings
    )
    return {name: found for name in selectors if len(found := choices_of(target, name)) > 1}


def _required_selectors(target: Target) -> dict[str, list[Any]]:
    return {
        name: found
        for name, p in target.signature.parameters.items()
        if p.default is p.empty
        and guess(name) is None
        and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        and (found := choices_of(target, name))
    }


def choices_of(target: Target, name: str) -> list[Any]:
    """The texts or numbers that a function compares a parameter with, or that its annotation lists, in order."""
    annotation = target.signature.parameters[name].annotation
    if literals := [a for a in get_args(annotation) if isinstance(a, str)]:
        return literals
    found: dict[Any, None] = {}
    for node in ast.walk(source_tree(target.function)):
        if isinstance(node, ast.Compare) and isinstance(node.left, ast.Name) and node.left.id == name:
            found.update(dict.fromkeys(_constants(node.comparators[0])))
        if isinstance(node, ast.Match) and isinstance(node.subject, ast.Name) and node.subject.id == name:
            for case in node.cases:
                found.update(dict.fromkeys(_constants(case.pattern)))
    return list(found)


def _constants(node: ast.AST) -> Iterator[str | int]:
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
