"""Confirmation: what was traced is what runs, to a few roundings, in value and in derivative."""

from typing import Any

import pytest
from sympy import Rational

from kltheory.audit.binding import bind
from kltheory.audit.confirm import Disagreement, confirm
from kltheory.audit.layout import Layout
from kltheory.audit.recover import traced
from kltheory.audit.subject import Subject
from kltheory.audit.target import of_function
from kltheory.calculus.symbols import logp, sg

LAYOUT = Layout((2, 2))
TOO_MUCH = Rational(1, 10**12)
"""Two hundred times what rounding does, and a millionth of what single precision would hide."""


def k2(logp: Any, ref_logp: Any) -> Any:
    return (logp - ref_logp) ** 2 / 2


@pytest.fixture
def subject() -> Subject:
    return bind(of_function(k2, framework="jax"), {}, {})


def test_what_was_traced_is_what_runs(subject):
    assert confirm(subject, LAYOUT, traced(subject, LAYOUT), "float64") < 1e-14


def test_a_value_that_is_off_by_more_than_rounding_is_another(subject):
    with pytest.raises(Disagreement, match="the value of entry"):
        confirm(subject, LAYOUT, traced(subject, LAYOUT) * (1 + TOO_MUCH), "float64")


def test_a_derivative_that_is_off_by_more_than_rounding_is_another(subject):
    """The value is the same to the last digit."""
    exprs = traced(subject, LAYOUT)
    p = next(s for s, v in LAYOUT.symbols((1, 1)).items() if v == logp)
    exprs[1, 1] += TOO_MUCH * (p - sg(p))
    with pytest.raises(Disagreement, match=r"the derivative of entry \(1, 1\)"):
        confirm(subject, LAYOUT, exprs, "float64")
