"""The field of an expression: its generators, and the expression rewritten in them.

The generators are

- variables and parameters,
- ``exp(m/d)`` for a monomial ``m`` in them (d of its own for each), ``log(p)`` and the real root ``p**(1/d)`` for an
  irreducible ``p`` (d common to all roots),
- undefined functions (``h(l)`` and its derivatives), which stand for *any* function.

These are independent while they stand directly on variables: exponentials of distinct monomials by Ax's theorem
(J. Ax, *On Schanuel's conjectures*, Ann. Math. 93, 1971), logarithms of distinct irreducibles by Kolchin-Ostrowski,
roots modulo ``R**d = p`` by Kummer's theory (S. Lang, *Algebra*, VI.8). Such generators are *plain*. Nested ones are
not, and anything else (constants such as log 2, unknown heads) is *opaque*. ``log(p)`` is that of ``|p|``, so that
``exp(c log(p))`` is ``p**c`` only where p is positive or c even.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sympy import (
    QQ,
    Abs,
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
from sympy.logic.boolalg import Boolean
from sympy.polys.fields import FracElement
from sympy.polys.rings import ring

from kltheory.calculus.decimals import in_decimals
from kltheory.calculus.fraction import Undecidable, factored, fraction, over_one_denominator

MAX_DEGREE: Final = 4096
"""Largest integer power that is multiplied out."""
MAX_INTEGER: Final = 2**128
"""Integers under logarithms and roots are factored up to here."""

KINDS: Final = ("logs", "radicals", "free", "opaque", "exps")
"""Of generators, in the order of a ring. How long SymPy factors depends on it: exponentials first may take minutes."""


@dataclass
class Field:
    """The generators met so far and what each stands for.

    Attributes:
        rates: monomial m to the integer d such that every exponential of it is a power of ``exp(m/d)``.
        root: the d of ``R**d = p``.
        spare: the d of monomials that show only once others are rewritten.
    """

    rates: Mapping[Expr, int]
    root: int
    spare: int
    exps: dict[Expr, Symbol] = field(default_factory=dict)
    logs: dict[Expr, Symbol] = field(default_factory=dict)
    radicals: dict[Expr, Symbol] = field(default_factory=dict)
    free: dict[Expr, Symbol] = field(default_factory=dict)
    opaque: dict[Expr, Symbol] = field(default_factory=dict)
    seen: dict[Expr, Expr] = field(default_factory=dict)

    def meaning(self) -> dict[Symbol, Expr]:
        """What each generator stands for."""
        named = {g: exp(m / self.rate(m)) for m, g in self.exps.items()} | {g: log(p) for p, g in self.logs.items()}
        named |= {g: Pow(p, Rational(1, self.root)) for p, g in self.radicals.items()}
        for table in (self.free, self.opaque):
            named |= {g: e for e, g in table.items()}
        return named

    @classmethod
    def of(cls, expr: Expr) -> "Field":
        """The field for an expression, without generators yet."""
        rates: dict[Expr, int] = {}
        roots = [(node.base, node.exp.q) for node in expr.atoms(Pow) if node.exp.is_Rational]
        for c, monomial in _exponents(expr):
            rates[monomial] = int(ilcm(rates.get(monomial, 1), c.q))
            roots += [(monomial, c.q)] if monomial.has(log) else []
        for c, monomial, q in ((*term, q) for base, q in roots if q > 1 for term in _exponents(base)):
            rates[monomial] = int(ilcm(rates[monomial], c.q * q))
        root = int(ilcm(1, 1, *(q for _, q in roots)))
        return cls(rates, root, int(ilcm(root, 1, *rates.values())))

    def rate(self, monomial: Expr) -> int:
        """The d of the monomial's exponentials."""
        return self.rates.get(monomial, self.spare)

    def lift(self, expr: Expr) -> Expr:
        """Back from generators to the functions they stand for."""
        meaning = self.meaning()
        while expr.free_symbols & meaning.keys():
            expr = expr.xreplace(meaning)
        return expr

    def value(self, expr: Expr) -> Expr:
        """The same, with ``log|p|`` where it has a value: ``log(p**2)/2``."""
        return self.lift(expr).replace(log, lambda p: log(p) if p.is_positive else log(p**2) / 2)

    def _named(self, kind: str, key: Expr) -> Symbol:
        """The generator of that kind for a key, with a name that no other has: rings are in the order of names."""
        table: dict[Expr, Symbol] = getattr(self, kind)
        return table.setdefault(key, Dummy(f"g{KINDS.index(kind)}_{len(table)}", real=True))

    # --- rewriting ------------------------------------------------------------------------------------------------
    def rewrite(self, expr: Expr) -> Expr:
        """``expr`` as a rational expression in generators."""
        if expr not in self.seen:
            self.seen[expr] = self._rewrite(expr)
        return self.seen[expr]

    def _rewrite(self, expr: Expr) -> Expr:
        if expr in (S.NaN, S.ComplexInfinity, S.Infinity, S.NegativeInfinity):
            raise Undecidable(f"{expr} is not a number")
        if expr.is_Rational or expr.is_Symbol:
            return expr
        if expr is S.Exp1:
            return self._exp(S.One)
        if isinstance(expr, (Add, Mul)):
            return expr.func(*map(self.rewrite, expr.args))
        if isinstance(expr, exp):
            return self._exp(expr.args[0])
        if isinstance(expr, log):
            return self._log(expr.args[0])
        if isinstance(expr, Pow):
            return self._pow(*expr.args)
        if isinstance(expr, Derivative):
            return self._named("free", expr)
        if isinstance(expr, Subs):
            at = [self.lift(self.element(point).as_expr()) for point in expr.point]
            return self._named("free", Subs(expr.expr, expr.variables, at))
        args = [a if isinstance(a, Boolean) else self.value(self.element(a).as_expr()) for a in expr.args]
        return self._named("free" if isinstance(expr, AppliedUndef) else "opaque", expr.func(*args))

    def element(self, expr: Expr) -> FracElement:
        """``expr`` as an element of QQ(generators), in lowest terms."""
        e = fraction(self.rewrite(expr))
        if not self.radicals:
            return e
        numer, denom = self._reduced(e.numer.as_expr()), self._reduced(e.denom.as_expr())
        if denom == 0:
            raise Undecidable("a division by an expression that is identically zero")
        return fraction(numer / denom)

    def is_zero(self, expr: Expr) -> bool:
        """Whether ``expr`` is formally zero: the numerator over a common denominator is, common factors left in."""
        rational = self.rewrite(expr)
        gens = sorted(rational.free_symbols, key=str)
        if not gens:
            return bool(rational == 0)
        numer, denom = over_one_denominator(rational, ring(gens, QQ)[0])
        if self.radicals and any(self._reduced(f.as_expr()) == 0 for f in denom):
            raise Undecidable("a division by an expression that is identically zero")
        return bool(numer == 0 or (self.radicals and self._reduced(numer.as_expr()) == 0))

    def is_plain(self, g: Symbol) -> bool:
        """Whether the theorems above cover a generator: a formal *no* that rests on such generators only is a proof."""
        if g in self.opaque.values():
            return False
        tables = (self.exps, self.logs, self.radicals, self.free)
        meaning = next((key for table in tables for key, symbol in table.items() if symbol == g), None)
        if meaning is None or isinstance(meaning, (Derivative, Subs)):
            return True
        if g in self.exps.values():
            return _is_rational_polynomial(meaning)
        if g in self.free.values():  # arguments in a normal form of plain generators are different functions
            return all(_is_elementary(a.replace(log, lambda p: p)) for a in meaning.args)
        return _is_elementary(meaning)

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
        if arg.free_symbols and _is_rational_polynomial(arg):  # no other generator can hide in it
            terms = (t.as_coeff_Mul(rational=True) for t in Add.make_args(expand(arg)))
            return Mul(*(self._exp_term(m, c) for c, m in terms))
        e = self.element(arg)
        if not e.denom.is_ground:
            return self._named("opaque", exp(self.lift(e.as_expr())))
        result: Expr = S.One
        for powers, c in (e.numer * (1 / e.denom.LC)).terms():
            monomial = self.lift(Mul(*(g.as_expr() ** k for g, k in zip(e.numer.ring.gens, powers, strict=True))))
            result *= self._exp_term(monomial, Rational(c.numerator, c.denominator))
        return result

    def _exp_term(self, monomial: Expr, c: Rational) -> Expr:
        if isinstance(monomial, log):  # exp(c log|p|) = |p|**c
            if (p := monomial.args[0]).is_positive or (c.is_Integer and c.is_even):
                return self._pow(p, c)
            return self._named("opaque", Abs(p) ** c)
        d = self.rate(monomial)
        if monomial is S.One:
            return self._named("opaque", exp(Rational(1, d))) ** _integer(c * d)
        return self._named("exps", monomial) ** _integer(c * d)

    def _log(self, arg: Expr) -> Expr:
        return Add(*(k * self._log_factor(p) for p, k in self._factors(arg)))

    def _log_factor(self, p: Expr) -> Expr:
        if p.is_Integer:
            return self._named("opaque", log(p))
        if p.func is exp:
            return self.rewrite(p.args[0])
        known = p.is_negative if p.is_number else None
        return self._named("logs", -p if (p.could_extract_minus_sign() if known is None else known) else p)

    def _pow(self, base: Expr, power: Expr) -> Expr:
        if power.is_Integer:
            if abs(power) > MAX_DEGREE:
                raise Undecidable(f"the power {power} is too large to multiply out")
            inner = self.rewrite(base)
            if inner == 0 and power < 0:
                raise Undecidable("a division by an expression that is identically zero")
            return inner**power
        if not power.is_Rational:
            return self._exp(power * log(base))
        known: list[Expr] = []
        unknown: list[tuple[Expr, int]] = []
        for p, k in self._factors(base):
            if p.is_Integer or p.func is exp or p.is_positive:
                known.append(self._pow_factor(p, k * power))
            else:
                unknown.append((p, k))
        if any(k % 2 == 0 for _, k in unknown):
            raise Undecidable(f"the sign of {unknown[0][0]} under a root is not known")
        if len(unknown) > 1:  # p q may be a product of negative ones: their roots do not separate
            product = self.lift(self.element(Mul(*(p**k for p, k in unknown))).as_expr())
            return Mul(*known, self._named("opaque", Pow(product, Rational(1, power.q))) ** power.p)
        return Mul(*known, *(self._pow_factor(p, k * power) for p, k in unknown))

    def _pow_factor(self, p: Expr, power: Rational) -> Expr:
        if p.func is exp:
            return self._exp(p.args[0] * power)
        whole = floor(power)
        rest = Integer(1) if whole == power else self._named("radicals", p) ** _integer((power - whole) * self.root)
        return self.rewrite(p) ** whole * rest

    def _factors(self, arg: Expr) -> list[tuple[Expr, int]]:
        """Irreducible factors with multiplicity (primes, exponentials, variables, polynomials), of positive product."""
        e = self.element(arg)
        if e == 0:
            raise Undecidable("a logarithm or root of an expression that is identically zero")
        result, sign = [], 1
        for side, poly in ((1, e.numer), (-1, e.denom)):
            content, factors = factored(poly)
            sign *= 1 if content > 0 else -1
            primes = _primes(abs(Rational(content.numerator, content.denominator)))
            result += [(Integer(p), side * k) for p, k in primes.items()]
            result += [(self.lift(p.as_expr()), side * k) for p, k in factors]
        if sign < 0:
            flip = next((i for i, (p, k) in enumerate(result) if k % 2 and not p.is_positive), None)
            if flip is None:
                raise Undecidable(f"{arg} is negative under a logarithm or root")
            result[flip] = (-result[flip][0], result[flip][1])
        return result


def _primes(c: Rational) -> dict[int, int]:
    """The primes of a positive rational, with multiplicities; negative below the line."""
    if max(c.p, c.q) >= MAX_INTEGER:
        raise Undecidable("an integer under a logarithm or root is too large to take apart")
    return dict(factorint(c))


def _exponents(expr: Expr) -> Iterator[tuple[Rational, Expr]]:
    """The terms of the exponents in an expression: a number and a monomial."""
    for node in expr.atoms(exp):
        for term in Add.make_args(expand(node.args[0])):
            yield term.as_coeff_Mul(rational=True)


def _is_rational_polynomial(e: Expr) -> bool:
    """A polynomial with rational coefficients in symbols."""
    if isinstance(e, Pow):
        return bool(e.exp.is_Integer and e.exp > 0 and _is_rational_polynomial(e.base))
    return bool(
        e.is_Rational or e.is_Symbol or (isinstance(e, (Add, Mul)) and all(map(_is_rational_polynomial, e.args)))
    )


def _is_elementary(e: Expr) -> bool:
    """A rational function of symbols and exponentials of polynomials in them."""
    if isinstance(e, exp):
        return _is_rational_polynomial(e.args[0])
    if isinstance(e, Pow):
        return bool(e.exp.is_Integer and _is_elementary(e.base))
    return bool(e.is_Rational or e.is_Symbol or (isinstance(e, (Add, Mul)) and all(map(_is_elementary, e.args))))


def exactly(expr: Expr) -> Expr:
    """The expression with decimals read as rationals and hyperbolic functions written in exponentials."""
    expr = in_decimals(expr)
    if expr.has(HyperbolicFunction):
        expr = expr.replace(lambda e: isinstance(e, HyperbolicFunction), lambda e: e.rewrite(exp))
    return expr


def _integer(c: Any) -> Integer:
    if c.denominator != 1:
        raise Undecidable("an exponent has a denominator that appears nowhere in the formula")
    return Integer(c.numerator)
