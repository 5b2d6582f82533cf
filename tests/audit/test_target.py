"""Targets: what a text or a callable names, and what is said when it names nothing."""

import functools
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from kltheory.audit.target import CannotRun, load, of_function

SOURCE = """
import functools
import jax, jax.numpy as jnp

def kl(logp, ref_logp):
    return logp - ref_logp

class Penalty:
    def __call__(self, logp, ref_logp):
        return jnp.abs(kl(logp, ref_logp))
    def method(self, logp, ref_logp):
        return self(logp, ref_logp)
    @staticmethod
    def static(logp, ref_logp):
        return jnp.abs(logp - ref_logp)
    @classmethod
    def of_class(cls, logp, ref_logp):
        return jnp.abs(logp - ref_logp)

class Nothing:
    def compute(self, logp):
        return jnp.exp(logp)

jitted = jax.jit(kl)
scaled = functools.partial(lambda c, logp, ref_logp: c * jnp.abs(logp - ref_logp), 2.0)
penalty = Penalty()
number = 3.0
plain = lambda logp, ref_logp: logp - ref_logp
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "losses.py"
    path.write_text(SOURCE)
    return path


@pytest.mark.parametrize(
    ("name", "owner", "parameters", "line"),
    [
        ("kl", None, "logp ref_logp", 5),
        ("Penalty", "Penalty", "self logp ref_logp", 9),
        ("Penalty.method", "Penalty", "self logp ref_logp", 11),
        ("Penalty.static", None, "logp ref_logp", 13),
        ("Penalty.of_class", None, "logp ref_logp", 16),
        ("jitted", None, "logp ref_logp", 5),
        ("scaled", None, "logp ref_logp", 25),
        ("penalty", None, "logp ref_logp", 9),
        ("penalty.method", None, "logp ref_logp", 11),
    ],
)
def test_a_name_in_a_file(file: Path, name: str, owner: str | None, parameters: str, line: int) -> None:
    found = load(f"{file}:{name}")
    assert found.framework == "jax"
    assert (found.owner and found.owner.__name__) == owner
    assert list(found.signature.parameters) == parameters.split()
    assert (found.file, found.line) == (str(file), line)
    assert found.place == f"{file}:{line}"


def test_a_name_in_a_module() -> None:
    found = load("jax.nn:log_softmax")
    assert found.version.startswith("jax ")
    assert found.place.startswith("jax/")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kl", "'kl' names no function: write package.module:function, or path/to/file.py:function"),
        ("FILE:", "names no function"),
        ("gone.py:kl", "there is no file gone.py"),
        ("no_such_module_here:kl", "needs no_such_module_here, which is not installed: install it, or check the name"),
        ("FILE:k1", "has no k1; did you mean kl?"),
        ("FILE:zzz", "has no zzz"),
        ("FILE:number", "is a float, and cannot be called"),
        ("FILE:Nothing", "is a class: say which method, as in FILE:Nothing.compute"),
        ("math:exp", "names neither JAX nor PyTorch: say --framework jax or --framework torch"),
    ],
)
def test_a_name_of_nothing(file: Path, monkeypatch: Any, text: str, message: str) -> None:
    monkeypatch.setattr("kltheory.audit.target.framework_of", _no_guess)
    with pytest.raises(CannotRun, match=re.escape(message.replace("FILE", str(file)))):
        load(text.replace("FILE", str(file)))


def _no_guess(function: Any) -> Any:
    from kltheory.audit.framework import FAMILIES

    module = getattr(function, "__module__", "") or ""
    return FAMILIES.get(module.partition(".")[0])


def test_a_file_that_does_not_import(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import absent_library\n")
    (tmp_path / "raising.py").write_text("raise RuntimeError('not today')\n")
    with pytest.raises(CannotRun, match="needs absent_library, which is not installed"):
        load(f"{tmp_path / 'broken.py'}:f")
    with pytest.raises(CannotRun, match="fails: RuntimeError: not today"):
        load(f"{tmp_path / 'raising.py'}:f")


def test_a_neighbour_of_a_file_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "neighbour_of_losses.py").write_text("import jax\nf = jax.numpy.abs\n")
    (tmp_path / "uses.py").write_text("from neighbour_of_losses import f\ndef g(logp):\n    return f(logp)\n")
    assert load(f"{tmp_path / 'uses.py'}:g", "jax").signature


@pytest.mark.parametrize(
    "wrapped",
    [
        jax.jit(lambda logp, ref_logp: jnp.abs(logp - ref_logp)),
        jax.vmap(lambda logp, ref_logp: jnp.abs(logp - ref_logp)),
        functools.partial(lambda c, logp, ref_logp: c * jnp.abs(logp - ref_logp), 1.0),
        functools.wraps(jnp.abs)(lambda logp, ref_logp: jnp.abs(logp - ref_logp)),
    ],
    ids=["jit", "vmap", "partial", "wraps"],
)
def test_a_wrapped_function_is_the_one_inside(wrapped: Any) -> None:
    assert of_function(wrapped).framework == "jax"


def test_what_has_no_signature() -> None:
    with pytest.raises(CannotRun, match="has no signature that Python can read: wrap it in a function"):
        _ = of_function(max, "max", "jax").signature


@pytest.mark.torch
def test_modules_are_called_like_their_forward() -> None:
    torch = pytest.importorskip("torch")

    class Penalty(torch.nn.Module):
        def forward(self, logp: Any, ref_logp: Any) -> Any:
            return logp - ref_logp

    found = of_function(Penalty())
    assert (found.framework, list(found.signature.parameters)) == ("torch", ["logp", "ref_logp"])
