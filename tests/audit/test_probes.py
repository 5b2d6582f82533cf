"""What probes say in numbers. That each finds what it is for, and leaves a twin alone, is on the page of codes."""

from functools import cache
from typing import Any

import jax.numpy as jnp
import pytest

from kltheory.audit.audit import audit
from kltheory.audit.finding import Finding
from kltheory.audit.target import of_function


def k3(logp: Any, ref_logp: Any) -> Any:
    return jnp.exp(ref_logp - logp) - 1 - (ref_logp - logp)


def capped(logp: Any, ref_logp: Any) -> Any:
    return jnp.clip(k3(logp, ref_logp), -10, 10)


@cache
def findings(function: Any) -> list[Finding]:
    (found,) = audit(of_function(function, framework="jax"), placements=("loss",), responses=False).variants
    assert not found.failure
    return [f for f in found.findings if f.code.probe]


def test_a_dead_zone_is_given_in_l_and_as_a_ratio() -> None:
    near, *_ = [f for f in findings(capped) if f.code.probe == "dead_zone"]
    assert near.data["l"] == [None, pytest.approx(-2.610869, abs=1e-5)]
    assert near.data["ratio"][0] == pytest.approx(13.6109, abs=1e-3)
    assert "the gradient vanishes for l < -2.611, where π_ref/π > 13.61" in near.text


def test_overflow_is_told_by_type() -> None:
    types = {d for f in findings(k3) if f.code.probe == "not_finite" and -20.0 in f.data["l"] for d in f.data["dtypes"]}
    assert types == {"float16"}
