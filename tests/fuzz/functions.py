"""Evidence against claims about values: orders of approximation, sums, means, signs and limits."""

from collections.abc import Callable
from random import Random
from typing import Any, Final

import mpmath
from fuzz.case import Case
from fuzz.evaluate import Context, compiled
from fuzz.places import Tests, actions, at, coefficient, differ, vocabularies
from fuzz.settings import Point, point, shown
from fuzz.vocabulary import Vocabulary

TINY: Final = "1e-30"


def _near(case: Case, difference: Callable[[Point], Any], modulo_constant: bool, no_better: bool) -> Tests:
    """D(l) at l = ±ε for several w: O(l^{n+1}), modulo a number or not, and no better or not."""

    def test() -> str:
        with mpmath.workdps(900):
            eps = mpmath.mpf(TINY)
            gaps: list[tuple[Any, Any]] = []
            for log_w in (mpmath.mpf(x) for x in (-3, -0.5, 0.7, 2.1, 4)):
                for side in (-1, 1):
                    p, tiny = (Point(mpmath.mpf(-9), side * e, log_w, mpmath.mpf(1)) for e in (eps, eps**6))
                    gaps.append((difference(p), difference(tiny)))
            zero = gaps[0][1] if modulo_constant else mpmath.mpf(0)
            most = eps ** (case.order + 1)
            worst = max(abs(g - zero) for g, _ in gaps)
            if any(abs(t - zero) > 10**6 * eps**6 for _, t in gaps) or worst > 10**6 * most:
                return f"D = {mpmath.nstr(worst, 5)} at |l| = {TINY}"
            return f"better: D = {mpmath.nstr(worst, 5)}" if no_better and worst < mpmath.mpf("1e-6") * most else ""

    yield test


def order(case: Case, r: Random, effort: int) -> Tests:
    """Of AgreesToOrder."""

    def difference(p: Point) -> Any:
        return coefficient(case, p, case.left, False) - coefficient(case, p, case.right, case.objective)

    return _near(case, difference, True, True)


def expansion(case: Case, r: Random, effort: int) -> Tests:
    """Of Expansion."""
    return _near(case, lambda p: at(case.left, p).v - at(case.right, p).v, False, False)


def sums(case: Case, r: Random, effort: int) -> Tests:
    """Of SameValue: sums over the vocabulary."""
    for s in vocabularies(case, r, effort):
        yield lambda s=s: differ(Vocabulary(s).sum(case.left).v, Vocabulary(s).sum(case.right).v, shown(s))


def moments(case: Case, r: Random, effort: int) -> Tests:
    """Of SameMoment: numbers of a setting."""
    for s in vocabularies(case, r, effort):
        yield lambda s=s: differ(Vocabulary(s).moment(case.left), Vocabulary(s).moment(case.right), shown(s))


def sign(case: Case, r: Random, effort: int) -> Tests:
    """Of HasSign: the other sign, inside the interval."""
    low, high = (compiled(x)(Context({})).v if x else None for x in (case.above, case.below))

    def test(p: Point) -> str:
        if (low is not None and p.l <= low) or (high is not None and p.l >= high):
            return ""
        value = at(case.left, p).v
        return f"{mpmath.nstr(value, 8)} at {shown(p)}" if value * case.sign < -mpmath.mpf("1e-40") else ""

    bounded = low is not None and high is not None
    inner = [low + (high - low) * mpmath.mpf(r.random()) for _ in range(20)] if bounded else []
    for p in (*actions(case, r, 3 * effort), *(point(r, x, mpmath.mpf(r.gauss(0, 2))) for x in inner)):
        yield lambda p=p: test(p)


def values(case: Case, r: Random, effort: int) -> Tests:
    """Of Identity: values at an action."""
    for p in actions(case, r, effort):
        yield lambda p=p: differ(at(case.left, p).v, at(case.right, p).v, shown(p))


def limit(case: Case, r: Random, effort: int) -> Tests:
    """Of Limit: what it is far out."""

    def test() -> str:
        places = [case.sign * mpmath.mpf(10) ** k for k in (10, 12, 14)]
        far = [at(case.left, Point(mpmath.mpf(-(10**20)), x, mpmath.mpf(0), mpmath.mpf(0))).v for x in places]
        said = f"{mpmath.nstr(far[2], 8)} at 1e14"
        if case.right in ("oo", "-oo"):
            s = 1 if case.right == "oo" else -1
            return "" if all(s * x > 100 for x in far) and s * far[2] > s * far[0] else said
        to = compiled(case.right)(Context({})).v
        return "" if abs(far[2] - to) < mpmath.mpf("1e-10") else said

    yield test
