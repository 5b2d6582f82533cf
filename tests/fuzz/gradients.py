"""Evidence against claims about expected gradients: two numbers at a setting, or two values of C - C'."""

from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any

import mpmath
from fuzz.case import Case
from fuzz.cells import Unclear
from fuzz.complaint import close, rounding
from fuzz.dual import NoValue, TooFar
from fuzz.places import Tests, actions, coefficient, cuts, differ, vocabularies
from fuzz.settings import Point, Setting, point, shown
from fuzz.vocabulary import Vocabulary, length_of_gradient


def gradients(case: Case, r: Random, effort: int) -> Tests:
    """Of SameGradient: expected gradients, and C - C' where it is a number of an action.

    The old policy in an objective is any, whoever sampled.
    """

    def test(s: Setting) -> str:
        v = Vocabulary(s, case.on_policy)
        right = Vocabulary(s).sum(case.right).d if case.objective else v.gradient(case.right)
        return differ(v.gradient(case.left), right, shown(s))

    def cells(p: Point, q: Point) -> str:
        sides = [[coefficient(case, x, t, o) for x in (p, q)] for t, o in texts]
        gaps = [a - b for a, b in zip(*sides, strict=True)]
        if abs(gaps[0] - gaps[1]) <= rounding() * max(1, *map(abs, (*sides[0], *sides[1]))):
            return ""
        return f"C - C' is {mpmath.nstr(gaps[0], 15)} and {mpmath.nstr(gaps[1], 15)} at {shown(p)} and {shown(q)}"

    texts = ((case.left, False), (case.right, case.objective))
    if not case.has_means:
        first = point(r, mpmath.mpf("0.3"), mpmath.mpf("-0.2"))
        for q in actions(case, r, effort):
            yield lambda q=q: cells(first, q)
    for s in vocabularies(case, r, effort):
        yield lambda s=s: test(s)


def scores(case: Case, r: Random, effort: int) -> Tests:
    """Of SameScore: derivatives at one action."""

    def test(s: Setting, a: int) -> str:
        v = Vocabulary(s, case.on_policy)
        return differ(v.score(case.left, a), v.score(case.right, a), shown(s))

    for s in vocabularies(case, r, effort):
        for a in s.actions:
            yield lambda s=s, a=a: test(s, a)


def sampler(case: Case, r: Random, effort: int) -> Tests:
    """Of SamplerFree: another old policy."""

    def test(s: Setting, t: Setting) -> str:
        moved = Setting(s.policy, s.reference, t.old, s.advantage, s.inside, s.direction)
        return differ(Vocabulary(s).gradient(case.left), Vocabulary(moved).gradient(case.left), shown(s))

    def cells(p: Point, log_w: Any) -> str:
        logp = min(p.logp, log_w - 1, p.log_w - 1)
        pair = [Point(logp, p.l, x, p.advantage) for x in (p.log_w, log_w)]
        return differ(*(coefficient(case, x, case.left, False) for x in pair), " and ".join(map(shown, pair)))

    if not case.has_means:
        places = actions(case, r, effort)
        for p in places:
            other = r.choice(places).log_w
            yield lambda p=p, other=other: cells(p, other)
    drawn = vocabularies(case, r, effort)
    for s in drawn:
        for t in [t for t in drawn if len(t.policy) == len(s.policy) and t is not s][:1]:
            yield lambda s=s, t=t: test(s, t)


def divergence(case: Case, r: Random, effort: int) -> Tests:
    """Of IsDivergence: C is no function of l, falls, or is constant."""

    def known(p: Point) -> Any:
        return coefficient(case, p, case.left, case.objective)

    def test(p: Point, q: Point) -> str:
        a, b = known(p), known(q)
        if close(p.l, q.l):
            return differ(a, b, f"the same l, {shown(p)} and {shown(q)}")
        low, high = (a, b) if p.l < q.l else (b, a)
        return "" if low <= high or close(low, high) else f"C falls: {shown(p)} to {shown(q)}"

    def constant() -> str:
        values = [v for p in places if (v := _quiet(lambda p=p: known(p))) is not None]
        return "C is constant" if all(close(v, values[0]) for v in values) else ""

    places = sorted(actions(case, r, effort), key=lambda p: p.l)
    for p, q in pairwise(places):
        yield lambda p=p: test(p, point(r, p.l, mpmath.mpf(r.gauss(0, 3))))
        yield lambda p=p, q=q: test(p, q)
    for p, q in cuts(case):
        yield lambda p=p, q=q: test(p, q)
    yield constant


def _quiet(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except (NoValue, Unclear, TooFar):
        return None


def bounds(case: Case, r: Random, effort: int) -> Tests:
    """Of GradientBound: a longer gradient."""

    def test(s: Setting) -> str:
        found = length_of_gradient(s, case.left, case.on_policy)
        most = mpmath.sqrt(2) * Vocabulary(s, case.on_policy).moment(f"E({case.right})")
        if found <= most or close(found, most):
            return ""
        return f"{mpmath.nstr(found, 8)} > {mpmath.nstr(most, 8)} at {shown(s)}"

    for s in vocabularies(case, r, 2 * effort):
        yield lambda s=s: test(s)
