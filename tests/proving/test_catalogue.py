"""The catalogue: every number once, every theorem of the library under one, and what the command and the README say."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from sympy import S

from kltheory.cli import cli
from kltheory.proving import theorem as collecting
from kltheory.proving.catalogue import UNTREATED, entries, labels, sections
from kltheory.proving.scalars import Identity
from kltheory.proving.theorem import CollectionError, Theorem, collect, library
from kltheory.report import coverage
from kltheory.report.coverage import Coverage, by_section, by_source, publication, with_block

ROOT = Path(__file__).parents[2]
LIBRARY = collect([library()])
EXISTING = [
    *(f"S{n}" for n in range(1, 9)),
    *(str(n) for n in (*range(1, 123), *range(129, 207)) if n not in (112, 115)),
]


def call(*arguments: object, status: int = 0) -> str:
    result = CliRunner().invoke(cli, list(map(str, arguments)), prog_name="kltheory")
    assert result.exit_code == status, result.output
    return result.stdout


def named(name: str, *catalogue: str, sources: tuple[str, ...] = (), about: tuple[str, ...] = ()) -> Theorem:
    return Theorem(name, "s", lambda: TRUE, catalogue, sources, about=about)


# --- the data ---------------------------------------------------------------------------------------------------------
def test_every_number_is_there_once_and_in_order():
    assert [e.number for s in sections() for e in s.entries] == EXISTING
    assert list(entries()) == EXISTING
    assert [s.letter for s in sections()] == [*"SABCDEFGHIJKLMN", "PL", "GR", "WR", "PR", "DI", "EN"]


@pytest.mark.parametrize("entry", entries().values(), ids=list(entries()))
def test_an_entry_is_a_title_and_a_known_kind(entry):
    assert entry.kind in UNTREATED
    assert 1 <= len(entry.title.split()) <= 10
    assert entry.title[-1] not in ".,"
    assert entry.remains(())
    assert len(entry.parts) != 1, "one part is no part"
    assert all(p.text[-1] not in ".," for p in entry.parts)


def test_parts_are_lettered_in_their_order():
    assert entries()["17"].labels == ("17a", "17b", "17c")
    assert entries()["15"].labels == ("15",)
    assert labels()["17b"] is entries()["17"]
    assert "17" not in labels()


def test_titles_tell_numbers_apart():
    titles = [e.title for e in entries().values()]
    assert len(set(titles)) == len(titles)


def test_every_number_that_the_library_cites_is_in_the_catalogue():
    assert {n for t in LIBRARY for n in t.catalogue} <= labels().keys()


def test_a_part_that_stays_open_says_why_and_no_other_does():
    """What has a theorem needs no reason: a stale one would say that it is open."""
    cited = Coverage.of(LIBRARY).cited
    parts = [p for e in entries().values() for p in e.parts]
    assert [p.label for p in parts if bool(p.why) == (p.label in cited)] == []


def test_a_theorem_of_the_library_may_not_invent_a_number(tmp_path, monkeypatch):
    """A number that has parts is none; a user's file may cite what it likes."""
    file = tmp_path / "mine.py"
    file.write_text(
        "from kltheory.proving.vocabulary import *\n\n\n@theorem(catalogue=('4', '17'))\ndef t():\n    '''A.'''\n",
        encoding="utf-8",
    )
    assert [t.catalogue for t in collect([file])] == [("4", "17")]
    monkeypatch.setattr(collecting, "library", lambda: tmp_path)
    message = re.escape(f"{file}:4: theorem t cites 17, not in catalogue.toml")
    with pytest.raises(CollectionError, match=message):
        collect([file])


# --- coverage ---------------------------------------------------------------------------------------------------------
def test_what_is_missing():
    found = Coverage.of([named("a", "S1", "48a"), named("b", "48a", "our own 7"), named("c")])
    assert found.cited == {"S1", "48a"}
    assert [e.number for e in found.settled()] == ["S1"]
    assert [e.number for e in found.missing()] == [n for n in EXISTING if n not in ("S1", "48")]
    assert [e.number for e in found.in_part()] == ["48"]
    assert found.reason(entries()["48"]) == "from which β on training is unstable (a measurement)"
    assert found.summary() == f"1 of {len(EXISTING)} numbers settled, 1 more in part"
    both = Coverage.of([named("a", "48a"), named("b", "48b")])
    assert ([e.number for e in both.settled()], both.in_part()) == (["48"], [])
    assert Coverage.of([named("a", "48")]).cited == set(), "a number with parts is cited by its parts"
    assert Coverage.of([named("a", "S1")]).summary() == f"1 of {len(EXISTING)} numbers settled"


def test_the_block_counts_and_names_what_is_missing():
    block = Coverage.of([named("a", "116", "119a"), named("b", "S1", "S2", "S5", "S7", "S8")]).markdown().splitlines()
    assert "| S. The seed: arXiv 2510.01555 | 5 of 8 |  | S3, S4, S6 |" in block
    assert "| M. Floating point | 1 of 2 |  | 117 |" in block
    assert "| N. Measured in training runs | 0 of 5 | 119 | 118, 120-122 |" in block
    assert block[-1] == f"6 of {len(EXISTING)} numbers settled, 1 more in part."


def test_the_readme_has_the_block_of_this_library():
    """``python -m kltheory.report.coverage --write README.md`` writes it."""
    readme = ROOT.joinpath("README.md").read_text(encoding="utf-8")
    assert readme == with_block(readme, Coverage.of(LIBRARY).markdown())


def test_the_block_is_written_between_the_comments(tmp_path, capsys):
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- coverage -->\nold\n<!-- /coverage -->\nafter\n", encoding="utf-8")
    coverage.main(["--write", str(readme)])
    coverage.main([])
    block = capsys.readouterr().out
    assert readme.read_text(encoding="utf-8") == f"before\n<!-- coverage -->\n{block}<!-- /coverage -->\nafter\n"
    with pytest.raises(ValueError, match="there is no <!-- coverage"):
        with_block("no comments", block)
    with pytest.raises(SystemExit, match=r"--write README\.md"):
        coverage.main(["README.md"])


# --- groups -----------------------------------------------------------------------------------------------------------
TRUE = Identity(S.One, S.One)
FEW = [
    named("a", "4", "S5", sources=("arXiv 2510.01555, Theorem 5.1", "J. Doe 1999")),
    named("b", "5", sources=("MiniMax-01, arXiv 2510.01555",)),
    named("c"),
    named("d", "our own 7", sources=("J. Doe 1999; arXiv 2501.08313",)),
    named("e", "17c", about=("arXiv 2501.08313",)),
]


def test_groups_by_section_and_by_source():
    def names(groups):
        return {g.title.split(".")[0]: [t.name for t in g.theorems] for g in groups}

    assert names(by_section(FEW)) == {
        "S": ["a"], "A": ["a", "b"], "B": ["e"], "Without a number of the catalogue": ["c", "d"],
    }  # fmt: skip
    assert {g.title: [t.name for t in g.theorems] for g in by_source(FEW)} == {
        "J. Doe 1999": ["a", "d"],
        "arXiv 2501.08313": ["d", "e"],
        "arXiv 2510.01555": ["a", "b"],
        "Without a source": ["c"],
    }


def test_a_sentence_about_a_paper_is_told_from_one_that_rests_on_it():
    group = next(g for g in by_source(FEW) if g.title == "arXiv 2501.08313")
    assert [line.endswith(" (about it)") for line in group.lines()] == [False, True]


def test_a_place_in_a_paper_is_no_source_of_its_own():
    assert publication("arXiv 2510.01555, Theorem 5.1") == publication("X, arXiv 2510.01555") == "arXiv 2510.01555"
    assert publication("Xihuai, KL estimators (2025), 7.2-7.3") == "Xihuai, KL estimators (2025), 7.2-7.3"


# --- the command ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("by", ["section", "source"])
def test_list_by(by):
    lines = call("list", "--by", by, "-k", "k3_as_loss").splitlines()
    chosen = [t for t in LIBRARY if "k3_as_loss" in t.name]
    shown = [line.split()[1] for line in lines if line.startswith("    ")]
    assert set(shown) == {t.name for t in chosen}
    verdict = {line.split()[1]: line.split()[0] for line in lines if line.startswith("    ")}
    assert verdict == {t.name: t.expected().value for t in chosen}
    assert lines[-1] == Coverage.of(chosen).summary()
    groups = json.loads(call("list", "--by", by, "-k", "k3_as_loss", "--json"))["groups"]
    assert [g["title"] for g in groups] == [line for line in lines[:-1] if not line.startswith(" ")]
    assert [t["name"] for g in groups for t in g["theorems"]] == shown


def test_list_missing():
    lines = call("list", "--missing").splitlines()
    found = Coverage.of(LIBRARY)
    assert lines[-1] == found.summary()
    shown = [line.split()[0] for line in lines[:-1] if line.startswith(" ")]
    assert sorted(shown) == sorted(e.number for e in (*found.missing(), *found.in_part()))
    assert all(": " in line for line in lines[:-1] if line.startswith(" "))
    data = json.loads(call("list", "--missing", "--json"))
    assert set(data) == {"schema", "version", "summary", "missing"}
    assert data["summary"] == {
        "numbers": len(EXISTING), "settled": len(found.settled()), "in_part": len(found.in_part()),
    }  # fmt: skip
    assert {e["number"]: e["reason"] for e in data["missing"]}["118"] == UNTREATED["empirical"]
    assert all(set(e) == {"number", "section", "title", "kind", "settled", "reason"} for e in data["missing"])


def test_two_questions_at_once_are_refused():
    assert call("list", "--missing", "--by", "section", status=2) == ""
