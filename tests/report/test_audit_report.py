"""The report of an audit and of a comparison: what stands first, how wide it is, what --details adds."""

import re
from functools import cache
from typing import Any

import jax.numpy as jnp
import pytest

from kltheory.audit.audit import audit
from kltheory.audit.audited import Audit
from kltheory.audit.compare import compare_targets
from kltheory.audit.target import of_function
from kltheory.report import comparison
from kltheory.report.audit import plain


def capped_k3(logps: Any, ref_logps: Any, mask: Any) -> Any:
    d = logps - ref_logps
    return (jnp.clip(jnp.exp(-d) - 1 + d, max=10.0) * mask).sum() / mask.sum()


def clipped_with_penalty(logp: Any, ref_logp: Any, old_logp: Any, advantages: Any, beta: Any) -> Any:
    w = jnp.exp(logp - old_logp)
    return -jnp.minimum(w * advantages, jnp.clip(w, 0.8, 1.2) * advantages) + beta * (logp - ref_logp) ** 2


def centred(logp: Any, ref_logp: Any) -> Any:
    d = logp - ref_logp
    return (d - d.mean()) ** 2


def refuses(logp: Any, ref_logp: Any) -> Any:
    raise ValueError("kl_type is not set, and there are several that it may be: one of k1, k2, k3, abs, mse, full")


def k2(logp: Any, ref_logp: Any) -> Any:
    return (logp - ref_logp) ** 2 / 2


FUNCTIONS = [capped_k3, clipped_with_penalty, centred, refuses]


@cache
def audited(function: Any) -> Audit:
    return audit(of_function(function, framework="jax"), responses=function is capped_k3)


def words(text: str) -> set[str]:
    return set(text.split())


@pytest.mark.parametrize("details", [False, True], ids=["short", "details"])
@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_line_is_too_long_and_no_word_is_cut(function: Any, width: int, details: bool) -> None:
    shown, whole = (plain(audited(function), w, details) for w in (width, None))
    assert max(map(len, shown.splitlines())) <= width
    assert words(shown) - {"·"} == words(whole) - {"·"}


def test_it_begins_with_the_answer_and_the_alarms() -> None:
    lines = plain(audited(capped_k3)).splitlines()
    assert lines[3].startswith("  answer       as a loss it descends KL(π_ref‖π) where")
    assert [line.split()[:2] for line in lines[4:8]] == [
        ["ALARM", "KL109"],
        ["to", "change"],
        ["ALARM", "KL110"],
        ["to", "change"],
    ]
    assert lines[-1] == "1 variant: 2 alarms"


def test_what_could_not_run_says_why_and_what_to_change() -> None:
    _, _, _, first, second, *_, last = plain(audited(refuses)).splitlines()
    assert first.startswith("  COULD NOT RUN KL501  ValueError: kl_type is not set")
    assert second.split() == ["to", "change", *["say", "what", "it", "misses", "with", "--set", "and", "--args"]]
    assert last == "1 variant: 1 could not run"


def test_regions_that_are_not_far_have_a_row() -> None:
    """The cap cuts at l = -2.6, and at l = 11, which is far."""
    rows = [line for line in plain(audited(capped_k3)).splitlines() if line.startswith("  loss    none      ")]
    assert [re.split(r"  +", row)[3:] for row in rows] == [
        ["forward_kl", "none", "-2.610869 < l < 10.99998"],
        ["zero", "zero", "l < -2.610869"],
    ]


def test_details_add_regions_rows_and_notes() -> None:
    short, full = (plain(audited(capped_k3), None, details) for details in (False, True))
    rows = [line for line in full.splitlines() if line.startswith("  loss    none      policy ")]
    assert [re.split(r"  +", row)[4:6] for row in rows] == [
        ["forward_kl", "-2.610869 < l < 10.99998"],
        ["zero", "l < -2.610869"],
        ["zero", "10.99998 < l"],
    ]
    assert "--details shows 7 more notes and the numbers behind each row" in short
    assert "--details" not in full
    for detail in ("residual", "note KL203", "coefficient", "150.1%"):
        assert detail in full
        assert detail not in short


def test_what_was_assumed_is_no_detail() -> None:
    assert re.search(r"note KL901 +beta = 0.5: generic values", plain(audited(clipped_with_penalty)))


@pytest.mark.parametrize("width", [80, 200])
def test_a_comparison_fits(width: int) -> None:
    found = compare_targets((of_function(k2, framework="jax"), {}, {}), (of_function(centred, framework="jax"), {}, {}))
    for details in (False, True):
        shown, whole = (comparison.plain(found, w, details) for w in (width, None))
        assert max(map(len, shown.splitlines())) <= width
        assert words(shown) == words(whole)
    assert whole.splitlines()[0] == found.verdict
    assert len(comparison.plain(found).splitlines()) < len(whole.splitlines())
