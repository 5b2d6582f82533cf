"""Real roots of functions built from t and e^(at), a rational: isolated, refinable, exactly ordered. Complete.

With X = e^(t/d) such a function is a quotient of polynomials p(t, X) over Q, and its roots are those of the irreducible
factors of the numerator. For one irreducible p, divide by a power of X, differentiate (the polynomial part loses a
degree), find the roots of the derivative by the same rule, and look for one sign change on each monotone piece (Rolle).
It always ends with an answer: by Lindemann-Weierstrass, two coprime polynomials in (t, e^(t/d)) have no common root but
t = 0, where everything is rational and is checked exactly.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

from sympy import Dummy, Expr, Poly, Rational, S, exp, factor_list, igcd, log

from kltheory.calculus.enclosure import enclose, iv, sign_of
from kltheory.calculus.exact import Undecidable, is_zero

MAX_DEPTH: Final = 200
T: Final = Dummy("t", real=True)
X: Final = Dummy("X", positive=True)
K: Final = Dummy("K", positive=True)
"""e^(1/d): what clamps leave behind, as in e^20 - 1. Transcendental, so coefficients are polynomials in it."""


@dataclass(frozen=True)
class Curve:
    """An irreducible p(t, X), with coefficients in Q[K], along X = e^(t/d), K = e^(1/d)."""

    poly: Poly
    root: int

    @property
    def expr(self) -> Expr:
        """The function of t."""
        return self.number(self.poly.as_expr().xreplace({X: exp(T / self.root)}))

    def number(self, c: Expr) -> Expr:
        """What a coefficient stands for."""
        return c.xreplace({K: exp(Rational(1, self.root))})

    def is_positive(self, c: Expr) -> bool:
        """The sign of a coefficient, which is not zero."""
        return sign_of_constant(self.number(c)) > 0

    def sign(self, t: Fraction) -> int:
        """The sign at a rational t; where X occurs it is 0 only by accident: at t = 0, or where X is a power of K."""
        return sign_of_constant(self.expr.xreplace({T: Rational(t)}))

    def sign_at_infinity(self, side: int) -> int:
        """The eventual sign as t goes to side * infinity: of the dominant exponential's leading coefficient."""
        _, m, c = dominant(self.poly, side)
        return (1 if self.is_positive(c) else -1) * (side**m if side < 0 else 1)

    def derivative(self) -> Poly:
        """Numerator of the derivative of p / X^k0, where k0 is the lowest power of X in p."""
        k0 = min(k for _, k in self.poly.monoms())
        terms: dict[tuple[int, int], Any] = {}
        for (m, k), c in self.poly.terms():
            if m:
                terms[m - 1, k - k0] = terms.get((m - 1, k - k0), 0) + c * m
            if k > k0:
                terms[m, k - k0] = terms.get((m, k - k0), 0) + c * Rational(k - k0, self.root)
        return Poly(terms, T, X)


@dataclass
class Root:
    """A real root: exact (a rational, or d log of a rational), or the only root of a curve in (lo, hi), refinable."""

    curve: Curve
    exact: Expr | None = None
    lo: Fraction = Fraction(0)
    hi: Fraction = Fraction(0)

    def refine(self) -> None:
        """Halve the enclosure."""
        if self.exact is not None:
            return
        mid = (self.lo + self.hi) / 2
        if self.curve.sign(mid) == self.curve.sign(self.lo):
            self.lo = mid
        else:
            self.hi = mid

    def interval(self, bits: int = 64) -> Any:
        """An ``mpmath.iv`` interval around the root, of about that many bits."""
        if self.exact is not None:
            return enclose(self.exact, {}, bits)
        while self.hi - self.lo > Fraction(1, 2**bits):
            self.refine()
        lo, hi = (enclose(Rational(x), {}, bits + 16) for x in (self.lo, self.hi))
        return iv.mpf([lo.a, hi.b])

    @property
    def expr(self) -> Expr:
        """The exact root, or its value to 15 digits."""
        return self.exact if self.exact is not None else Rational(float(self)).n(15)

    def __float__(self) -> float:
        return float(self.interval().mid)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Root) and compare(self, other) == 0

    def __lt__(self, other: "Root") -> bool:
        return compare(self, other) < 0

    __hash__ = None  # type: ignore[assignment]


ZERO: Final = Root(Curve(Poly(T, T, X), 1), S.Zero)
"""The root 0."""


def compare(a: Root, b: Root) -> int:
    """-1, 0 or 1: the exact order of two roots."""
    if a.exact is not None and b.exact is not None:
        difference = a.exact - b.exact
        return 0 if is_zero(difference) else sign_of(difference, {}) or 0
    for bits in range(8, 4096, 8):
        ia, ib = a.interval(bits), b.interval(bits)
        if ia.b < ib.a or ib.b < ia.a:
            return -1 if ia.b < ib.a else 1
        if bits >= 64 and a.curve == b.curve and a.exact is None and b.exact is None:
            lo, hi = min(a.lo, b.lo), max(a.hi, b.hi)
            if a.curve.sign(lo) != a.curve.sign(hi):
                return 0
    raise Undecidable("two thresholds could not be told apart")


@lru_cache(maxsize=4096)
def isolate(curve: Curve, depth: int = 0) -> tuple[Root, ...]:
    """All real roots of an irreducible curve, in order."""
    p = curve.poly
    if depth > MAX_DEPTH:
        raise Undecidable(f"more than {MAX_DEPTH} derivatives to isolate the roots of {curve.expr}")
    if p.degree(X) == 0 and p.degree(T) == 1:
        return (Root(curve, curve.number(-p.coeff_monomial(1) / p.coeff_monomial(T))),)
    if p.degree(T) == 0 and p.degree(X) == 1:
        x = -p.coeff_monomial(1) / p.coeff_monomial(X)
        return (Root(curve, curve.root * log(curve.number(x))),) if curve.is_positive(x) else ()
    if len(p.terms()) == 1:
        return ()
    critical = sorted(r for c, _ in curves_of(curve.derivative(), curve.root) for r in isolate(c, depth + 1))
    points = [c for i, c in enumerate(critical) if i == 0 or compare(critical[i - 1], c) != 0]
    found = {0: Root(curve, S.Zero)} if curve.sign(Fraction(0)) == 0 else {}
    ends = [
        (curve.sign_at_infinity(-1), None, None),
        *(around(curve, c) for c in points),
        (curve.sign_at_infinity(1), None, None),
    ]
    roots: list[Root] = []
    for i, ((s1, _, left), (s2, right, _)) in enumerate(pairwise(ends)):
        if i and s1 == 0:
            roots.append(found[0])
        if s1 * s2 < 0:
            lo = left if left is not None else _outward(curve, -1, right)
            hi = right if right is not None else _outward(curve, 1, left)
            roots.append(found[0] if found and lo < 0 < hi else Root(curve, None, lo, hi))
    return tuple(roots)


def around(curve: Curve, point: Root) -> tuple[int, Fraction, Fraction]:
    """The sign at a critical point, and rationals just left and right of it where the curve has that sign."""
    if point.exact is not None and point.exact == 0 and curve.sign(Fraction(0)) == 0:
        return 0, Fraction(0), Fraction(0)
    for bits in range(16, 4096, 16):
        around = point.interval(bits)
        lo, hi = to_fraction(around.a), to_fraction(around.b)
        value = enclose(curve.expr, {T: around}, bits + 64)
        if value.a > 0 or value.b < 0:
            return (1 if value.a > 0 else -1), lo, hi
    raise Undecidable(f"the sign of {curve.expr} at a critical point needs more precision than is tried")


def _outward(curve: Curve, side: int, start: Fraction | None) -> Fraction:
    """A rational far enough out for the curve to have its eventual sign (it is monotone out there)."""
    at, step, target = start if start is not None else Fraction(0), Fraction(1), curve.sign_at_infinity(side)
    for _ in range(256):
        at += side * step
        if curve.sign(at) == target:
            return at
        step *= 2
    raise Undecidable(f"no bracket for a root of {curve.expr}")


def to_fraction(x: Any) -> Fraction:
    """The rational that an ``mpmath`` number is."""
    sign, man, exponent, _ = x._mpi_[0]
    return Fraction(-man if sign else man) * Fraction(2) ** exponent


def sign_of_constant(c: Expr) -> int:
    """The sign of a number.

    Raises:
        Undecidable: it is not formally zero, and no precision that is tried separates it from zero.
    """
    if c.is_Rational:
        return bool(c > 0) - bool(c < 0)
    if (sign := sign_of(c, {})) is not None:
        return sign
    if is_zero(c):
        return 0
    raise Undecidable(f"the sign of {c} needs more precision than is tried")


def curves_of(poly: Poly, root: int) -> list[tuple[Curve, int]]:
    """Irreducible factors with multiplicity, leaving out constants and powers of X."""
    return [(curve_of(Poly(f, T, X), root), k) for f, k in factor_list(poly.as_expr(), T, X)[1] if f != X]


def curve_of(poly: Poly, root: int) -> Curve:
    """The curve with the least d: (t, X) -> p(t, X^n) with d = n d' is the curve of p(t, X) with d'."""
    powers = {k for c in poly.coeffs() if c.has(K) for (k,) in Poly(c, K).monoms()}
    common = igcd(root, *(k for _, k in poly.monoms()), *powers)
    if common == 1:
        return Curve(poly, root)
    terms = {(m, k // common): c.subs(K, K ** Rational(1, common)) for (m, k), c in poly.terms()}
    return Curve(Poly(terms, T, X), root // common)


def dominant(p: Poly, side: int) -> tuple[int, int, Expr]:
    """The term that wins far out: the power of X, the power of t, the coefficient."""
    k = (max if side > 0 else min)(k for _, k in p.monoms())
    m, c = max((m, c) for (m, j), c in p.terms() if j == k)
    return k, m, c


def inside(a: Root | None, b: Root | None) -> Fraction:
    """A rational strictly between two roots, short where it can be."""
    if a is None or b is None:
        edge = to_fraction(a.interval(16).b) if a else -to_fraction(b.interval(16).a) if b else Fraction(-1)
        whole = Fraction(edge.__floor__() + 1)
        return whole if b is None else -whole
    bits = 16
    while not a.interval(bits).b < b.interval(bits).a:
        bits *= 2
    lo, hi = to_fraction(a.interval(bits).b), to_fraction(b.interval(bits).a)
    return next(q for d in (1, 2, 10, 100, 10**4, 10**8, 2 * (hi - lo).denominator) for q in _grid(lo, hi, d))


def _grid(lo: Fraction, hi: Fraction, d: int) -> Iterator[Fraction]:
    q = Fraction(round((lo + hi) / 2 * d), d)
    if lo < q < hi:
        yield q
