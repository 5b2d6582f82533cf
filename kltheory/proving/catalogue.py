"""The catalogue: numbered claims that the theorem library is to settle, read from ``catalogue.toml``."""

import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import ascii_lowercase
from typing import Final

UNTREATED: Final = {
    "one step": "no theorem cites it yet",
    "sequences": "no theorem cites it yet",
    "pairs": "no theorem cites it yet",
    "empirical": "a measurement: not provable",
}
"""Kind of claim to the reason why it is not settled, unless the catalogue gives another."""


@dataclass(frozen=True)
class Part:
    """One assertion of several under a number: what a theorem cites, ``17c``, and, if it stays open, why."""

    label: str
    text: str
    why: str = ""


@dataclass(frozen=True)
class Entry:
    """One numbered claim; where its text asserts several things, each is a part, and a theorem cites parts."""

    number: str
    section: str
    kind: str
    title: str
    parts: tuple[Part, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """What theorems cite: the parts, or the number where there are none."""
        return tuple(p.label for p in self.parts) or (self.number,)

    def settled(self, cited: Collection[str]) -> bool:
        """Whether every part has a theorem."""
        return all(label in cited for label in self.labels)

    def in_part(self, cited: Collection[str]) -> bool:
        """Whether a part has a theorem, and not every one."""
        return any(label in cited for label in self.labels) and not self.settled(cited)

    def remains(self, cited: Collection[str]) -> str:
        """What is not settled, and why."""
        open_ = [p for p in self.parts if p.label not in cited]
        if not open_ or len(open_) == len(self.parts):
            return UNTREATED[self.kind]
        return "; ".join(f"{p.text} ({p.why or UNTREATED[self.kind]})" for p in open_)


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
        Section(letter, s["title"], tuple(_entry(letter, *row) for row in s["claims"])) for letter, s in data.items()
    )


def _entry(section: str, number: str, kind: str, title: str, parts: Sequence[Sequence[str]] = ()) -> Entry:
    """Parts are lettered in their order."""
    lettered = tuple(Part(number + letter, *part) for letter, part in zip(ascii_lowercase, parts, strict=False))
    return Entry(number, section, kind, title, lettered)


@cache
def entries() -> dict[str, Entry]:
    """Number to entry."""
    return {e.number: e for s in sections() for e in s.entries}


@cache
def labels() -> dict[str, Entry]:
    """What a theorem may cite, a number or a part of one, to its entry."""
    return {label: e for e in entries().values() for label in e.labels}
