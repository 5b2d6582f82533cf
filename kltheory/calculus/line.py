"""Signs, roots and limits on the real line of elementary functions of one variable, exact.

Complete for functions built from t and e^(at) over the rationals (:mod:`.curve`). Elsewhere (:mod:`.tower`) an answer
is a proof as well, and what is not found in the steps that are tried is Undecidable.
"""

from functools import lru_cache
from itertools import pairwise
from math import prod

from sympy import Expr, Rational, S, Symbol

from kltheory.calculus.enclosure import CannotEnclose
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.roots import Curve, Root, between, compare, in_order, isolate, sign_around
from kltheory.calculus.tower import Parts, curves_below, denominator, dominant_terms, numerator


def _parts(expr: Expr, t: Symbol) -> Parts:
    (sign, above), (other, below) = numerator(expr, t), denominator(expr, t)
    return sign * other, above + below


def roots(expr: Expr, t: Symbol) -> list[Root]:
    """The real roots and poles of ``expr``, in order, without repetition."""
    return in_order([r for curve, _ in _parts(expr, t)[1] for r in isolate(curve)])


def poles(expr: Expr, t: Symbol) -> list[Root]:
    """The real roots of the denominator; its factors that are free of ``t`` may hold parameters."""
    return in_order([r for curve in curves_below(expr, t) for r in isolate(curve)])


def sign_between(expr: Expr, t: Symbol, a: Root | None, b: Root | None) -> int:
    """The sign of ``expr`` on an open interval that holds none of its roots and poles (``None`` is an infinity)."""
    sign, curves = _parts(expr, t)
    return sign * prod(_sign_inside(curve, a, b) for curve, k in curves if k % 2)


def _sign_inside(curve: Curve, a: Root | None, b: Root | None) -> int:
    """The curve's sign, at another point where it has none at the first: where a logarithm is infinite."""
    point = between(a, b)
    for _ in range(8):
        try:
            return curve.sign(point)
        except CannotEnclose:
            point = between(a, Root(None, Rational(point)))
    raise Undecidable(f"{curve.expr} has no sign at {point}")


@lru_cache(maxsize=4096)
def signs(expr: Expr, t: Symbol) -> tuple[tuple[Root | None, Root | None, int], ...]:
    """The sign of ``expr`` on each open interval between its roots and poles; one row with sign 0 when it is zero.

    Kept: the same guard cuts the cells of a claim and of its mutants.

    Raises:
        Undecidable: the expression has parameters, or functions that are not elementary; or a root is not isolated.
    """
    if is_zero(expr):
        return ((None, None, 0),)
    cuts = [None, *roots(expr, t), None]
    return tuple((a, b, sign_between(expr, t, a, b)) for a, b in pairwise(cuts))


def sign_at(expr: Expr, t: Symbol, root: Root) -> int:
    """The exact sign of ``expr`` at a root of something else."""
    sign, curves = _parts(expr, t)
    for curve, k in curves:
        s = 0 if any(compare(r, root) == 0 for r in isolate(curve)) else sign_around(curve.expr, root)[0]
        sign *= s**k
    return sign


def limit(expr: Expr, t: Symbol, side: int) -> Expr:
    """The limit as t goes to side * infinity, exact, perhaps ±oo: the dominant exponential decides, then the power."""
    if is_zero(expr):
        return S.Zero
    (k1, m1, c1), (k2, m2, c2) = dominant_terms(expr, t, side)
    growth = (side * (k1 - k2), m1 - m2)
    if growth == (0, 0):
        return c1 / c2
    if growth < (0, 0):
        return S.Zero
    return S.Infinity * (c1 / c2) * side ** (m1 - m2)
