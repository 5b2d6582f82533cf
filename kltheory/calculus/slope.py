"""How a function of one variable moves from left to right: where it rises, falls, jumps, and where it is infinite.

f with f'(u) = C(log u) is convex iff C never falls: no piece has a negative derivative, no jump goes down, and C is
nowhere infinite inside, since a C that does not fall would have to be +oo to the left of a pole or -oo to the right of
it, and so fall across it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sympy import Expr, S, Symbol, limit

from kltheory.calculus.constants import sign_of_constant
from kltheory.calculus.enclosure import CannotEnclose, enclose
from kltheory.calculus.exact import Undecidable, is_zero, normal_form
from kltheory.calculus.line import poles, sign_at
from kltheory.calculus.reach import Bounds
from kltheory.calculus.regions import Region, short
from kltheory.calculus.roots import Root, compare
from kltheory.calculus.symbols import log_weight

Piece = tuple[Bounds, Expr]

INFINITE: Final = None
"""The direction of a pole."""


@dataclass(frozen=True)
class Move:
    """One direction (1 up, -1 down, ``None``: infinite), and where."""

    direction: int | None
    where: str


def slope_of(moves: Sequence[Move]) -> int | None:
    """1 never down, -1 never up, 0 not at all, ``None`` both ways or with a pole."""
    directions = {m.direction for m in moves}
    return None if len(directions) > 1 or INFINITE in directions else next(iter(directions), 0)


def moves(pieces: Sequence[Piece], t: Symbol) -> Iterator[Move]:
    """The moves of a function given in pieces from left to right.

    Raises:
        Undecidable: the sign of a slope or of a jump, or whether there is a pole, is not found.
    """
    for ((lo, hi), e), after in zip(pieces, [*pieces[1:], None], strict=True):
        derivative = e.diff(t)
        for pole in poles(derivative, t):
            if (lo is None or compare(lo, pole) < 0) and (hi is None or compare(pole, hi) < 0) and _is_pole(e, t, pole):
                yield Move(INFINITE, f"at {_place(t, pole)}")
        for part, s in Region({t: (lo, hi)}).refine(derivative):
            if part.conditions:
                raise Undecidable(f"the sign of {derivative} depends on parameters")
            if s:
                yield Move(s, f"where {part}" if part.is_cut(t) else "everywhere")
        if after is not None and hi is not None and (s := _jump(e, after[1], t, hi)):
            yield Move(s, f"at {_place(t, hi)}")


def _place(t: Symbol, at: Root) -> str:
    return f"log w = {short(at)}" if t == log_weight else f"{t} = {short(at)}"


def _jump(left: Expr, right: Expr, t: Symbol, edge: Root) -> int:
    """The sign of right - left at an edge."""
    difference = right - left
    if is_zero(difference):
        return 0
    if any(compare(pole, edge) == 0 for e in (left, right) for pole in poles(e.diff(t), t)):
        if edge.exact is None:
            raise Undecidable(f"how large {difference} is at {edge.expr} is not known")
        ends = [_limit(e, t, edge.exact, side) for e, side in ((right, "+"), (left, "-"))]
        return sign_of_constant(ends[0] - ends[1]) if all(x.is_finite for x in ends) else _infinite(*ends)
    if edge.exact is not None:
        steps = {s for part, s in Region().refine(difference.xreplace({t: edge.exact}))}
        if len(steps) != 1:
            raise Undecidable(f"the sign of {difference} at {edge.expr} depends on parameters")
        return steps.pop()
    return sign_at(difference, t, edge)


def _limit(e: Expr, t: Symbol, at: Expr, side: str) -> Expr:
    """A limit from one side. Raises Undecidable where it depends on parameters."""
    try:
        return limit(e, t, at, side)
    except NotImplementedError as error:
        raise Undecidable(f"the limit of {e} at {t} = {at} is not known") from error


def _infinite(right: Expr, left: Expr) -> int:
    if right in (S.Infinity, S.NegativeInfinity) and right != left:
        return 1 if right is S.Infinity else -1
    if left in (S.Infinity, S.NegativeInfinity) and right != left:
        return -1 if left is S.Infinity else 1
    raise Undecidable(f"how {left} goes over into {right} is not known")


def _is_pole(e: Expr, t: Symbol, at: Root) -> bool:
    """Whether e, whose derivative has a vanishing denominator there, is infinite at a point."""
    derivative = normal_form(e.diff(t))
    above = derivative.field.lift(derivative.value.numer.as_expr())
    try:
        value = enclose(above, {t: at.interval(160)}, 320)
        if not derivative.field.radicals and (value.a > 0 or value.b < 0):
            return True
    except CannotEnclose:
        pass
    if at.exact is not None:
        ends = [_limit(e, t, at.exact, side) for side in "+-"]
        if all(x.is_number for x in ends):
            return not all(x.is_finite for x in ends)
    raise Undecidable(f"whether {e} is infinite at {_place(t, at)} is not known")
