"""What was chosen for two functions before they ran, chosen otherwise: they may agree at one choice and nowhere else.

A number that nobody gave has a generic value. A sampler beside the old policy has arrays of its own (:mod:`.batches`).
"""

from collections.abc import Iterator, Mapping

from kltheory.audit.letters import apart, numbers
from kltheory.audit.reading import Reading
from kltheory.audit.recover import read


def otherwise(a: Reading, b: Reading) -> tuple[Reading, Reading] | None:
    """Both with other numbers, the same for one name; ``None`` if nothing was chosen.

    Where names differ, the first that only one of them has is taken to be the first of the other.
    """
    mine, theirs = numbers(a.subject), numbers(b.subject)
    rank = {path: k for k, path in enumerate(dict.fromkeys([*mine, *theirs]))}
    alone = ([p for p in x if p not in y] for x, y in ((mine, theirs), (theirs, mine)))
    rank |= {q: rank[p] for p, q in zip(*alone, strict=False)}
    return (_chosen(a, rank), _chosen(b, rank)) if rank else None


def _chosen(found: Reading, rank: Mapping[str, int]) -> Reading:
    return read(apart(found.subject, rank), found.layout)


def choices(*found: Reading) -> Iterator[str]:
    """What was chosen, for people."""
    yield from dict.fromkeys(f"{path} = {x:g}" for f in found for path, x in numbers(f.subject).items())
