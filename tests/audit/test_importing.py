"""Importing: files whose packages are not all installed, and what is said where that matters."""

import sys
from pathlib import Path

import numpy as np
import pytest

from kltheory.audit.absent import Absent
from kltheory.audit.audit import audit_subject
from kltheory.audit.binding import bind
from kltheory.audit.recover import recover
from kltheory.audit.remarks import remarks
from kltheory.audit.target import CannotRun, load

BESIDE = """
import jax.numpy as jnp
import absent_engine.core as core
from absent_engine.parallel import mpu, Layer
from typing import Optional
import broken_engine

class Actor(Layer):
    size: "core.Shape"

@core.registered
def kl(logp: Optional[core.Array], ref_logp: "core.Array | None"):
    return (logp - ref_logp) ** 2 / 2 if not isinstance(logp, Layer) else None

def of_one_process(logp, ref_logp):
    return (logp - ref_logp) ** 2 / 2 / mpu.get_data_parallel_world_size() + mpu.get_rank()

def with_lazy_import(logp, ref_logp):
    from absent_engine.parallel import mpu as lazily
    return (logp - ref_logp) ** 2 / 2 / lazily.get_world_size()

def needs_it(logp, ref_logp):
    return core.kl(logp, ref_logp)

def branches(logp, ref_logp):
    return logp - ref_logp if core.IS_FAST else ref_logp - logp

@core.registered
def helper(x):
    return x

def needs_a_decorator(logp, ref_logp):
    return helper(logp - ref_logp)
"""
K2 = "l**2/2"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "broken_engine.py").write_text("raise RuntimeError('wants another version')\n")
    path = tmp_path / "beside.py"
    path.write_text(BESIDE)
    return path


@pytest.mark.parametrize("name", ["kl", "of_one_process", "with_lazy_import"])
def test_what_needs_no_package_is_read_without_it(file: Path, name: str) -> None:
    found = recover(bind(load(f"{file}:{name}"), {}, {}))
    assert found.formula == K2
    assert any("absent_engine, broken_engine" in note for note in remarks(found.subject))
    assert not any(isinstance(m, Absent) for m in sys.modules.values())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("needs_it", "it needs absent_engine.core.kl, and absent_engine is not installed"),
        ("branches", "it needs absent_engine.core.IS_FAST, and absent_engine is not installed"),
        ("needs_a_decorator", "it needs absent_engine.core.registered, and absent_engine is not installed"),
    ],
)
def test_what_needs_one_says_so(file: Path, name: str, message: str) -> None:
    failure = audit_subject("", bind(load(f"{file}:{name}"), {}, {}), ("loss",), responses=False).failure
    assert message in failure


def test_without_what_it_computes_with_nothing_is_read(tmp_path: Path) -> None:
    path = tmp_path / "torchless.py"
    path.write_text("raise ModuleNotFoundError('no torch', name='torch')\ndef f(logp):\n    return logp\n")
    with pytest.raises(CannotRun, match="needs torch, which is not installed"):
        load(f"{path}:f")


def test_a_package_above_the_file_is_found(tmp_path: Path) -> None:
    inner = tmp_path / "rooted_package" / "losses"
    inner.mkdir(parents=True)
    (inner.parent / "shared.py").write_text("half = 0.5\n")
    (inner / "kl.py").write_text(
        "import jax.numpy as jnp\nfrom rooted_package.shared import half\n"
        "def f(logp, ref_logp):\n    return half * jnp.square(logp - ref_logp)\n"
    )
    target = load(f"{inner / 'kl.py'}:f")
    assert target.absent == ()
    assert float(target.function(np.float32(3), np.float32(1))) == 2.0


def test_a_package_whose_init_fails_is_entered_without_it(tmp_path: Path) -> None:
    package = tmp_path / "refusing_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('no accelerator')\n")
    (package / "shared.py").write_text("half = 0.5\n")
    (package / "kl.py").write_text(
        "import jax.numpy as jnp\nfrom refusing_package.shared import half\n"
        "def f(logp, ref_logp):\n    return half * jnp.square(logp - ref_logp)\n"
    )
    assert load(f"{package / 'kl.py'}:f").absent == ()
