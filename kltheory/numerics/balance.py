"""Where rewards balance a never decreasing coefficient: λ, found so that the probabilities sum to one; in balls.

With y = (A - λ)/β the log-ratio of an action is where C passes y. The largest reward's log-ratio L is not negative, and
π_ref e^L is at most 1: that is all of the line that has to be searched, whatever the size of rewards and of β.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import flint
import numpy as np
from flint import arb

from kltheory.numerics.enclosed import Balls, each, filled, pick
from kltheory.numerics.monotone import LOST, Monotone, is_finite, roots

COARSER: Final = 16
"""By how many bits the level is resolved less finely than the log-ratios at it, which its equation is made of."""

_exp, _exact = each(arb.exp), each(arb.mid)


@dataclass(frozen=True)
class Balance:
    """Log-ratios l and ratios u of groups of actions, shape (n,), and the level μ = y of the first group: balls.

    A group that is given up has l = -∞ and u = 0, exactly. Where a group is on the edge of that, or of a jump of C, as
    far as the precision tells, it is not ``sure``.
    """

    log_ratio: Balls
    ratio: Balls
    level: Any
    sure: bool


@dataclass(frozen=True)
class State:
    """A level μ, and the least and the largest log-ratio of every group at which C passes μ + (A - max A)/β."""

    level: Any
    low: Balls
    high: Balls


def balance(curve: Monotone, excess: Balls, mass: Balls, near: Balance | None = None) -> Balance:
    """The groups' log-ratios at the optimum, at the current precision.

    Args:
        curve: C(l).
        excess: (A - max A)/β, falling from 0, shape (n,).
        mass: π_ref of every group, the same shape.
        near: where to begin looking: the answer to a similar question.
    """
    below, above = curve.sides(arb(0))
    if not excess[-1] < below - above:  # nobody has a reason to leave the reference
        n = len(excess)
        return Balance(filled(n, arb(0)), filled(n, arb(1)), (below - excess[-1] + above) / 2, True)
    guess = filled(len(excess), arb(0)) if near is None else _exact(near.log_ratio)
    search = Search(curve, excess, mass, (1 - mass[0].log()).upper(), pick(is_finite(guess), guess, arb(0)))
    return search.joined(*search.around())


@dataclass(frozen=True)
class Search:
    """The search for the level.

    Attributes:
        curve: C(l).
        excess: (A - max A)/β of every group.
        mass: π_ref of every group.
        reach: more than any log-ratio can be.
        guess: log-ratios to begin with; 0 stands for none.
    """

    curve: Monotone
    excess: Balls
    mass: Balls
    reach: Any
    guess: Balls

    def around(self) -> tuple[State, State]:
        """States on both sides of the optimum: on a piece of the curve for the first group, or on a jump."""
        edges = [r for r in self.curve.edges() if r < self.reach]
        left, first = arb(0), sum(1 for r in edges if not r > 0)
        for i in range(first, len(edges)):
            low, high = (self.curve.on_piece(k, edges[i]) for k in (i, i + 1))
            if not self.short(self._state(low, edges[i])):
                return self._on_piece(i, left, edges[i].upper())
            if not self.short(self._state(high, edges[i])):
                return self._on_jump(edges[i], low.lower(), high.upper())
            left = edges[i].lower()
        return self._on_piece(len(edges), left, self.reach)

    def short(self, state: State) -> bool:
        """Whether the probabilities certainly sum to less than one."""
        return self._total(state.high) < 0

    def _total(self, l: Balls) -> Any:
        return (self.mass * _exp(l)).sum() - 1

    def _state(self, level: Any, top: Any, start: Balls | None = None) -> State:
        start = self.guess[1:] if start is None else start
        low, high = self.curve.inverse(level + self.excess[1:], self.reach, start)
        return State(level, np.concatenate([[top.lower()], low]), np.concatenate([[top.upper()], high]))

    def _on_piece(self, i: int, left: Any, right: Any) -> tuple[State, State]:
        """The log-ratio of the first group is the unknown."""

        def state(l: Any, start: Balls | None) -> State:
            return self._state(self.curve.on_piece(i, l), l, start)

        def pull(state: State) -> Any:
            top = self.mass[0] * state.high[0].exp()
            return top if self.curve.flat[i] else top + self._pull(state) * self.curve.slope(state.high[:1])[0]

        return self._between(state, pull, (left, right), self.guess[0], arb(1))

    def _on_jump(self, top: Any, low: Any, high: Any) -> tuple[State, State]:
        """The level is the unknown."""
        ends = low, high
        return self._between(lambda x, start: self._state(x, top, start), self._pull, ends, low, (high - low).mid())

    def _pull(self, state: State) -> Any:
        """How fast the probabilities of the others move with the level; NaN where C is constant."""
        kept = is_finite(state.high)
        kept[0] = False
        l = state.high[kept]
        return (self.mass[kept] * _exp(l) / self.curve.slope(l)).sum() if len(l) else arb(0)

    def _between(
        self,
        state_at: Callable[[Any, Balls | None], State],
        pull: Callable[[State], Any],
        ends: tuple[Any, Any],
        guess: Any,
        scale: Any,
    ) -> tuple[State, State]:
        """States so close to each other as it goes, and the optimum between them."""
        seen: list[State] = []

        def state(x: Any) -> State:
            if not seen:
                return state_at(x, None)
            finite = is_finite(seen[-1].high[1:])
            return state_at(x, pick(finite, seen[-1].high[1:], seen[-1].low[0]))

        def surplus(x: Balls) -> tuple[Any, Any]:
            seen[:] = [state(x[0])]
            return filled(1, self._total(seen[0].high)), filled(1, pull(seen[0]))

        low, high = ends
        start = guess if low < guess < high else ((low + high.min(low + scale)) / 2).mid()
        (low,), (high,) = roots(surplus, (filled(1, low), filled(1, high)), filled(1, start), scale, LOST + COARSER)
        return state(low), state(high)

    def joined(self, a: State, b: State) -> Balance:
        """The optimum between two states: where C is constant, a share that makes the probabilities sum to one."""
        short, surplus = self._total(a.high), self._total(b.high)
        share = (-short / (surplus - short)).max(arb(0)).min(arb(1))

        def one(least: Any, first: Any, last: Any) -> tuple[Any, Any]:
            if not last.is_finite():
                return last, arb(0)
            if not least.is_finite() and last.exp() < _rough():
                return least.union(last), arb(0).union(last.exp())
            if _near(first, last):
                return (l := (least if _near(least, first) else first).union(last)), l.exp()
            u = first.exp() + share * (last.exp() - first.exp())
            return u.log(), u

        log_ratio, ratio = np.frompyfunc(one, 3, 2)(a.low, a.high, b.high)
        sure = all(each(_near)(state.low, state.high).all() for state in (a, b))
        return Balance(log_ratio, ratio, a.level.union(b.level), sure)


def _rough() -> Any:
    return arb(2) ** -(flint.ctx.prec // 4)


def _near(low: Any, high: Any) -> bool:
    """Whether two log-ratios are the same but for rounding."""
    return bool(low == high or (low.is_finite() and high - low < _rough() * abs(high).max(arb(1))))
