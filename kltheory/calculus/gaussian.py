"""Expectations under a Gaussian, exact, with the condition under which they are finite.

For x ~ N(μ, σ²) and a polynomial p ≠ 0, E[p(x) e^{a x + b x²}] is finite iff d = 1 - 2bσ² > 0; completing the square,
it is Z E[p(y)] with y ~ N((μ + aσ²)/d, σ²/d) and Z = exp((2aμ + a²σ² + 2bμ²)/(2d))/√d. A sum of such terms with
distinct (a, b) is finite iff each term is: the fastest one is not cancelled by the others.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sympy import Add, Dummy, Expr, Function, Rational, S, Symbol, binomial, exp, factorial2, log, sqrt

from kltheory.calculus.fraction import Undecidable, fraction

x: Final = Symbol("x", real=True)
"""The variable that is integrated."""


@dataclass(frozen=True)
class Gaussian:
    """N(mean, variance)."""

    mean: Expr
    variance: Expr

    def log_density(self) -> Expr:
        """log of the density at x, without the constant -log(2π)/2."""
        return -((x - self.mean) ** 2) / (2 * self.variance) - log(self.variance) / 2

    def moment(self, n: int) -> Expr:
        """E[x^n], a polynomial in mean and variance."""
        even = range(0, n + 1, 2)
        return Add(
            *(binomial(n, k) * self.mean ** (n - k) * self.variance ** (k // 2) * factorial2(k - 1) for k in even)
        )

    def tilted(self, a: Expr, b: Expr) -> "tuple[Expr, Gaussian]":
        """(Z, N') with E[p(x) e^{a x + b x²}] = Z E'[p(x)], by completing the square."""
        d = 1 - 2 * b * self.variance
        mean = (self.mean + a * self.variance) / d
        exponent = (2 * a * self.mean + a**2 * self.variance + 2 * b * self.mean**2) / (2 * d)
        return exp(exponent) / sqrt(d), Gaussian(mean, self.variance / d)


@dataclass(frozen=True)
class Expectation:
    """A value, valid where every one of the conditions is positive; infinite, or without value, elsewhere."""

    value: Expr
    conditions: tuple[Expr, ...]


def expectation(integrand: Expr, under: Gaussian) -> Expectation:
    """E[integrand] for a sum of polynomials in x times exponentials of quadratics in x.

    Raises:
        Undecidable: the integrand is of another form.
    """
    value: Expr = S.Zero
    for (a, b), polynomial in _grouped(integrand).items():
        factor, tilted = under.tilted(a, b)
        value += factor * Add(*(c * tilted.moment(n) for n, c in polynomial.items()))
    return Expectation(value, conditions(integrand, under))


def conditions(integrand: Expr, under: Gaussian) -> tuple[Expr, ...]:
    """What has to be positive for E[integrand] to be finite; raises as above."""
    quadratic = (b for _, b in _grouped(integrand) if b != 0)
    return tuple(dict.fromkeys((1 - 2 * b * under.variance).expand() for b in quadratic))


Polynomial = dict[int, Expr]
"""Power of x to coefficient."""


@lru_cache(maxsize=256)
def _grouped(integrand: Expr) -> dict[tuple[Expr, Expr], Polynomial]:
    """(a, b) to the polynomial in front of e^{a x + b x²}; the constant part of an exponent is in front, too."""
    if any(not isinstance(f, exp | log) for f in integrand.atoms(Function)):
        raise Undecidable(f"{integrand} is no polynomial times the exponential of a quadratic")
    exponents = sorted(integrand.atoms(exp), key=str)
    names = {e: Dummy() for e in exponents} | {e: Dummy() for e in integrand.atoms(log)}
    element = fraction(integrand.xreplace(names))
    gens = [g.as_expr() for g in element.numer.ring.gens]
    meaning = {g: e for e, g in names.items()}
    varying = {x, *(g for g, e in meaning.items() if x in e.free_symbols)}
    if varying & element.denom.as_expr().free_symbols or any(x in e.free_symbols for e in integrand.atoms(log)):
        raise Undecidable(f"{integrand} is no polynomial times the exponential of a quadratic")
    below = element.denom.as_expr().xreplace(meaning)
    found: dict[tuple[Expr, Expr], Polynomial] = {}
    for powers, number in element.numer.terms():
        exponent, rest, degree = S.Zero, Rational(number.numerator, number.denominator), 0
        for g, k in zip(gens, powers, strict=True):
            if g == x:
                degree = k
            elif g in meaning and isinstance(meaning[g], exp):
                exponent += k * meaning[g].args[0]
            else:
                rest *= meaning.get(g, g) ** k
        c, a, b = _quadratic(exponent)
        polynomial = found.setdefault((a, b), {})
        polynomial[degree] = polynomial.get(degree, S.Zero) + rest * exp(c) / below
    return found


def _quadratic(exponent: Expr) -> tuple[Expr, Expr, Expr]:
    """The coefficients of 1, x and x²."""
    expanded = exponent.expand()
    c, a, b = expanded.coeff(x, 0), expanded.coeff(x, 1), expanded.coeff(x, 2)
    if (expanded - c - a * x - b * x**2).expand() != 0:
        raise Undecidable(f"the exponent {exponent} is no quadratic in x")
    return c, a, b
