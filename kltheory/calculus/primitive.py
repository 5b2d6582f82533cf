"""Integrating a coefficient: f with f'(u) = C(log u), and sums Σ_a F with ∂F/∂π = C, the other policies frozen.

Polynomials times exponentials are integrated exactly, by parts; rational functions of u by SymPy's
Horowitz-Ostrogradsky algorithm, those of e^(a u) after a substitution. Across the thresholds of a clamp the pieces are
joined continuously.
"""

from math import gcd, lcm
from typing import Final

from sympy import Add, Expr, Integral, Piecewise, Poly, Rational, S, Symbol, cancel, exp, expand_mul, log, prod, true
from sympy.core.function import AppliedUndef
from sympy.integrals.rationaltools import ratint

from kltheory.calculus.coefficient import Coefficient, tidy
from kltheory.calculus.divergence import Objective, u
from kltheory.calculus.domain import has_no_value
from kltheory.calculus.exact import Undecidable, is_constant, normal_form
from kltheory.calculus.roots import ZERO, compare
from kltheory.calculus.surrogate import derivative
from kltheory.calculus.symbols import log_ratio, log_weight, logp

MOVING: Final = (logp, log_ratio, log_weight)
"""The variables that move with logp when the other two policies are held."""


def generator(c: Coefficient, base: Symbol) -> Expr | None:
    """f with f'(u) = C(log u) and f(1) = 0, for a C of one quotient; ``None`` when no closed form is found."""
    f = _along(c, base, 1)
    if f is None and len(c.merged) == 1 and not c.cells[0][1].has(AppliedUndef):
        t = Symbol("t", positive=True)
        return Integral(c.along(base)[0][1].xreplace({base: log(t)}), (t, 1, u))
    return None if f is None else tidy(_in_u(f, base))


def objective(c: Coefficient) -> Objective | None:
    """F with ∂F/∂π = C, the reference and the old policy frozen; ``None`` when no closed form is found, or C has poles.

    When C = c(l)/w this is π_old H(l) with H' = c: the expectation of H under the old policy.
    """
    try:
        per_sample = c.map(lambda e: e * exp(log_weight))
        if per_sample.sole_variable == log_ratio:
            h = None if any(m.direction is None for m in per_sample.moves) else _along(per_sample, log_ratio, 0)
            return None if h is None else Objective(exp(logp - log_weight) * h)
    except Undecidable:
        pass
    if len(c.merged) != 1:
        return None
    f = _antiderivative(c.merged[0][1] * exp(logp), log_ratio)
    return None if f is None else Objective(f)


def _along(c: Coefficient, t: Symbol, rate: int) -> Expr | None:
    """The continuous ∫ C e^(rate t) dt that is 0 at t = 0, in t.

    ``None`` without a closed form or exact thresholds, or where it is infinite at one.
    """
    try:
        pieces = [(bounds, _piece(e, t, rate)) for bounds, e in c.along(t)]
    except Undecidable:
        return None
    edges = [hi for (_, hi), _ in pieces[:-1]]
    if any(p is None for _, p in pieces) or any(edge is None or edge.exact is None for edge in edges):
        return None
    points = [edge.exact for edge in edges if edge is not None and edge.exact is not None]
    joined = [p for _, p in pieces if p is not None]
    for i, at in enumerate(points):
        joined[i + 1] += (joined[i] - joined[i + 1]).xreplace({t: at})
    if any(map(has_no_value, joined)):
        return None
    home = sum(1 for edge in edges if edge is not None and compare(edge, ZERO) < 0)
    origin = joined[home].xreplace({t: S.Zero})
    return Piecewise(
        *((p - origin, t < at) for p, at in zip(joined, points, strict=False)), (joined[-1] - origin, true)
    )


def _piece(e: Expr, t: Symbol, rate: int) -> Expr | None:
    if e.has(AppliedUndef):
        return None
    found = _antiderivative(e * exp(rate * t), t)
    if found is not None:
        return found
    integrand = (e.xreplace({t: log(u)}) * u ** (rate - 1)).replace(exp, _power)
    found = ratint(integrand, u) if integrand.is_rational_function(u) else _of_exponentials(integrand)
    return None if found is None else found.xreplace({u: exp(t)})


def _power(x: Expr) -> Expr:
    """exp(k log u) is u^k."""
    return u ** cancel(x / log(u)) if x.has(log) else exp(x)


def _of_exponentials(integrand: Expr) -> Expr | None:
    """∫ of a rational R(e^(a u)), as ∫ R(x)/(a x) dx, and of polynomials times e^(a u), by parts; else ``None``."""
    rates = [x.args[0].diff(u) for x in integrand.atoms(exp) if x.has(u)]
    if not rates or not all(r.is_Rational for r in rates):
        return None
    a, x = Rational(gcd(*(r.p for r in rates)), lcm(*(r.q for r in rates))), Symbol("x", positive=True)
    put = integrand.replace(exp, lambda y: x ** (y.diff(u) / a) * exp(y - u * y.diff(u)))
    terms = Add.make_args(expand_mul(put))
    rational = Add(*(t for t in terms if not t.has(u)))
    moving = [t.as_independent(x) for t in terms if t.has(u)]
    powers = [p.as_base_exp() if p != 1 else (x, S.Zero) for _, p in moving]
    by_parts = all(c.is_polynomial(u) for c, _ in moving) and all(b == x and n.is_Rational for b, n in powers)
    if not by_parts or not rational.is_rational_function(x):
        return None
    found = ratint(cancel(rational / (a * x)), x).xreplace({x: exp(a * u)})
    return found + Add(*(_times_exponential(c, a * n) for (c, _), (_, n) in zip(moving, powers, strict=True)))


def _times_exponential(p: Expr, rate: Expr) -> Expr:
    """∫ p(u) e^(rate u) du, by parts."""
    if rate == 0:
        return Poly(p, u).integrate(u).as_expr()
    degree = Poly(p, u).degree()
    return exp(rate * u) * Add(*((-1) ** k * p.diff(u, k) / rate ** (k + 1) for k in range(degree + 1)))


def _in_u(expr: Expr, t: Symbol) -> Expr:
    """A function of t = log u written in u."""
    if isinstance(expr, Piecewise):
        return Piecewise(*((_in_u(e, t), true if c == true else u < exp(c.rhs)) for e, c in expr.args))
    return tidy(expr.replace(exp, lambda x: u ** cancel(x / t)).xreplace({t: log(u)}))


def _antiderivative(expr: Expr, pivot: Symbol) -> Expr | None:
    """∫ expr dlogp, the other policies fixed, for polynomials times exponentials; ``None`` for anything else."""
    by_rate: dict[Expr, Expr] = {}
    for term in Add.make_args(expand_mul(normal_form(expr).as_expr())):
        exponential = prod(a for a in term.as_ordered_factors() if isinstance(a, exp))
        by_rate[exponential] = by_rate.get(exponential, S.Zero) + term / exponential
    total = S.Zero
    for exponential, polynomial in by_rate.items():
        rate = derivative(log(exponential))
        if not polynomial.is_polynomial(*MOVING) or not is_constant(rate):
            return None
        total += exponential * _polynomial_factor(polynomial, normal_form(rate).as_expr(), pivot)
    return total


def _polynomial_factor(p: Expr, rate: Expr, pivot: Symbol) -> Expr:
    """Q with D Q + rate Q = p, where D = ∂/∂logp moves logp, l and log w together."""
    if rate != 0:
        result, factor, poly = S.Zero, 1 / rate, Poly(p, *MOVING)
        while not poly.is_zero:
            result += factor * poly.as_expr()
            poly, factor = sum((poly.diff(v) for v in MOVING), poly.zero), -factor / rate
        return result
    shifts = {v: Symbol(f"shift_{v}") for v in MOVING if v != pivot}
    along = p.xreplace({v: pivot + s for v, s in shifts.items()})
    primitive = Poly(along, pivot).integrate(pivot).as_expr()
    return primitive.xreplace({s: v - pivot for v, s in shifts.items()}).expand()
