"""Curves with logarithms, roots, and exponentials of more than t: one generator at a time is differentiated away.

A polynomial in a generator g, divided by one of its terms, has a derivative with one term fewer: the leading one for a
logarithm, whose degree falls, the lowest one for an exponential or a root. Coefficients are simpler, so the recursion
ends (the *Fourier sequences* of A. Strzeboński, *Real root isolation for exp-log functions*, ISSAC 2008). Between the
roots of that derivative, of the divisor and of what stands under logarithms and roots, the quotient is monotone.
``log(p)`` is that of ``|p|`` here, and so is a root: where p is negative the formula is undefined, and nobody asks.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Final

from sympy import Abs, Expr, Poly, Pow, Rational, S, Symbol, exp, limit, log, oo, together
from sympy.core.function import AppliedUndef, Derivative, Subs

from kltheory.calculus.constants import named, sign_of_constant
from kltheory.calculus.curve import along, curve_of, dominant, terms
from kltheory.calculus.enclosure import CannotEnclose, enclose, iv
from kltheory.calculus.exact import Element, Undecidable, is_zero, normal_form
from kltheory.calculus.fraction import factored
from kltheory.calculus.roots import Curve, Root, Side, T, X, between, in_order, isolate, sign_of_value, vanishes

MAX_TOWER: Final = 12
"""Most derivatives in a row."""
MAX_SIZE: Final = 300
"""Most operations of a formula that is differentiated."""
MAX_LIMIT: Final = 60
"""Most operations of a formula whose limit is taken."""
STEPS: Final = 8
"""Points tried on the way to the end of an interval."""

Parts = tuple[int, list[tuple[Curve, int]]]
"""A sign, and curves with their multiplicities."""


def numerator(expr: Expr, t: Symbol) -> Parts:
    """The sign of the constant factor and the irreducible curves of the numerator; likewise :func:`denominator`.

    Raises:
        Undecidable: it has parameters, or functions that are not elementary.
    """
    element = normal_form(expr)
    return _parts(element, element.value.numer, t)


def denominator(expr: Expr, t: Symbol) -> Parts:
    """Its twin, below."""
    element = normal_form(expr)
    return _parts(element, element.value.denom, t)


def curves_below(expr: Expr, t: Symbol) -> list[Curve]:
    """The curves of the denominator, without a sign: factors that are free of ``t`` may hold parameters; as above."""
    element = normal_form(expr)
    factors = [f for f, _ in factored(element.value.denom)[1]]
    found = [_curve(element, f, t) for f in factors if t in element.field.lift(f.as_expr()).free_symbols]
    return [curve for curve in found if not isinstance(curve, int)]


def dominant_terms(expr: Expr, t: Symbol, side: int) -> list[tuple[int, int, Expr]]:
    """Of numerator and denominator, polynomials in t and e^(t/d), the terms that win as t goes to side·∞; as above."""
    element = normal_form(expr)
    simple = _simple(element, element.generators(), t)
    if simple is None:
        raise Undecidable(f"{expr} is not a quotient of polynomials in {t} and exponentials of {t}")
    return [dominant(terms(along(p, simple)), side) for p in (element.value.numer, element.value.denom)]


def _simple(element: Element, used: set[Symbol], t: Symbol) -> dict[Expr, Expr] | None:
    """Generators to T, X and constants; ``None`` if one of them is something else."""
    meaning = element.field.meaning()
    simple: dict[Expr, Expr] = {**named({g: meaning[g] for g in used if g in meaning}), t: T}
    simple |= {g: X for m, g in element.field.exps.items() if m == t}
    return simple if used <= simple.keys() else None


def _parts(element: Element, poly: Any, t: Symbol) -> Parts:
    content, factors = factored(poly)
    sign, curves = (1 if content > 0 else -1), list[tuple[Curve, int]]()
    for factor, k in factors:
        found = _curve(element, factor, t)
        if isinstance(found, int):
            sign *= found**k
        else:
            curves.append((found, k))
    return sign, curves


def _curve(element: Element, factor: Any, t: Symbol) -> int | Curve:
    """The curve of one factor, or its sign where it is a number or an exponential."""
    lifted = element.field.lift(factor.as_expr())
    if not lifted.free_symbols:
        return sign_of_constant(lifted)
    if isinstance(lifted, exp):
        return 1
    if lifted.free_symbols != {t} or lifted.has(AppliedUndef, Derivative, Subs, Abs):
        raise Undecidable(f"{lifted} is no elementary function of {t} alone")
    used = {g.as_expr() for g in factor.ring.gens if factor.degree(g) > 0}
    if (simple := _simple(element, used, t)) is not None:
        return curve_of(along(factor, simple), element.field.rate(t))
    return TowerCurve(lifted.xreplace({t: T}))


def roots_of(expr: Expr, depth: int = 0) -> list[Root]:
    """The roots of a function of :data:`T`, one curve after the other."""
    return [r for curve, _ in numerator(expr, T)[1] for r in isolate(curve, depth)]


@dataclass(frozen=True)
class TowerCurve:
    """An irreducible polynomial in generators, as a function of :data:`T`."""

    expr: Expr

    @cached_property
    def real(self) -> Expr:
        """The formula with |.| under logarithms and roots."""
        return _real(self.expr)

    def sign(self, t: Fraction) -> int:
        """The sign at a rational t."""
        return sign_of_value(self.real, Rational(t))

    def solved(self) -> tuple[Root, ...] | None:
        """The roots of a root, of what is under it; of a generator minus a number, by its inverse; with its poles."""
        inner = self.expr.base if _is_root(self.expr) else self._inverted
        return None if inner is None else tuple(in_order([*roots_of(inner), *roots_of(_below(inner))]))

    @cached_property
    def _inverted(self) -> Expr | None:
        """What vanishes where ``c1 g + c0`` does, for a generator g and numbers c1 and c0."""
        generator, coefficients = _highest(self.expr)
        if coefficients.keys() != {0, 1} or any(c.has(T) for c in coefficients.values()):
            return None
        value = -coefficients[0] / coefficients[1]
        if isinstance(generator, exp):
            return generator.args[0] - log(value) if sign_of_constant(value) > 0 else S.One
        if isinstance(generator, log):
            under, there = generator.args[0], exp(value)
        elif sign_of_constant(value) > 0:
            under, there = generator.base, value ** (1 / generator.exp)
        else:
            return S.One
        return under - there if under.is_positive else (under - there) * (under + there)

    @cached_property
    def divided(self) -> tuple[Expr, Expr]:
        """The formula divided by one of its terms, and that term."""
        generator, coefficients = _highest(self.expr)
        k = max(coefficients) if isinstance(generator, log) else min(coefficients)
        divisor = coefficients[k] * (1 if isinstance(generator, log) else generator**k)
        return self.expr / divisor, divisor

    def turns(self, depth: int) -> list[Root]:
        """Where the divisor, the derivative of the quotient, or what must be positive or is divided by vanishes."""
        if depth > MAX_TOWER or self.expr.count_ops() > MAX_SIZE:
            raise Undecidable(f"the roots of {_short(self.expr)} take more derivatives than are tried")
        quotient, divisor = self.divided
        under = [e.args[0] for e in self.expr.atoms(log)] + [e.base for e in self.expr.atoms(Pow) if _is_root(e)]
        under += [_below(e.args[0]) for e in self.expr.atoms(exp)]
        slope = quotient.diff(T)
        return [r for e in (*under, divisor, slope) if e.has(T) and not is_zero(e) for r in roots_of(e, depth + 1)]

    def beside(self, a: Root | None, b: Root | None) -> tuple[Side, Side]:
        """The signs at both ends of an interval on which the quotient is monotone."""
        middle = between(a, b)
        if self.sign(middle) == 0:  # the one root there is: the next point is none
            middle = _nearer(middle, b, 1) if b is not None else middle + 1
        return self._towards(a, middle, -1), self._towards(b, middle, 1)

    def _towards(self, end: Root | None, start: Fraction, side: int) -> Side:
        """The sign near an end: where the quotient moves away from zero, or where its limit is not beyond zero."""
        at, sign = start, self.sign(start)
        for step in range(STEPS):
            nearer = at + side * Fraction(2) ** step if end is None else _nearer(at, end, side)
            found = self.sign(nearer)
            if found and (found != sign or self._grows(at, nearer)):
                return found, nearer
            at, sign = nearer, sign if found else -sign  # the one root there is: beyond it the sign is the other
        beyond = sign * sign_of_value(_real(self.divided[1]), Rational(at))
        if self.sign(at) and self._end(end, side) in (0, beyond):
            return sign, at
        raise Undecidable(f"whether {_short(self.expr)} vanishes near {end.expr if end else side * oo} is not known")

    def _grows(self, start: Fraction, end: Fraction) -> bool:
        """Whether the quotient is certainly larger at the end, in absolute value."""
        before, after = (abs(enclose(_real(self.divided[0]), {T: Rational(t)}, 160)) for t in (start, end))
        return bool(after.a > before.b)

    def _end(self, end: Root | None, side: int) -> int | None:
        """The sign of the limit of the quotient at an end, 0 for zero; ``None`` where it is not known."""
        quotient = self.divided[0]
        around = (
            end.interval(128) if end is not None else iv.mpf([2**STEPS, "inf"] if side > 0 else ["-inf", -(2**STEPS)])
        )
        try:
            value = enclose(_real(quotient), {T: around}, 256)
            if value.a > 0 or value.b < 0:
                return 1 if value.a > 0 else -1
        except CannotEnclose:
            pass
        if end is not None and vanishes(_real(quotient), end):
            return 0
        if (end is not None and end.exact is None) or quotient.count_ops() > MAX_LIMIT:
            return None
        try:
            found = limit(quotient, T, side * oo if end is None else end.exact, "-" if side > 0 else "+")
            return {oo: 1, -oo: -1}.get(found) or sign_of_constant(found)
        except (ArithmeticError, AttributeError, NotImplementedError, TypeError, ValueError, CannotEnclose):
            return None


def _below(expr: Expr) -> Expr:
    """What a formula is divided by."""
    return together(expr).as_numer_denom()[1]


def _is_root(e: Expr) -> bool:
    return isinstance(e, Pow) and e.exp.is_Rational and not e.exp.is_Integer


def _nearer(at: Fraction, end: Root, side: int) -> Fraction:
    """A rational between the two, nearer to the end than half way."""
    for _ in range(3):
        here = Root(None, Rational(at))
        at = between(here, end) if side > 0 else between(end, here)
    return at


def _real(expr: Expr) -> Expr:
    """The formula with |.| under logarithms and roots."""
    expr = expr.replace(log, lambda x: log(x if x.is_positive else Abs(x)))
    return expr.replace(
        lambda e: _is_root(e) and not e.base.is_positive, lambda e: Pow(Abs(e.base), e.exp, evaluate=False)
    )


def _highest(expr: Expr) -> tuple[Expr, dict[int, Expr]]:
    """The generator that no other one is built on, a logarithm for choice, and the coefficients of its powers."""
    element = normal_form(expr)
    lift = element.field.lift
    lifted = {g: lift(g) for g in element.generators() if lift(g).has(T)}
    top = {g: e for g, e in lifted.items() if not any(e != f and f.has(e) for f in lifted.values())}
    g, e = max(top.items(), key=lambda pair: (isinstance(pair[1], log), pair[1].count_ops(), str(pair[1])))
    poly = Poly(element.value.numer.as_expr(), g)
    return e, {k: lift(c) for (k,), c in zip(poly.monoms(), poly.coeffs(), strict=True)}


def _short(expr: Expr, most: int = 80) -> str:
    shown = str(expr.xreplace({T: Symbol("t")}))
    return shown if len(shown) <= most else f"{shown[:most]}…"
