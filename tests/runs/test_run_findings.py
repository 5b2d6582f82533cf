"""Planted faults are found, each by its code; a clean run has none."""

import re
from pathlib import Path

import pytest
from synthetic import CLEAN, LOSSES, PLANTED, drawn

from kltheory.proving.theorem import collect, library
from kltheory.runs.codes import RunCode
from kltheory.runs.findings import RULES, findings

USUAL = "-min(w*A, clamp(w, 0.8, 1.2)*A) + 0.04*sg(w)*k2"


def codes(found) -> set[str]:
    return {f.code.number for f in findings(found)}


@pytest.mark.parametrize("code", PLANTED)
def test_a_planted_fault_is_found(code, measured):
    assert code in codes(measured(drawn(5, PLANTED[code])))
    assert code not in codes(measured(drawn(5, CLEAN)))


@pytest.mark.parametrize("code", LOSSES)
def test_a_planted_loss_is_found(code, measured):
    formula, plan = LOSSES[code]
    assert code in codes(measured(drawn(5, plan), formula))
    assert code not in codes(measured(drawn(5, plan), USUAL))


@pytest.mark.parametrize("seed", range(8))
def test_a_clean_run_has_no_alarm(seed, measured):
    assert [f for f in findings(measured(drawn(100 + seed), USUAL)) if f.level] == []


def test_every_code_is_planted():
    assert {c.number for c in RunCode} == {*PLANTED, *LOSSES}


def test_every_code_is_on_the_page():
    page = Path(__file__).parents[2].joinpath("docs", "measure.md").read_text(encoding="utf-8")
    assert {*re.findall(r"KL6\d\d", page)} == {c.number for c in RunCode}


def test_the_worst_comes_first(measured):
    levels = [f.level for f in findings(measured(drawn(5, PLANTED["KL601"]).drop("reward"), "-w*A - k2"))]
    assert levels == sorted(levels, reverse=True)
    assert len(set(levels)) == 2


def test_what_a_code_rests_on_is_a_theorem():
    names = {t.name for t in collect([library()])}
    assert {c.rests_on for c in RunCode if c.rests_on} <= names


def test_rules_have_one_place():
    assert len({rule.__name__ for rule in RULES}) == len(RULES)
