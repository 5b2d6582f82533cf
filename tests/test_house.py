"""The README's picture of the house: every module stands in it, and every name in it is that of a module."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT.joinpath("README.md").read_text(encoding="utf-8")
IN_WORDS = ("cli", "testing")
"""Packages that the picture describes, and lists in part: a command is a module."""
PATTERNS = {"checks_*": "checks_"}
"""What stands for several modules: how their names begin."""


def pictured(readme: str) -> dict[str, set[str]]:
    """The names that the picture has for each package; remarks stand in brackets, or before a colon."""
    (house,) = re.findall(r"^```text\nkltheory/\n(.*?)^```", readme, flags=re.DOTALL | re.MULTILINE)
    parts = re.findall(r"^  (\w+)/ (.*(?:\n {8,}.*)*)", house, flags=re.MULTILINE)
    return {name: {*_names(text)} for name, text in parts}


def _names(text: str) -> Iterator[str]:
    """What is listed, after what the package is in words, if that is said; a colon heads a list."""
    inside = " · ".join(re.findall(r"\w+/ \(whole responses: (.*?)\)", text))
    bare = re.sub(r"\([^()]*\)", "", text)
    listed = bare.partition(":")[2] or bare
    for name in re.split(r"[·,:\n]", f"{listed} · {inside}"):
        if name.strip():
            yield name.strip().removesuffix("/")


def modules(package: str) -> set[str]:
    """Those that there are; of subpackages their names, and of the sequences, which are spelled out, what is inside."""
    home = ROOT / "kltheory" / package
    found = {p.stem for p in home.glob("*.py")} | {p.parent.name for p in home.glob("*/__init__.py")}
    inside = {p.stem for p in home.glob("sequence/*.py")}
    return (found | inside) - {"__init__"}


def complaints(readme: str) -> list[str]:
    """Where the picture is not the house."""
    wrong = []
    for package, names in pictured(readme).items():
        if package in IN_WORDS:
            continue
        there = modules(package)
        several = {m for m in there for name in names if m.startswith(PATTERNS.get(name, " "))}
        wrong += [f"{package}/{m} is not in the picture" for m in sorted(there - names - several)]
        wrong += [f"{package}/{name} is no module" for name in sorted(names - there - {*PATTERNS})]
    return wrong


def test_the_picture_is_the_house() -> None:
    packages = {p.parent.name for p in ROOT.glob("kltheory/*/__init__.py")}
    assert pictured(README).keys() == packages
    assert complaints(README) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (" · pointwise, experiments", " · pointwise", "audit/experiments is not in the picture"),
        (" · pointwise, experiments", " · pointwise, trials", "audit/trials is no module"),
        ("letters, automaton, series", "letters, series", "calculus/automaton is not in the picture"),
        (" · checks_*", "", "proving/checks_floats is not in the picture"),
    ],
)
def test_another_picture_is_seen(old: str, new: str, said: str) -> None:
    assert README.count(old) == 1
    assert said in complaints(README.replace(old, new))
