"""Stand-ins: objects that a function reads its arrays and settings from, such as ``self``, ``inputs`` or ``config``."""

from collections.abc import Iterator, Mapping
from typing import Any

from kltheory.audit.roles import Role, guess

Arrays = Mapping[str, Any]
"""Role to array."""


class Missing(AttributeError, KeyError):
    """The function reads something that a stand-in does not have."""

    def __str__(self) -> str:
        return str(self.args[0])


class Wanted(BaseException):
    """The function reads an array whose role its name tells; not an error, so no handler of the function stops it."""

    def __init__(self, role: Role, path: str) -> None:
        super().__init__(role, path)
        self.role = role
        self.path = path


class Values:
    """What is known about the objects that a function reads.

    Attributes:
        arrays: the arrays of this call, by role.
        paths: where an array is found: path to role. A path is ``inputs.ref_logps``, or ``self.get_logps()``.
        settings: path to value, as ``--set self.beta=0.1`` gives them.
    """

    def __init__(self, arrays: Arrays, paths: Mapping[str, Role], settings: Mapping[str, Any]) -> None:
        self.arrays = arrays
        self.paths = paths
        self.settings = settings

    def read(self, path: str) -> Any:
        """The value at a path. Raises Missing, or Wanted."""
        if path in self.settings:
            return self.settings[path]
        if path in self.paths:
            return self.arrays[self.paths[path]]
        if path + "()" in self.paths:
            array = self.arrays[self.paths[path + "()"]]
            return lambda *args, **kwargs: array
        if any(known.startswith(path + ".") for known in (*self.settings, *self.paths)):
            return StandIn(path, self)
        if role := guess(path.rpartition(".")[2]):
            if role in self.arrays and role not in self.paths.values():
                return self.arrays[role]
            if role not in self.arrays:
                raise Wanted(role, path)
        raise Missing(f"it reads {path}: give it with --set {path}=VALUE, or --args ROLE={path}")

    def instance(self, owner: type, name: str = "self") -> Any:
        """An object of a class, made by its own ``__init__`` if that can be called, that reads the rest from here."""
        given = {path.partition(".")[2]: v for path, v in self.settings.items() if path.startswith(name + ".")}
        made = _constructed(owner, given)

        def missing(instance: Any, attribute: str) -> Any:
            if attribute.startswith("__"):
                raise AttributeError(attribute)
            parent = getattr(owner, "__getattr__", None)
            if parent is not None and made is not None:
                try:
                    return parent(instance, attribute)
                except AttributeError:
                    pass
            return self.read(f"{name}.{attribute}")

        readable = type(owner.__name__, (owner,), {"__getattr__": missing, "__slots__": ()})
        result = object.__new__(readable) if made is None else made
        try:
            if made is not None:
                object.__setattr__(made, "__class__", readable)
        except TypeError:
            return made  # built-in layouts and slots stay what they are
        for path in (*self.settings, *self.paths):
            head, _, rest = path.partition(".")
            attribute = rest.partition(".")[0].removesuffix("()")
            if head == name and attribute:
                object.__setattr__(result, attribute, self.read(f"{name}.{attribute}"))
        return result


def _constructed(owner: type, given: Mapping[str, Any]) -> Any:
    import inspect

    try:
        signature = inspect.signature(owner)
        chosen = {k: v for k, v in given.items() if k in signature.parameters}
        signature.bind(**chosen)
        return owner(**chosen)
    except Exception:
        return None  # it wants what is not given: an instance without __init__ then stands in


class StandIn(Mapping[str, Any]):
    """Reads like a mapping, a namespace or a dataclass."""

    def __init__(self, path: str, values: Values) -> None:
        self._path = path
        self._values = values

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._values.read(f"{self._path}.{name}")

    def __getitem__(self, name: Any) -> Any:
        return self._values.read(f"{self._path}.{name}")

    def __contains__(self, name: object) -> bool:
        try:
            self[name]
        except Missing:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        known = (*self._values.settings, *self._values.paths)
        inside = (p.removeprefix(self._path + ".").partition(".")[0] for p in known if p.startswith(self._path + "."))
        return iter(dict.fromkeys(inside))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Raise Missing: what the function would get here is not known."""
        raise Missing(f"it calls {self._path}: give what that returns, --args ROLE={self._path}()")
