"""Instances: a stand-in ``self``, made by the class itself where it can be, that reads what is missing elsewhere."""

import inspect
from collections.abc import Mapping
from typing import Any

from kltheory.audit.stand_in import Values


def instance(values: Values, owner: type, name: str = "self") -> Any:
    """An object of a class, made by its own ``__init__`` if that can be called, that reads the rest from the values.

    Args:
        values: what is known.
        owner: the class; what only its metaclass or abstract methods forbid is passed by.
        name: what the function calls its first argument.
    """
    given = {path.partition(".")[2]: v for path, v in values.settings.items() if path.startswith(name + ".")}
    made = _constructed(owner, given)

    def missing(self: Any, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        parent = getattr(owner, "__getattr__", None)
        if parent is not None and made is not None:
            try:
                return parent(self, attribute)
            except AttributeError:
                pass
        return values.read(f"{name}.{attribute}")

    readable = _subclass(owner, missing)
    result = object.__new__(readable) if made is None else made
    try:
        if made is not None:
            object.__setattr__(made, "__class__", readable)
    except TypeError:
        return made  # built-in layouts and slots stay what they are
    for path in (*values.settings, *values.paths):
        head, _, rest = path.partition(".")
        attribute = rest.partition(".")[0].removesuffix("()")
        if head == name and attribute and not (path.endswith("()") and path not in values.paths):
            _set(result, attribute, values.read(f"{name}.{attribute}"))
    return result


def _set(result: Any, attribute: str, value: Any) -> None:
    """Set in the instance, past a property or a slot of the class where there is one."""
    try:
        object.__setattr__(result, attribute, value)
    except AttributeError:
        setattr(type(result), attribute, value)  # a property without a setter: the class is ours


def _subclass(owner: type, missing: Any) -> type:
    """A class of its own for this call; what a metaclass does when a class is made is passed by where it refuses."""
    body = {"__getattr__": missing, "__slots__": (), "__module__": owner.__module__}
    try:
        made = type(owner)(owner.__name__, (owner,), body)
    except Exception:
        made = type.__new__(type(owner), owner.__name__, (owner,), body)
    if getattr(made, "__abstractmethods__", None):
        made.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]
    return made


def _constructed(owner: type, given: Mapping[str, Any]) -> Any:
    try:
        signature = inspect.signature(owner)
        chosen = {k: v for k, v in given.items() if k in signature.parameters}
        signature.bind(**chosen)
        return owner(**chosen)
    except Exception:
        return None  # it wants what is not given: an instance without __init__ then stands in
