"""Places: where a file belongs, and what a text was meant for that names no function."""

import ast
import importlib
import importlib.util
import sys
import types
from difflib import get_close_matches
from pathlib import Path
from typing import Any


class CannotRun(Exception):
    """There is nothing to audit yet; the message says what to do."""


FORMS = "write package.module:function, or path/to/file.py:function"


def imports_its_package(path: Path) -> bool:
    """Whether a file imports from its own package: ``from .core import masked_mean``, or by the package's name."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return False
    folders = _folders(path)
    top = folders[0].name if (folders[0] / "__init__.py").is_file() else None
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").partition(".")[0] == top):
            return True
        if isinstance(node, ast.Import) and any(a.name.partition(".")[0] == top for a in node.names):
            return True
    return False


def _folders(path: Path) -> list[Path]:
    """The folders of the package that a file belongs to, from the outermost; its own folder at least."""
    folders = [path.parent]
    while (folders[0].parent / "__init__.py").is_file() and (folders[0] / "__init__.py").is_file():
        folders.insert(0, folders[0].parent)
    return folders


def in_package(path: Path) -> Any:
    """The module of a file, imported as part of the package that its folders are.

    A package whose ``__init__`` cannot be imported here is entered without it: what the file needs may be there.
    """
    folders = _folders(path)
    names = [folder.name for folder in folders]
    root = str(folders[0].parent)
    if root not in sys.path:
        sys.path.insert(0, root)
    full = ".".join([*names, path.stem])
    try:
        module = importlib.import_module(full)
        if Path(module.__file__ or "").resolve() == path:
            return module
        failure: Exception = ImportError(f"another {names[0]} is imported already")
    except Exception as e:
        failure = e
    _forget(names[0])
    for i, folder in enumerate(folders):
        package = types.ModuleType(".".join(names[: i + 1]))
        package.__path__ = [str(folder)]
        sys.modules[package.__name__] = package
    try:
        return importlib.import_module(full)
    except Exception as e:
        _forget(names[0])
        if isinstance(e, ModuleNotFoundError) or not isinstance(failure, ModuleNotFoundError):
            raise
        raise failure from e


def _forget(name: str) -> None:
    """Half-imported modules of a package are imported anew."""
    for known in [m for m in sys.modules if m == name or m.startswith(name + ".")]:
        del sys.modules[known]


def functions_in(path: Path) -> list[str]:
    """The functions and methods that a file defines, without importing it; those of a leading underscore last."""
    try:
        body = ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return []
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = [n.name for n in body if isinstance(n, functions)]
    for node in body:
        if isinstance(node, ast.ClassDef):
            methods = (n.name for n in node.body if isinstance(n, functions))
            names += [f"{node.name}.{m}" for m in methods if m in ("__call__", "forward") or not m.startswith("__")]
    return sorted(names, key=lambda n: n.startswith("_"))


def no_function(text: str) -> str:
    """What to say of a text that names no function: what it may have been meant for, else the forms there are."""
    path = Path(text.rstrip(":"))
    if path.suffix == ".py" and path.is_file():
        found = functions_in(path)
        listed = "; it has " + ", ".join(f"{path}:{n}" for n in found) if found else ""
        return f"{str(path)!r} names no function, but a file{listed}"
    meant = _meant(text)
    if meant:
        return f"{text!r} names no function: did you mean {meant}?"
    from kltheory.audit.library import libraries

    return f"{text!r} names no function: {FORMS}, or a library: {', '.join(libraries())}"


def _meant(text: str) -> str:
    """A target whose colon was typed as a dot, or a library whose name is close."""
    parts = text.rstrip(":").split(".")
    for i in range(len(parts) - 1, 0, -1):
        place, inside = ".".join(parts[:i]), ".".join(parts[i:])
        if inside == "py":
            continue
        if place.endswith(".py") and Path(place).is_file():
            return f"{place}:{inside}"
        if Path(f"{place}.py").is_file():
            return f"{place}.py:{inside}"
        if Path(*parts[:i]).with_suffix(".py").is_file() or _is_module(place):
            return f"{place}:{inside}"
    from kltheory.audit.library import libraries

    return "".join(get_close_matches(text, libraries(), 1, 0.6))


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError, AttributeError):
        return False


def near_file(path: Path) -> str:
    """A file beside it whose name is close, as a question."""
    folder = path.parent
    names = [p.name for p in folder.glob("*.py")] if folder.is_dir() else []
    close = get_close_matches(path.name, names, 1, 0.6)
    return f"; did you mean {folder / close[0]}?" if close else ""
