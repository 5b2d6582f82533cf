"""The class table: the catalogue's rows by name, and every row by autodiff of both sides."""

import json
import re
from functools import cache
from itertools import product

import pytest
from sympy import Abs, S, exp, log, simplify

from kltheory.calculus.divergence import Objective, u
from kltheory.calculus.estimators import ESTIMATORS, Estimator
from kltheory.calculus.placement import PLACED, WEIGHTS
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import log_ratio as l
from kltheory.calculus.symbols import log_weight, logp
from kltheory.numerics import autodiff
from kltheory.numerics.settings import standard_settings
from kltheory.numerics.tolerance import residual
from kltheory.report.table import Row, class_table, markdown, plain
from kltheory.report.verdict import verdict

WHERE = [(p, w) for p, w in product(PLACED, WEIGHTS) if (p, w) != ("reward", "live")]
KEYS = [(k.name, *placed, s.value) for k, placed, s in product(ESTIMATORS, WHERE, Sampler)]
EACH = pytest.mark.parametrize("key", KEYS, ids=map("-".join, KEYS))


@cache
def table() -> dict[tuple[str, str, str, str], Row]:
    """The rows by what they are about: computed by the worker that looks at them, and not where tests are collected."""
    return {(r.estimator, r.placement, r.weight, r.sampler.value): r for r in class_table()}


def rows() -> list[Row]:
    return list(table().values())


CATALOGUE = [
    # claim 3: on-policy, no weight
    ("k1", "reward", "none", "policy", "reverse_kl"),
    ("k1", "loss", "none", "policy", "zero"),
    ("k2", "reward", "none", "policy", "none"),
    ("k2", "loss", "none", "policy", "reverse_kl"),
    ("k3", "reward", "none", "policy", "reverse_kl - forward_kl"),
    ("k3", "loss", "none", "policy", "forward_kl"),
    ("abs", "reward", "none", "policy", "none"),
    ("abs", "loss", "none", "policy", "2*total_variation"),
    # claim 66: sampled by the old policy
    ("k1", "loss", "live", "old", "reverse_kl"),
    ("k3", "loss", "live", "old", "reverse_kl"),
    ("k2", "loss", "detached", "old", "reverse_kl"),
    ("k2", "loss", "live", "old", "none"),
    ("k3", "loss", "detached", "old", "forward_kl"),
    ("k1", "loss", "detached", "old", "zero"),
    ("k1", "loss", "none", "old", "-kl_old_policy"),
    ("k2", "loss", "none", "old", "none"),
    ("k3", "loss", "none", "old", "none"),
    # the rows beside them that the same claims give
    ("k1", "reward", "detached", "old", "reverse_kl"),
    ("k3", "reward", "detached", "old", "reverse_kl - forward_kl"),
    ("abs", "loss", "detached", "old", "2*total_variation"),
    # claim 68: on-policy with w = π/sg(π) the table of 66 holds
    ("k1", "loss", "live", "policy", "reverse_kl"),
    ("k3", "loss", "live", "policy", "reverse_kl"),
    ("k2", "loss", "detached", "policy", "reverse_kl"),
    ("k2", "loss", "live", "policy", "none"),
    ("k3", "loss", "detached", "policy", "forward_kl"),
    ("k1", "loss", "detached", "policy", "zero"),
]


@pytest.mark.parametrize(("estimator", "placement", "weight", "sampler", "name"), CATALOGUE)
def test_a_row_of_the_catalogue(estimator, placement, weight, sampler, name):
    row = table()[estimator, placement, weight, sampler]
    assert row.to_json()["gradient_of"] == name


def test_every_combination_is_a_row():
    assert len(list(class_table())) == len(table())
    assert set(table()) == set(KEYS)


DIVERGENCES = {"reverse_kl", "forward_kl", "2*total_variation"}


@EACH
def test_what_is_a_divergence_and_who_matters(key):
    row = table()[key]
    data = row.to_json()
    known = data["gradient_of"] in DIVERGENCES
    live_abs = (row.estimator, row.weight) == ("abs", "live")
    assert known <= (data["is_divergence"] is True)
    assert (data["is_divergence"] is True) <= (known or live_abs)
    assert data["depends_on_sampler"] == (row.sampler is Sampler.OLD and row.weight == "none")


# --- the same, by autodiff and without coefficients -------------------------------------------------------------------
STANDARD = standard_settings()
ONES = tuple(abs(s.advantage).max(-1) * 0 + 1.0 for s in STANDARD)


def objective_of(row: Row) -> Objective | None:
    """The sum that the row says is descended."""
    found = row.found
    if found.terms is not None:
        return sum((scale * d.objective for scale, d in found.terms), Objective(S.Zero))
    if found.f is not None:
        return Objective(exp(logp - l) * found.f.xreplace({u: exp(l)}))
    return found.objective


def gap(row: Row, objective: Objective) -> float:
    surrogate = autodiff.expected_gradient(row.surrogate, STANDARD, row.sampler)
    gradient = autodiff.objective_gradient(objective.summand, STANDARD)
    scale = tuple(abs(g).sum(-1) + one for g, one in zip(gradient, ONES, strict=True))
    return residual(surrogate, gradient, scale, STANDARD).value


@EACH
def test_what_is_descended_has_the_gradient_that_code_has_and_no_other(key):
    """The twin of those that are not zero: with k2/1000 on top, or doubled, the comparison fails."""
    row = table()[key]
    objective = objective_of(row)
    assert objective is not None
    assert gap(row, objective) < 1e-11
    if row.found.terms != ():
        assert gap(row, objective + Objective(exp(logp) * l**2 / 2000)) > 1e-6
        assert gap(row, 2 * objective) > 1e-6


def test_the_potentials_that_have_no_name():
    g = (u * log(u) ** 2 - 2 * u * log(u) + 2 * u) / 2 - 1  # claim 17
    assert simplify(table()["k2", "reward", "none", "policy"].found.f - g) == 0
    assert simplify(table()["k2", "loss", "live", "old"].found.f - u * log(u) ** 2 / 2) == 0
    assert verdict(table()["k2", "loss", "none", "old"].found) == "E_old[l**2/2]"
    assert verdict(table()["k3", "loss", "none", "old"].found) == "E_old[l - 1 + exp(-l)]"


def test_a_new_estimator_is_new_rows():
    mine = list(class_table((Estimator("mine", Abs(l) + l + log_weight * 0),)))
    assert {r.estimator for r in mine} == {"mine"}
    assert len(mine) == 10


# --- as text ----------------------------------------------------------------------------------------------------------
def cells(line: str) -> list[str]:
    assert line.startswith("| ")
    assert line.endswith(" |")
    return re.split(r"(?<!\\) \| ", line[2:-2])


def test_markdown_is_a_table():
    head, rule, *body = markdown(rows()).splitlines()
    assert cells(head) == [
        "estimator", "placed", "weight", "C on-policy", "descends on-policy", "C off-policy", "descends off-policy",
    ]  # fmt: skip
    assert rule == "|" + "---|" * 7
    assert len(body) == len(rows()) / 2
    assert {len(cells(line)) for line in body} == {7}
    assert all(text.count("`") % 2 == 0 and text for line in body for text in cells(line))


def test_markdown_says_what_the_rows_say():
    for line in markdown(rows()).splitlines()[2:]:
        estimator, placed, weight, c_on, _, c_off, _ = cells(line)
        for c, sampler in ((c_on, "policy"), (c_off, "old")):
            assert c.replace("\\|", "|") == f"`{table()[estimator, placed, weight, sampler].found.coefficient}`"


def test_a_bar_in_a_cell_is_escaped():
    mine = list(class_table((Estimator("a|b", l),)))
    assert all(len(cells(line)) == 7 for line in markdown(mine).splitlines()[2:])
    assert r"| a\|b | loss |" in markdown(mine)


def test_plain_text_is_in_columns():
    head, *body = plain(rows()).splitlines()
    column = head.index("coefficient")
    assert len(body) == len(rows())
    assert all(line[column - 1] == " " and line[column] != " " for line in body)
    assert not [line for line in (head, *body) if line != line.rstrip()]


def test_rows_are_plain_data():
    data = json.loads(json.dumps([r.to_json() for r in rows()]))
    assert data == [r.to_json() for r in rows()]
