"""The catalogue: numbered claims that the theorem library is to settle, read from ``catalogue.toml``."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

UNTREATED: Final = {
    "one step": "no theorem cites it yet",
    "sequences": "sequence level: not treated yet",
    "empirical": "a measurement: not provable",
}
"""Kind of claim to the reason why it is not settled, unless the catalogue gives another."""


@dataclass(frozen=True)
class Entry:
    """One numbered claim; ``remains`` says what of it stays open even when a theorem cites it."""

    number: str
    section: str
    kind: str
    title: str
    remains: str = ""

    @property
    def reason(self) -> str:
        """Why it is not settled, when no theorem cites it."""
        return self.remains or UNTREATED[self.kind]


@dataclass(frozen=True)
class Section:
    """A letter, a title, and the claims under them."""

    letter: str
    title: str
    entries: tuple[Entry, ...]


@cache
def sections() -> tuple[Section, ...]:
    """The catalogue in its order."""
    data = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return tuple(
        Section(letter, s["title"], tuple(Entry(number, letter, *rest) for number, *rest in s["claims"]))
        for letter, s in data.items()
    )


@cache
def entries() -> dict[str, Entry]:
    """Number to entry."""
    return {e.number: e for s in sections() for e in s.entries}
