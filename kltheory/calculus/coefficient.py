"""The coefficient C: all that is left of a loss in expectation, E_old[∇s] = E_π[C ∇log π], and only modulo constants.

Two coefficients give the same expected gradient for every policy, reference and old policy of full support and
every vocabulary size **iff** they differ by a constant. *If*: E_π[∇log π] = 0. *Only if*: in logits the gradient of
the difference D is π_j (D_j − Σ_i π_i D_i); when it vanishes D takes one value on all actions, and with V >= 3 any
two triples (π, π_ref, π_old) of small enough probabilities occur together in one setting.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, cmp_to_key
from itertools import pairwise

from sympy import Expr, Rational, S, Symbol

from kltheory.calculus.exact import Undecidable, is_constant, is_zero, normal_form
from kltheory.calculus.line import poles, roots, sign_at
from kltheory.calculus.notation import text
from kltheory.calculus.regions import DISPLAY, Bounds, Region, split
from kltheory.calculus.roots import Root, compare
from kltheory.calculus.symbols import VARIABLES, log_ratio, to_quotients

Cell = tuple[Region, Expr]


@dataclass(frozen=True)
class Coefficient:
    """C(logp, l, log w), cell by cell. Build one with :meth:`of` or :meth:`Surrogate.coefficient`."""

    cells: tuple[Cell, ...]

    @classmethod
    def of(cls, expr: Expr | int) -> "Coefficient":
        """The coefficient with this formula (in l, w, logp, logp_ref, logp_old, A; free of ``sg``)."""
        return cls(tuple(split(to_quotients(S(expr)))))

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
        return all(_holds(r, is_zero(e)) for r, e in self.cells)

    def is_constant(self) -> bool:
        """Whether C is one constant almost everywhere: no expected gradient."""
        if not all(_holds(r, is_constant(e)) for r, e in self.cells):
            return False
        region, first = next((cell for cell in self.cells if _is_known(cell[0])), self.cells[0])
        same = all(_holds(r, is_zero(e - first)) for r, e in self.cells)
        return _holds(region, same)

    def equals(self, other: "Coefficient") -> bool:
        """Whether both give the same expected gradient in every setting: equal modulo constants."""
        return (self - other).is_constant()

    def depends_on(self, *variables: Symbol) -> bool:
        """Whether C, modulo a constant, involves any of the variables (``log_weight``: who sampled matters)."""
        if any(not _holds(r, is_zero(e.diff(v))) for r, e in self.cells for v in variables):
            return True
        return any(r.is_cut(v) for r, _ in self.merged for v in variables)

    def is_nondecreasing(self) -> bool:
        """Whether C, a function of l alone, never decreases: then it belongs to a convex f, a divergence.

        Raises:
            Undecidable: C depends on more than l, or a sign cannot be found.
        """
        return self.slope() in (0, 1)

    def slope(self) -> int | None:
        """How C moves with l: 1 never down, -1 never up, 0 not at all, ``None`` both ways."""
        variable = self.sole_variable()
        pieces = self.along(variable)
        steps: set[int] = set()
        for (lo, hi), e in pieces:
            if any(_between(pole, lo, hi) for pole in poles(e, variable)):
                raise Undecidable(f"{e} has a pole")
            steps |= set(_signs_within(e.diff(variable), variable, lo, hi))
        for ((_, edge), left), (_, right) in pairwise(pieces):
            if edge is not None and edge.exact is not None:
                steps |= set(_signs_within((right - left).xreplace({variable: edge.exact}), variable, None, None))
            elif edge is not None and not is_zero(right - left):
                steps.add(sign_at(right - left, variable, edge))
        steps.discard(0)
        return None if len(steps) == 2 else (steps.pop() if steps else 0)

    def along(self, variable: Symbol) -> list[tuple[Bounds, Expr]]:
        """The cells of a function of one variable from left to right, neighbours with the same expression joined."""

        def before(a: tuple[Bounds, Expr], b: tuple[Bounds, Expr]) -> int:
            return -1 if a[0][0] is None else 1 if b[0][0] is None else compare(a[0][0], b[0][0])

        return sorted(((r.bounds(variable), e) for r, e in self.merged), key=cmp_to_key(before))

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
        cells, before = list(self.cells), 0
        while len(cells) != before:
            before, cells = len(cells), _join(cells)
        return tuple(cells)

    def __str__(self) -> str:
        cells = self.merged
        if len(cells) == 1:
            return text(tidy(cells[0][1]))
        return "; ".join(f"{text(tidy(e))} where {r}" for r, e in cells)


def _join(cells: list[Cell]) -> list[Cell]:
    out: list[Cell] = []
    for region, e in cells:
        for i, (r, f) in enumerate(out):
            if (joined := r.union(region)) is not None and is_zero(e - f):
                out[i] = (joined, f)
                break
        else:
            out.append((region, e))
    return out


def _between(point: Root, lo: Root | None, hi: Root | None) -> bool:
    return (lo is None or compare(lo, point) <= 0) and (hi is None or compare(point, hi) <= 0)


def _holds(region: Region, decision: bool) -> bool:
    """A decision on one cell; a *no* on a cell that might be empty is no decision."""
    if not decision and not _is_known(region):
        raise Undecidable(f"it fails where {region}, and whether that is empty is not known")
    return decision


def _is_known(region: Region) -> bool:
    """Whether a cell is known not to be empty."""
    return not region.conditions or region.sample() is not None


def _variables(region: Region, expr: Expr) -> set[Symbol]:
    """The variables a cell really involves."""
    return {v for v in VARIABLES if region.is_cut(v) or (v in expr.free_symbols and not is_zero(expr.diff(v)))}


def _signs_within(e: Expr, t: Symbol, lo: Root | None, hi: Root | None) -> Iterator[int]:
    for part, s in Region({t: (lo, hi)}).refine(e):
        if part.conditions:
            raise Undecidable(f"the sign of {e} depends on parameters")
        yield s


def tidy(expr: Expr) -> Expr:
    """A form for people: expanded where that is short, log w written with w."""
    candidates = [expr, expr.expand(), normal_form(expr).as_expr()]
    return min(candidates, key=lambda e: (e.count_ops(), len(str(e)))).xreplace(DISPLAY)
