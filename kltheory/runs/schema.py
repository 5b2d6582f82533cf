"""The one schema of a run: a row for each token of each response, logarithms natural, values in nats.

A column that is missing switches off what needs it. Masks are true or false; everything else that is a number is
float64 once it is read.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

VERSION: Final = 1
"""Raised when a column changes its meaning; new columns do not raise it."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: of the column.
        kind: ``key`` (integer or text), ``number``, ``flag``.
        meaning: for people.
        is_log: whether it is the logarithm of a probability, hence at most 0.
    """

    name: str
    kind: str
    meaning: str
    is_log: bool = False


COLUMNS: Final[dict[str, Column]] = {
    c.name: c
    for c in (
        Column("step", "key", "the training step; 0 where there is none"),
        Column("response", "key", "which response, within its step"),
        Column("position", "key", "the token's place in its response, from 0"),
        Column("token", "key", "the token's id"),
        Column("logp", "number", "log π of the token: the policy that is trained", True),
        Column("logp_ref", "number", "log π_ref of it: the reference", True),
        Column("logp_old", "number", "log π_old of it: the policy of the importance weight", True),
        Column("logp_sampler", "number", "log-probability under what really drew it: the inference engine", True),
        Column("advantage", "number", "the token's advantage A"),
        Column("mask", "flag", "whether the token counts; all do where it is missing"),
        Column("reward", "number", "the reward of its response"),
        Column("group", "key", "which prompt it answers: responses of one group are compared with one another"),
        Column("finished", "flag", "whether its response ended by itself"),
    )
}
NEEDED: Final = ("logp",)
"""Without these nothing can be measured."""
FILLED: Final[dict[str, Any]] = {"step": 0, "mask": True}
"""What stands for a column that is missing, where something does."""


class NoRun(Exception):
    """What was given is no run that can be read; the message says what to do."""


def confirm_columns(found: Iterable[str]) -> None:
    """Raise NoRun where the tokens of a run cannot be told from these columns."""
    names = set(found)
    if missing := [n for n in NEEDED if n not in names]:
        known = ", ".join(sorted(names)) or "none"
        raise NoRun(
            f"there is no column {missing[0]} (there are: {known}); say which it is: --columns {missing[0]}=NAME"
        )
    if not names & {"response", "position"}:
        raise NoRun("there is no column response: say which it is, --columns response=NAME")
