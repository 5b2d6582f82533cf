"""Probes: dead zones, overflow, cancellation, masks, padding, vocabularies; each beside what it must leave alone."""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from kltheory.audit.audit import audit
from kltheory.audit.codes import Level
from kltheory.audit.finding import Finding
from kltheory.audit.target import of_function


def k3(logp: Any, ref_logp: Any) -> Any:
    return jnp.exp(ref_logp - logp) - 1 - (ref_logp - logp)


def mean(k: Any, mask: Any) -> Any:
    return (k * mask).sum() / mask.sum()


def wide(logits: Any, ref_logits: Any) -> Any:
    lp, lq = jax.nn.log_softmax(logits), jax.nn.log_softmax(ref_logits)
    return jnp.exp(lp) * (lp - lq)


ROWS: list[tuple[str, bool, Any, Any]] = [
    (
        "dead_zone",
        True,
        lambda logp, ref_logp: jnp.clip(k3(logp, ref_logp), -10, 10),
        lambda logp, ref_logp: k3(logp, ref_logp),
    ),
    (
        "dead_zone",
        False,
        lambda logp, ref_logp: jnp.clip(logp - ref_logp, -20, 20) ** 2,
        lambda logp, ref_logp: (logp - ref_logp) ** 2,
    ),
    (
        "not_finite",
        True,
        lambda logp, ref_logp: jnp.exp(20 * (ref_logp - logp)) ** 2,
        lambda logp, ref_logp: jnp.tanh(logp - ref_logp),
    ),
    ("cancellation", False, k3, lambda logp, ref_logp: (logp - ref_logp) ** 2),
    (
        "masked_junk",
        True,
        lambda logp, ref_logp, mask: mean(k3(logp, ref_logp), mask),
        lambda logp, ref_logp, mask: mean(
            k3(jnp.where(mask > 0, logp, 0.0), jnp.where(mask > 0, ref_logp, 0.0)), mask
        ),
    ),
    (
        "padding",
        True,
        lambda logp, ref_logp, mask: (k3(logp, ref_logp) * mask).mean(),
        lambda logp, ref_logp, mask: mean(k3(logp, ref_logp), mask),
    ),
    (
        "batch_size",
        False,
        lambda logp, ref_logp, mask: (k3(logp, ref_logp) * mask).sum(),
        lambda logp, ref_logp, mask: mean(k3(logp, ref_logp), mask),
    ),
    (
        "vocabulary_mean",
        True,
        lambda logits, ref_logits: wide(logits, ref_logits).mean(-1),
        lambda logits, ref_logits: wide(logits, ref_logits).sum(-1),
    ),
]  # fmt: skip


@cache
def findings(function: Any) -> list[Finding]:
    (found,) = audit(of_function(function, framework="jax"), placements=("loss",), responses=False).variants
    assert not found.failure
    return [f for f in found.findings if f.code.probe]


@pytest.mark.parametrize(
    ("probe", "alarm", "wrong", "right"), ROWS, ids=[f"{n}-{'alarm' if a else 'told'}" for n, a, _, _ in ROWS]
)
def test_a_finding_and_its_twin(probe: str, alarm: bool, wrong: Any, right: Any) -> None:
    seen = [f for f in findings(wrong) if f.code.probe == probe]
    assert seen
    assert any(f.level is Level.ALARM for f in seen) is alarm
    assert [f for f in findings(right) if f.code.probe == probe] == []


def test_a_dead_zone_is_given_in_l_and_as_a_ratio() -> None:
    near, *_ = [f for f in findings(ROWS[0][2]) if f.code.probe == "dead_zone"]
    assert near.data["l"] == [None, pytest.approx(-2.610869, abs=1e-5)]
    assert near.data["ratio"][0] == pytest.approx(13.6109, abs=1e-3)
    assert "the gradient vanishes for l < -2.611, where π_ref/π > 13.61" in near.text


def test_overflow_is_told_by_type() -> None:
    types = {d for f in findings(k3) if f.code.probe == "not_finite" and -20.0 in f.data["l"] for d in f.data["dtypes"]}
    assert types == {"float16"}
