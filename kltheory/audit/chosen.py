"""What was chosen for two functions before they ran, chosen otherwise: they may agree at one choice and nowhere else.

A number that nobody gave has a generic value, and two old policies are read as one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from kltheory.audit.forms import Form
from kltheory.audit.generic import GENERIC
from kltheory.audit.reading import Reading
from kltheory.audit.recover import read
from kltheory.audit.roles import Role
from kltheory.calculus.names import words_of

PARTS: Final = (0.7, 0.55, 0.8, 0.62, 0.9, 0.66)
"""What each number is multiplied by: no two alike, so that what cancels at equal values does not."""
SAMPLERS: Final = {
    "rollout",
    "sampler",
    "sampling",
    "behavior",
    "behaviour",
    "infer",
    "inference",
    "vllm",
    "generation",
}
"""How names say that an old policy is the one that drew."""


def otherwise(a: Reading, b: Reading) -> tuple[Reading, Reading] | None:
    """Both with other numbers, the same for one name, and with samplers of their own; ``None`` if nothing was chosen.

    Where names differ, the first that only one of them has is taken to be the first of the other.
    """
    mine, theirs = numbers(a), numbers(b)
    rank = {path: k for k, path in enumerate(dict.fromkeys([*mine, *theirs]))}
    alone = ([p for p in x if p not in y] for x, y in ((mine, theirs), (theirs, mine)))
    rank |= {q: rank[p] for p, q in zip(*alone, strict=False)}
    if not rank and not any(samplers(f) for f in (a, b)):
        return None
    return _chosen(a, rank), _chosen(b, rank)


def _chosen(found: Reading, rank: Mapping[str, int]) -> Reading:
    forms = {p: (Form.ANOTHER, *found.subject.forms.get(p, ())) for p in samplers(found)}
    subject = replace(found.subject, forms={**found.subject.forms, **forms})
    other = {p: x * PARTS[rank[p] % len(PARTS)] for p, x in numbers(found).items()}
    assumed = {p: replace(a, value=other.get(p, a.value)) for p, a in subject.assumed.items()}
    return read(replace(subject, assumed=assumed), found.layout)


def numbers(found: Reading) -> dict[str, float]:
    """The numbers that nobody gave, and the generic value of each, by path."""
    every = found.subject.assumed.items()
    return {path: a.value for path, a in every if a.why == GENERIC and isinstance(a.value, float)}


def samplers(found: Reading) -> list[str]:
    """The arguments that are handed the old policy beside another that is: those named so, else all but the first."""
    old = [p for p, role in found.subject.paths.items() if role is Role.LOGP_OLD]
    named = [p for p in old if SAMPLERS & {*words_of(p)}]
    return named if 0 < len(named) < len(old) else old[1:]


def choices(*found: Reading) -> Iterator[str]:
    """What was chosen, for people."""
    yield from dict.fromkeys(f"{path} = {x:g}" for f in found for path, x in numbers(f).items())
    yield from dict.fromkeys(f"{path} is the old policy" for f in found for path in samplers(f))
