"""A never decreasing C(l) and its inverse, in balls: at which log-ratios C passes a value.

Where C is constant the inverse is an interval; where C jumps it is one point for many values; and it is -∞ for a value
that C never falls to, where an action is given up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import flint
import numpy as np
from flint import arb
from sympy import Basic, Expr, expand_log

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.line import limit
from kltheory.calculus.roots import Root
from kltheory.calculus.symbols import log_ratio
from kltheory.numerics.enclosed import ARRAYS, Balls, each, filled, pick, threshold

LOST: Final = 40
"""Bits of the working precision to which roots of C are not resolved."""
COARSER: Final = 1 << 10
"""By how much less finely a root is looked for where rounding hides the sign."""
DOUBLINGS: Final = 14
"""A log-ratio is looked for down to -2 to the power of 2 to this power."""
ONE: Final = arb(1)
STEPS: Final = 40
"""Of a search, for each bit of the working precision, at most."""

Formula = Callable[[Any], tuple[Any, Any]]
"""From log-ratios, one or an array, to a function and its derivative there."""


@dataclass(frozen=True)
class Monotone:
    """C, piece by piece from left to right.

    Attributes:
        pieces: C and C' by the formula of each piece.
        flat: whether C is constant there.
        joints: where one piece ends and the next begins.
        floor: the limit at l = -∞, perhaps -∞ itself; ``None`` where that is not known.
    """

    pieces: tuple[Formula, ...]
    flat: tuple[bool, ...]
    joints: tuple[Root, ...]
    floor: Expr | None

    @classmethod
    def of(cls, coefficient: Coefficient) -> "Monotone":
        """A coefficient of l alone that never decreases."""
        pieces = [(ends, expand_log(e)) for ends, e in coefficient.along(log_ratio)]
        try:
            floor = limit(pieces[0][1], log_ratio, -1)
        except Undecidable:
            floor = None
        return cls(
            tuple(_compiled(e, e.diff(log_ratio)) for _, e in pieces),
            tuple(log_ratio not in e.free_symbols for _, e in pieces),
            tuple(hi for (_, hi), _ in pieces[:-1] if hi is not None),
            floor,
        )

    def edges(self) -> list[Any]:
        """Where two pieces meet, as balls."""
        return [threshold(root) for root in self.joints]

    def on_piece(self, i: int, l: Any) -> Any:
        """C by the formula of one piece."""
        return self.pieces[i](l)[0]

    def sides(self, l: Any) -> tuple[Any, Any]:
        """C just left and just right of a log-ratio; where that may be an edge, of the edge."""
        edges = self.edges()
        first, last = sum(1 for r in edges if r < l), len(edges) - sum(1 for r in edges if l < r)
        return self.on_piece(first, l), self.on_piece(last, l)

    def slope(self, l: Balls) -> Balls:
        """C' at log-ratios, on one side of an edge."""
        place = sum((l > r for r in self.edges()), np.zeros(len(l), dtype=int))
        out = filled(len(l), arb.nan())
        for i, piece in enumerate(self.pieces):
            out[place == i] = piece(l[place == i])[1]
        return out

    def least(self) -> Any:
        """The limit at l = -∞, a ball; where it is not known, C as far out as it is looked at."""
        if self.floor is not None:
            return ARRAYS(self.floor, {}) if self.floor.is_finite else arb.neg_inf()
        far = self.on_piece(0, -(arb(2) ** (2**DOUBLINGS)))
        return far if far.is_finite() else arb.neg_inf()

    def inverse(self, y: Balls, reach: Any, start: Balls) -> tuple[Balls, Balls]:
        """The least and the largest l ≤ reach at which C may be y, for every ball of an array.

        Args:
            y: what C is to be, shape (n,).
            reach: the largest log-ratio that is of interest, exact.
            start: where to begin looking, exact numbers.

        Returns:
            Exact numbers, perhaps -∞.
        """
        low, high = filled(len(y), reach), filled(len(y), arb.neg_inf())

        def hull(where: Any, least: Any, largest: Any) -> None:
            low[where], high[where] = np.minimum(low[where], least), np.maximum(high[where], largest)

        ends, before = [arb.neg_inf(), *self.edges(), reach], self.least()
        hull(~(y > before), arb.neg_inf(), arb.neg_inf())
        for i in range(len(self.pieces)):
            left, right = ends[i].lower(), ends[i + 1].upper()
            here = ~(y < before)
            if i < len(self.pieces) - 1:
                last, before = self.on_piece(i, ends[i + 1]), self.on_piece(i + 1, ends[i + 1])
                hull(~((y < last) | (y > before)), ends[i + 1].lower(), right)
                here &= ~(y > last)
            if here.any():
                hull(here, *self._within(i, y[here], (left, right), start[here]))
        return low, high

    def _within(self, i: int, y: Balls, ends: tuple[Any, Any], start: Balls) -> tuple[Any, Any]:
        """The same on one piece, between two log-ratios."""
        if self.flat[i]:
            return ends
        start = np.minimum(np.maximum(start, ends[0]), ends[1])
        low, high = filled(len(y), ends[0]), filled(len(y), ends[1])
        if not ends[0].is_finite():
            low = self._below(y, start)
        found = is_finite(low)
        high[~found] = arb.neg_inf()
        y, start = y[found], start[found]

        def rest(l: Balls) -> tuple[Any, Any]:
            value, slope = self.pieces[i](l)
            return value - y, slope

        low[found], high[found] = roots(rest, (low[found], high[found]), start)
        return low, high

    def _below(self, y: Balls, start: Balls) -> Balls:
        """On the first piece an l where C is not above y; -∞ where there is none."""
        found = filled(len(y), arb.neg_inf())
        for k in range(DOUBLINGS + 1):
            l = _exact(start - arb(2) ** (2**k))
            found = pick(~(found > arb.neg_inf()) & ~(self.on_piece(0, l) > y), l, found)
            if is_finite(found).all():
                break
        return found


def _compiled(*formulas: Expr) -> Formula:
    """The formulas of l as one list of steps, so that what they share is worked out once."""
    place: dict[Basic, int] = {log_ratio: 0}
    steps: list[tuple[int, Any, list[int]]] = []
    constants: list[tuple[int, Expr]] = []

    def visit(e: Basic) -> int:
        if e in place:
            return place[e]
        if e.free_symbols:
            arguments = [visit(a) for a in e.args]
            place[e] = len(place)
            steps.append((place[e], ARRAYS.heads[e.func], arguments))
        else:
            place[e] = len(place)
            constants.append((place[e], e))
        return place[e]

    wanted = [visit(e) for e in formulas]

    @lru_cache(maxsize=4)
    def known(bits: int) -> list[Any]:
        found: list[Any] = [None] * len(place)
        for i, e in constants:
            found[i] = ARRAYS(e, {})
        return found

    def run(l: Any) -> tuple[Any, ...]:
        found = known(flint.ctx.prec).copy()
        found[0] = l
        for i, head, arguments in steps:
            found[i] = head(*(found[a] for a in arguments))
        return tuple(found[i] for i in wanted)

    return run


def roots(
    f: Formula, ends: tuple[Balls, Balls], start: Balls, scale: Any = ONE, lost: int = LOST
) -> tuple[Balls, Balls]:
    """Brackets of the roots of increasing functions, one for each element: Newton's steps, or halving.

    Args:
        f: never decreasing, elementwise, with its derivative, which only guides the search; it passes 0 between the
            ends, or at one of them.
        ends: to the left and to the right of the roots, exact numbers.
        start: where to begin.
        scale: what is smaller is resolved to the digits that this is resolved to.
        lost: bits of the working precision to which the roots are not resolved.

    Returns:
        Exact numbers, so close to each other as the working precision allows.
    """
    (low, high), x = ends, start
    wide, step, before = filled(len(x), arb(2) ** (lost - flint.ctx.prec)), high - low, high - low
    for _ in range(STEPS * flint.ctx.prec):
        near = _resolved(x, wide, scale)
        busy = high - low > 4 * near
        if not busy.any():
            break
        value, slope = f(x)
        below, above = value < 0, value > 0
        low, high = pick(below & busy, x, low), pick(above & busy, x, high)
        wide = pick(below | above, wide, COARSER * wide)
        guess = _newton(x, value, slope)
        still = abs(guess - x) <= near  # then a step to the side of which less is known
        aside = pick(high - guess > guess - low, guess + near, guess - near)
        slow = ~((guess > low) & (guess < high) & (2 * abs(guess - x) < before))
        slow &= ~still
        guess[slow] = _between(low[slow], high[slow])
        guess = pick(still, aside, guess)
        step, before = pick(still, high - low, abs(guess - x)), pick(still, high - low, step)
        x = pick(busy, _exact(np.maximum(np.minimum(guess, high), low)), x)
    return low, high


@each
def _resolved(x: Any, fraction: Any, scale: Any) -> Any:
    return (fraction * abs(x).max(scale)).mid()


@each
def _newton(x: Any, value: Any, slope: Any) -> Any:
    return (x - value / slope).mid()


@each
def _between(low: Any, high: Any) -> Any:
    """The middle, of the logarithms where the ends are orders of magnitude apart."""
    small, large = sorted((abs(low), abs(high)))
    far = low * high > 0 and large > 4 * small
    return ((low * high).sqrt() * low.sgn() if far else (low + high) / 2).mid()


_exact = each(arb.mid)
_finite = each(arb.is_finite)


def is_finite(numbers: Balls) -> Any:
    """Which are finite, as truth values."""
    return _finite(numbers).astype(bool)
