"""The direction of the imports, by the syntax tree of every module; and what importing, and asking for help, may load.

Each rule of DESIGN section 4 is a row, and each has a twin of wrong source text that the same checker must refuse.
"""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

RANK = {
    part: rank
    for rank, parts in enumerate(
        (("calculus",), ("numerics", "tracing"), ("proving",), ("audit",), ("runs",), ("report",), ("testing", "cli"))
    )
    for part in parts
}
BELOW_ALL = ("", "__about__", "jax_versions")  # `kltheory` itself, its version, and what JAX's are called
OUTSIDE = ("proofs", "tests", "notebooks", "benchmarks")
CALCULUS_MAY_USE = ("sympy", "mpmath")
PROOFS_MAY_USE = ("kltheory", "sympy")
IMPORTERS = ("import_module", "__import__")
LAZY = ("jax", "jaxlib", "torch", "polars")
AT_HOME = {"polars": "runs"}  # a layer that loads on first use itself


@dataclass(frozen=True)
class Import:
    """One imported module, where it stands, and whether it runs when the module is imported."""

    name: str
    line: int
    on_import: bool

    @property
    def top(self) -> str:
        return self.name.split(".")[0]

    @property
    def part(self) -> str:
        """``numerics`` of ``kltheory.numerics.balls``; empty for ``kltheory``."""
        return part(self.name)


def part(module: str) -> str:
    return [*module.split("."), ""][1]


def imports(source: str, module: str, is_package: bool = False) -> Iterator[Import]:
    """Every import, wherever it stands: at the top, in functions, for type checkers, through ``importlib``."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    later: set[ast.AST] = set()
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            later.update(ast.walk(node))
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            later.update(inner for statement in node.body for inner in ast.walk(statement))
    for node in ast.walk(tree):
        for name in _imported(node, package):
            yield Import(name, node.lineno, node not in later)


def _imported(node: ast.AST, package: list[str]) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [a.name for a in names]
        case ast.ImportFrom(module=name, names=names, level=level):
            here = package[: len(package) - level + 1] if level else []
            base = ".".join([*here, *([name] if name else [])])
            # `from kltheory import report` imports kltheory.report; `from kltheory import __version__`, kltheory
            below = [f"{base}.{a.name}" for a in names if not a.name.startswith("__")]
            return (below or [base]) if base == "kltheory" else [base]
        case ast.Call(func=f, args=[ast.Constant(value=str(name)), *_]) if _called(f) in IMPORTERS:
            return [name]
    return []


def _called(f: ast.expr) -> str:
    return f.attr if isinstance(f, ast.Attribute) else f.id if isinstance(f, ast.Name) else ""


def complaints(source: str, module: str, is_package: bool = False) -> list[str]:
    """What is wrong with the imports of a module: the checker."""
    wrong = []
    for found in imports(source, module, is_package):
        place = f"{module}, line {found.line}: imports {found.name}"
        mine = module.split(".")
        if found.top in (*OUTSIDE, "kltheory_proofs") and found.top != mine[0]:
            wrong.append(f"{place}, which nothing imports")
        if mine[0] == "proofs" and found.top not in (*PROOFS_MAY_USE, *sys.stdlib_module_names):
            wrong.append(f"{place}; a proof imports the package")
        if mine[0] == "kltheory":
            wrong += [f"{place}{reason}" for reason in _of_the_package(part(module), found)]
    return wrong


def _of_the_package(mine: str, found: Import) -> Iterator[str]:
    if found.top in LAZY and found.on_import and AT_HOME.get(found.top) != mine:
        yield ", which loads on first use only"
    if mine == "calculus" and found.top not in ("kltheory", *CALCULUS_MAY_USE, *sys.stdlib_module_names):
        yield "; the calculus imports SymPy and mpmath"
    if found.top == "kltheory" and found.part != mine and found.part not in BELOW_ALL:
        if mine in BELOW_ALL:
            yield "; it stands below every layer"
        elif mine not in RANK or found.part not in RANK:
            yield f"; {mine if mine not in RANK else found.part} has no layer"
        elif RANK[found.part] >= RANK[mine]:
            yield f", which is not below {mine}"


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# --- the tree ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("folder", ["kltheory", *OUTSIDE])
def test_arrows_point_one_way(folder):
    wrong = [
        complaint
        for path in modules(folder)
        for complaint in complaints(path.read_text(encoding="utf-8"), dotted(path), path.name == "__init__.py")
    ]
    assert wrong == []


@pytest.mark.parametrize("folder", ["kltheory", "proofs", "tests"])
def test_there_is_something_to_check(folder):
    assert sum(1 for path in modules(folder) for _ in imports(path.read_text(encoding="utf-8"), dotted(path))) > 10


def test_every_part_of_the_package_has_a_layer():
    parts = {p.name for p in (ROOT / "kltheory").iterdir() if p.is_dir() and p.name != "__pycache__"}
    files = {p.stem for p in (ROOT / "kltheory").glob("*.py")} - {"__init__", "__main__", *BELOW_ALL}
    assert parts | files <= set(RANK)


# --- and its twins: source text that must be refused, or must not be ------------------------------------------------
BAD = [
    ("kltheory.calculus.x", "from kltheory.numerics import balls", "kltheory.numerics, which is not below calculus"),
    ("kltheory.calculus.x", "import kltheory.proving.claims", "which is not below calculus"),
    ("kltheory.calculus.x", "def f():\n    from kltheory.report.latex import text", "line 2: imports"),
    ("kltheory.calculus.x", "from ..numerics.balls import enclose", "kltheory.numerics.balls, which is not below"),
    ("kltheory.calculus.x", "from .. import numerics", "kltheory.numerics, which is not below calculus"),
    ("kltheory.calculus.x", "import numpy as np", "the calculus imports SymPy and mpmath"),
    ("kltheory.calculus.x", "def f():\n    import jax", "the calculus imports SymPy and mpmath"),
    ("kltheory.numerics.x", "from kltheory.tracing.jaxpr import trace", "which is not below numerics"),
    ("kltheory.tracing.x", "from kltheory.numerics.settings import Settings", "which is not below tracing"),
    ("kltheory.numerics.x", "import jax", "which loads on first use only"),
    ("kltheory.report.x", "import polars", "which loads on first use only"),
    ("kltheory.numerics.x", "from jax import numpy as jnp", "which loads on first use only"),
    ("kltheory.tracing.x", "class A:\n    import torch", "which loads on first use only"),
    ("kltheory.proving.x", "from kltheory.report import terminal", "which is not below proving"),
    ("kltheory.proving.x", "if True:\n    from kltheory import audit", "which is not below proving"),
    ("kltheory.proving.x", "import importlib\nimportlib.import_module('kltheory.cli')", "which is not below proving"),
    ("kltheory.proving.x", "__import__('kltheory.audit.probes')", "which is not below proving"),
    ("kltheory.audit.x", "from kltheory.report.table import Row", "which is not below audit"),
    ("kltheory.report.x", "from kltheory import cli", "which is not below report"),
    ("kltheory.report.x", "f = lambda: __import__('kltheory.cli')", "which is not below report"),
    ("kltheory.report.x", "from kltheory.plots import draw", "plots has no layer"),
    ("kltheory.plots.x", "from kltheory.calculus.symbols import logp", "plots has no layer"),
    ("kltheory.__about__", "from kltheory.calculus.symbols import logp", "it stands below every layer"),
    ("kltheory", "from kltheory.calculus.symbols import logp", "it stands below every layer"),
    ("kltheory.proving.x", "import proofs.on_policy", "which nothing imports"),
    ("kltheory.proving.x", "from kltheory_proofs.on_policy import k3", "which nothing imports"),
    ("kltheory.testing", "def f():\n    from tests import libraries", "which nothing imports"),
    ("tests.test_x", "from proofs.on_policy import SEED", "which nothing imports"),
    ("tests.test_x", "import notebooks", "which nothing imports"),
    ("benchmarks.bench_x", "import tests.libraries", "which nothing imports"),
    ("proofs.x", "import benchmarks", "which nothing imports"),
    ("proofs.x", "import numpy", "a proof imports the package"),
]

GOOD = [
    ("kltheory.calculus.x", "import math\nimport mpmath\nfrom sympy import exp\nfrom kltheory.calculus import line"),
    ("kltheory.calculus.x", "from . import symbols\nfrom .symbols import logp"),
    ("kltheory.numerics.x", "import numpy\nimport flint\nfrom kltheory.calculus.symbols import logp"),
    ("kltheory.numerics.x", "def f():\n    import jax"),
    ("kltheory.tracing.x", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch"),
    ("kltheory.proving.x", "from kltheory import __version__\nfrom kltheory.__about__ import __version__"),
    ("kltheory.proving.x", "from kltheory.numerics import balls\nfrom kltheory.proving.claims import Claim"),
    ("kltheory.audit.x", "from kltheory.tracing import jaxpr\nfrom kltheory.proving import claims"),
    ("kltheory.cli", "def f():\n    from kltheory.report import terminal"),
    ("proofs.x", "from kltheory.proving.vocabulary import *\nfrom kltheory.cli import main\nimport math"),
    ("tests.test_x", "from kltheory.calculus.symbols import logp\nfrom libraries import function_of"),
    ("tests.test_x", "import tests.libraries"),
]


@pytest.mark.parametrize(("module", "source", "message"), BAD)
def test_checker_refuses(module, source, message):
    assert message in "\n".join(complaints(source, module))


@pytest.mark.parametrize(("module", "source"), GOOD)
def test_checker_accepts(module, source):
    assert complaints(source, module) == []


def test_checker_reads_relative_imports_of_a_package():
    source = "from . import claims\nfrom ..report import latex"
    assert complaints(source, "kltheory.proving", is_package=True) == [
        "kltheory.proving, line 2: imports kltheory.report, which is not below proving"
    ]


# --- what is loaded ---------------------------------------------------------------------------------------------------
HEAVY = ("jax", "jaxlib", "torch", "sympy", "numpy", "rich")

EVERY = """
import importlib, pkgutil, {0} as package
for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(found.name)
"""

LOADS = [
    ("import kltheory", ()),
    ("from kltheory.cli import main; assert main(['--help']) == 0", ()),
    ("from kltheory.cli import main; assert main(['-h']) == 0", ()),
    ("from kltheory.cli import main; assert main(['--version']) == 0", ()),
    *(
        (f"from kltheory.cli import main; assert main(['{command}', '--help']) == 0", ())
        for command in ("prove", "list", "explain", "table", "identify")
    ),
    (EVERY.format("kltheory.calculus"), ("sympy",)),
    (EVERY.format("kltheory.numerics"), ("sympy", "numpy")),
    (EVERY.format("kltheory.proving"), ("sympy", "numpy")),
    (EVERY.format("kltheory.report"), ("sympy", "numpy")),
    # the probe can see: these do load it
    ("import jax", ("jax", "jaxlib", "numpy")),
    ("import sympy", ("sympy",)),
]


@pytest.mark.parametrize(("code", "heavy"), LOADS, ids=[code.strip()[:60] for code, _ in LOADS])
def test_what_is_loaded(code, heavy):
    report = f"\nimport sys, json\nprint(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout.splitlines()[-1])) == set(heavy)


def test_help_of_the_installed_command_loads_nothing_heavy():
    command = Path(sys.executable).with_name("kltheory")
    timed = {**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}
    done = subprocess.run([command, "--help"], capture_output=True, text=True, check=True, env=timed)
    loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert done.stdout.startswith("Usage: kltheory")
    assert {"click", "kltheory"} <= loaded
    assert not loaded & set(HEAVY)


PROVE = """
from kltheory.proving.run import run
from kltheory.proving.theorem import collect, library
report = run(next(t for t in collect([library()]) if t.name == "k2_as_loss_eq_grad_reverse_kl_of_on_policy"))
assert any(f.engine == "autodiff" and f.residual is not None for f in report.findings)
"""

WATCHED = """
import json, jax, jax.numpy as jnp
def seen():
    return {{k: repr(v) for k, v in jax.config.values.items()}}, str(jnp.ones(1).dtype), str(jnp.ones(1).devices())
before = seen()
{}
print(json.dumps([before == seen(), len(before[0]) > 50, before[1]]))
"""


@pytest.mark.parametrize(("code", "same"), [(PROVE, True), ("jax.config.update('jax_enable_x64', True)", False)])
def test_a_proof_leaves_the_configuration_of_jax_alone(code, same):
    done = subprocess.run([sys.executable, "-c", WATCHED.format(code)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == [same, True, "float32"]
