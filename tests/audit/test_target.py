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
        ("FILE", "names no function, but a file; it has FILE:kl, FILE:Penalty.__call__, FILE:Penalty.method"),
        ("FILE.kl", "did you mean FILE:kl?"),
        ("FILE.Penalty.static", "did you mean FILE:Penalty.static?"),
        ("jax.nn.log_softmax", "did you mean jax.nn:log_softmax?"),
        ("trll", "did you mean trl?"),
        ("FILE:Penalti", "FILE has no Penalti; did you mean "),
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


def test_a_file_whose_name_is_close_is_asked_for(file: Path) -> None:
    with pytest.raises(CannotRun, match=re.escape(f"; did you mean {file}?")):
        load(f"{file.with_name('loses.py')}:kl")


@pytest.mark.parametrize("colon", [":", "::"])
def test_the_advice_for_a_dot_names_what_loads(file: Path, colon: str) -> None:
    with pytest.raises(CannotRun) as told:
        load(f"{file}.Penalty.method")
    meant = re.search(r"did you mean (.*)\?", str(told.value))
    assert meant is not None
    assert load(meant[1].replace(".py:", f".py{colon}")).line == 11


@pytest.mark.parametrize("init", ["", "import absent_library"], ids=["package", "package-that-does-not-import"])
def test_a_file_that_imports_from_its_package(tmp_path: Path, init: str) -> None:
    inner = tmp_path / f"outer_{bool(init)}" / "inner"
    inner.mkdir(parents=True)
    (inner.parent / "__init__.py").write_text(init)
    (inner / "__init__.py").write_text("")
    (inner.parent / "core.py").write_text("import jax\nhalf = jax.numpy.asarray(0.5)\n")
    (inner / "losses.py").write_text("from ..core import half\ndef f(logp):\n    return half * logp\n")
    assert load(f"{inner / 'losses.py'}:f", "jax").function(2.0) == 1.0


def test_a_file_that_does_not_import(tmp_path: Path) -> None:
    (tmp_path / "raising.py").write_text("raise RuntimeError('not today')\n")
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


class _Passes:
    def __init__(self, fn: Any) -> None:
        self.fn = fn

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.fn(*args, **kwargs)


def _passing(first: Any, second: Any = None) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        return (first or second)(*args, **kwargs)

    return call


def test_what_is_passed_on_is_the_function_inside() -> None:
    def kl(logp: Any, ref_logp: Any) -> Any:
        return jnp.abs(logp - ref_logp)

    for wrapped in (_passing(kl), _Passes(kl), _passing(_Passes(kl))):
        assert list(of_function(wrapped).signature.parameters) == ["logp", "ref_logp"]
    assert list(of_function(_passing(kl, jnp.abs), framework="jax").signature.parameters) == ["args", "kwargs"]


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_what_is_compiled_asks_for_the_eager_function() -> None:
    torch = pytest.importorskip("torch")
    traced = torch.jit.trace(lambda logp, ref_logp: logp - ref_logp, (torch.ones(2), torch.ones(2)))
    for compiled in (traced, jax.jit(jnp.abs).lower(1.0).compile()):
        with pytest.raises(CannotRun, match=r"is compiled \(\w+\): pass the eager function that it was made from"):
            of_function(compiled)


@pytest.mark.torch
def test_a_function_that_names_neither_is_told_by_what_it_reads_of_its_arrays(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    both = "import jax, torch\n"
    (tmp_path / "both.py").write_text(both + "def f(logp):\n    return _g(logp)\ndef _g(x):\n    return x.detach()\n")
    (tmp_path / "one.py").write_text(
        both + "def f(logp):\n    return _g(logp)\ndef _g(x):\n    return jax.numpy.exp(x)\n"
    )
    assert [load(f"{tmp_path / name}.py:f").framework for name in ("both", "one")] == ["torch", "jax"]


@pytest.mark.torch
def test_modules_are_called_like_their_forward() -> None:
    torch = pytest.importorskip("torch")

    class Penalty(torch.nn.Module):
        def forward(self, logp: Any, ref_logp: Any) -> Any:
            return logp - ref_logp

    found = of_function(Penalty())
    assert (found.framework, list(found.signature.parameters)) == ("torch", ["logp", "ref_logp"])
