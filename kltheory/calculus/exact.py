"""The zero test: is an expression identically zero? Yes, no, or :class:`Undecidable`; never a guess.

An expression is rewritten as a rational function of *generators* and put over one denominator in
``QQ(generators)``; it is zero iff its numerator is the zero polynomial. The generators are

- variables and parameters,
- ``exp(m/d)`` for a monomial ``m`` in them, ``log(p)`` and the real root ``p**(1/d)`` for an irreducible ``p`` (d
  is common to all),
- undefined functions (``h(l)`` and its derivatives), which stand for *any* function.

These are independent: exponentials of distinct monomials by Ax's theorem (J. Ax, *On Schanuel's conjectures*, Ann.
Math. 93, 1971), logarithms of distinct irreducibles by Kolchin-Ostrowski, roots modulo ``R**d = p`` by Mordell
(Pacific J. Math. 3, 1953). So *yes* and *no* are both proofs. Anything else (constants such as log 2, unknown
heads) becomes an *opaque* generator: *yes* is still a proof, and *no* has to be earned by an interval enclosure
that excludes zero at a rational point.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from sympy import (
    QQ,
    Add,
    Derivative,
    Dummy,
    Expr,
    Integer,
    Mul,
    Pow,
    Rational,
    S,
    Symbol,
    exp,
    expand,
    factorint,
    floor,
    ilcm,
    log,
)
from sympy import Poly as SymPoly
from sympy.core.function import AppliedUndef, Subs
from sympy.functions.elementary.hyperbolic import HyperbolicFunction
from sympy.polys.fields import FracElement
from sympy.polys.rings import PolyElement, PolyRing, ring

from kltheory.calculus.enclosure import CannotEnclose, sign_of
from kltheory.calculus.symbols import VARIABLES

MAX_DEGREE: Final = 4096
"""Largest integer power that is multiplied out."""
MAX_PRODUCTS: Final = 300_000
"""Most products of terms in one multiplication of polynomials: about a third of a second."""


class Undecidable(Exception):
    """The calculus cannot decide; the message says why."""


@dataclass
class Field:
    """The generators met so far and what each stands for.

    ``root`` is the integer d such that every exponential is a power of some ``exp(m/d)``.
    """

    root: int
    exps: dict[Expr, Symbol] = field(default_factory=dict)
    logs: dict[Expr, Symbol] = field(default_factory=dict)
    radicals: dict[Expr, Symbol] = field(default_factory=dict)
    free: dict[Expr, Symbol] = field(default_factory=dict)
    opaque: dict[Expr, Symbol] = field(default_factory=dict)
    seen: dict[Expr, Expr] = field(default_factory=dict)

    def meaning(self) -> dict[Symbol, Expr]:
        """What each generator stands for."""
        named = {g: exp(m / self.root) for m, g in self.exps.items()} | {g: log(p) for p, g in self.logs.items()}
        named |= {g: Pow(p, Rational(1, self.root)) for p, g in self.radicals.items()}
        for table in (self.free, self.opaque):
            named |= {g: e for e, g in table.items()}
        return named

    def lift(self, expr: Expr) -> Expr:
        """Back from generators to the functions they stand for."""
        meaning = self.meaning()
        while expr.free_symbols & meaning.keys():
            expr = expr.xreplace(meaning)
        return expr

    # --- rewriting ------------------------------------------------------------------------------------------------
    def rewrite(self, expr: Expr) -> Expr:
        """``expr`` as a rational expression in generators."""
        if expr not in self.seen:
            self.seen[expr] = self._rewrite(expr)
        return self.seen[expr]

    def _rewrite(self, expr: Expr) -> Expr:
        if expr.is_Rational or expr.is_Symbol:
            return expr
        if expr.is_Float:
            return Rational(str(expr))
        if isinstance(expr, (Add, Mul)):
            return expr.func(*map(self.rewrite, expr.args))
        if isinstance(expr, exp):
            return self._exp(expr.args[0])
        if isinstance(expr, log):
            return self._log(expr.args[0])
        if isinstance(expr, Pow):
            return self._pow(*expr.args)
        if isinstance(expr, HyperbolicFunction):
            return self.rewrite(expr.rewrite(exp))
        if isinstance(expr, (AppliedUndef, Derivative, Subs)):
            return _named(self.free, expr)
        args = [self.lift(self.element(a).as_expr()) for a in expr.args]
        return _named(self.opaque, expr.func(*args))

    def element(self, expr: Expr) -> FracElement:
        """``expr`` as an element of QQ(generators), in lowest terms."""
        e = _fraction(self.rewrite(expr))
        if not self.radicals:
            return e
        numer, denom = self._reduced(e.numer.as_expr()), self._reduced(e.denom.as_expr())
        return _fraction(numer / denom)

    def is_zero(self, expr: Expr) -> bool:
        """Whether ``expr`` is formally zero: the numerator over a common denominator is, common factors left in."""
        rational = self.rewrite(expr)
        gens = sorted(rational.free_symbols, key=str)
        if not gens:
            return bool(rational == 0)
        numer = _over_one_denominator(rational, ring(gens, QQ)[0])[0]
        return bool(numer == 0 or (self.radicals and self._reduced(numer.as_expr()) == 0))

    def _reduced(self, poly: Expr) -> Expr:
        """The polynomial with powers of roots brought below d, by R**d = p, multiplied out."""
        poly, before = poly.expand(), None
        while poly != before:  # p may hold other roots
            before = poly
            for p, r in self.radicals.items():
                if r in poly.free_symbols and SymPoly(poly, r).degree() >= self.root:
                    poly = SymPoly(poly, r).rem(SymPoly(r**self.root - self.rewrite(p), r)).as_expr().expand()
        return poly

    def _exp(self, arg: Expr) -> Expr:
        if arg.is_polynomial() and arg.free_symbols:  # no other generator can hide in it
            terms = (t.as_coeff_Mul(rational=True) for t in Add.make_args(expand(arg)))
            return Mul(*(self._exp_term(m, c) for c, m in terms))
        e = self.element(arg)
        if not e.denom.is_ground:
            return _named(self.opaque, exp(self.lift(e.as_expr())))
        result: Expr = S.One
        for powers, c in (e.numer * (1 / e.denom.LC)).terms():
            monomial = self.lift(Mul(*(g.as_expr() ** k for g, k in zip(e.numer.ring.gens, powers, strict=True))))
            result *= self._exp_term(monomial, Rational(c.numerator, c.denominator))
        return result

    def _exp_term(self, monomial: Expr, c: Rational) -> Expr:
        if isinstance(monomial, log):  # exp(c log p) = p**c
            return self._pow(monomial.args[0], c)
        if monomial is S.One:
            return _named(self.opaque, exp(Rational(1, self.root))) ** _integer(c * self.root)
        return _named(self.exps, monomial) ** _integer(c * self.root)

    def _log(self, arg: Expr) -> Expr:
        return Add(*(k * self._log_factor(p) for p, k in self._factors(arg)))

    def _log_factor(self, p: Expr) -> Expr:
        if p.is_Integer:
            return _named(self.opaque, log(p))
        if p.func is exp:
            return self.rewrite(p.args[0])
        return _named(self.logs, -p if p.could_extract_minus_sign() else p)

    def _pow(self, base: Expr, power: Expr) -> Expr:
        if power.is_Integer:
            if abs(power) > MAX_DEGREE:
                raise Undecidable(f"the power {power} is too large to multiply out")
            return self.rewrite(base) ** power
        if not power.is_Rational:
            return self._exp(power * log(base))
        return Mul(*(self._pow_factor(p, k * power) for p, k in self._factors(base)))

    def _pow_factor(self, p: Expr, power: Rational) -> Expr:
        if p.func is exp:
            return self._exp(p.args[0] * power)
        whole = floor(power)
        rest = Integer(1) if whole == power else _named(self.radicals, p) ** _integer((power - whole) * self.root)
        return self.rewrite(p) ** whole * rest

    def _factors(self, arg: Expr) -> list[tuple[Expr, int]]:
        """Irreducible factors with multiplicity (primes, exponentials, variables, polynomials), of positive product."""
        e = self.element(arg)
        if e == 0:
            raise Undecidable("a logarithm or root of an expression that is identically zero")
        result, sign = [], 1
        for side, poly in ((1, e.numer), (-1, e.denom)):
            content, factors = poly.factor_list()
            sign *= 1 if content > 0 else -1
            primes = factorint(abs(Rational(content.numerator, content.denominator)))
            result += [(Integer(p), side * k) for p, k in primes.items()]
            result += [(self.lift(p.as_expr()), side * k) for p, k in factors]
        if sign < 0:
            flip = next((i for i, (p, k) in enumerate(result) if k % 2 and not p.is_positive), None)
            if flip is None:
                raise Undecidable(f"{arg} is negative under a logarithm or root")
            result[flip] = (-result[flip][0], result[flip][1])
        return result


def _fraction(rational: Expr) -> FracElement:
    gens = sorted(rational.free_symbols, key=str) or [Dummy("_")]
    try:
        return QQ.frac_field(*gens).from_sympy(rational)
    except ZeroDivisionError:
        raise Undecidable("a division by an expression that is identically zero") from None


Pair = tuple[PolyElement, dict[PolyElement, int]]


def _over_one_denominator(e: Expr, r: PolyRing) -> Pair:
    """Numerator and factored denominator of a rational expression; factors are kept as they occur."""
    if e.is_Rational:
        return r.ground_new(QQ(e.p, e.q)), {}
    if e.is_Symbol:
        return r(e), {}
    if isinstance(e, Pow):
        (numer, denom), n = _over_one_denominator(e.base, r), int(e.exp)
        if n >= 0:
            return numer**n, {f: k * n for f, k in denom.items()}
        if numer == 0:
            raise Undecidable("a division by an expression that is identically zero")
        content, factors = _factored(numer)
        shared = {f: min(k, denom.get(f, 0)) for f, k in factors}
        top = _product((f ** ((k - shared.get(f, 0)) * -n) for f, k in denom.items()), r.one)
        return top * r.ground_new(1 / content) ** -n, {f: (k - shared[f]) * -n for f, k in factors if k > shared[f]}
    pairs = [_over_one_denominator(a, r) for a in e.args]
    if isinstance(e, Mul):
        powers: dict[PolyElement, int] = {}
        for _, denom in pairs:
            for f, k in denom.items():
                powers[f] = powers.get(f, 0) + k
        return _product((numer for numer, _ in pairs), r.one), powers
    common = {f: max(d.get(f, 0) for _, d in pairs) for _, denom in pairs for f in denom}
    total = r.zero
    for numer, denom in pairs:
        total += _product((f ** (k - denom.get(f, 0)) for f, k in common.items()), numer)
    return total, common


def _product(factors: Iterable[PolyElement], start: PolyElement) -> PolyElement:
    for f in factors:
        if len(start) * len(f) > MAX_PRODUCTS:
            raise Undecidable("the formula is too large to put over one denominator")
        start *= f
    return start


@lru_cache(maxsize=4096)
def _factored(p: PolyElement) -> tuple[Any, list[tuple[PolyElement, int]]]:
    return p.factor_list()


def _named(table: dict[Expr, Symbol], key: Expr) -> Symbol:
    return table.setdefault(key, Dummy(f"g{len(table)}", positive=True))


def _integer(c: Any) -> Integer:
    if c.denominator != 1:
        raise Undecidable("an exponent has a denominator that appears nowhere in the formula")
    return Integer(c.numerator)


def _common_root(expr: Expr) -> int:
    """Least d that the denominators of rational powers, and of coefficients inside exponentials, divide."""
    inside = [c.q for node in expr.atoms(exp) for c in expand(node.args[0]).atoms(Rational)]
    powers = [node.args[1].q for node in expr.atoms(Pow) if node.args[1].is_Rational]
    return int(ilcm(1, 1, *inside, *powers))


@dataclass(frozen=True)
class Element:
    """An expression in normal form: a quotient of coprime polynomials in independent generators."""

    value: FracElement
    field: Field

    @property
    def is_formally_zero(self) -> bool:
        """Whether the normal form is 0."""
        return bool(self.value == 0)

    def generators(self) -> set[Symbol]:
        """The generators that occur."""
        return {
            g.as_expr() for poly in (self.value.numer, self.value.denom) for g in poly.ring.gens if poly.degree(g) > 0
        }

    def needs_certificate(self) -> bool:
        """Whether *no* rests on an opaque generator."""
        seen = self.generators()
        logs = {s for p, g in self.field.logs.items() if g in seen for s in p.free_symbols}
        return bool(seen & set(self.field.opaque.values())) or (bool(logs) and bool(self.field.opaque))

    def has_radicals(self) -> bool:
        """Whether a root occurs; then the quotient is not in lowest terms."""
        return bool(self.generators() & set(self.field.radicals.values()))

    def depends_on(self, variables: Iterable[Symbol]) -> bool:
        """Whether the normal form involves any of the variables (in the normal form nothing cancels)."""
        variables = set(variables)
        meaning = self.field.meaning()
        return any(g in variables or meaning.get(g, S.One).free_symbols & variables for g in self.generators())

    def as_expr(self) -> Expr:
        """The normal form as a SymPy expression."""
        return self.field.lift(self.value.as_expr())


@lru_cache(maxsize=65536)
def normal_form(expr: Expr) -> Element:
    """The normal form of an sg-free, smooth expression."""
    f = Field(_common_root(expr))
    return Element(f.element(expr), f)


def is_zero(expr: Expr) -> bool:
    """Whether ``expr`` vanishes identically.

    Raises:
        Undecidable: the formal answer is *no*, leans on an opaque generator, and no enclosure excludes zero.
    """
    f = Field(_common_root(expr))
    if f.is_zero(expr):
        return True
    if f.opaque and normal_form(expr).needs_certificate() and not nonzero_somewhere(expr):
        raise Undecidable(f"{expr} is not formally zero, and no enclosure separates it from zero")
    return False


def is_constant(expr: Expr, variables: Iterable[Symbol] = VARIABLES) -> bool:
    """Whether ``expr`` is free of the per-sample variables (parameters count as constants)."""
    variables = tuple(variables)
    element = normal_form(expr)
    if not element.depends_on(variables):
        return True
    if not element.needs_certificate() and not element.has_radicals():
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
