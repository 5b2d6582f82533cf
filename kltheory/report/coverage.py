"""How much of the catalogue the theorems settle: groups, what is missing, and the README's block.

``python -m kltheory.report.coverage`` prints the block, and ``... --write README.md`` puts it in its place.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from kltheory.proving.catalogue import Entry, entries, labels, sections
from kltheory.proving.theorem import Theorem, collect, library

START: Final = "<!-- coverage -->"
END: Final = "<!-- /coverage -->"


@dataclass(frozen=True)
class Coverage:
    """The catalogue beside the theorems that cite it."""

    cited: frozenset[str]

    @classmethod
    def of(cls, theorems: Sequence[Theorem]) -> "Coverage":
        """The numbers, and parts of numbers, that these theorems cite; numbers of a user's own do not count."""
        return cls(frozenset(n for t in theorems for n in t.catalogue) & labels().keys())

    def settled(self) -> list[Entry]:
        """What has a theorem for every part."""
        return [e for e in entries().values() if e.settled(self.cited)]

    def in_part(self) -> list[Entry]:
        """What has a theorem for a part, and not for every one."""
        return [e for e in entries().values() if e.in_part(self.cited)]

    def missing(self) -> list[Entry]:
        """What no theorem cites."""
        return [e for e in entries().values() if not e.settled(self.cited) and not e.in_part(self.cited)]

    def reason(self, e: Entry) -> str:
        """What of an entry is not settled, and why."""
        return e.remains(self.cited)

    def summary(self) -> str:
        """One line."""
        part = f", {len(self.in_part())} more in part" if self.in_part() else ""
        return f"{len(self.settled())} of {len(entries())} numbers settled{part}"

    def plain(self) -> str:
        """What is not settled, section by section, with the reason; the summary is the last line."""
        lines: list[str] = []
        for s in sections():
            rows = [e for e in s.entries if not e.settled(self.cited)]
            lines += [f"{s.letter}. {s.title}"] if rows else []
            lines += [f"    {e.number:>3}  {e.title}: {self._words(e)}" for e in rows]
        return "\n".join([*lines, self.summary()])

    def _words(self, e: Entry) -> str:
        return f"settled in part; open: {self.reason(e)}" if e.in_part(self.cited) else self.reason(e)

    def to_json(self) -> dict[str, Any]:
        """``summary`` and ``missing``, whose entries have ``settled`` (``no``, ``in part``) and the reason."""
        rows = [(e, "no") for e in self.missing()] + [(e, "in part") for e in self.in_part()]
        found = [
            {"number": e.number, "section": e.section, "title": e.title, "kind": e.kind, "settled": how}
            | {"reason": self.reason(e)}
            for e, how in rows
        ]
        counts = {"numbers": len(entries()), "settled": len(self.settled()), "in_part": len(self.in_part())}
        return {"summary": counts, "missing": found}

    def markdown(self) -> str:
        """The README's block: counts for each section, the numbers that are missing, the total."""
        rows = ["| section | settled | in part | not yet |", "|---|---|---|---|"]
        for s in sections():
            numbers = [e.number for e in s.entries]
            part, missing = ([e in kind for e in s.entries] for kind in (self.in_part(), self.missing()))
            done = len(numbers) - sum(part) - sum(missing)
            left = " | ".join(", ".join(_runs(numbers, which)) for which in (part, missing))
            rows.append(f"| {s.letter}. {s.title} | {done} of {len(numbers)} | {left} |")
        return "\n".join([*rows, "", self.summary() + "."])


def _runs(numbers: Sequence[str], which: Sequence[bool]) -> Iterator[str]:
    """Those marked, neighbours from three on written ``50-65``."""
    for is_marked, run in groupby(zip(numbers, which, strict=True), key=lambda pair: pair[1]):
        names = [number for number, _ in run]
        if is_marked:
            yield from [f"{names[0]}-{names[-1]}"] if len(names) > 2 else names


# --- groups -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Group:
    """Theorems under one heading."""

    title: str
    theorems: tuple[Theorem, ...]

    def lines(self) -> list[str]:
        """One line a theorem: the verdict it expects, its name, its numbers; why, when it states nothing."""
        return [
            f"{'UNDECIDED' if t.failure else t.expected().value:<9} {t.name}"
            + (f" [{', '.join(t.catalogue)}]" if t.catalogue else "")
            + (" (about it)" if self.title in publications(t.about) else "")
            + (f"  {t.failure}" if t.failure else "")
            for t in self.theorems
        ]

    def to_json(self) -> dict[str, Any]:
        """``title`` and ``theorems``, as ``kltheory list --json`` writes them."""
        return {"title": self.title, "theorems": [t.to_json() for t in self.theorems]}


def by_section(theorems: Sequence[Theorem]) -> Iterator[Group]:
    """The sections of the catalogue; a theorem stands in each that it cites, or under the last heading."""
    for s in sections():
        numbers = {label for e in s.entries for label in e.labels}
        found = tuple(t for t in theorems if numbers & set(t.catalogue))
        if found:
            yield Group(f"{s.letter}. {s.title}", found)
    rest = tuple(t for t in theorems if not labels().keys() & set(t.catalogue))
    if rest:
        yield Group("Without a number of the catalogue", rest)


def by_source(theorems: Sequence[Theorem]) -> Iterator[Group]:
    """The sources in alphabetical order, places within a paper dropped; a theorem stands under each of its own.

    A false statement stands under what its correction rests on, and under what it is about.
    """
    found: dict[str, list[Theorem]] = {}
    for t in theorems:
        for source in dict.fromkeys(publications((*t.sources, *t.about))):
            found.setdefault(source, []).append(t)
    for title in sorted(found):
        yield Group(title, tuple(found[title]))
    rest = tuple(t for t in theorems if not t.sources and not t.about)
    if rest:
        yield Group("Without a source", rest)


def publications(sources: Iterable[str]) -> list[str]:
    """Those that sources name, one or several each."""
    return [publication(p) for s in sources for p in s.split("; ")]


def publication(source: str) -> str:
    """``arXiv 2510.01555`` of ``arXiv 2510.01555, Theorem 5.1``; other sources as they are written."""
    arxiv = re.search(r"arXiv \d{4}\.\d{4,5}", source)
    return arxiv[0] if arxiv else source


GROUPINGS: Final[dict[str, Callable[[Sequence[Theorem]], Iterator[Group]]]] = {
    "section": by_section,
    "source": by_source,
}
"""What ``kltheory list --by`` knows."""


# --- the README ---------------------------------------------------------------------------------------------------
def with_block(text: str, block: str) -> str:
    """A text with what stands between the two comments replaced.

    Raises:
        ValueError: the comments are not there, once each.
    """
    if not text.count(START) == text.count(END) == 1:
        raise ValueError(f"there is no {START} ... {END} in the text")
    before, rest = text.split(START)
    return f"{before}{START}\n{block}\n{END}{rest.split(END)[1]}"


def main(arguments: Sequence[str]) -> None:
    """Print the block, or write it into a file."""
    block = Coverage.of(collect([library()])).markdown()
    match arguments:
        case []:
            sys.stdout.write(block + "\n")
        case ["--write", name]:
            path = Path(name)
            path.write_text(with_block(path.read_text(encoding="utf-8"), block), encoding="utf-8")
        case _:
            raise SystemExit("python -m kltheory.report.coverage [--write README.md]")


if __name__ == "__main__":
    main(sys.argv[1:])
