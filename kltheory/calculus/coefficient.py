"""The coefficient C: all that is left of a loss in expectation, E_old[∇s] = E_π[C ∇log π], and only modulo constants.

Two coefficients give the same expected gradient for every policy, reference and old policy of full support and
every vocabulary size **iff** they differ by a constant. *If*: E_π[∇log π] = 0. *Only if*: in logits the gradient of
the difference D is π_j (D_j − Σ_i π_i D_i); when it vanishes D takes one value on all actions, and with V >= 3 any
two triples (π, π_ref, π_old) of small enough probabilities occur together in one setting.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, cmp_to_key, lru_cache
from itertools import pairwise
from typing import Any, Final

from sympy import Expr, Rational, S, Symbol, log

from kltheory.calculus.cells import split
from kltheory.calculus.enclosure import LINE, CannotEnclose, enclose
from kltheory.calculus.exact import Undecidable, is_zero, normal_form
from kltheory.calculus.line import roots
from kltheory.calculus.moments import At, Mean
from kltheory.calculus.notation import text
from kltheory.calculus.points import Point, holds
from kltheory.calculus.reach import Bounds
from kltheory.calculus.regions import DISPLAY, Cell, Region, joined
from kltheory.calculus.relations import are_independent, is_free, is_null
from kltheory.calculus.roots import ZERO, between, compare, in_order
from kltheory.calculus.slope import Move, moves, slope_of
from kltheory.calculus.symbols import VARIABLES, log_ratio, logp, to_quotients

STEPS: Final = (Rational(1, 8), Rational(1, 2), 2, 8, 16, 64)
"""How far from a point another value is looked for."""


@dataclass(frozen=True)
class Coefficient:
    """C(logp, l, log w), cell by cell. Build one with :meth:`of` or :meth:`Surrogate.coefficient`."""

    cells: tuple[Cell, ...]

    @classmethod
    def of(cls, expr: Expr | int, partial: bool = False) -> "Coefficient":
        """The coefficient with this formula (in l, w, logp, logp_ref, logp_old, A; free of ``sg``); see :func:`split`.

        Raises:
            Undefined: for some action of some setting it has no value, and it is not to be partial.
            Undecidable: it is not cut into cells.
        """
        return cls(tuple(split(to_quotients(S(expr)), partial=partial)))

    def map(self, function: Callable[[Expr], Expr]) -> "Coefficient":
        """The same cells with a function applied to each expression."""
        return Coefficient(tuple((r, function(e)) for r, e in self.cells))

    def _combine(self, other: "Coefficient", function: Callable[[Expr, Expr], Expr]) -> "Coefficient":
        pairs = ((a & b, e, f) for a, e in self.cells for b, f in other.cells)
        return Coefficient(tuple((r, function(e, f)) for r, e, f in pairs if r is not None))

    def __add__(self, other: "Coefficient") -> "Coefficient":
        return self._combine(other, lambda a, b: a + b)

    def __sub__(self, other: "Coefficient") -> "Coefficient":
        return self._combine(other, lambda a, b: a - b)

    def __mul__(self, scalar: Expr | int) -> "Coefficient":
        return self.map(lambda e: scalar * e)

    __rmul__ = __mul__

    def __neg__(self) -> "Coefficient":
        return self * -1

    def at(self, variable: Symbol, point: Rational) -> Expr:
        """C with one variable set to a number, for a C that is cut in that variable alone.

        Raises:
            Undecidable: the point lies on a boundary, or in no cell.
        """
        here = next(iter(roots(variable - point, variable)))
        for region, e in self.cells:
            lo, hi = region.bounds(variable)
            if (lo is None or compare(lo, here) < 0) and (hi is None or compare(here, hi) < 0):
                return e.xreplace({variable: point})
        raise Undecidable(f"{variable} = {point} lies on the boundary of two cells")

    # --- decisions --------------------------------------------------------------------------------------------------
    def is_zero(self) -> bool:
        """Whether C vanishes almost everywhere."""
        return _everywhere(self.cells, is_null)

    def is_constant(self) -> bool:
        """Whether C is one number for almost every action: no expected gradient."""
        if not _everywhere(self.cells, is_free):
            return False
        region, first = next((cell for cell in self.cells if cell[0].is_reached), self.cells[0])
        return _holds(region, _everywhere(self.cells, lambda e: is_null(e - first)))

    def equals(self, other: "Coefficient") -> bool:
        """Whether both give the same expected gradient in every setting: equal modulo constants."""
        return (self - other).is_constant()

    def depends_on(self, variable: Symbol) -> bool:
        """Whether C, modulo a number of the setting, involves the variable; by ``log_weight`` it feels who sampled.

        Raises:
            Undecidable: it steps where the variable is cut, and no two points that show it are found; or a mean that
                moves with the variable is not known to be independent of the other means.
        """
        if not _everywhere(self.cells, lambda e: is_null(e.diff(variable))):
            return True
        means = {m for _, e in self.cells for m in e.atoms(Mean, At) if variable in m.integrand.free_symbols}
        moving = [m for m in sorted(means, key=str) if not all(_holds(r, is_free(e.diff(m))) for r, e in self.cells)]
        if moving and are_independent({m for _, e in self.cells for m in e.atoms(Mean, At)}):
            return True
        if moving:
            raise Undecidable(f"whether {moving[0]} depends on {variable} is not known")
        return any(r.is_cut(variable) for r, _ in self.merged) and self._steps_along(variable)

    def _steps_along(self, variable: Symbol) -> bool:
        """Whether two points that differ in the variable alone certainly have different values."""
        edges = in_order([x for r, _ in self.cells for x in r.bounds(variable) if x is not None])
        places = [Rational(between(*ends)) for ends in pairwise([None, *edges, None])]
        for start in filter(None, (r.sample() for r, _ in self.cells)):
            low = {**start, logp: min(start[logp], *places) - 1}
            for at in (start, low):
                near = (at[variable] + side * step for step in STEPS for side in (-1, 1))
                line = [{**at, variable: x} for x in [at[variable], *places, *near]]
                values = [_value(e, point) for point in line for r, e in self.cells if holds(r, point)]
                if any(x.b < y.a or y.b < x.a for x, y in pairwise(values)):
                    return True
        where = next((x.expr for x in edges if x != ZERO or variable != logp), "a guard")
        raise Undecidable(f"whether it steps where {variable} passes {where} is not known")

    def is_nondecreasing(self) -> bool:
        """Whether C, a function of l alone, never decreases: then it belongs to a convex f, a divergence.

        Raises:
            Undecidable: C depends on more than l, or a sign cannot be found.
        """
        return self.slope() in (0, 1)

    def slope(self) -> int | None:
        """How C moves with its one variable: 1 never down, -1 never up, 0 not at all, ``None`` otherwise."""
        return slope_of(self.moves)

    @cached_property
    def moves(self) -> tuple[Move, ...]:
        """Where C, a function of one variable, rises, falls, jumps and is infinite, from left to right.

        Raises:
            Undecidable: C depends on more than one variable, or a sign cannot be found.
        """
        variable = self.sole_variable
        return tuple(moves(self.along(variable), variable))

    def along(self, variable: Symbol) -> list[tuple[Bounds, Expr]]:
        """The cells of a function of one variable from left to right, neighbours with the same expression joined."""

        def before(a: tuple[Bounds, Expr], b: tuple[Bounds, Expr]) -> int:
            return -1 if a[0][0] is None else 1 if b[0][0] is None else compare(a[0][0], b[0][0])

        if guards := [g for r, _ in self.merged for g in r.conditions]:
            raise Undecidable(f"the cells are cut by the sign of {guards[0]}")
        return sorted(((r.bounds(variable), _alone(e, variable)) for r, e in self.merged), key=cmp_to_key(before))

    @cached_property
    def sole_variable(self) -> Symbol:
        """The one variable C is a function of (``l`` when it is constant).

        Raises:
            Undecidable: there are several.
        """
        used = {v for v in VARIABLES for r, e in self.merged if v in _variables(r, e)}
        if len(used) > 1:
            raise Undecidable(f"the coefficient depends on {', '.join(sorted(map(str, used)))}, not on one variable")
        return used.pop() if used else log_ratio

    # --- reading ----------------------------------------------------------------------------------------------------
    @cached_property
    def merged(self) -> tuple[Cell, ...]:
        """The cells, neighbours with the same expression joined until none are left."""
        return tuple((r, e if (r, e) in self.cells else _of_both(e)) for r, e in joined(self.cells, _are_equal))

    def __str__(self) -> str:
        cells = self.merged
        if len(cells) == 1:
            return text(tidy(cells[0][1]))
        return "; ".join(f"{'undefined' if e is S.NaN else text(tidy(e))} where {r}" for r, e in cells)


def _everywhere(cells: Iterable[Cell], decide: Callable[[Expr], bool]) -> bool:
    """Whether something holds in every cell that is reached."""
    return all(_holds(r, e is not S.NaN and decide(e)) for r, e in cells)


def _holds(region: Region, decision: bool) -> bool:
    """A decision on one cell; a *no* on a cell that might be empty is no decision."""
    if not decision and not region.is_reached:
        raise Undecidable(f"it fails where {region}, and whether that is empty is not known")
    return decision


def _value(expr: Expr, at: Point) -> Any:
    try:
        return enclose(expr, at)
    except CannotEnclose:
        return LINE


def _are_equal(e: Expr, f: Expr) -> bool:
    return e == f or (S.NaN not in (e, f) and is_zero(e - f))


def _of_both(expr: Expr) -> Expr:
    """An expression of one cell as it is written in both: the zero test takes log(l) and log(-l) for log|l|."""
    return expr if all(x.args[0].is_positive for x in expr.atoms(log)) else normal_form(expr).as_expr()


def _alone(expr: Expr, variable: Symbol) -> Expr:
    """A function of one variable without the others, which cancel."""
    others = set(VARIABLES) - {variable}
    short = normal_form(expr).as_expr() if expr.free_symbols & others else expr
    if short.free_symbols & others:
        raise Undecidable(f"{short} is not written in {variable} alone")
    return short


def _variables(region: Region, expr: Expr) -> set[Symbol]:
    """The variables a cell really involves."""
    return {v for v in VARIABLES if region.is_cut(v) or (v in expr.free_symbols and _moves(expr, v))}


@lru_cache(maxsize=4096)
def _moves(expr: Expr, variable: Symbol) -> bool:
    """Whether an expression is not constant in a variable. Kept: rows ask again for the same coefficients."""
    return not is_zero(expr.diff(variable))


@lru_cache(maxsize=4096)
def tidy(expr: Expr) -> Expr:
    """A form for people: expanded where that is short, log w written with w. Kept: mutants share a side."""
    sizes = {e: e.count_ops() for e in (expr, expr.expand(), normal_form(expr).as_expr())}
    shortest = [e for e, size in sizes.items() if size == min(sizes.values())]
    return (min(shortest, key=lambda e: len(str(e))) if len(shortest) > 1 else shortest[0]).xreplace(DISPLAY)
