"""The codes of findings and their page: in step, every example audited, and every twin without what it is a twin of."""

import re
from dataclasses import replace
from typing import Any

import pytest
from findings_page import PAGE, ROOT, functions, sections
from sympy import cos, sin

from kltheory.audit.audit import audit, of_rows
from kltheory.audit.audited import Audit, Audited
from kltheory.audit.binding import bind
from kltheory.audit.codes import Code, Level
from kltheory.audit.derived import Derived
from kltheory.audit.finding import Finding
from kltheory.audit.recover import recover
from kltheory.audit.rows import rows
from kltheory.audit.target import of_function
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import log_ratio

BY_HAND = (Code.ROW_UNDECIDED, Code.ROW_DISAGREES)  # in an order that workers share
"""No function is known that has them."""
IN_TORCH = {Code.CHANGES_INPUT}
ON_RESPONSES = {Code.RECOGNISED, Code.COUPLED_ON_RESPONSES, Code.RESPONSES_COUPLED, Code.NOT_ON_RESPONSES}


def complaints(page: str) -> list[str]:
    """Where the page and the table are not in step."""
    found = {s.number: s for s in sections(page)}
    wrong = [f"{number} is no code" for number in found if number not in {c.number for c in Code}]
    for code in Code:
        section = found.get(code.number)
        if section is None:
            wrong.append(f"{code.number} is not on the page")
            continue
        said = " ".join(section.text.split())
        if (section.label, section.level) != (code.label, code.level.name.lower()):
            wrong.append(f"{code.number} is {code.label} ({code.level.name.lower()})")
        wrong += [f"{code.number}: {x}" for x in (code.meaning, code.change) if x.lower() not in said.lower()]
    return wrong


def test_the_page_and_the_table_are_in_step() -> None:
    assert complaints(PAGE) == []
    assert [s.number for s in sections(PAGE)] == [c.number for c in Code]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("### KL101 no_gradient (alarm)", "### KL101 no_gradient (note)"),
        ("### KL101 no_gradient", "### KL199 no_gradient"),
        ("detach", "attach"),
    ],
)
def test_a_page_out_of_step_is_seen(old: str, new: str) -> None:
    assert old in PAGE
    assert complaints(PAGE.replace(old, new))


def test_numbers_are_unique_and_stand_under_their_hundred() -> None:
    numbers = [c.number for c in Code]
    assert len(set(numbers)) == len(numbers)
    assert numbers == sorted(numbers)
    hundreds = {Level.UNDECIDED: "4", Level.FAILURE: "5"}
    assert all((c.number[2] == hundreds[c.level]) if c.level in hundreds else c.number[2] in "1239" for c in Code)


def test_theorems_on_the_page_are_in_the_library() -> None:
    library = "".join(p.read_text(encoding="utf-8") for p in ROOT.joinpath("proofs").glob("*.py"))
    named = re.findall(r"`(\w+)`", " ".join(re.findall(r"^Rests on .*$", PAGE, flags=re.MULTILINE)))
    assert len(named) > 10
    assert [name for name in named if f"\ndef {name}(" not in library] == []


def codes(function: Any, of: Code) -> set[Code]:
    target = of_function(function, framework="torch" if of in IN_TORCH else "jax")
    return {f.code for v in audit(target, responses=of in ON_RESPONSES).variants for f in v.findings}


EXAMPLES = [
    pytest.param(code, marks=[pytest.mark.torch] * (code in IN_TORCH), id=code.label)
    for code in Code
    if code not in BY_HAND
]


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_example_has_the_code_and_its_twin_has_not(code: Code) -> None:
    if code in IN_TORCH:
        pytest.importorskip("torch", reason="PyTorch is not installed; `make test` installs it")
    example, twin = functions(code)
    assert code in codes(example, code)
    assert code not in codes(twin, code)


# --- by hand ----------------------------------------------------------------------------------------------------------
def square(logp: Any, ref_logp: Any) -> Any:
    return (logp - ref_logp) ** 2 / 2


WRONG = {
    Code.ROW_DISAGREES: lambda e: 2 * e,
    Code.ROW_UNDECIDED: lambda e: e * (sin(log_ratio) ** 2 + cos(log_ratio) ** 2),
}


@pytest.mark.parametrize("code", BY_HAND, ids=lambda c: c.label)
def test_a_formula_that_is_not_the_functions_is_undecided(code: Code) -> None:
    found = recover(bind(of_function(square, framework="jax"), {}, {}))
    assert isinstance(found, Derived)
    other = replace(found, surrogate=Surrogate(WRONG[code](found.surrogate.expr)))
    assert code in {f.code for f in of_rows(tuple(rows(other, ("loss",))), other)}
    assert list(of_rows(tuple(rows(found, ("loss",))), found)) == []


# --- the exit status --------------------------------------------------------------------------------------------------
NOTE, ALARM, OPEN, FAILED = Code.ASSUMED, Code.NO_GRADIENT, Code.COUPLED, Code.RAISES
STATUSES: list[tuple[list[list[Code]], int]] = [
    ([[]], 0),
    ([[NOTE]], 0),
    ([[NOTE, ALARM], []], 1),
    ([[ALARM, OPEN]], 2),
    ([[ALARM], [OPEN]], 2),
    ([[FAILED], [FAILED, NOTE]], 3),
    ([[FAILED], [NOTE]], 1),
    ([[FAILED], [OPEN]], 2),
    ([], 3),
]


@pytest.mark.parametrize(("variants", "status"), STATUSES)
def test_the_exit_status_is_that_of_the_worst_level(variants: list[list[Code]], status: int) -> None:
    seen = tuple(Audited("", {}, findings=tuple(Finding(code, "") for code in codes)) for codes in variants)
    assert Audit(of_function(square, framework="jax"), ("loss",), seen).status == status
