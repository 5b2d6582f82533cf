"""Defaults: what a class sets in its ``__init__``, read from the source of that, for an instance without it."""

import ast
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any, Final

from kltheory.calculus.names import words_of

OBJECTS: Final = {
    *("model", "module", "engine", "trainer", "tokenizer", "processor", "config", "cfg", "args", "inputs", "batch"),
    *("data", "ctx", "context", "state", "meta", "outputs", "output", "optimizer"),
}
"""Words of what is an object, and no array or number."""
ON_CPU: Final = {"output_dir": "unused", "use_cpu": True, "bf16": False, "fp16": False, "report_to": "none"}
"""What a configuration of a training run needs where there is nothing to train on."""
NOTHING: Final = object()
"""No default is known."""


class Unknown(Exception):
    """An expression of ``__init__`` needs what is not known."""


def default_of(owner: type, path: str, settings: Mapping[str, Any], own: str = "self") -> Any:
    """What an attribute would be if every argument had its default, ``args.beta`` that of its class; else NOTHING.

    Args:
        owner: the class.
        path: the attribute, such as ``self.beta`` or ``self.args.delta``.
        settings: what is given, by path; ``self.args.beta`` changes what is made of it.
        own: what the function calls its first argument.
    """
    head, *names = path.split(".")
    if head != own or not names or path.endswith("()"):
        return NOTHING
    try:
        value: Any = _Self(owner, settings, own)
        for name in names:
            value = getattr(value, name)
    except (Unknown, AttributeError):
        return NOTHING
    return NOTHING if isinstance(value, (_Config, _Self)) else value


def default_of_field(parameter: inspect.Parameter, function: Any, path: str, settings: Mapping[str, Any]) -> Any:
    """What a field of a configuration is by default, where a parameter is annotated with its class; else NOTHING."""
    name, *fields = path.split(".")
    kind = _dataclass_of(parameter, function)
    if kind is None or not fields:
        return NOTHING
    value: Any = _Config(kind, settings, (name,))
    try:
        for field in fields:
            value = getattr(value, field)
    except (Unknown, AttributeError):
        return NOTHING
    return value


class _Self:
    """Reads like an instance of which ``__init__`` has run."""

    def __init__(self, owner: type, settings: Mapping[str, Any], own: str) -> None:
        self._owner, self._settings, self._own = owner, settings, own

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if (path := f"{self._own}.{name}") in self._settings:
            return self._settings[path]
        for init in _inits(self._owner):
            path = f"{next(iter(inspect.signature(init).parameters), 'self')}.{name}"
            if (value := _assigned(_body(init), path)) is not None:
                return self._evaluated(value, init)
        raise Unknown(name)

    def _evaluated(self, value: ast.expr, init: Any) -> Any:
        scope: dict[str, Any] = {}
        for name, parameter in inspect.signature(init).parameters.items():
            scope[name] = self if not scope else self._argument(name, parameter, init)
        names = {n.id for n in ast.walk(value) if isinstance(n, ast.Name)}
        if any(scope.get(n) is NOTHING for n in names):
            raise Unknown(ast.unparse(value))
        try:
            code = compile(ast.Expression(value), "<__init__>", "eval")
            return eval(code, init.__globals__, scope)  # noqa: S307  the class's own text, in its own module
        except Exception as e:
            raise Unknown(ast.unparse(value)) from e

    def _argument(self, name: str, parameter: inspect.Parameter, init: Any) -> Any:
        for known in _inits(self._owner):  # a subclass narrows what its parents take
            other = inspect.signature(known).parameters.get(name)
            if other is not None and (config := _dataclass_of(other, known)) is not None:
                return _Config(config, self._settings, (f"{self._own}.{name}", name))
        if name in self._settings:
            return self._settings[name]
        unsaid = parameter.default is None and set(words_of(name)) & OBJECTS  # a model is given, or made
        return NOTHING if unsaid or parameter.default is parameter.empty else parameter.default


class _Config:
    """Reads like a configuration with every field at its default, but for what is given."""

    def __init__(self, kind: type, settings: Mapping[str, Any], paths: tuple[str, ...]) -> None:
        self._kind, self._settings, self._paths = kind, settings, paths

    def __getattr__(self, name: str) -> Any:
        for path in self._paths:
            if f"{path}.{name}" in self._settings:
                return self._settings[f"{path}.{name}"]
        given = {p.rpartition(".")[2]: v for p, v in self._settings.items() if p.startswith(self._paths)}
        made = _made(self._kind, tuple(given.items()))
        if hasattr(made, name):
            return getattr(made, name)
        default = fields_of(self._kind).get(name)
        if default is None:
            raise Unknown(name)
        return default()


@lru_cache(maxsize=16)
def _made(kind: type, given: tuple[tuple[str, Any], ...]) -> Any:
    """A configuration as its class makes it, what ``__post_init__`` fills in included; ``None`` where it cannot be."""
    names = fields_of(kind)
    for beside in ({}, ON_CPU):
        try:
            return kind(**{name: value for name, value in {**beside, **dict(given)}.items() if name in names})
        except Exception:  # it wants more, or another machine
            continue
    return None


def fields_of(kind: Any) -> dict[str, Callable[[], Any]]:
    """The fields of a class of settings, and what makes the default of each: a dataclass, or a model of pydantic.

    A default that there is none of raises Unknown.
    """
    if not isinstance(kind, type):
        return {}
    if dataclasses.is_dataclass(kind):
        return {f.name: partial(_default, f) for f in dataclasses.fields(kind) if f.init}
    model = getattr(kind, "model_fields", None)
    if isinstance(model, Mapping):
        return {name: partial(_default, f) for name, f in model.items()}
    return {}


def _default(field: Any) -> Any:
    if field.default_factory not in (None, dataclasses.MISSING):
        return field.default_factory()
    if field.default is dataclasses.MISSING or type(field.default).__name__ == "PydanticUndefinedType":
        raise Unknown(str(field))
    return field.default


def _dataclass_of(parameter: inspect.Parameter, init: Any) -> type | None:
    annotation = parameter.annotation
    if fields_of(annotation):
        return annotation
    text = annotation if isinstance(annotation, str) else str(annotation)
    for word in re.findall(r"\w+", text):
        found = getattr(init, "__globals__", {}).get(word)
        if fields_of(found):
            return found
    return None


def _inits(owner: type) -> Iterator[Any]:
    """The ``__init__`` of a class and of its parents, the nearest first, as they were written in Python."""
    for kind in owner.__mro__:
        if inspect.isfunction(init := vars(kind).get("__init__")):
            yield inspect.unwrap(init)


@lru_cache(maxsize=64)
def _body(init: Any) -> list[ast.stmt]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(init)))
    except (OSError, TypeError, SyntaxError):
        return []
    return tree.body[0].body if isinstance(tree.body[0], ast.FunctionDef) else []


def _assigned(body: list[ast.stmt], path: str) -> ast.expr | None:
    """What is assigned to a path last; of two branches the one, as a conditional expression that is evaluated."""
    for statement in reversed(body):
        if isinstance(statement, ast.If):
            ways = [_assigned(branch, path) for branch in (statement.body, statement.orelse)]
            if ways[0] is not None and ways[1] is not None:
                return ast.copy_location(ast.IfExp(statement.test, ways[0], ways[1]), statement)
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        value = statement.value if isinstance(statement, (ast.Assign, ast.AnnAssign)) else None
        if value is not None and any(t is not None and ast.unparse(t) == path for t in targets):
            return value
    return None
