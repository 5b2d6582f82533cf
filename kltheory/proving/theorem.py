"""Theorems: named, cited claims, and how they are collected from files, as a test runner collects tests.

A theorem is a function without arguments that returns its claims::

    @theorem(catalogue="4", source="arXiv 2510.01555, Theorem 5.3")
    def k3_as_loss_eq_grad_forward_kl_of_on_policy():
        '''On-policy, k3 as loss has exactly the gradient of KL(π_ref‖π).'''
        return SameGradient(as_loss(k3), forward_kl.objective, POLICY)

A false statement is a theorem too: it returns ``Refuted(claim, corrected=...)``, and is as expected when the claim
is refuted by a certified witness *and* the corrected claim is proved.
"""

import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from functools import cached_property
from inspect import getdoc, signature
from pathlib import Path
from types import ModuleType
from typing import Final

from kltheory.proving.catalogue import labels
from kltheory.proving.claims import Claim
from kltheory.proving.endings import reason_of
from kltheory.proving.hypotheses import derived, together
from kltheory.proving.statement import Refuted, Statement, checked
from kltheory.proving.verdict import Verdict


@dataclass(frozen=True)
class Theorem:
    """A named claim with its hypotheses and sources, and where it stands: ``file`` and ``line``."""

    name: str
    statement: str
    build: Callable[[], Statement]
    catalogue: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    hypotheses: tuple[str, ...] = ()
    harmless: Mapping[str, str] = field(default_factory=dict)
    about: tuple[str, ...] = ()
    file: str = ""
    line: int = 0

    @cached_property
    def stated(self) -> Refuted | tuple[Claim, ...]:
        """What it states.

        Raises:
            StatementError: it returns neither claims nor ``Refuted``. Whatever its function raises passes through.
        """
        with _foreign():
            built = self.build()
        return checked(built, f"{self.place}: theorem {self.name}")

    @property
    def place(self) -> str:
        """File and line of the definition, as an editor reads them."""
        return f"{self.file}:{self.line}" if self.file else "somewhere"

    def expected(self) -> Verdict:
        """The verdict its author states."""
        return Verdict.REFUTED if isinstance(self.stated, Refuted) else Verdict.PROVED

    def claims(self) -> tuple[Claim, ...]:
        """What has to be true: the claims, or the correction of a false one."""
        return (self.stated.corrected,) if isinstance(self.stated, Refuted) else self.stated

    @cached_property
    def assumptions(self) -> tuple[str, ...]:
        """All that is assumed: by the claims themselves, by its author, and by a correction besides."""
        if not isinstance(self.stated, Refuted):
            return together(derived(*self.stated), self.hypotheses)
        mine, needed = derived(self.stated.claim), derived(self.stated.corrected)
        besides = "; ".join(h for h in needed if h not in mine)
        return together(mine, self.hypotheses) + ((f"the correction: {besides}",) if besides else ())

    @cached_property
    def failure(self) -> str:
        """Why it cannot be built; empty when it can."""
        try:
            _ = self.assumptions
        except KeyboardInterrupt:
            raise
        except BaseException as e:
            return reason_of(e)
        return ""

    def heading(self) -> dict[str, object]:
        """What is known of it before it is built, as JSON."""
        return {
            "name": self.name,
            "catalogue": list(self.catalogue),
            "statement": self.statement,
            "sources": list(self.sources),
            "about": list(self.about),
            "hypotheses": list(self.hypotheses),
        }

    def to_json(self) -> dict[str, object]:
        """The JSON object of ``kltheory list``; docs/json.md has its keys."""
        expected = Verdict.UNDECIDED if self.failure else self.expected()
        assumed = self.hypotheses if self.failure else self.assumptions
        return {
            **self.heading(),
            "hypotheses": list(assumed),
            "expected": expected.value,
            "reason": self.failure,
        }


@contextmanager
def _foreign() -> Iterator[None]:
    """Code of somebody's file: what it prints goes to standard error, and a copy that it forks ends here."""
    process = os.getpid()
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if os.getpid() != process:
            os._exit(0)


_DEFINED: Final[dict[str, list[Theorem]]] = {}
"""File to the theorems that were defined in it, in order: Python forgets the first of two that share a name."""


def _tuple(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(map(str, value))


def theorem(
    *bare: Callable[[], Statement],
    catalogue: str | Iterable[str] = (),
    source: str | Iterable[str] = (),
    about: str | Iterable[str] = (),
    hypotheses: str | Iterable[str] = (),
    harmless: Mapping[str, str] | None = None,
) -> Callable[[Callable[[], Statement]], Theorem]:
    """Make a theorem of a function; its docstring is the statement.

    Args:
        bare: nothing; what arrives here is a function decorated without brackets.
        catalogue: numbers of the claims it settles, with a letter where they have parts: ``"17c"``.
        source: where what is true comes from; of a false statement, its correction.
        about: whom a false statement is about, or who makes it.
        hypotheses: what is assumed and cannot be seen in the claims; :mod:`.hypotheses` derives the rest.
        harmless: mutants that leave the claim true, each with the reason; refused where an engine refutes the mutant,
            where the kind of claim gives a reason already, and where nothing needs one.

    Raises:
        TypeError: the function has no docstring, or takes arguments; or there are no brackets.
    """
    for build in bare:
        raise TypeError(f"{_place(build)}: write @theorem() above {build.__name__}, with brackets")

    def make(build: Callable[[], Statement]) -> Theorem:
        statement = getdoc(build)
        if not statement:
            raise TypeError(f"theorem {build.__name__} has no statement: write it as the docstring ({_place(build)})")
        if signature(build).parameters:
            raise TypeError(f"theorem {build.__name__} takes arguments: let it take none ({_place(build)})")
        made = Theorem(
            build.__name__,
            " ".join(statement.split()),
            build,
            _tuple(catalogue),
            _tuple(source),
            _tuple(hypotheses),
            dict(harmless or {}),
            _tuple(about),
            build.__code__.co_filename,
            build.__code__.co_firstlineno,
        )
        _DEFINED.setdefault(made.file, []).append(made)
        return made

    return make


def _place(build: Callable[[], Statement]) -> str:
    return f"{build.__code__.co_filename}:{build.__code__.co_firstlineno}"


class CollectionError(Exception):
    """A file could not be collected; the message says which and why."""


def library() -> Path:
    """The folder of the theorem library: beside the package in a checkout, shipped with it in a wheel."""
    home = Path(__file__).parents[2]
    return next((p for p in (home / "proofs", home / "kltheory_proofs") if p.is_dir()), home / "proofs")


def collect(paths: Iterable[Path]) -> list[Theorem]:
    """The theorems of files and folders, in the order of the files and of the definitions in them.

    Raises:
        CollectionError: a path does not exist, a file cannot be imported, two theorems share a name, or one of the
            library cites a number that the catalogue does not have.
    """
    found: dict[str, Theorem] = {}
    for path in paths:
        for file in _files(path):
            for t in vars(_load(file)).values():
                if not isinstance(t, Theorem) or Path(t.file) != file:
                    continue
                if found.get(t.name, t) is not t:
                    raise CollectionError(f"two theorems are called {t.name}: in {found[t.name].file} and {t.file}")
                _confirm_numbers(t)
                found[t.name] = t
    return list(found.values())


def _confirm_numbers(t: Theorem) -> None:
    """A user's file may cite what it likes; the library cites the catalogue."""
    unknown = [n for n in t.catalogue if n not in labels()]
    if unknown and Path(t.file).parent == library().resolve():
        raise CollectionError(f"{t.place}: theorem {t.name} cites {', '.join(unknown)}, not in catalogue.toml")


def _confirm_names(file: Path) -> None:
    """One definition a name; an alias defines nothing."""
    seen: dict[str, Theorem] = {}
    for t in _DEFINED.get(str(file), []):
        if t.name in seen:
            raise CollectionError(
                f"two theorems are called {t.name} in {file}: lines {seen[t.name].line} and {t.line}; rename one"
            )
        seen[t.name] = t


def _files(path: Path) -> list[Path]:
    try:
        path = path.resolve()
        if path.is_dir():
            return sorted(p for p in path.glob("*.py") if not p.name.startswith("_"))
        if path.is_file():
            return [path]
    except (OSError, ValueError) as e:
        raise CollectionError(f"no such file or folder: {str(path)!r}: {e}") from None
    raise CollectionError(f"no such file or folder: {path}")


def _load(file: Path) -> ModuleType:
    name = f"kltheory_theorems_{hashlib.sha256(str(file).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise CollectionError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    _DEFINED.pop(str(file), None)
    try:
        with _foreign():
            spec.loader.exec_module(module)
        _confirm_names(file)
    except (CollectionError, KeyboardInterrupt):
        del sys.modules[name]
        raise
    except BaseException as e:
        del sys.modules[name]
        raise CollectionError(f"{file} could not be imported: {reason_of(e)}") from e
    return module
