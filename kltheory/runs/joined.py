"""From a function to the formula of its loss: the audit reads it once, and the run is measured with what it read."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from kltheory.audit.audit import audit_subject
from kltheory.audit.binding import bind
from kltheory.audit.codes import Code
from kltheory.audit.letters import by_path
from kltheory.audit.reading import Reading
from kltheory.audit.target import CannotRun, load
from kltheory.audit.variants import variants
from kltheory.runs.schema import NoRun

TOLD: Final = (Code.ASSUMED, Code.LEFT_OUT)
"""Of what the audit notes, what a formula rests on."""


class Read(NamedTuple):
    """What was read: the formula of one token as ``kltheory identify`` reads it, and what was assumed."""

    formula: str
    notes: tuple[str, ...]


def formula_of(text: str, choices: Mapping[str, list[Any]], arguments: Mapping[str, str]) -> Read:
    """The formula that a function applies to each token. What it divides by, the same for all, is left out.

    Args:
        text: the function, as ``kltheory audit`` takes it.
        choices: setting to its one value.
        arguments: role to parameter, where names do not tell.

    Raises:
        NoRun: it cannot be called, has several variants, no one formula for every token, or one with a number that
            nobody gave: the run had it.
    """
    try:
        target = load(text)
        first, *others = variants(target, choices)
        if others:
            names = "; ".join(v.name for v in (first, *others))
            raise NoRun(f"{text} has several variants, choose one with --set: {names}")
        one = audit_subject("", bind(target, arguments, first.settings, None), ("loss",), responses=False)
    except CannotRun as e:
        raise NoRun(str(e)) from None
    if one.failure:
        raise NoRun(f"{text}: {one.failure}")
    reading = one.found
    if reading is None or reading.formula is None or not reading.is_of_each_token or reading.sums_vocabulary:
        why = "; ".join(f.text for f in (*one.undecided, *one.notes)) or "it sums over the vocabulary"
        raise NoRun(f"{text} has no one formula for every token ({why}): give it with --formula")
    if reading.letters:
        raise NoRun(f"{text} needs numbers for {', '.join(reading.letters)}: {_to_set(reading)}")
    return Read(reading.formula, tuple(f.text for f in one.of(*TOLD)))


def _to_set(reading: Reading) -> str:
    """The options that give its letters their numbers."""
    return " ".join(f"--set {path}=VALUE" for path, x in by_path(reading.subject) if str(x) in reading.letters)
