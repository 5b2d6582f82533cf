"""Collecting theorems from files and folders, and choosing among them."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sympy import S

from kltheory.proving.scalars import Identity
from kltheory.proving.select import SelectionError, selector
from kltheory.proving.theorem import CollectionError, Refuted, Theorem, collect, library, theorem
from kltheory.proving.verdict import Verdict

HEAD = "from kltheory.proving.vocabulary import *\n"


ONE = '''
@theorem(catalogue="4")
def {0}():
    """Statement of {0}."""
    return SameScore(as_loss(k2), in_reward(k1), OLD)
'''


def source(*names: str) -> str:
    """A file with one true theorem of each name."""
    return HEAD + "".join(map(ONE.format, names))


@pytest.fixture
def write(tmp_path) -> Callable[..., Path]:
    def make(**files: str) -> Path:
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        return tmp_path

    return make


def names(*paths: Path) -> list[str]:
    return [t.name for t in collect(paths)]


# --- order, and what is one theorem -----------------------------------------------------------------------------------
def test_files_are_in_alphabetical_order_and_theorems_in_that_of_the_file(write):
    folder = write(b=source("zeta", "alpha"), a=source("middle"), _helper=source("hidden"))
    assert names(folder) == ["middle", "zeta", "alpha"]
    assert names(folder / "b.py", folder / "a.py") == ["zeta", "alpha", "middle"]
    assert names(folder / "_helper.py") == ["hidden"]


def test_a_file_named_twice_is_collected_once(write):
    folder = write(a=source("one"))
    (folder / "link.py").symlink_to(folder / "a.py")
    assert names(folder / "link.py") == ["one"]
    (folder / "link.py").unlink()
    assert names(folder / "a.py", folder / "a.py", folder) == ["one"]


def test_a_relative_path_and_its_absolute_twin_are_one_file(write, monkeypatch):
    folder = write(a=source("one"))
    monkeypatch.chdir(folder)
    assert names(Path("a.py"), folder / "a.py") == ["one"]


def test_an_imported_theorem_belongs_to_the_file_that_defines_it(write, monkeypatch):
    folder = write(base_theorems=source("one"), more=HEAD + "from base_theorems import one\n" + source("two"))
    monkeypatch.syspath_prepend(folder)
    try:
        assert names(folder / "more.py") == ["two"]
        assert names(folder) == ["one", "two"]
    finally:
        sys.modules.pop("base_theorems", None)


def test_an_alias_is_no_second_theorem(write):
    assert names(write(a=source("one") + "other = one\n")) == ["one"]


def test_two_theorems_of_one_name_are_refused(write):
    folder = write(a=source("one"), b=source("two", "one"))
    with pytest.raises(CollectionError, match=r"two theorems are called one: in .*a\.py and .*b\.py"):
        collect([folder])


def test_what_is_no_theorem_is_not_collected(write):
    assert names(write(a=source("one") + "def helper():\n    '''None.'''\n\nx = 3\n")) == ["one"]


# --- what cannot be collected -----------------------------------------------------------------------------------------
BROKEN = [
    ("import no_such_module_anywhere", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
    ("def (", "SyntaxError: invalid syntax"),
    ("1 / 0", "ZeroDivisionError: division by zero"),
    (HEAD + "@theorem()\ndef f():\n    return 1", "TypeError: theorem f has no statement: write it as the docstring"),
    (HEAD + "@theorem()\ndef f():\n    ''' '''\n    return 1", "TypeError: theorem f has no statement"),
]


@pytest.mark.parametrize(("text", "message"), BROKEN, ids=[message.split(":")[0] for _, message in BROKEN])
def test_a_file_that_cannot_be_imported_is_named_with_the_reason(text, message, write):
    folder = write(bad=text, good=source("one"))
    for paths in ([folder], [folder / "good.py", folder / "bad.py"]):
        with pytest.raises(CollectionError, match=rf"bad\.py could not be imported: {re.escape(message)}"):
            collect(paths)
    assert names(folder / "good.py") == ["one"]


def test_a_broken_file_is_no_module_afterwards(write):
    folder = write(bad="x = 1\n1 / 0")
    before = set(sys.modules)
    for _ in range(2):
        with pytest.raises(CollectionError, match="ZeroDivisionError"):
            collect([folder])
    assert not [name for name in set(sys.modules) - before if name.startswith("kltheory_theorems")]


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(CollectionError, match=rf"no such file or folder: {re.escape(str(tmp_path / 'none.py'))}"):
        collect([tmp_path / "none.py"])


def test_a_file_that_is_no_python(tmp_path):
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(CollectionError, match=r"notes\.txt is not a Python file"):
        collect([tmp_path / "notes.txt"])


def test_nothing_is_an_empty_list(write, tmp_path):
    assert collect([]) == []
    assert collect([tmp_path]) == []
    assert collect([write(empty="") / "empty.py"]) == []


# --- a theorem --------------------------------------------------------------------------------------------------------
def test_a_theorem_is_what_its_decorator_says():
    @theorem(
        catalogue=("S4", "5"),
        source="arXiv 2510.01555",
        about="J. Doe",
        hypotheses=("a", "b"),
        harmless={"scale": "why"},
    )
    def name_of_it():
        """A statement
        on two lines."""
        return Refuted(X, corrected=Y)

    assert name_of_it.name == "name_of_it"
    assert name_of_it.statement == "A statement on two lines."
    assert (name_of_it.catalogue, name_of_it.sources) == (("S4", "5"), ("arXiv 2510.01555",))
    assert (name_of_it.hypotheses, name_of_it.harmless) == (("a", "b"), {"scale": "why"})
    assert name_of_it.expected() is Verdict.REFUTED
    assert name_of_it.file == __file__
    assert name_of_it.to_json() == {
        "name": "name_of_it",
        "catalogue": ["S4", "5"],
        "statement": "A statement on two lines.",
        "sources": ["arXiv 2510.01555"],
        "about": ["J. Doe"],
        "hypotheses": ["a", "b"],
        "expected": "REFUTED",
        "reason": "",
    }


def test_a_theorem_has_a_statement():
    def silent():
        return ()

    with pytest.raises(TypeError, match="theorem silent has no statement: write it as the docstring"):
        theorem()(silent)


X, Y = Identity(S.One, S.One), Identity(S.Zero, S.Zero)
CLAIMS = [(X, (X,)), ((X, Y), (X, Y)), ([X], (X,)), (Refuted(X, corrected=Y), (Y,))]


@pytest.mark.parametrize(("built", "claims"), CLAIMS, ids=["one", "tuple", "list", "refuted"])
def test_what_has_to_be_true(built, claims):
    assert Theorem("t", "s", lambda: built).claims() == claims


# --- the library ------------------------------------------------------------------------------------------------------
def test_the_library_is_a_folder_of_theorem_files():
    files = sorted(library().glob("*.py"))
    assert len(files) >= 7
    assert names(library()) == names(*files)
    assert len(names(library())) == len(set(names(library()))) >= 60


def test_every_theorem_of_the_library_is_cited_and_numbered():
    for t in collect([library()]):
        assert t.sources or t.catalogue, f"{t.name} comes from nowhere"
        assert t.assumptions, f"{t.name} assumes nothing"
        assert not t.about or t.expected() is Verdict.REFUTED, f"{t.name} is true, so it is about nobody"
        assert t.statement[-1] in ".)", f"the statement of {t.name} is no sentence"
        assert all(re.fullmatch(r"S[1-8]|\d{1,3}[a-z]?", number) for number in t.catalogue), t.name


# --- choosing ---------------------------------------------------------------------------------------------------------
def named(name: str, *catalogue: str) -> Theorem:
    return Theorem(name, "s", lambda: (), catalogue)


FEW = [named("k1_as_loss", "S2", "3"), named("k2_as_loss", "S4"), named("k3_in_reward", "15"), named("k3_as_loss", "5")]

CHOICES = [
    ("k3", "k3_in_reward k3_as_loss"),
    ("k3 and loss", "k3_as_loss"),
    ("k1 or k2", "k1_as_loss k2_as_loss"),
    ("not k3", "k1_as_loss k2_as_loss"),
    ("not (k1 or k2)", "k3_in_reward k3_as_loss"),
    ("k1 or k3 and reward", "k1_as_loss k3_in_reward"),
    ("(k1 or k3) and not reward", "k1_as_loss k3_as_loss"),
    ("not not k1", "k1_as_loss"),
    ("S4", "k2_as_loss"),
    ("S4 or 15", "k2_as_loss k3_in_reward"),
    ("5", "k3_as_loss"),  # a whole number: not 15
    ("S", ""),
    ("1", "k1_as_loss"),  # part of a name, and no part of the number 15
    ("loss and not S2", "k2_as_loss k3_as_loss"),
    ("  k1_as_loss  ", "k1_as_loss"),
    ("K1", ""),
    ("none_of_them", ""),
    ("android", ""),  # a word that begins with an operator
    ("notk1", ""),
]


@pytest.mark.parametrize(("expression", "chosen"), CHOICES, ids=[e for e, _ in CHOICES])
def test_an_expression_chooses(expression, chosen):
    assert [t.name for t in FEW if selector(expression)(t)] == chosen.split()


NO_EXPRESSIONS = [
    "", " ", "(", "k1 and", "and k1", "k1 or or k2", "not", "k1)", "()", "k1, k2", "k1 | k2", "k-1", "k1[0]", "k1()",
    "'k1'", "lambda: k1", "__import__('os').system('true')", "k1; k2", "k1 == k2", "k1\nor k2",
    "k2 _x", "k1 k2 or k3", "not k1 k2", "k1\tk2", "k1 (k2)", "andk1 k2",
]  # fmt: skip


@pytest.mark.parametrize("expression", NO_EXPRESSIONS, ids=repr)
def test_what_is_no_expression_is_refused_with_what_to_write(expression):
    with pytest.raises(SelectionError) as caught:
        selector(expression)
    assert str(caught.value) == f"cannot read -k {expression!r}: write words joined by and, or, not and parentheses"
