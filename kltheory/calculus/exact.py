"""The zero test: is an expression identically zero? Yes, no, or :class:`Undecidable`; never a guess.

An expression is rewritten as a rational function of independent generators (:mod:`.field`) over one denominator; it is
zero iff its numerator is the zero polynomial. So *yes* and *no* are both proofs. Where a generator is not plain, *yes*
is still a proof, and *no* has to be earned by an interval enclosure that excludes zero at a rational point.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from sympy import Expr, Rational, S, Symbol
from sympy.polys.fields import FracElement

from kltheory.calculus.enclosure import CannotEnclose, sign_of
from kltheory.calculus.field import Field, exactly
from kltheory.calculus.fraction import Undecidable
from kltheory.calculus.symbols import VARIABLES

__all__ = ["Element", "Undecidable", "is_constant", "is_zero", "nonzero_somewhere", "normal_form"]


@dataclass(frozen=True)
class Element:
    """An expression in normal form: a quotient of coprime polynomials in independent generators."""

    value: FracElement
    field: Field

    def generators(self) -> set[Symbol]:
        """The generators that occur."""
        return {
            g.as_expr() for poly in (self.value.numer, self.value.denom) for g in poly.ring.gens if poly.degree(g) > 0
        }

    def is_settled(self) -> bool:
        """Whether the normal form shows all it depends on: plain generators only, and no root (roots may cancel)."""
        seen = self.generators()
        return not seen & set(self.field.radicals.values()) and all(map(self.field.is_plain, seen))

    def depends_on(self, variables: Iterable[Symbol]) -> bool:
        """Whether the normal form involves any of the variables (in the normal form nothing cancels)."""
        variables = set(variables)
        meaning = self.field.meaning()
        return any(g in variables or meaning.get(g, S.One).free_symbols & variables for g in self.generators())

    def as_expr(self) -> Expr:
        """The normal form as a SymPy expression."""
        return self.field.value(self.value.as_expr())


@lru_cache(maxsize=65536)
def normal_form(expr: Expr) -> Element:
    """The normal form of an sg-free, smooth expression.

    Raises:
        Undecidable: it divides by zero, is not finite, or has a root whose sign is not known.
    """
    expr = exactly(expr)
    f = Field.of(expr)
    return Element(f.element(expr), f)


@lru_cache(maxsize=65536)
def is_zero(expr: Expr) -> bool:
    """Whether ``expr`` vanishes identically.

    Raises:
        Undecidable: as above; or the formal answer is *no*, it leans on a generator that is not plain, and no enclosure
            excludes zero.
    """
    expr = exactly(expr)
    f = Field.of(expr)
    if f.is_zero(expr):
        return True
    if not all(map(f.is_plain, f.rewrite(expr).free_symbols)) and not nonzero_somewhere(expr):
        raise Undecidable(f"{expr} is not formally zero, and no enclosure separates it from zero")
    return False


def is_constant(expr: Expr, variables: Iterable[Symbol] = VARIABLES) -> bool:
    """Whether ``expr`` is free of the per-sample variables (parameters count as constants)."""
    variables = tuple(variables)
    element = normal_form(expr)
    if not element.depends_on(variables):
        return True
    if element.is_settled():
        return False
    return all(is_zero(expr.diff(v)) for v in variables if v in expr.free_symbols)


def nonzero_somewhere(expr: Expr, points: int = 8) -> bool:
    """Whether an interval enclosure excludes zero at one of a few fixed rational points."""
    symbols = sorted(expr.free_symbols, key=str)
    for k in range(points):
        at = {
            s: Rational(7 * k + 3 + 2 * i, 11 + 5 * i + k) * (1 if s.is_positive else (-1) ** (k + i))
            for i, s in enumerate(symbols)
        }
        try:
            if sign_of(expr, at) is not None:
                return True
        except CannotEnclose:
            continue
    return False
