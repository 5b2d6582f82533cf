"""Targets: the real function that a text such as ``package.module:Class.method`` or ``file.py:function`` names."""

import functools
import importlib.metadata
import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from sympy import Expr

from kltheory.audit.absent import undecorated
from kltheory.audit.framework import FAMILIES, Framework, framework_of, innermost, passed_on
from kltheory.audit.importing import from_file, from_module
from kltheory.audit.places import CannotRun, no_function
from kltheory.tracing.trace import Tracer

__all__ = ["CannotRun", "Target", "load", "load_or_formula", "of_formula", "of_function"]

COMPILED: Final = {"ScriptFunction", "RecursiveScriptModule", "ScriptModule", "TopLevelTracedModule", "Compiled"}
"""Types of what TorchScript, or JAX ahead of time, makes of a function: neither source nor operations are seen."""


@dataclass(frozen=True)
class Target:
    """A function and where it stands.

    Attributes:
        name: how it was asked for.
        function: the callable; a method that needs an instance is unbound, and ``owner`` is its class.
        framework: whose arrays it computes on.
        file, line: where it is defined; ``None`` where Python cannot say.
        version: the distribution it belongs to and its version, such as ``verl 0.9.1``; empty for a loose file.
        formula: what was typed, where it is no function but a formula of one token.
        absent: the packages that are not installed, and stood in for.
    """

    name: str
    function: Callable[..., Any]
    framework: Framework
    owner: type | None = None
    file: str | None = None
    line: int | None = None
    version: str = ""
    formula: Expr | None = None
    absent: tuple[str, ...] = ()

    @property
    def signature(self) -> inspect.Signature:
        """The signature of the function. Raises CannotRun for a callable that has none."""
        try:
            signature, described = inspect.signature(self._described), self._described
            while (inner := passed_on(described)) is not None and _is_open(signature):
                signature, described = inspect.signature(inner), inner
            return signature
        except (TypeError, ValueError):
            raise CannotRun(f"{self.name} has no signature that Python can read: wrap it in a function") from None

    @property
    def inner(self) -> Any:
        """The function that the user wrote, under its wrappers."""
        return innermost(self.function)

    @property
    def takes_keywords(self) -> bool:
        """Whether arguments can be handed by name; a wrapper may pass on positions alone."""
        code = getattr(self.function, "__code__", None)
        if code is None or not code.co_flags & inspect.CO_VARARGS:
            return True
        return bool(code.co_flags & inspect.CO_VARKEYWORDS) or code.co_argcount > 1

    @property
    def _described(self) -> Callable[..., Any]:
        """What says how it is called: a module of PyTorch is called like its ``forward``."""
        forward = getattr(self.function, "forward", None)
        return forward if forward is not None and not inspect.isroutine(self.function) else self.function

    @property
    def place(self) -> str:
        """File and line, for people."""
        return f"{_shortened(self.file)}:{self.line}" if self.file else "(no source file)"

    def tracer(self) -> Tracer:
        """The tracer of its framework."""
        if self.formula is not None:
            from kltheory.audit.typed import FormulaTracer

            return FormulaTracer(self.formula)
        if self.framework == "torch":
            from kltheory.tracing.torch_function import TorchTracer

            return TorchTracer()
        from kltheory.tracing.jaxpr import JaxTracer

        return JaxTracer()


def of_function(
    function: Callable[..., Any],
    name: str | None = None,
    framework: Framework | None = None,
    owner: type | None = None,
    source: Any = None,
    version: str | None = None,
) -> Target:
    """The target that a callable is.

    Raises:
        CannotRun: it is no callable, or it can be seen neither to use JAX nor to use PyTorch.
    """
    if not callable(function):
        raise CannotRun(f"{name or function!r} is a {type(function).__name__}, and cannot be called")
    if (kind := type(function).__name__) in COMPILED:
        raise CannotRun(f"{name or kind} is compiled ({kind}): pass the eager function that it was made from")
    inner = innermost(source or function)
    code = getattr(inner, "__code__", None)
    file, line = (code.co_filename, code.co_firstlineno) if code else (None, None)
    found = framework or framework_of(function)
    if found is None:
        raise CannotRun(f"{name or function} names neither JAX nor PyTorch: say --framework jax or --framework torch")
    version = _version(getattr(inner, "__module__", None)) if version is None else version
    name = name or str(getattr(inner, "__qualname__", repr(function)))
    return Target(name, function, found, owner, file, line, version)


def of_formula(text: str) -> Target:
    """The target that a typed formula of one token is, such as ``-min(w*A, clamp(w, 0.8, 1.2)*A)``.

    Raises:
        CannotRun: it is no formula; the message points at the place.
    """
    from kltheory.audit.typed import FormulaTracer
    from kltheory.calculus.formula.error import FormulaError
    from kltheory.calculus.formula.parse import parse_formula

    try:
        expr = parse_formula(text)
    except FormulaError as e:
        raise CannotRun(f"{text!r} names no function (package.module:function), and is no formula\n{e}") from None
    names = FormulaTracer(expr).arguments

    def formula(**arrays: Any) -> Any:
        raise NotImplementedError("a formula is read, and not called")

    each = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY) for n in names]
    formula.__signature__ = inspect.Signature(each)  # type: ignore[attr-defined]
    return Target(text, formula, "formula", formula=expr)


def load_or_formula(text: str) -> Target:
    """What a text names: a function where there is a colon, else a formula. Raises CannotRun."""
    return load(text) if ":" in text else of_formula(text)


def load(text: str, framework: Framework | None = None) -> Target:
    """The target that ``package.module:function``, ``path/file.py:function`` or ``…:Class.method`` names.

    Raises:
        CannotRun: there is no such file, module or attribute, or importing it fails.
    """
    place, colon, path = text.replace("::", ":").rpartition(":")
    if not colon or not place or not path:
        raise CannotRun(no_function(text))
    found, absent = from_file(Path(place)) if place.endswith(".py") else from_module(place)
    owner: type | None = None
    for name in path.split("."):
        holder, found = found, undecorated(_attribute(found, name, text))
        owner = holder if inspect.isclass(holder) else None
    if owner is not None and not _needs_instance(owner, name):
        owner = None
    if inspect.isclass(found):
        method = next((n for n in ("__call__", "forward") if _is_written(found, n)), None)
        if method is None:
            methods = [n for n, v in vars(found).items() if callable(v) and not n.startswith("__")]
            raise CannotRun(f"{text} is a class: say which method, as in {text}.{(methods or ['method'])[0]}")
        owner, found = found, getattr(found, method)
    return replace(of_function(found, text, framework, owner), absent=absent)


def _attribute(holder: Any, name: str, text: str) -> Any:
    try:
        return getattr(holder, name)
    except AttributeError:
        close = get_close_matches(name, [n for n in dir(holder) if not n.startswith("__")], 3, 0.5)
        hint = f"; did you mean {', '.join(close)}?" if close else ""
        where = text.rpartition(":")[0] if inspect.ismodule(holder) else getattr(holder, "__name__", holder)
        raise CannotRun(f"{text}: {where} has no {name}{hint}") from None


def _is_written(owner: type, name: str) -> bool:
    """Whether a class, or a parent that is no framework's, defines a method."""
    holder = next((k for k in owner.__mro__ if name in vars(k)), object)
    return inspect.isfunction(vars(holder).get(name)) and holder.__module__.partition(".")[0] not in FAMILIES


def _is_open(signature: inspect.Signature) -> bool:
    """Whether it takes whatever it is given, so that what is wanted stands further inside."""
    return any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values())


def _needs_instance(owner: type, name: str) -> bool:
    return isinstance(inspect.getattr_static(owner, name), types.FunctionType)


def _version(module: str | None) -> str:
    top = (module or "").partition(".")[0]
    for distribution in _distributions().get(top, ()):
        return f"{distribution} {importlib.metadata.version(distribution)}"
    return ""


@functools.lru_cache(maxsize=1)
def _distributions() -> dict[str, list[str]]:
    return dict(importlib.metadata.packages_distributions())


def _shortened(file: str | None) -> str:
    """A path as a reader of the report knows it: inside its package, or from here."""
    parts = Path(file or "").parts
    if "site-packages" in parts:
        return "/".join(parts[parts.index("site-packages") + 1 :])
    try:
        return str(Path(file or "").resolve().relative_to(Path.cwd()))
    except ValueError:
        return file or ""
