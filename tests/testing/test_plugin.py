"""The pytest plugin in projects of their own: what it loads, its report, its fixtures, one framework alone."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import import_module, metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE = "kltheory.testing.plugin"
HEAVY = ("jax", "jaxlib", "torch", "sympy", "numpy", "mpmath", "flint")

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path) -> Run:
    """Write a test file and run pytest on it, with this plugin and no other that is installed."""

    def run(source: str, *options: str, plugins: tuple[str, ...] = (MODULE,)) -> subprocess.CompletedProcess[str]:
        (tmp_path / "test_mine.py").write_text(source, encoding="utf-8")
        (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n", encoding="utf-8")
        chosen = [word for name in plugins for word in ("-p", name)]
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *chosen, *options],
            cwd=tmp_path,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def outcomes(done: subprocess.CompletedProcess[str], text: str) -> None:
    assert text in done.stdout, done.stdout + done.stderr


MINE = """
import jax.numpy as jnp
from kltheory.testing import assert_gradient_of, assert_same_gradient

def k2(logp, logp_ref):
    return (logp - logp_ref) ** 2 / 2

def k3(logp, logp_ref):
    return jnp.exp(logp_ref - logp) - 1 + logp - logp_ref

def test_k2():
    assert_gradient_of(k2, "reverse_kl")

def test_k3():
    assert_gradient_of(k3, "reverse_kl")

def test_same():
    assert_same_gradient(k2, k2)

def test_audit(kl_audit):
    assert kl_audit(k2).variants[0].rows

def test_no_function():
    assert_gradient_of("nothing.here:at_all", "zero")
"""


# --- registration -----------------------------------------------------------------------------------------------------
def test_the_entry_point_is_the_plugin() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    assert declared == {"pytest11": {"kltheory": MODULE}}
    assert hasattr(import_module(MODULE), "pytest_addoption")


@pytest.mark.skipif(not list(metadata.distributions(name="kltheory")), reason="kltheory is on the path, not installed")
def test_what_is_installed_registers_it() -> None:
    (found,) = metadata.entry_points(group="pytest11", name="kltheory")
    assert found.value == MODULE, "install the project again: its entry points changed"


def loaded(code: str) -> set[str]:
    report = f"\nimport sys, json\nprint(json.dumps([m for m in {HEAVY} if sys.modules.get(m)]))"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_loading_the_plugin_and_the_assertions_loads_nothing_heavy() -> None:
    assert loaded(f"import {MODULE}\nfrom kltheory.testing import *") == set()
    assert "numpy" in loaded("import kltheory.testing.claim"), "the probe can see"


def test_a_session_without_assertions_loads_nothing_heavy(project: Run) -> None:
    source = f"import sys\ndef test():\n    assert [m for m in {HEAVY} if m in sys.modules] == []\n"
    outcomes(project(source), "1 passed")


# --- the report -------------------------------------------------------------------------------------------------------
def test_the_report_has_every_finding_of_every_worker(project: Run, tmp_path: Path) -> None:
    done = project(MINE, "--kltheory-report=report.json", "-n", "2", plugins=(MODULE, "xdist"))
    outcomes(done, "2 failed, 3 passed")
    outcomes(done, f"kltheory: 5 assertions written to {tmp_path / 'report.json'}")
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    found = {r["test"].rpartition("::")[2]: r for r in report["assertions"]}
    assert {name: (r["assertion"], r["passed"]) for name, r in found.items()} == {
        "test_k2": ("assert_gradient_of", True),
        "test_k3": ("assert_gradient_of", False),
        "test_same": ("assert_same_gradient", True),
        "test_audit": ("audited", True),
        "test_no_function": ("assert_gradient_of", False),
    }
    rows = found["test_k3"]["audit"]["variants"][0]["rows"]
    (row,) = (r for r in rows if (r["placement"], r["weight"], r["sampler"]) == ("loss", "none", "policy"))
    assert row["gradient_of"] == "forward_kl"
    assert "it is forward_kl" in found["test_k3"]["message"]
    assert found["test_same"]["comparison"]["same"] is True
    assert found["test_no_function"]["audit"] is None


def test_the_report_as_markdown(project: Run, tmp_path: Path) -> None:
    project(MINE, "--kltheory-report=report.md", "-k", "k2 or k3 or same")
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "3 assertions, 1 failed" in text
    assert "## `test_mine.py::test_k3`: assert_gradient_of FAILED" in text
    assert "## `test_mine.py::test_k2`: assert_gradient_of passed" in text
    assert "| loss | none | policy | forward_kl |" in text
    assert "the same" in text


def test_a_report_of_nothing_is_written_all_the_same(project: Run, tmp_path: Path) -> None:
    outcomes(project("def test(): pass", "--kltheory-report=report.json"), "kltheory: 0 assertions")
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["assertions"] == []


@pytest.mark.parametrize("target", ["missing/report.json", "."])
def test_a_report_that_cannot_be_written_is_refused_at_once(project: Run, target: str) -> None:
    done = project("def test(): pass", f"--kltheory-report={target}")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "it names no file in a folder that exists" in done.stderr


def test_nothing_is_written_unasked(project: Run, tmp_path: Path) -> None:
    done = project(MINE, "-k", "k3")
    outcomes(done, "1 failed")
    assert {p.name for p in tmp_path.iterdir()} <= {"test_mine.py", "pytest.ini", "__pycache__"}
    # the failure is the finding under the line of the test, without a look into this package
    assert 'assert_gradient_of(k3, "reverse_kl")' in done.stdout
    assert "it is forward_kl" in done.stdout
    assert "kltheory/testing" not in done.stdout


# --- fixtures ---------------------------------------------------------------------------------------------------------
SETTINGS = """
import numpy as np

def test_arrays(kl_settings):
    assert [s["logp"].shape[1] for s in kl_settings] == [3, 5, 17, 257]
    for s in kl_settings:
        assert set(s) == {"logp", "logp_ref", "logp_old", "advantage"}
        assert {a.dtype for a in s.values()} == {np.dtype("float64")} and len({a.shape for a in s.values()}) == 1
        assert np.allclose(np.exp(s["logp"]).sum(axis=-1), 1)
        s["logp"][:] = 0  # an array of this test's own

def test_again(kl_settings):
    assert kl_settings[0]["logp"].all()
"""


def test_settings(project: Run) -> None:
    outcomes(project(SETTINGS), "2 passed")


# --- one framework without the other ----------------------------------------------------------------------------------
ONLY = """
import sys
sys.modules["{absent}"] = None  # importing it raises, as where it is not installed
{head}
import pytest
from kltheory.testing import assert_finite, assert_gradient_of, assert_no_dead_zone, assert_same_gradient, audited

def k3(logp, logp_ref):
    return exp(logp_ref - logp) - 1 + logp - logp_ref

def test_all():
    assert_gradient_of(k3, "forward_kl")
    assert_same_gradient(k3, k3)
    assert_no_dead_zone(k3)
    assert_finite(k3)
    audited(k3)
    with pytest.raises(AssertionError, match="it is forward_kl"):
        assert_gradient_of(k3, "reverse_kl")
    assert not [m for m in sys.modules if m.partition(".")[0] == "{absent}" and sys.modules[m]]
"""


@pytest.mark.parametrize(
    ("framework", "head", "absent"),
    [
        ("jax", "from jax.numpy import exp", "torch"),
        pytest.param("torch", "from torch import exp", "jax", marks=pytest.mark.torch),
    ],
)
def test_a_project_with_one_framework(project: Run, framework: str, head: str, absent: str) -> None:
    pytest.importorskip(framework, reason="PyTorch is not installed; `make test` installs it")
    outcomes(project(ONLY.format(head=head, absent=absent)), "1 passed")
