"""Notebooks by structure: they compute and assert what they show, and end with an exercise. `make notebooks-test` runs
them; that a failing one is told is tested here."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("[0-9]*.py"))
EACH = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
NUMBER = re.compile(r"(?<![\w.])\d+\.\d+(?![\w.])|\d+ ?%|[\w)] = -?\d")
"""What looks like a result; arXiv numbers are taken out first."""


def cells(text: str) -> list[tuple[bool, str]]:
    """Whether each cell is prose, and its text."""
    parts = re.split(r"^# %%(.*)$", text, flags=re.MULTILINE)[1:]
    return [("[markdown]" in kind, body) for kind, body in zip(parts[::2], parts[1::2], strict=True)]


def typed_numbers(text: str) -> list[str]:
    """Numbers in the prose that look like results."""
    prose = "\n".join(body for is_prose, body in cells(text) if is_prose)
    return NUMBER.findall(re.sub(r"arXiv\s+(# )?\d{4}\.\d{4,5}|\d{4}\.\d{4,5}", "", prose))


def test_all_seven_are_there_and_in_their_readme():
    assert [p.stem[0] for p in NOTEBOOKS] == list("1234567")
    listed = re.findall(r"^\| `(\S+)` \|", (FOLDER / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert listed == [p.name for p in NOTEBOOKS]


@EACH
def test_it_begins_with_a_title_and_ends_with_an_exercise(path):
    found = cells(path.read_text(encoding="utf-8"))
    prose = [body for is_prose, body in found if is_prose]
    assert prose[0].strip().startswith(f"# # {path.stem[0]}.")
    assert "# ## Exercise" in prose[-1]
    assert not found[-1][0]


@EACH
def test_it_asserts_what_it_shows(path):
    code = "\n".join(body for is_prose, body in cells(path.read_text(encoding="utf-8")) if not is_prose)
    tree = ast.parse(code)
    asserts = [n for n in ast.walk(tree) if isinstance(n, ast.Assert)]
    called = any(isinstance(n, ast.Call) and getattr(n.func, "id", "").startswith("assert_") for n in ast.walk(tree))
    assert len(asserts) + called >= 3
    assert typed_numbers(path.read_text(encoding="utf-8")) == []


@EACH
def test_what_a_slider_moves_runs_without_one_first(path):
    """``interact`` shows an exception and goes on: a failed assertion under it would stop nobody."""
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r"^interact\((\w+),", text, flags=re.MULTILINE):
        assert re.search(rf"^{name}\(.*\)$", text, flags=re.MULTILINE)


def test_a_typed_result_is_found():
    wrong = "# %% [markdown]\n# The error is 0.25, so 12% of it, with V = 3.\n# %%\nx = 0.5\n"
    assert len(typed_numbers(wrong)) == 3
    assert typed_numbers("# %% [markdown]\n# See arXiv 2510.01555.\n") == []


GOOD, BAD = "# %%\nassert 1 + 1 == 2\n", "# %%\nassert 1 + 1 == 3\n"


def test_a_failing_notebook_is_told(tmp_path, monkeypatch, capsys):
    pytest.importorskip("nbclient", reason="nbclient is not installed; `make notebooks-test` installs it")
    pytest.importorskip("jupytext", reason="jupytext is not installed; `make notebooks-test` installs it")
    spec = importlib.util.spec_from_file_location("execute", FOLDER / "execute.py")
    execute = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(execute)
    monkeypatch.setattr(execute, "HERE", tmp_path)
    (tmp_path / "1_good.py").write_text(GOOD)
    assert execute.main([]) == 0
    (tmp_path / "2_bad.py").write_text(BAD)
    assert execute.main([]) == 1
    assert execute.main(["1_good"]) == 0
    assert "2_bad.py: FAILED" in capsys.readouterr().err
