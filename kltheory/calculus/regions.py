"""Regions: boxes of open intervals with exact ends, one for each variable, and signs of guards of several variables.

Boundaries have measure zero and are left out. A part that no action of any setting reaches is left out as well, where
that is known (:mod:`.reach`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import permutations
from typing import Final

import mpmath
from sympy import Add, Expr, Symbol, exp, expand, log

from kltheory.calculus.constants import sign_of_constant
from kltheory.calculus.exact import is_zero, normal_form
from kltheory.calculus.fraction import factored
from kltheory.calculus.line import signs
from kltheory.calculus.moments import At, Mean
from kltheory.calculus.notation import text
from kltheory.calculus.points import Point, sample
from kltheory.calculus.reach import Bounds, clip, is_out_of_reach, sign_on
from kltheory.calculus.roots import ZERO, Root
from kltheory.calculus.symbols import VARIABLES, log_weight, logp, weight


@dataclass(frozen=True)
class Region:
    """A box times sign conditions; ``logp < 0`` always."""

    box: Mapping[Symbol, Bounds] = field(default_factory=lambda: {logp: (None, ZERO)})
    conditions: Mapping[Expr, int] = field(default_factory=dict)

    def __and__(self, other: "Region") -> "Region | None":
        """The intersection; ``None`` when it is known to be out of reach."""
        box = dict(self.box)
        for variable, bounds in other.box.items():
            clipped = clip(self.bounds(variable), bounds)
            if clipped is None:
                return None
            box[variable] = clipped
        if any(other.conditions.get(g, s) != s for g, s in self.conditions.items()):
            return None
        both = Region(box, {**self.conditions, **other.conditions})
        return None if is_out_of_reach(both) else both

    def refine(self, guard: Expr) -> Iterator[tuple["Region", int]]:
        """The parts of the region on which the guard has a sign, with that sign (0: identically zero).

        Raises:
            Undecidable: the sign of a function of one variable is not found.
        """
        if is_zero(guard):
            yield self, 0
            return
        constant, factors = _sign_factors(guard)
        states: list[tuple[Region, int]] = [(self, constant)]
        for factor, power in factors:
            states = [(r, s * t**power) for region, s in states for r, t in region._branch(factor)]
        yield from states

    def _branch(self, factor: Expr) -> Iterator[tuple["Region", int]]:
        if (known := self.conditions.get(factor) or sign_on(factor, self)) is not None:
            yield self, known
            return
        symbols = tuple(factor.free_symbols)
        if len(symbols) == 1 and symbols[0] in VARIABLES:
            cuts = ((clip(self.bounds(symbols[0]), (a, b)), s) for a, b, s in signs(factor, symbols[0]))
            parts = [(Region({**self.box, symbols[0]: c}, self.conditions), s) for c, s in cuts if c is not None]
        else:
            parts = [(Region(self.box, {**self.conditions, factor: s}), s) for s in (1, -1)]
        yield from ((part, s) for part, s in parts if not is_out_of_reach(part))

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

    def sample(self) -> Point | None:
        """A rational point of the region at which all three policies are probabilities, if one is found."""
        return sample(self)

    @cached_property
    def is_reached(self) -> bool:
        """Whether it is known to hold an action of some setting; a box that is not known to be empty does.

        Of which numbers means are, in one setting, nothing is known.
        """
        means = any(g.has(Mean, At) for g in self.conditions)
        return not self.conditions or (not means and self.sample() is not None)

    @property
    def is_everything(self) -> bool:
        """Whether no guard cut it."""
        return not self.conditions and not any(map(self.is_cut, self.box))

    def __str__(self) -> str:
        parts = [shown for v in VARIABLES if v in self.box and (shown := _interval_text(v, self.box[v]))]
        parts += [f"{text(g.xreplace(DISPLAY))} {'>' if s > 0 else '<'} 0" for g, s in self.conditions.items()]
        return " and ".join(parts) or EVERYWHERE


Cell = tuple[Region, Expr]


def joined(cells: Sequence[Cell], same: Callable[[Expr, Expr], bool]) -> list[Cell]:
    """The cells, neighbours with the same expression joined until none are left."""
    out, before = list(cells), -1
    while len(out) != before:
        before, out = len(out), _join(out, same)
    return out


def _join(cells: Sequence[Cell], same: Callable[[Expr, Expr], bool]) -> list[Cell]:
    out: list[Cell] = []
    for region, e in cells:
        for i, (r, f) in enumerate(out):
            if (both := r.union(region)) is not None and same(e, f):
                out[i] = (both, f)
                break
        else:
            out.append((region, e))
    return out


EVERYWHERE: Final = "everywhere"
DISPLAY: Final = {log_weight: log(weight)}
"""How log w is written for people."""


def _interval_text(variable: Symbol, bounds: Bounds) -> str:
    lo, hi = bounds
    if variable == logp and lo is None and hi == ZERO:
        return ""
    name, shown = ("w", _exp_text) if variable == log_weight else (str(variable), short)
    return (f"{shown(lo)} < " if lo else "") + name + (f" < {shown(hi)}" if hi else "") if lo or hi else ""


def _exp_text(root: Root) -> str:
    return text(exp(root.exact)) if root.exact is not None else f"{mpmath.exp(float(root))!s:.8}"


def short(root: Root) -> str:
    """A threshold for people: exact when it is, else seven digits."""
    return text(root.exact) if root.exact is not None else f"{float(root):.7g}"


def _sign_factors(guard: Expr) -> tuple[int, list[tuple[Expr, int]]]:
    """Constant sign and irreducible factors of unknown sign, with multiplicities."""
    element = normal_form(guard)
    positive = {*element.field.exps.values(), *element.field.radicals.values()}
    result, constant = [], 1
    for poly in (element.value.numer, element.value.denom):
        content, factors = factored(poly)
        constant *= 1 if content > 0 else -1
        for p, k in factors:
            expr = p.as_expr()
            if all(g in positive or g.is_positive for g in expr.free_symbols) and all(c > 0 for c in p.coeffs()):
                continue
            lifted = element.field.value(expr)
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
