"""Cells: where an expression with abs, sign, min, max, clamps and comparisons is smooth, and what it is there.

A *region* is a box of open intervals, one per variable, with exact end points, plus sign conditions on what is not
a function of one variable alone (``w - 1 - eps > 0``). ``split`` opens one guard at a time; boundaries have measure
zero and are left out. Guards look at values, so stop-gradients are transparent to them, and stay in the branches.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import permutations
from random import Random
from typing import Any, Final

import mpmath
from sympy import (
    Abs,
    Add,
    Expr,
    Heaviside,
    Max,
    Min,
    Piecewise,
    Rational,
    S,
    Symbol,
    exp,
    expand,
    false,
    log,
    postorder_traversal,
    sign,
    true,
)
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean

from kltheory.calculus.enclosure import CannotEnclose, sign_of
from kltheory.calculus.exact import Undecidable, is_zero, normal_form
from kltheory.calculus.line import signs
from kltheory.calculus.roots import ZERO, Root, compare, inside, sign_of_constant
from kltheory.calculus.symbols import VARIABLES, erase_sg, log_ratio, log_weight, logp, weight

MAX_CELLS: Final = 512

Bounds = tuple[Root | None, Root | None]


@dataclass(frozen=True)
class Region:
    """A box times sign conditions; ``logp < 0`` always."""

    box: Mapping[Symbol, Bounds] = field(default_factory=lambda: {logp: (None, ZERO)})
    conditions: Mapping[Expr, int] = field(default_factory=dict)

    def __and__(self, other: "Region") -> "Region | None":
        """The intersection; ``None`` when it is plainly empty."""
        box = dict(self.box)
        for variable, bounds in other.box.items():
            clipped = _clip(self.bounds(variable), bounds)
            if clipped is None:
                return None
            box[variable] = clipped
        if any(other.conditions.get(g, s) != s for g, s in self.conditions.items()):
            return None
        return Region(box, {**self.conditions, **other.conditions})

    def refine(self, guard: Expr) -> Iterator[tuple["Region", int]]:
        """The parts of the region on which the guard has a sign, with that sign (0: identically zero)."""
        if is_zero(guard):
            yield self, 0
            return
        constant, factors = _sign_factors(guard)
        states: list[tuple[Region, int]] = [(self, constant)]
        for factor, power in factors:
            states = [(r, s * t**power) for region, s in states for r, t in region._branch(factor)]
        yield from states

    def _branch(self, factor: Expr) -> Iterator[tuple["Region", int]]:
        if factor in self.conditions:
            yield self, self.conditions[factor]
            return
        if len(factor.free_symbols) == 1 and (variable := next(iter(factor.free_symbols))) in VARIABLES:
            for a, b, s in signs(factor, variable):
                clipped = _clip(self.bounds(variable), (a, b))
                if clipped is not None:
                    yield Region({**self.box, variable: clipped}, self.conditions), s
            return
        for s in (1, -1):
            yield Region(self.box, {**self.conditions, factor: s}), s

    def is_cut(self, variable: Symbol) -> bool:
        """Whether the region restricts the variable."""
        bounds = self.box.get(variable, (None, None))
        free = (None, ZERO) if variable == logp else (None, None)
        return bounds != free or any(variable in g.free_symbols for g in self.conditions)

    def union(self, other: "Region") -> "Region | None":
        """The union, when it is a region: two boxes that share a face, or two sides of one condition."""
        differing = [v for v in {*self.box, *other.box} if self.bounds(v) != other.bounds(v)]
        flipped = [
            g for g in {*self.conditions, *other.conditions} if self.conditions.get(g) != other.conditions.get(g)
        ]
        if (
            len(flipped) == 1
            and not differing
            and self.conditions.get(flipped[0]) == -other.conditions.get(flipped[0], 0)
        ):
            return Region(self.box, {g: s for g, s in self.conditions.items() if g not in flipped})
        if len(differing) != 1 or flipped:
            return None
        for (lo, a), (b, hi) in permutations((self.bounds(differing[0]), other.bounds(differing[0]))):
            if a is not None and a == b:
                return Region({**self.box, differing[0]: (lo, hi)}, self.conditions)
        return None

    def bounds(self, variable: Symbol) -> Bounds:
        """The open interval the variable ranges over; ``None`` is an infinity."""
        return self.box.get(variable, (None, None))

    def sample(self, tries: int = 400) -> dict[Symbol, Rational] | None:
        """A rational point of the region at which all three policies are probabilities, if one is found."""
        symbols = sorted({*VARIABLES[1:], *self.box, *(s for g in self.conditions for s in g.free_symbols)}, key=str)
        choices = {v: self._choices(v) for v in symbols if v != logp}
        random = Random(0)
        for _ in range(tries):
            at = {v: random.choice(c) for v, c in choices.items()}
            edge = min(Rational(0), at[log_ratio], at[log_weight])
            at[logp] = edge - 1 if not self.is_cut(logp) else Rational(inside(*self.bounds(logp)))
            if at[logp] < edge and all(_sign(g, at) == s for g, s in self.conditions.items()):
                return at
        return None

    def _choices(self, v: Symbol) -> list[Rational]:
        a, b = self.bounds(v)
        steps = [*range(25), *(8 * k for k in (5, 8, 12, 20, 40))]
        grid = [
            Rational(s * k, 8) for k in steps for s in ((1,) if v.is_positive else (-1, 1)) if k or not v.is_positive
        ]
        inner = [q for q in grid if (a is None or float(a) < q) and (b is None or q < float(b))]
        return [*inner, Rational(inside(a, b))] if a or b else inner

    @property
    def is_everything(self) -> bool:
        """Whether no guard cut it."""
        return not self.conditions and not any(map(self.is_cut, self.box))

    def __str__(self) -> str:
        parts = [text for v, b in self.box.items() if (text := _interval_text(v, b))]
        parts += [f"{g.xreplace(DISPLAY)} {'>' if s > 0 else '<'} 0" for g, s in self.conditions.items()]
        return " and ".join(parts) or "everywhere"


def _sign(guard: Expr, at: dict[Symbol, Rational]) -> int | None:
    try:
        return sign_of(guard, at)
    except CannotEnclose:
        return None


DISPLAY: Final = {log_weight: log(weight)}
"""How log w is written for people."""


def _interval_text(variable: Symbol, bounds: Bounds) -> str:
    lo, hi = bounds
    if variable == logp and lo is None and hi == ZERO:
        return ""
    name, shown = ("w", _exp_text) if variable == log_weight else (str(variable), short)
    return (f"{shown(lo)} < " if lo else "") + name + (f" < {shown(hi)}" if hi else "") if lo or hi else ""


def _exp_text(root: Root) -> str:
    return str(exp(root.exact)) if root.exact is not None else f"{mpmath.exp(float(root))!s:.8}"


def short(root: Root) -> str:
    """A threshold for people: exact when it is, else seven digits."""
    return str(root.exact) if root.exact is not None else f"{float(root):.7g}"


def _clip(a: Bounds, b: Bounds) -> Bounds | None:
    lo = b[0] if a[0] is None or (b[0] is not None and compare(a[0], b[0]) < 0) else a[0]
    hi = b[1] if a[1] is None or (b[1] is not None and compare(b[1], a[1]) < 0) else a[1]
    return None if lo is not None and hi is not None and compare(lo, hi) >= 0 else (lo, hi)


def _sign_factors(guard: Expr) -> tuple[int, list[tuple[Expr, int]]]:
    """Constant sign and irreducible factors of unknown sign, with multiplicities."""
    element = normal_form(guard)
    positive = {*element.field.exps.values(), *element.field.radicals.values()}
    result, constant = [], 1
    for poly in (element.value.numer, element.value.denom):
        content, factors = poly.factor_list()
        constant *= 1 if content > 0 else -1
        for p, k in factors:
            expr = p.as_expr()
            if all(g in positive or g.is_positive for g in expr.free_symbols) and all(c > 0 for c in p.coeffs()):
                continue
            lifted = element.field.lift(expr)
            if not lifted.free_symbols:
                constant *= sign_of_constant(lifted) ** k
                continue
            if lifted.could_extract_minus_sign():
                lifted, constant = -lifted, constant * (-1) ** k
            result.append((_without_log_constants(lifted), k))
    return constant, result


def _without_log_constants(factor: Expr) -> Expr:
    """``3 l - log 2`` has the sign of ``exp(3 l)/2 - 1``: thresholds that are logarithms become rational."""
    constants = [a for a in Add.make_args(factor) if not a.free_symbols]
    logs = {a for c in constants for a in c.atoms(log)}
    if not logs or not factor.is_polynomial(*factor.free_symbols) or not all(a.args[0].is_Rational for a in logs):
        return factor
    return expand(exp(factor)) - 1


# --- the heads that are not smooth: a guard, and what the node is for each of its signs -----------------------
Branches = tuple[Expr, Callable[[int], Any]]


def _pick(node: Expr, smaller: int) -> Branches:
    a, b, *rest = node.args
    return a - b, lambda s: node.func(a if s * smaller < 0 else b, *rest)


def _condition(node: Piecewise) -> Branches:
    condition = node.args[0][1]
    relation = min(condition.atoms(Relational), key=str)
    up, down = (true, false) if relation.rel_op in (">", ">=") else (false, true)
    if relation.rel_op in ("==", "!="):
        raise Undecidable(f"{relation} holds on a set of measure zero")
    return relation.lhs - relation.rhs, lambda s: node.xreplace({relation: up if s > 0 else down})


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


def split(expr: Expr, region: Region | None = None) -> list[tuple[Region, Expr]]:
    """The cells of ``expr``: regions with the smooth expression it equals there.

    Raises:
        Undecidable: a guard is identically zero while the branches differ, or there are more than ``MAX_CELLS`` cells.
    """
    return list(_everywhere(expr) if region is None else _cells(expr, region))


@lru_cache(maxsize=4096)
def _everywhere(expr: Expr) -> list[tuple[Region, Expr]]:
    return _cells(expr, Region())


def _cells(expr: Expr, region: Region) -> list[tuple[Region, Expr]]:
    cells: list[tuple[Region, Expr]] = []
    stack = [(region, expr)]
    while stack:
        here, e = stack.pop()
        if is_smooth(e):
            cells.append((here, e))
            continue
        node, (guard, choose) = _innermost(e)
        for part, s in here.refine(erase_sg(guard)):
            if s == 0 and not _identical(choose(1), choose(-1)):
                raise Undecidable(f"{guard} = 0 throughout, on the kink of {node}")
            stack.append((part, e.xreplace({node: choose(s or 1)})))
        if len(cells) + len(stack) > MAX_CELLS:
            raise Undecidable(f"more than {MAX_CELLS} cells")
    return cells[::-1]


def _identical(a: Expr, b: Expr) -> bool:
    """Whether two branches are the same with their stop-gradients, which the zero test sees as opaque."""
    try:
        return is_zero(a - b)
    except Undecidable:
        return False


def _innermost(expr: Expr) -> tuple[Expr, Branches]:
    for node in postorder_traversal(expr):
        head = HEADS.get(type(node))
        if head is not None:
            guard, choose = head(node)
            if is_smooth(guard):
                return node, (guard, choose)
    raise Undecidable(f"no smooth guard in {expr}")
