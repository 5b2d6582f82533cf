"""Absent packages: what stands in a module for a package that is not installed, so that the rest of it can be called.

Real losses stand in files that import Ray, Megatron or a kernel of a GPU for something else. Such an import gives a
stand-in that can be subclassed, decorated with and asked for anything while modules are imported; a function that then
needs it to compute says so. What a run of one process knows of itself, such as how many processes there are, is told.
"""

import importlib.abc
import importlib.machinery
import re
import sys
import types
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

ALONE: Final[tuple[tuple[str, Any], ...]] = (
    (r"(get_)?(\w+_)?world_size|get_num_processes|process_count", 1),
    (r"(get_)?(\w+_)?rank|get_process_index|process_index", 0),
    (r"get_(\w+_)?group|get_(\w+_)?mesh", None),
    (r"is_(\w+_)?initialized|is_unitialized|is_(\w+_)?available", False),
)
"""What functions of one process return, by their names."""


class Absent(types.ModuleType):
    """A module of a package that is not installed, or something of it, or what it makes of a function.

    Attributes:
        decorated: what was handed to it alone, as to a decorator, while modules were imported.
    """

    is_importing = False

    def __init__(self, name: str, decorated: Any = None) -> None:
        super().__init__(name)
        self.decorated = decorated

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent(f"{self.__name__}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Another stand-in while modules are imported, then what one process knows. Raises ModuleNotFoundError."""
        if Absent.is_importing:
            alone = args[0] if len(args) == 1 and not kwargs and callable(args[0]) else None
            return Absent(self.__name__, None if isinstance(alone, Absent) else alone)
        leaf = self.__name__.rpartition(".")[2]
        for pattern, value in ALONE:
            if re.fullmatch(pattern, leaf):
                return value
        raise self._needed()

    def __getitem__(self, _: Any) -> Any:
        return Absent(self.__name__)

    def __or__(self, _: Any) -> Any:
        return Absent(self.__name__)

    __ror__ = __or__
    __iter__ = None

    def __bool__(self) -> bool:
        if Absent.is_importing:
            return False
        raise self._needed()

    def __instancecheck__(self, _: Any) -> bool:
        return False  # of a class that is nowhere there are no objects

    __subclasscheck__ = __instancecheck__

    def __mro_entries__(self, _: Any) -> tuple[type, ...]:
        return (Base,)

    def _needed(self) -> ModuleNotFoundError:
        top = self.__name__.partition(".")[0]
        return ModuleNotFoundError(f"it needs {self.__name__}, and {top} is not installed", name=top)


class Base:
    """What a class inherits from whose parent is absent: nothing."""


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules of absent packages, and those below them."""

    def __init__(self, names: Collection[str]) -> None:
        self.names = names

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: Any = None) -> Any:
        """A specification where the module is absent."""
        absent = any(fullname == n or fullname.startswith(n + ".") for n in self.names)
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True) if absent else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """The stand-in."""
        return Absent(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """There is nothing to run."""


@contextmanager
def standing_in_for(names: Collection[str], importing: bool = False) -> Iterator[None]:
    """Modules of these packages can be imported meanwhile, and are stand-ins.

    Args:
        names: packages, or modules of packages that are there, such as ``torchao.dtypes.nf4tensor``.
        importing: whether modules are imported rather than functions called: stand-ins then allow everything.
    """
    finder, before = _Finder(names), Absent.is_importing
    sys.meta_path.insert(0, finder)  # before those that find what is there and cannot be imported
    Absent.is_importing = importing
    try:
        yield
    finally:
        Absent.is_importing = before
        sys.meta_path.remove(finder)
        for name in [n for n, m in sys.modules.items() if isinstance(m, Absent)]:
            del sys.modules[name]


def undecorated(value: Any) -> Any:
    """What a decorator of an absent package was put on; anything else as it is."""
    while isinstance(value, Absent) and value.decorated is not None:
        value = value.decorated
    return value
