"""Rows: what an audit says against sums over the vocabulary through the running function, and against the class table.

Every claim of a row about a region is compared on all points that lie in it; ``none`` is compared with what has a name.
"""

from functools import lru_cache
from typing import Any

import audit_zoo
import jax.numpy as jnp
import pytest
import row_oracle
from audit_zoo import ZOO

from kltheory.audit.audit import audit
from kltheory.audit.audited import Audited
from kltheory.audit.target import of_function
from kltheory.report.table import class_table

SLOW = {"with_a_temperature"}


@lru_cache
def audited(name: str) -> Audited:
    case = ZOO[name]
    choices = {k: [v] for k, v in case.settings.items()}
    return audit(of_function(case.function, framework="jax"), choices, case.arguments).variants[0]


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in ZOO])
def test_rows_are_what_a_sum_through_the_running_function_gives(name: str) -> None:
    case = ZOO[name]
    found = audited(name)
    assert not found.failure
    rows = [r.to_json() for r in found.rows]
    main = next(r for r in rows if (r["placement"], r["weight"], r["sampler"]) == ("loss", "none", "policy"))
    assert main["gradient_of"] == case.gradient_of
    tolerance = 1e-9 if main["how"] == "derived" else 1e-6
    assert row_oracle.disagreements(rows, case.call, "jax", case.summed, tolerance) == []
    assert row_oracle.tested(rows) >= 2 or case.gradient_of == "none"
    assert not found.undecided


TABLE = {"k1": "k1", "k2": "k2", "k3": "k3", "abs": "absolute"}


@pytest.mark.parametrize("estimator", TABLE)
def test_rows_are_those_of_the_class_table(estimator: str) -> None:
    found = {(r.placement, r.weight, r.sampler): (r.gradient_of, r.coefficient) for r in audited(TABLE[estimator]).rows}
    table = [r for r in class_table() if r.estimator == estimator]
    assert len(table) == 10
    for r in table:
        name, coefficient = found[r.placement, r.weight, r.sampler.value]
        assert name.replace("-f_divergence", "none").replace("f_divergence", "none") == r.found.name
        assert coefficient == str(r.found.coefficient)


# --- wrong on purpose -------------------------------------------------------------------------------------------------
TWINS: dict[str, tuple[str, Any]] = {
    "negated": ("k2", lambda p, r, o: -audit_zoo.k2(p, r)),
    "halved": ("k3", lambda p, r, o: audit_zoo.k3(r, p) / 2),
    "swapped": ("k3", lambda p, r, o: audit_zoo.k3(p, r)),
    "weighted": ("k2", lambda p, r, o: jnp.exp(p - o) * audit_zoo.k2(p, r)),
    "weight forgotten": ("ppo_ratio", lambda p, r, o: audit_zoo.k3(r, p)),
    "clamp moved": ("huber", lambda p, r, o: jnp.clip(p - r, -0.1, 0.1) ** 2),
}


@pytest.mark.parametrize("twin", TWINS, ids=lambda n: n.replace(" ", "-"))
def test_the_comparison_sees_a_wrong_row(twin: str) -> None:
    name, wrong = TWINS[twin]
    rows = [r.to_json() for r in audited(name).rows]
    assert row_oracle.disagreements(rows, wrong)


def test_the_comparison_sees_a_divergence_that_is_called_none() -> None:
    rows = [r.to_json() | {"gradient_of": "none"} for r in audited("k2").rows]
    assert any("is a multiple of reverse_kl" in text for text in row_oracle.disagreements(rows, ZOO["k2"].call))


def test_a_second_reading_is_shown_where_no_axis_is_summed() -> None:
    def products(logp, ref_logp):
        return jnp.exp(logp) * (logp - ref_logp)

    tokens, vocabulary = audit(of_function(products)).variants
    assert (tokens.rows[0].gradient_of, vocabulary.rows[0].gradient_of) == ("none", "reverse_kl")
    assert vocabulary.name == "the last axis is the vocabulary"
