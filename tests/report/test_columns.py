"""Columns and facts: as wide as they may be, and never a word cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kltheory.report.columns import columns, facts, paragraphs, wrap

WORD = st.text(alphabet="abcπ‖-_", min_size=1, max_size=9)
CELL = st.lists(WORD, max_size=6).map(" ".join)
TABLE = st.integers(1, 5).flatmap(lambda n: st.lists(st.tuples(*[CELL] * n), min_size=2, max_size=5))
HEAD = ("placed", "gradient of")
ROWS = [HEAD, ("loss", "KL(π‖π_ref) near the reference"), ("reward", "none")]


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (None, ["placed  gradient of", "loss    KL(π‖π_ref) near the reference", "reward  none"]),
        (38, ["placed  gradient of", "loss    KL(π‖π_ref) near the reference", "reward  none"]),
        (37, ["placed  gradient of", "loss    KL(π‖π_ref) near the", "        reference", "reward  none"]),
        (
            18,
            [
                "placed loss ·",
                "  gradient of",
                "  KL(π‖π_ref) near",
                "  the reference",
                "placed reward ·",
                "  gradient of none",
            ],
        ),
    ],
)
def test_a_table_wraps_and_then_becomes_a_list(width: int | None, lines: list[str]) -> None:
    assert columns(ROWS, width=width) == lines


def words(lines: list[str]) -> set[str]:
    return {word for line in lines for word in line.split()}


@given(TABLE, st.integers(45, 120))
@settings(deadline=None)
def test_no_line_is_too_long_and_no_word_is_cut(rows: list[tuple[str, ...]], width: int) -> None:
    shown = columns(rows, width=width)
    assert max(map(len, shown), default=0) <= width
    body = words([" ".join(row) for row in rows[1:]])
    assert body <= words(shown) <= body | words([" ".join(rows[0])]) | {"·"}


@given(st.lists(st.tuples(WORD, CELL), min_size=1), st.integers(45, 120))
@settings(deadline=None)
def test_facts_fit_and_are_whole(pairs: list[tuple[str, str]], width: int) -> None:
    shown = facts(pairs, width, "  ")
    assert max(map(len, shown), default=0) <= width
    assert words(shown) == words([" ".join(pair) for pair in pairs if pair[1]])


def test_facts_stand_beside_their_labels() -> None:
    assert facts([("a", "x\ny"), ("none", ""), ("long", "z")]) == ["a     x", "      y", "long  z"]
    assert facts([("a", "one two three four five six")], 25, "  ") == ["  a  one two three four", "     five six"]


def test_a_word_longer_than_the_line_stays_whole() -> None:
    assert wrap("a " + "b" * 30 + " c", 10) == ["a", "b" * 30, "c"]
    assert paragraphs(["a " + "b" * 30], 10, "  ") == ["a", "  " + "b" * 30]
