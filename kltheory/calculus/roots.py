"""Real roots of functions of one variable t: isolated, refinable, exactly ordered.

An irreducible curve says where it turns, and how it looks beside those points; between them it is monotone, so one
change of sign is one root (Rolle). :mod:`.curve` knows polynomials in t and e^(t/d), :mod:`.tower` what else is
elementary.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any, Final, Protocol

import mpmath
from sympy import Dummy, Expr, Rational, S

from kltheory.calculus.constants import sign_of_constant
from kltheory.calculus.enclosure import CannotEnclose, enclose, iv, sign_of
from kltheory.calculus.exact import Undecidable, is_zero

MAX_DEPTH: Final = 200
"""Most derivatives in a row to isolate the roots of one curve."""
MAX_BITS: Final = 1024
"""Bits to which two roots, or a value and zero, are told apart."""
NARROW: Final = Fraction(1, 1 << 16)
"""The width of an enclosure whose simplest rational is tried as the root."""
T: Final = Dummy("t", real=True)
X: Final = Dummy("X", positive=True)

Side = tuple[int, Fraction | None]
"""The sign of a curve beside a point, and a rational there (``None`` at infinity)."""


class Curve(Hashable, Protocol):
    """A function of t whose sign can be asked for."""

    @property
    def expr(self) -> Expr:
        """The function of :data:`T`."""
        ...

    @property
    def real(self) -> Expr:
        """The same, with a value wherever it is asked for one."""
        ...

    def sign(self, t: Fraction) -> int:
        """The sign at a rational."""
        ...

    def solved(self) -> "tuple[Root, ...] | None":
        """All roots, where they have a closed form."""
        ...

    def turns(self, depth: int) -> "list[Root]":
        """Points between which the curve has at most one root, and a simple one; in any order, perhaps repeated."""
        ...

    def beside(self, a: "Root | None", b: "Root | None") -> tuple[Side, Side]:
        """How it looks just right of a and just left of b (``None``: the infinities), two neighbours of its turns."""
        ...


@dataclass
class Root:
    """A real root: exact, a number in closed form (of no curve), or the only root of a curve in (lo, hi), refinable."""

    curve: Curve | None
    exact: Expr | None = None
    lo: Fraction = Fraction(0)
    hi: Fraction = Fraction(0)
    level: int = 1

    def refine(self) -> None:
        """Narrow the enclosure: to the part of a grid that a secant points at, or by half.

        The grid is squared where the root is there, and coarser where it is not (J. Abbott, *Quadratic interval
        refinement for real roots*, 2006).
        """
        if self.curve is None:
            return
        step, left = (self.hi - self.lo) / 2**self.level, self.lo
        if self.level > 1:
            crossing = self._secant(self.curve, 2 * self.level + 64)
            left += step * min(int(2**self.level * crossing), 2**self.level - 1)
        if self._is_in(left, left + step):
            self.level = min(2 * self.level, 256)
        else:
            self.level = max(self.level // 2, 1)

    def _secant(self, curve: Curve, bits: int) -> Any:
        """How far from lo to hi a line through both values passes zero, 0 to 1: a guess."""
        with mpmath.workprec(bits):
            ends = (enclose(curve.real, {T: Rational(x)}, bits) for x in (self.lo, self.hi))
            below, above = (abs(mpmath.make_mpf(value._mpi_[0])) for value in ends)
            return below / (below + above)

    def _is_in(self, left: Fraction, right: Fraction) -> bool:
        """Narrow to (left, right) if the root is there, else by what the signs at both say."""
        hit = True
        for x in (left, right):
            if self.curve is None or not self.lo < x < self.hi:
                continue
            sign = self.curve.sign(x)
            if sign == 0:
                self.curve, self.exact = None, Rational(x)
            elif (sign == self._below) == (x == left):
                self.lo, self.hi = (x, self.hi) if x == left else (self.lo, x)
            else:
                self.lo, self.hi, hit = (self.lo, x, False) if x == left else (x, self.hi, False)
        return hit

    @cached_property
    def _below(self) -> int:
        return self.curve.sign(self.lo) if self.curve is not None else 0

    def interval(self, bits: int = 64) -> Any:
        """An ``mpmath.iv`` interval around the root, of about that many bits."""
        while self.curve is not None and self.hi - self.lo > Fraction(1, 2**bits):
            self.refine()
        if self.exact is not None:
            return enclose(self.exact, {}, bits)
        lo, hi = (enclose(Rational(x), {}, bits + 16) for x in (self.lo, self.hi))
        return iv.mpf([lo.a, hi.b])

    def settle(self) -> None:
        """Make the root exact if it is the simplest rational of a narrow enclosure."""
        while self.curve is not None and self.hi - self.lo > NARROW:
            self.refine()
        if self.curve is not None and vanishes(self.curve.expr, Root(None, Rational(_simplest(self.lo, self.hi)))):
            self.curve, self.exact = None, Rational(_simplest(self.lo, self.hi))

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


ZERO: Final = Root(None, S.Zero)
"""The root 0."""


def _simplest(lo: Fraction, hi: Fraction) -> Fraction:
    """The rational of least denominator in an open interval: continued fractions (M. Stern, A. Brocot)."""
    whole = lo.__floor__()
    if whole + 1 < hi:
        return Fraction(0) if lo < 0 < hi else Fraction(whole + 1 if lo >= 0 else hi.__ceil__() - 1)
    if lo == whole:
        return whole + Fraction(1, (1 / (hi - whole)).__floor__() + 1)
    return whole + 1 / _simplest(1 / (hi - whole), 1 / (lo - whole))


def compare(a: Root, b: Root) -> int:
    """-1, 0 or 1: the exact order of two roots. Raises Undecidable where no precision that is tried tells."""
    for bits in range(8, MAX_BITS, 8):
        if a.exact is not None and b.exact is not None:
            difference = a.exact - b.exact
            return 0 if is_zero(difference) else sign_of(difference, {}) or 0
        ia, ib = a.interval(bits), b.interval(bits)
        if ia.b < ib.a or ib.b < ia.a:
            return -1 if ia.b < ib.a else 1
        if bits == 64 and _is_one(a, b):
            return 0
    raise Undecidable("two thresholds could not be told apart")


def _is_one(a: Root, b: Root) -> bool:
    """Whether two roots whose enclosures still meet are known to be the same."""
    if a.curve is not None and a.curve == b.curve:
        lo, hi = min(a.lo, b.lo), max(a.hi, b.hi)
        return a.curve.sign(lo) != a.curve.sign(hi)
    a.settle()
    b.settle()
    known, other = (a, b) if b.exact is None else (b, a)
    if known.exact is None or other.curve is None:
        return False
    below, above = (sign_of(known.exact - Rational(x), {}) for x in (other.lo, other.hi))
    return below == 1 and above == -1 and is_zero(other.curve.expr.xreplace({T: known.exact}))


def in_order(roots: Iterator[Root] | list[Root]) -> list[Root]:
    """From left to right, without repetition."""
    ordered = sorted(roots)
    return [r for i, r in enumerate(ordered) if i == 0 or compare(ordered[i - 1], r) != 0]


@lru_cache(maxsize=4096)
def isolate(curve: Curve, depth: int = 0) -> tuple[Root, ...]:
    """All real roots of an irreducible curve, in order."""
    if depth > MAX_DEPTH:
        raise Undecidable(f"more than {MAX_DEPTH} derivatives to isolate the roots of {curve.expr}")
    if (solved := curve.solved()) is not None:
        return solved
    roots: list[Root] = []
    before = 0
    for a, b in pairwise([None, *in_order(curve.turns(depth)), None]):
        (s1, left), (s2, right) = curve.beside(a, b)
        if a is not None and (before * s1 < 0 or vanishes(curve.expr, a)):
            roots.append(a)
        if s1 * s2 < 0:
            lo = left if left is not None else _outward(curve, -1, s1, right)
            hi = right if right is not None else _outward(curve, 1, s2, left)
            roots.append(Root(curve, None, lo, hi))
            roots[-1].settle()
        before = s2
    return tuple(roots)


def sign_of_value(expr: Expr, at: Expr) -> int:
    """The sign of a function of t at a number, 0 where it is formally zero.

    Raises:
        CannotEnclose: it has no value there.
        Undecidable: it is not formally zero, and no precision that is tried separates it from zero.
    """
    for bits in (80, 320, 1280):
        value = enclose(expr, {T: enclose(at, {}, bits)}, bits)
        if value.a > 0 or value.b < 0:
            return 1 if value.a > 0 else -1
    return sign_of_constant(expr.xreplace({T: at}))


def vanishes(expr: Expr, point: Root) -> bool:
    """Whether a function of t is known to be 0 at a point: only where that is exact."""
    try:
        return point.exact is not None and sign_of_value(expr, point.exact) == 0
    except (CannotEnclose, Undecidable):
        return False


def sign_around(expr: Expr, point: Root) -> tuple[int, Fraction, Fraction]:
    """The sign of a function of t at a point, and rationals just left and right of it where it has that sign."""
    for bits in range(16, MAX_BITS, 16):
        around = point.interval(bits)
        value = enclose(expr, {T: around}, bits + 64)
        if value.a > 0 or value.b < 0:
            return (1 if value.a > 0 else -1), to_fraction(around.a), to_fraction(around.b)
        if bits == 64:
            point.settle()
        if bits in (16, 64) and vanishes(expr, point):
            return 0, Fraction(0), Fraction(0)
    raise Undecidable(f"the sign of {expr} at {point.expr} needs more precision than is tried")


def _outward(curve: Curve, side: int, target: int, start: Fraction | None) -> Fraction:
    """A rational far enough out for the curve to have its eventual sign (it is monotone out there)."""
    at, step = start if start is not None else Fraction(0), Fraction(1)
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


def between(a: Root | None, b: Root | None) -> Fraction:
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
