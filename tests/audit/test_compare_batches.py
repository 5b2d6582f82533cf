"""Comparisons of whole batches: the cases that one token cannot tell apart, and random pairs against an oracle."""

import sys

import pytest
from audit.batch_losses import Loss, pair, same

from kltheory.audit.compare import Comparison, compare_targets
from kltheory.audit.target import of_function

pytestmark = pytest.mark.torch


def compared(a: Loss, b: Loss) -> Comparison:
    here, there = (of_function(x.function(), framework=x.framework) for x in (a, b))
    return compare_targets((here, {}, {}), (there, {}, {}))


def complaint(seed: int) -> str:
    """What is wrong with the answer to one pair; empty where nothing is."""
    a, b = pair(seed)
    found, right = compared(a, b), same(a, b)
    if (found.status == 0) == right and found.status != 2:
        return ""
    return f"{seed}: {a} and {b}: {found.verdict}, and they {'agree' if right else 'differ'}"


@pytest.mark.parametrize("seed", range(12))
def test_random_pairs_of_batch_losses(seed: int) -> None:
    pytest.importorskip("torch")
    assert complaint(seed) == ""


def test_a_wrong_answer_is_a_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    right = same
    monkeypatch.setattr(sys.modules[__name__], "same", lambda a, b: not right(a, b))
    assert complaint(1) != ""
