"""Cells: where an expression with abs, sign, min, max, clamps and comparisons is smooth, and what it is there.

``split`` opens one guard at a time. Guards look at values, so stop-gradients are transparent to them, and stay in the
branches. Where a guard is zero *throughout*, as w - 1 is on-policy, the kink is not avoided: comparisons say which side
it belongs to, and min, max, abs share the gradient between both, as torch.minimum and jax.numpy.minimum do.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

from sympy import Abs, Basic, Expr, Heaviside, Max, Min, Piecewise, S, postorder_traversal, sign
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean

from kltheory.calculus.domain import Undefined, below, has_no_value, under
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.moments import Mean, boolean
from kltheory.calculus.reach import sign_on
from kltheory.calculus.regions import Cell, Region, joined
from kltheory.calculus.symbols import VARIABLES, erase_sg

MAX_CELLS: Final = 512

Branches = tuple[Expr, Callable[[int], Any]]
"""A guard, and what the node is for each sign of it; 0 where the guard is zero throughout."""


def _pick(node: Expr, smaller: int) -> Branches:
    a, b, *rest = node.args
    chosen = {smaller: b, -smaller: a, 0: (a + b) / 2}
    return a - b, lambda s: node.func(chosen[s], *rest)


def _condition(node: Piecewise) -> Branches:
    relation = min(node.args[0][1].atoms(Relational), key=str)
    holds = HOLDS[relation.rel_op]
    return relation.lhs - relation.rhs, lambda s: node.xreplace({relation: S(s in holds)})


HOLDS: Final = {">": (1,), ">=": (0, 1), "<": (-1,), "<=": (-1, 0), "==": (0,), "!=": (-1, 1)}
"""The signs of left - right for which a comparison holds."""

HEADS: Final[dict[type, Callable[[Any], Branches]]] = {
    Abs: lambda n: (n.args[0], lambda s: s * n.args[0]),
    sign: lambda n: (n.args[0], lambda s: S(s)),
    Heaviside: lambda n: (n.args[0], lambda s: S(s + 1) / 2),
    Min: lambda n: _pick(n, 1),
    Max: lambda n: _pick(n, -1),
    Piecewise: _condition,
}


def is_smooth(expr: Expr | Boolean) -> bool:
    """Whether no head of :data:`HEADS` occurs."""
    return not expr.has(*HEADS)


def split(expr: Expr, region: Region | None = None, partial: bool = False) -> list[Cell]:
    """The cells of ``expr``: regions with the smooth expression it equals there; NaN where it has no value, if partial.

    Raises:
        Undefined: for some action of some setting it has no value.
        Undecidable: the sign of a guard is not found, or there are more than ``MAX_CELLS`` cells.
    """
    cells, outside = _everywhere(expr) if region is None else _cells(expr, region)
    if not partial:
        confirm_empty(outside)
    return [*cells, *outside]


def confirm(fallible: Iterable[Expr], nonzero: Iterable[Expr]) -> None:
    """Raise as :func:`split` does of some expressions and the reciprocals of others."""
    for x in fallible:
        split(x)
    for x in nonzero:
        confirm_empty([(r, e) for r, e in split(x) if is_zero(erase_sg(e))])


@lru_cache(maxsize=4096)
def _everywhere(expr: Expr) -> tuple[list[Cell], list[Cell]]:
    return _cells(expr, Region())


def _cells(expr: Expr, region: Region) -> tuple[list[Cell], list[Cell]]:
    """Where it has a value, and where it has none; the latter may be out of reach."""
    cells: list[Cell] = []
    outside: list[Cell] = []
    stack = [(region, boolean(expr), tuple[Expr, ...]())]
    while stack:
        here, e, asked = stack.pop()
        asked = (*asked, *under(e))  # what a branch that is put in cancels is asked for nevertheless
        corners = [x for x in asked if not is_smooth(x)]
        node, guard, choose = next(filter(None, map(_innermost, (*corners, e))), (None, e, None))
        positive = [erase_sg(x) for x in asked if is_smooth(x)]
        for part in _defined(erase_sg(guard), positive, here, outside):
            if choose is None:
                cells.append((part, e))
                continue
            for piece, s in part.refine(erase_sg(guard)):
                put = {node: choose(s)}
                stack.append((piece, e.xreplace(put), tuple(x.xreplace(put) for x in corners)))
        if len(cells) + len(stack) > MAX_CELLS:
            raise Undecidable(f"more than {MAX_CELLS} cells")
    return cells[::-1], outside


def ties(expr: Expr) -> list[Expr]:
    """The min and max of smooth values that are equal throughout, with different gradients."""
    pairs = {node: node.args[0] - node.args[1] for node in postorder_traversal(expr) if isinstance(node, Min | Max)}
    smooth = {node: gap for node, gap in pairs.items() if is_smooth(gap)}
    return [node for node, gap in smooth.items() if _vanishes(erase_sg(gap)) and not _vanishes(gap)]


def _vanishes(expr: Expr) -> bool:
    """Whether it is known to be zero; a stop-gradient is opaque to the zero test."""
    try:
        return is_zero(expr)
    except Undecidable:
        return False


def _innermost(expr: Basic) -> tuple[Basic, Expr, Callable[[int], Any]] | None:
    """A node that is not smooth whose guard is, the guard, and the choice; ``None`` in a smooth expression.

    Inside a branch nothing is asked before it is known to be taken.
    """
    inside = (expr.args[0][1],) if isinstance(expr, Piecewise) else expr.args
    if (found := next(filter(None, map(_innermost, inside)), None)) is not None:
        return found
    return (expr, *HEADS[type(expr)](expr)) if type(expr) in HEADS else None


# --- where it is defined ----------------------------------------------------------------------------------------------
def _defined(expr: Expr, positive: Iterable[Expr], region: Region, outside: list[Cell]) -> list[Region]:
    """The parts of a region on which a smooth expression has a value; the other parts go to ``outside``.

    There ``positive`` are positive: what stands under the logarithms and roots of all of which it is a part.

    What is a number of the setting, or holds parameters only, has a value by assumption where it can have one.
    """
    for m in expr.atoms(Mean):
        split(m.integrand)
    parts = [] if has_no_value(expr) or any(map(is_zero, below(expr))) else [region]
    outside += [] if parts else [(region, S.NaN)]
    for x in dict.fromkeys((*positive, *under(expr))):
        if not x.free_symbols & set(VARIABLES) and sign_on(x, region) != -1:
            continue
        pieces = [piece for part in parts for piece in part.refine(x)]
        outside += [(r, S.NaN) for r, s in pieces if s <= 0]
        parts = [r for r, s in pieces if s > 0]
    return parts


def confirm_empty(outside: list[Cell]) -> None:
    """Raise if settings reach a part where the expression has no value, or if that is not known."""
    reached = [cell for cell in outside if cell[0].is_reached]
    if reached:
        raise Undefined(" or ".join(str(r) for r, _ in joined(reached, lambda *_: True)))
    if outside:
        raise Undecidable(f"it is undefined where {outside[0][0]}, and whether that is empty is not known")
