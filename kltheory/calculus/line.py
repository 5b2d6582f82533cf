"""Signs, roots and limits on the real line of functions built from t and e^(at), a rational. Exact and complete."""

from itertools import pairwise

from sympy import Expr, Poly, Rational, S, Symbol, exp, factor_list, prod

from kltheory.calculus.exact import Element, Undecidable, is_zero, normal_form
from kltheory.calculus.roots import (
    Curve,
    K,
    Root,
    T,
    X,
    around,
    compare,
    curves_of,
    dominant,
    inside,
    isolate,
    sign_of_constant,
)


def _polynomials(expr: Expr, t: Symbol) -> tuple[int, tuple[Poly, Poly]]:
    """The root d, and numerator and denominator as polynomials in t and X = e^(t/d)."""
    element: Element = normal_form(expr)
    rename = {t: T} | {g: X for m, g in element.field.exps.items() if m == t}
    rename |= {g: K for e, g in element.field.opaque.items() if e == exp(Rational(1, element.field.root))}
    if not element.generators() <= rename.keys():
        raise Undecidable(f"{expr} is not a quotient of polynomials in {t} and exponentials of {t}")
    numer, denom = (Poly(p.as_expr().xreplace(rename), T, X) for p in (element.value.numer, element.value.denom))
    return element.field.root, (numer, denom)


def _parts(expr: Expr, t: Symbol) -> tuple[int, list[tuple[Curve, int]]]:
    """The sign of the constant factor, and the irreducible curves of numerator and denominator with multiplicities."""
    root, polys = _polynomials(expr, t)
    content = prod(factor_list(poly.as_expr(), T, X)[0] for poly in polys)
    sign = sign_of_constant(content.xreplace({K: exp(Rational(1, root))}))
    return sign, [pair for poly in polys for pair in curves_of(poly, root)]


def roots(expr: Expr, t: Symbol) -> list[Root]:
    """The real roots and poles of ``expr``, in order, without repetition."""
    found: list[Root] = []
    for r in sorted(r for curve, _ in _parts(expr, t)[1] for r in isolate(curve)):
        if not found or compare(found[-1], r) != 0:
            found.append(r)
    return found


def poles(expr: Expr, t: Symbol) -> list[Root]:
    """The real roots of the denominator; none where it has a form that is not looked into, as beside a logarithm."""
    try:
        root, (_, denom) = _polynomials(expr, t)
    except Undecidable:
        return []
    return [r for curve, _ in curves_of(denom, root) for r in isolate(curve)]


def sign_between(expr: Expr, t: Symbol, a: Root | None, b: Root | None) -> int:
    """The sign of ``expr`` on an open interval that holds none of its roots (``None`` is an infinity)."""
    sign, curves = _parts(expr, t)
    for curve, k in curves:
        if k % 2:
            sign *= curve.sign(inside(a, b)) if a or b else curve.sign_at_infinity(1)
    return sign


def signs(expr: Expr, t: Symbol) -> list[tuple[Root | None, Root | None, int]]:
    """The sign of ``expr`` on each open interval between its roots and poles; one row with sign 0 when it is zero.

    Raises:
        Undecidable: the expression has parameters, or heads other than exponentials of ``t``.
    """
    if is_zero(expr):
        return [(None, None, 0)]
    cuts = [None, *roots(expr, t), None]
    return [(a, b, sign_between(expr, t, a, b)) for a, b in pairwise(cuts)]


def sign_at(expr: Expr, t: Symbol, root: Root) -> int:
    """The exact sign of ``expr`` at a root of something else."""
    sign, curves = _parts(expr, t)
    for curve, k in curves:
        s = 0 if any(compare(r, root) == 0 for r in isolate(curve)) else around(curve, root)[0]
        sign *= s**k
    return sign


def limit(expr: Expr, t: Symbol, side: int) -> Expr:
    """The limit as t goes to side * infinity, exact, perhaps ±oo: the dominant exponential decides, then the power."""
    if is_zero(expr):
        return S.Zero
    root, polys = _polynomials(expr, t)
    (k1, m1, c1), (k2, m2, c2) = (dominant(p, side) for p in polys)
    c1, c2 = (c.xreplace({K: exp(Rational(1, root))}) for c in (c1, c2))
    growth = (side * (k1 - k2), m1 - m2)
    if growth == (0, 0):
        return c1 / c2
    if growth < (0, 0):
        return S.Zero
    return S.Infinity * (c1 / c2) * side ** (m1 - m2)
