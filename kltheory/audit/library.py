"""Libraries whose real functions are audited: how each is installed, and how its function is reached, unchanged.

A library is a file of :mod:`kltheory.audit.libraries` that defines ``LIBRARY``; nothing else lists it.
"""

import shlex
import sys
import sysconfig
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from importlib import import_module, metadata
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, Literal

Function = Callable[..., Any]


class NotInstalled(Exception):
    """The function cannot be reached in this environment; the message says what is missing, and how to get it."""


@dataclass(frozen=True)
class Library:
    """One library and one function of it.

    Attributes:
        name: what it is called on the command line.
        distribution: its name on PyPI.
        framework: whose arrays the function computes on.
        install: the argument strings of ``pip install``, in order, pinned. ``{purelib}`` stands for the folder that
            packages are installed in, for wheels that pip installs only where it is told to.
        load: gives the function; or, for a method, an adapter that calls it with stand-ins. Imports the library.
        variants: the configurations to audit, as keyword arguments. A role's parameter set here is passed as it is.
        arguments: role (``logp``, ``logp_ref``, ``logp_old``, ``mask``) to parameter.
        source: what the adapter calls, as ``package.module:Class.method``: its file and line are reported.
    """

    name: str
    distribution: str
    framework: Literal["jax", "torch"]
    install: tuple[str, ...]
    load: Callable[[], Function]
    variants: tuple[Mapping[str, Any], ...]
    arguments: Mapping[str, str] = field(default_factory=dict)
    source: str | None = None

    @property
    def version(self) -> str:
        """The installed version. Raises NotInstalled."""
        try:
            return metadata.version(self.distribution)
        except metadata.PackageNotFoundError:
            raise NotInstalled(f"{self.name} is not installed here. {self._advice()}") from None

    def reach(self) -> tuple[Function, Any]:
        """The function, and the object whose file and line to report. What loading warns of is the library's business.

        Raises:
            NotInstalled: the library, or something that it needs on the way, is not there.
        """
        version = self.version
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return (function := self.load()), _named(self.source) if self.source else function
        except (AttributeError, ImportError) as e:
            raise NotInstalled(f"{self.name} {version} is here, but its function is not: {e}. {self._advice()}") from e

    def requirements(self, purelib: str) -> list[list[str]]:
        """The arguments of each ``pip install``, for an environment whose packages lie in ``purelib``."""
        return [[word.replace("{purelib}", purelib) for word in shlex.split(line)] for line in self.install]

    def _advice(self) -> str:
        lines = [shlex.join(["pip", "install", *words]) for words in self.requirements(sysconfig.get_path("purelib"))]
        return "To get it:\n" + "\n".join(f"  {line}" for line in lines) + f"\nor: make libraries LIBRARIES={self.name}"


def _named(text: str) -> Any:
    module, _, path = text.partition(":")
    return reduce(getattr, path.split("."), import_module(module))


def libraries() -> dict[str, Library]:
    """Every library by its name: one for each module of :mod:`kltheory.audit.libraries` without an underscore."""
    package = import_module("kltheory.audit.libraries")
    names = sorted(m.name for m in iter_modules(package.__path__) if not m.name.startswith("_"))
    found: list[Library] = [import_module(f"{package.__name__}.{name}").LIBRARY for name in names]
    return {library.name: library for library in found}


# --- for leaves: reaching one module without the rest of its library --------------------------------------------------
def located(distribution: str, path: str) -> Path:
    """Where a file of an installed distribution lies. Raises ImportError when it has no such file."""
    found = [Path(str(f.locate())) for f in metadata.files(distribution) or [] if f.as_posix() == path]
    if not found or not found[0].is_file():
        raise ImportError(f"the installed {distribution} has no {path}")
    return found[0]


def module_at(path: Path) -> ModuleType:
    """A file as a module of its own, without the package around it."""
    spec = spec_from_file_location(f"_{'_'.join(path.with_suffix('').parts[-3:])}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def standing_in(name: str, folders: Sequence[Path] = ()) -> Iterator[None]:
    """An empty module under this name; with folders, a package whose modules are found there and are real.

    A module that is already imported stays. What else is imported meanwhile stays imported.
    """
    if name in sys.modules:
        yield
        return
    module = ModuleType(name)
    if folders:
        module.__path__ = [str(folder) for folder in folders]
    sys.modules[name] = module
    try:
        yield
    finally:
        del sys.modules[name]
