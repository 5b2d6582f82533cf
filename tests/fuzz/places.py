"""Actions and settings at which a claim is looked at, and what its texts are there."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

import mpmath
from fuzz.case import Case
from fuzz.cells import Unclear
from fuzz.complaint import KINK, close
from fuzz.dual import Dual
from fuzz.evaluate import Context, compiled
from fuzz.loss import Loss, special
from fuzz.pairs import EDGES
from fuzz.settings import Point, Setting, points, setting_of, settings

RARE: Final = Point(*map(mpmath.mpf, ("-60", "0.3", "-0.2", "1")))
"""An action that leaves room for one of almost all probability."""

TINY: Final = mpmath.mpf("1e-15")

Tests = Iterator[Callable[[], str]]
"""Each says what contradicts a claim, at one place; nothing where nothing does."""


def actions(case: Case, r: Random, effort: int) -> list[Point]:
    """Actions: random ones, beside the numbers of its texts, and where its edits are not zero."""
    numbers = special(case.left, case.right, case.above, case.below)
    return [*_edges(case, r), *points(r, numbers * effort, 30 * effort)]


def cuts(case: Case) -> list[tuple[Point, Point]]:
    """Pairs of actions just below and above each number of its texts, as log-ratios."""
    pairs = [sorted((x * (1 - TINY), x * (1 + TINY))) for x in special(case.left)]
    return [(_at_ratio(low), _at_ratio(high)) for low, high in pairs]


def _at_ratio(l: Any) -> Point:
    return Point(min(0, l) - 1, l, mpmath.mpf("-0.2"), mpmath.mpf(1))


def vocabularies(case: Case, r: Random, effort: int) -> list[Setting]:
    """Settings: random ones, and some with such actions."""
    found = [setting_of(r, [p, *others]) for p in _edges(case, r) for others in (points(r, (), 2), [RARE])]
    return [*found, *settings(r, special(case.left, case.right) * effort, 8 * effort, 40 * effort)]


def _edges(case: Case, r: Random) -> list[Point]:
    places = [place for edge, place in EDGES.items() if edge in case.left + case.right]
    found = [Point(*map(mpmath.mpf, place)) for place in places]
    return [*found, *(Point(p.logp, p.l * (1 + mpmath.mpf("1e-9")), p.log_w + r.random(), p.advantage) for p in found)]


def at(text: str, p: Point, on_policy: bool = False) -> Dual:
    """A text at an action, moving with its log π. Raises Unclear too close to a kink."""
    c = Context(p.names(on_policy))
    found = compiled(text)(c)
    if c.gap < KINK:
        raise Unclear
    return found


def coefficient(case: Case, p: Point, text: str, objective: bool) -> Any:
    """C of a surrogate, or of an objective Σ F: ∂F/∂π."""
    if objective:
        return at(text, p).d * mpmath.exp(-p.logp)
    return Loss(text).coefficient(p, case.on_policy)


def differ(a: Any, b: Any, where: str) -> str:
    """Two numbers that are not the same, and where."""
    return "" if close(a, b) else f"{mpmath.nstr(a, 15)} and {mpmath.nstr(b, 15)} at {where}"
