"""What was chosen for two functions before they ran, chosen otherwise: they may agree at one choice and nowhere else.

A number that nobody gave has a generic value. A sampler beside the old policy has arrays of its own (:mod:`.batches`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from kltheory.audit.generic import GENERIC
from kltheory.audit.reading import Reading
from kltheory.audit.recover import read

PARTS: Final = (0.7, 0.55, 0.8, 0.62, 0.9, 0.66)
"""What each number is multiplied by: no two alike, so that what cancels at equal values does not."""


def otherwise(a: Reading, b: Reading) -> tuple[Reading, Reading] | None:
    """Both with other numbers, the same for one name; ``None`` if nothing was chosen.

    Where names differ, the first that only one of them has is taken to be the first of the other.
    """
    mine, theirs = numbers(a), numbers(b)
    rank = {path: k for k, path in enumerate(dict.fromkeys([*mine, *theirs]))}
    alone = ([p for p in x if p not in y] for x, y in ((mine, theirs), (theirs, mine)))
    rank |= {q: rank[p] for p, q in zip(*alone, strict=False)}
    return (_chosen(a, rank), _chosen(b, rank)) if rank else None


def _chosen(found: Reading, rank: Mapping[str, int]) -> Reading:
    subject = found.subject
    other = {p: x * PARTS[rank[p] % len(PARTS)] for p, x in numbers(found).items()}
    assumed = {p: replace(a, value=other.get(p, a.value)) for p, a in subject.assumed.items()}
    return read(replace(subject, assumed=assumed), found.layout)


def numbers(found: Reading) -> dict[str, float]:
    """The numbers that nobody gave, and the generic value of each, by path."""
    every = found.subject.assumed.items()
    return {path: a.value for path, a in every if a.why == GENERIC and isinstance(a.value, float)}


def choices(*found: Reading) -> Iterator[str]:
    """What was chosen, for people."""
    yield from dict.fromkeys(f"{path} = {x:g}" for f in found for path, x in numbers(f).items())
