"""Curves p(t, e^(t/d)) of polynomials p: the roots of one by those of its derivatives.

Divide an irreducible p(t, X) by a power of X and differentiate: the lowest coefficient loses a degree, so that in the
end nothing is left. With rational coefficients two coprime polynomials in (t, e^(t/d)) meet at t = 0 alone (Lindemann
and Weierstrass), where everything is rational; so the recursion ends with an answer. With coefficients such as e or √2
they may meet at other rational points, which are tried; what is missed there ends as Undecidable. The idea is that of
M. Achatz, S. McCallum and V. Weispfenning, *Deciding polynomial-exponential problems* (ISSAC 2008).
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from sympy import QQ, Expr, Mul, Rational, S, exp, igcd, log
from sympy.polys.rings import PolyElement, ring

from kltheory.calculus.constants import Constant, put_in, sign_of_constant
from kltheory.calculus.fraction import factored
from kltheory.calculus.roots import Root, Side, T, X, isolate, sign_around, sign_of_value


@dataclass(frozen=True)
class ExpCurve:
    """An irreducible p(t, X) along X = e^(t/d); the ring's generators are T, X, then the numbers in coefficients."""

    poly: PolyElement
    root: int

    @cached_property
    def terms(self) -> dict[tuple[int, int], Expr]:
        """Powers of t and of X, to the number in front."""
        return terms(self.poly)

    @cached_property
    def expr(self) -> Expr:
        """The function of t."""
        return put_in(self.poly.as_expr()).xreplace({X: exp(T / self.root)})

    @property
    def real(self) -> Expr:
        """The same: it has a value everywhere."""
        return self.expr

    def sign(self, t: Fraction) -> int:
        """The sign at a rational t."""
        return sign_of_value(self.expr, Rational(t))

    def solved(self) -> tuple[Root, ...] | None:
        """The root where t or X occurs alone and linear; none for a power of X."""
        number = self.terms.get((0, 0), S.Zero)
        match sorted(self.terms.keys() - {(0, 0)}):
            case [(1, 0)]:
                return (Root(None, -number / self.terms[1, 0]),)
            case [(0, 1)]:
                x = -number / self.terms[0, 1]
                return (Root(None, self.root * log(x)),) if sign_of_constant(x) > 0 else ()
        return None

    def turns(self, depth: int) -> list[Root]:
        """The roots of the derivative of p / X^k, where k is the lowest power of X in p."""
        lowest = min(k for _, k in self.terms)
        derivative = self.poly.ring.zero
        for (m, k, *rest), c in self.poly.terms():
            if m:
                derivative += self.poly.ring.from_dict({(m - 1, k - lowest, *rest): c * m})
            if k > lowest:
                derivative += self.poly.ring.from_dict({(m, k - lowest, *rest): c * QQ(k - lowest, self.root)})
        return [r for curve, _ in curves_of(derivative, self.root) for r in isolate(curve, depth + 1)]

    def beside(self, a: Root | None, b: Root | None) -> tuple[Side, Side]:
        """The signs at both ends; 0 at an end where the curve only touches zero."""
        left = (self._far(-1), None) if a is None else sign_around(self.expr, a)[::2]
        right = (self._far(1), None) if b is None else sign_around(self.expr, b)[:2]
        return left, right

    def _far(self, side: int) -> int:
        """The eventual sign as t goes to side·∞: of the term that wins far out."""
        _, m, c = dominant(self.terms, side)
        return sign_of_constant(c) * side**m


def terms(poly: PolyElement) -> dict[tuple[int, int], Expr]:
    """Powers of T and X, the first two generators, to the number in front."""
    found: dict[tuple[int, int], Expr] = {}
    constants = poly.ring.symbols[2:]
    for (m, k, *powers), c in poly.terms():
        number = Mul(Rational(c.numerator, c.denominator), *(s**n for s, n in zip(constants, powers, strict=True)))
        found[m, k] = found.get((m, k), S.Zero) + put_in(number)
    return found


def curves_of(poly: PolyElement, root: int) -> list[tuple[ExpCurve, int]]:
    """Irreducible factors with multiplicity, leaving out numbers and powers of X."""
    found = []
    for factor, k in factored(poly)[1]:
        if any(m or j for m, j, *_ in factor.monoms()) and factor != factor.ring.gens[1]:
            found.append((curve_of(factor, root), k))
    return found


def curve_of(poly: PolyElement, root: int) -> ExpCurve:
    """The curve with the least d: (t, X) -> p(t, X^n) with d = n d' is the curve of p(t, X) with d'."""
    common = int(igcd(root, *(k for _, k, *_ in poly.monoms())))
    if common == 1:
        return ExpCurve(poly, root)
    terms = {(m, k // common, *rest): c for (m, k, *rest), c in poly.terms()}
    return ExpCurve(poly.ring.from_dict(terms), root // common)


def dominant(terms: dict[tuple[int, int], Expr], side: int) -> tuple[int, int, Expr]:
    """The term that wins far out: the power of X, the power of t, the number in front."""
    k = (max if side > 0 else min)(k for _, k in terms)
    m = max(m for m, j in terms if j == k)
    return k, m, terms[m, k]


def along(poly: PolyElement, meaning: dict[Expr, Expr]) -> PolyElement:
    """A polynomial in generators in the ring of T, X and constants; ``meaning`` says which of these each one is."""
    constants = sorted({c for c in meaning.values() if isinstance(c, Constant)}, key=str)
    target = ring([T, X, *constants], QQ)[0]
    places = [target.symbols.index(meaning[g.as_expr()]) if poly.degree(g) > 0 else None for g in poly.ring.gens]
    total = target.zero
    for monomial, c in poly.terms():
        powers = [0] * target.ngens
        for place, k in zip(places, monomial, strict=True):
            if place is not None:
                powers[place] += k
        total += target.from_dict({tuple(powers): c})
    return total
