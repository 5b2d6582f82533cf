"""Importing: the module that a path or a name means, with its neighbours, and stand-ins for what is not installed."""

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from kltheory.audit.absent import standing_in_for
from kltheory.audit.places import CannotRun, imports_its_package, in_package, near_file
from kltheory.proving.endings import reason_of

MOST: Final = 40
"""More packages than a file lacks that can be read without them."""
ESSENTIAL: Final = ("jax", "torch", "numpy")
"""What a loss computes with; without it nothing can be said."""

Imported = tuple[Any, tuple[str, ...]]
"""A module, and the packages that are stood in for."""


def from_file(path: Path) -> Imported:
    """The module of a file: on its own, or as part of its package where it imports from there. Raises CannotRun."""
    if not path.is_file():
        raise CannotRun(f"there is no file {path}{near_file(path)}")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # as Python does for a script: its neighbours can be imported
    if imports_its_package(path):
        return _imported(lambda: in_package(path.resolve()), str(path), path.resolve())
    return _imported(lambda: _alone(path), str(path), path.resolve())


def from_module(name: str) -> Imported:
    """The module of this name. Raises CannotRun."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    if (file := Path(f"{name}.py")).is_file() and not name.isidentifier():
        raise CannotRun(f"{name} is no module: write {file}:function, with .py")
    return _imported(lambda: importlib.import_module(name), name, None)


def _alone(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"_audited_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    spec.loader.exec_module(module)
    return module


def _imported(load: Callable[[], Any], name: str, file: Path | None) -> Imported:
    """What loading gives, tried again without what fails: found in a folder above the file, else stood in for."""
    absent: list[str] = []
    for _ in range(MOST):
        try:
            with standing_in_for(absent, importing=True):
                return load(), tuple(absent)
        except CannotRun:
            raise
        except (Exception, SystemExit) as e:
            missing = isinstance(e, ModuleNotFoundError) and e.name
            lacking = e.name if isinstance(e, ModuleNotFoundError) and e.name else _failing(e, file)
            if missing and _found_above(missing, file):
                continue
            if not lacking or lacking in absent or _is_own(lacking, name) or lacking in ESSENTIAL:
                without = f" (without {', '.join(absent)})" if absent else ""
                why = f"needs {missing}, which is not installed: install it, or check the name"
                raise CannotRun(f"importing {name} {why if missing else 'fails: ' + reason_of(e) + without}") from e
            absent.append(lacking)
    raise CannotRun(f"importing {name} needs {', '.join(absent[:5])} and more, which to install")


def _failing(error: BaseException, file: Path | None) -> str:
    """The innermost module that could not be imported, other than the file; empty where there is none."""
    names = [""]
    for frame, _ in traceback.walk_tb(error.__traceback__):
        is_module = frame.f_code.co_name == "<module>" and "__name__" in frame.f_globals
        if is_module and Path(frame.f_code.co_filename) != file:
            names.append(str(frame.f_globals["__name__"]))
    ours = names[-1].partition(".")[0] in ("kltheory", *sys.stdlib_module_names)
    return "" if ours else names[-1]


def _is_own(lacking: str, name: str) -> bool:
    """Whether what is lacking is what was asked for, or inside it, and no package that it needs."""
    return name == lacking or name.startswith(lacking + ".") or lacking.startswith(name.partition(".")[0] + ".")


def _found_above(lacking: str, file: Path | None) -> bool:
    """Whether a folder above the file holds the package, which is then looked for there: the root of a project."""
    top = lacking.partition(".")[0]
    if file is None or not top.isidentifier():
        return False
    for folder in file.parents:
        here = (folder / top).is_dir() or (folder / f"{top}.py").is_file()
        if here and str(folder) not in sys.path:
            sys.path.append(str(folder))
            importlib.invalidate_caches()
            return True
    return False
