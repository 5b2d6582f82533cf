"""The leaves: how libraries are found and reached, what is said when they are not there, and the environments.

The function of each library that is installed here is run with autodiff, in every variant.
"""

import importlib
import inspect
import re
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from subprocess import CalledProcessError, CompletedProcess
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from kltheory.audit.libraries import __main__ as environments
from kltheory.audit.library import Library, NotInstalled, libraries, located, module_at, standing_in

FOLDER = Path(str(importlib.import_module("kltheory.audit.libraries").__file__)).parent
LEAVES = sorted(path for path in FOLDER.glob("[!_]*.py"))
ROLES = ("logp", "logp_ref", "logp_old", "mask")
every_library = pytest.mark.parametrize("library", libraries().values(), ids=lambda x: x.name)


# --- what a leaf is ---------------------------------------------------------------------------------------------------
def test_every_leaf_is_found_under_its_name() -> None:
    assert list(libraries()) == [leaf.stem for leaf in LEAVES]
    assert {"openrlhf", "trl", "tunix", "verl"} <= set(libraries())


def test_a_new_file_is_a_new_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = importlib.import_module("kltheory.audit.libraries")
    (tmp_path / "another.py").write_text(
        "from kltheory.audit.library import Library\n"
        "LIBRARY = Library('another', 'another', 'jax', ('another==1',), lambda: abs, ({},))\n"
    )
    (tmp_path / "_helper.py").write_text("raise AssertionError\n")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, f"{package.__name__}.another", raising=False)
    assert set(libraries()) == {leaf.stem for leaf in LEAVES} | {"another"}
    monkeypatch.delitem(sys.modules, f"{package.__name__}.another")


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda x: x.stem)
def test_a_leaf_is_short(leaf: Path) -> None:
    assert len(leaf.read_text(encoding="utf-8").splitlines()) <= 40


@every_library
def test_a_leaf_pins_what_it_installs_and_names_what_it_audits(library: Library) -> None:
    words = [w for line in library.requirements("FOLDER") for w in line if not w.startswith("-")]
    pinned = [w for w in words if re.fullmatch(r"[\w.-]+==[\w.]+", w)]
    assert library.distribution in {w.partition("==")[0] for w in pinned}
    assert [w for w in words if w not in pinned and w not in PLACES] == []
    assert library.variants
    assert len({repr(sorted(v.items())) for v in library.variants}) == len(library.variants)
    assert set(library.arguments) <= set(ROLES)


PLACES = (":all:", "cp", "3.11", "cp311", "manylinux1_x86_64", "FOLDER")  # of the one wheel that pip must be told about


# --- not installed ----------------------------------------------------------------------------------------------------
ABSENT = Library("nowhere", "no-such-distribution", "torch", ("a==1", "--no-deps --target {purelib} b==2"), list, ({},))


def test_a_library_that_is_not_installed_says_how_to_get_it() -> None:
    with pytest.raises(NotInstalled) as e:
        ABSENT.reach()
    message = str(e.value)
    assert message.startswith("nowhere is not installed here. To get it:\n  pip install a==1\n")
    assert re.search(r"\n  pip install --no-deps --target \S*site-packages b==2\n", message)
    assert message.endswith("\nor: make libraries LIBRARIES=nowhere")


def _lacks() -> Any:
    raise ModuleNotFoundError("No module named 'ray'", name="ray")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"load": _lacks}, "No module named 'ray'"),
        ({"load": lambda: sys.gone}, "module 'sys' has no attribute 'gone'"),
        ({"source": "sys:gone.further"}, "module 'sys' has no attribute 'gone'"),
        ({"load": lambda: located("pytest", "pytest/gone.py")}, "the installed pytest has no pytest/gone.py"),
    ],
)
def test_a_library_whose_function_is_not_there_says_what_is_missing(change: dict[str, Any], reason: str) -> None:
    version = metadata.version("pytest")
    here = replace(ABSENT, distribution="pytest", **change)
    with pytest.raises(
        NotInstalled, match=re.escape(f"nowhere {version} is here, but its function is not: {reason}. To")
    ):
        here.reach()


def test_what_is_reached_is_the_function_and_what_to_report() -> None:
    here = replace(ABSENT, distribution="pytest", load=lambda: abs)
    assert here.reach() == (abs, abs)
    assert replace(here, source="inspect:Signature.bind").reach() == (abs, inspect.Signature.bind)


# --- stand-ins --------------------------------------------------------------------------------------------------------
def test_a_module_stands_in_and_leaves(tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text("import absent_module\nVALUE = 3\n")
    with standing_in("absent_module"):
        assert module_at(tmp_path / "file.py").VALUE == 3
    assert "absent_module" not in sys.modules
    with pytest.raises(ModuleNotFoundError, match="absent_module"):
        module_at(tmp_path / "file.py")


def test_a_package_stands_in_for_its_init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "__init__.py").write_text("raise AssertionError('dragged in')\n")
    (tmp_path / "light.py").write_text("VALUE = 4\n")
    with standing_in("heavy_package", [tmp_path]):
        light = importlib.import_module("heavy_package.light")
    monkeypatch.delitem(sys.modules, "heavy_package.light")
    assert light.VALUE == 4
    assert "heavy_package" not in sys.modules


def test_a_module_that_is_imported_is_not_replaced() -> None:
    with standing_in("inspect"):
        assert sys.modules["inspect"] is inspect
    assert sys.modules["inspect"] is inspect


# --- the real functions -----------------------------------------------------------------------------------------------
CASES = [
    pytest.param(library, variant, id=f"{library.name}-{'-'.join(map(str, variant.values()))}")
    for library in libraries().values()
    for variant in library.variants
]


def derivative(library: Library, function: Any, arrays: dict[str, Any], variant: Any, logp: str) -> np.ndarray:
    """Of the sum of the output, by logp: as the function runs."""
    if library.framework == "jax":
        jax = pytest.importorskip("jax")
        return np.asarray(jax.grad(lambda x: function(**arrays | {logp: x}, **variant).sum())(arrays[logp]))
    torch = pytest.importorskip("torch")
    tensors = {name: torch.tensor(x) for name, x in arrays.items()}
    leaf = tensors[logp].requires_grad_()
    return torch.autograd.grad(function(**tensors, **variant).sum(), leaf)[0].numpy()


@pytest.mark.torch
@pytest.mark.parametrize(("library", "variant"), CASES)
def test_the_function_of_an_installed_library_runs_and_has_a_gradient(library: Library, variant: Any) -> None:
    try:
        function, source = library.reach()
    except NotInstalled as e:
        pytest.skip(str(e).partition(". ")[0])
    assert inspect.getsourcefile(source)
    known = {p: role for role, p in library.arguments.items()}
    assert set(known) <= set(inspect.signature(function).parameters)
    for shape in [(4,), (2, 3)]:
        rng = np.random.default_rng(3)
        arrays = {p: -rng.uniform(0.5, 2, shape) for p, role in known.items() if role != "mask"}
        slopes = derivative(library, function, arrays, variant, library.arguments["logp"])
        assert slopes.shape == shape
        assert np.isfinite(slopes).all()
        assert (slopes != 0).all()


@pytest.mark.torch
@pytest.mark.parametrize("corrected", [False, True])
def test_the_loss_of_trl_is_the_mean_of_its_kl_term_over_the_tokens_of_the_mask(corrected: bool) -> None:
    """So nothing else of the loss is left: with β = 1 and no advantage it is k3, or w k3 with a live weight."""
    library = libraries()["trl"]
    try:
        function, _ = library.reach()
    except NotInstalled as e:
        pytest.skip(str(e).partition(". ")[0])
    torch = pytest.importorskip("torch")
    new, ref, old = torch.log_softmax(torch.arange(18, dtype=torch.float64).reshape(3, 2, 3).cos(), -1)
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    new.requires_grad_()
    k3 = torch.expm1(ref - new) - (ref - new)
    expected = ((k3 * (new - old).exp() if corrected else k3) * mask).sum() / mask.sum()
    got = function(new, ref, old, mask, use_bias_correction_kl=corrected)
    torch.testing.assert_close(got, expected, rtol=1e-14, atol=0)
    slopes, wanted = (torch.autograd.grad(x, new)[0] for x in (got, expected))
    torch.testing.assert_close(slopes, wanted, rtol=1e-13, atol=1e-16)
    assert (slopes != 0).equal(mask != 0)


# --- environments -----------------------------------------------------------------------------------------------------
class Machine:
    """Instead of building and running: notes what would be, and answers."""

    def __init__(self, status: int = 0, reports: bool = True, fails: str | None = None) -> None:
        self.status, self.reports, self.fails = status, reports, fails
        self.built: list[Path] = []
        self.commands: list[list[str]] = []

    def create(self, environment: Path) -> None:
        environment.mkdir(parents=True, exist_ok=True)
        (environment / "pyvenv.cfg").touch()
        self.built.append(environment)

    def run(self, command: list[str], check: bool = False, env: Any = None) -> CompletedProcess[str]:
        self.commands.append(command)
        if check and self.fails and self.fails in " ".join(command):
            raise CalledProcessError(1, command)
        if "audit" in command and self.reports:
            Path(command[-1]).write_text("{}")
        return CompletedProcess(command, self.status if "audit" in command else 0)


def started(machine: Machine, monkeypatch: pytest.MonkeyPatch, *arguments: Any) -> tuple[int, str]:
    monkeypatch.setattr(environments.subprocess, "run", machine.run)
    monkeypatch.setattr(environments.venv, "EnvBuilder", lambda **_: machine)
    result = CliRunner().invoke(environments.main, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_an_environment_has_this_project_then_what_the_leaf_says_in_order(tmp_path: Path, monkeypatch: Any) -> None:
    machine = Machine()
    status, output = started(machine, monkeypatch, tmp_path, "verl")
    assert (status, machine.built) == (0, [tmp_path / "verl"])
    *installed, audited = [" ".join(command) for command in machine.commands]
    assert len(installed) == 1 + len(libraries()["verl"].install)
    assert re.search(r" install -c \S*constraints.txt -e \S+$", installed[0])
    for command, line in zip(installed[1:], libraries()["verl"].install, strict=True):
        assert command.startswith(str(tmp_path / "verl" / "bin" / "python"))
        assert command.endswith(f" install {line}")
    assert audited.startswith(f"{tmp_path / 'verl' / 'bin' / 'kltheory'} audit verl --json ")
    assert re.search(r"^verl +nothing to report$", output, flags=re.MULTILINE)


def test_an_environment_is_built_once_and_again_when_its_recipe_changes(tmp_path: Path, monkeypatch: Any) -> None:
    first, again, machine = Machine(), Machine(), Machine()
    started(first, monkeypatch, tmp_path, "verl")
    started(again, monkeypatch, tmp_path, "verl")
    assert (first.built, again.built) == ([tmp_path / "verl"], [])
    assert [command[1] for command in again.commands] == ["audit"]
    known = libraries()
    changed = known | {"verl": replace(known["verl"], install=("verl==0.0.1",))}
    monkeypatch.setattr(environments, "libraries", lambda: changed)
    started(machine, monkeypatch, tmp_path, "verl")
    assert machine.built == [tmp_path / "verl"]


@pytest.mark.parametrize("status", [0, 1, 2])
def test_an_audit_that_ran_is_no_failure_whatever_it_found(tmp_path: Path, monkeypatch: Any, status: int) -> None:
    assert started(Machine(status), monkeypatch, tmp_path)[0] == 0


@pytest.mark.parametrize(
    "machine",
    [
        Machine(3),
        Machine(-9),
        Machine(1, reports=False),  # a traceback
        Machine(2, reports=False),  # a wrong command line
        Machine(0, reports=False),
        Machine(fails="tunix"),
    ],
)
def test_what_could_not_run_is_never_a_success(tmp_path: Path, monkeypatch: Any, machine: Machine) -> None:
    status, output = started(machine, monkeypatch, tmp_path, "tunix")
    assert status == 3
    assert output.splitlines()[-1] == "tunix      COULD NOT RUN"


def test_a_failed_build_is_not_taken_for_built_and_the_others_go_on(tmp_path: Path, monkeypatch: Any) -> None:
    status, output = started(Machine(fails="verl=="), monkeypatch, tmp_path)
    summary = dict(re.findall(r"^(\w+) +(nothing to report|COULD NOT RUN)$", output, flags=re.MULTILINE))
    assert status == 3
    assert summary == dict.fromkeys(libraries(), "nothing to report") | {"verl": "COULD NOT RUN"}
    again = Machine()
    assert started(again, monkeypatch, tmp_path)[0] == 0
    assert again.built == [tmp_path / "verl"]


def test_a_report_of_an_earlier_run_does_not_count(tmp_path: Path, monkeypatch: Any) -> None:
    assert started(Machine(), monkeypatch, tmp_path, "trl")[0] == 0
    assert started(Machine(reports=False), monkeypatch, tmp_path, "trl")[0] == 3


def test_a_folder_that_is_no_environment_is_left_alone(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "trl").mkdir()
    (tmp_path / "trl" / "precious").touch()
    machine = Machine()
    status, output = started(machine, monkeypatch, tmp_path, "trl")
    assert (status, machine.built, machine.commands) == (3, [], [])
    assert "is not a virtual environment: it is left alone" in output


def test_a_name_that_is_no_library_is_refused(tmp_path: Path, monkeypatch: Any) -> None:
    status, output = started(Machine(), monkeypatch, tmp_path, "nowhere")
    assert status == 2
    assert "no library nowhere: there are openrlhf, trl, tunix, verl" in output


def test_environments_are_built_from_a_checkout_only(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    machine = Machine()
    status, output = started(machine, monkeypatch, tmp_path, "trl")
    assert (status, machine.commands) == (2, [])
    assert "from a checkout" in output
