"""Hypothesis strategies for formulas, and an evaluator that shares no code with the calculus.

``coefficients`` draws sums of polynomials times exponentials in (l, log w, logp), ``scrambles`` rewrites one without
changing its value, ``formulas`` draws nests of min, max, abs, clamp and where. ``value`` evaluates any of them in
``mpmath`` at 50 digits, straight from the definition of each head.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import mpmath
from hypothesis import strategies as st
from sympy import (
    Abs,
    Add,
    And,
    Expr,
    Max,
    Min,
    Mul,
    Or,
    Piecewise,
    Pow,
    Rational,
    S,
    Symbol,
    cosh,
    exp,
    expand,
    expand_power_exp,
    log,
    sign,
    sinh,
    sqrt,
    tanh,
    together,
)
from sympy.core.relational import Relational

from kltheory.calculus.regions import Region
from kltheory.calculus.symbols import log_ratio, log_weight, logp, sg

DIGITS: Final = 50
VARIABLES: Final = (log_ratio, log_weight, logp)


# --- evaluation -----------------------------------------------------------------------------------------------------
HEADS: Final[dict[type, Callable[..., Any]]] = {
    Add: lambda *xs: mpmath.fsum(xs),
    Mul: lambda *xs: mpmath.fprod(xs),
    Pow: mpmath.power,
    exp: mpmath.exp,
    log: mpmath.log,
    sinh: mpmath.sinh,
    cosh: mpmath.cosh,
    tanh: mpmath.tanh,
    Abs: abs,
    sign: mpmath.sign,
    Min: min,
    Max: max,
    sg: lambda x: x,
    And: lambda *xs: all(xs),
    Or: lambda *xs: any(xs),
}


def value(expr: Expr, at: Mapping[Symbol, Any]) -> Any:
    """``expr`` at a point, to 50 digits."""
    with mpmath.workdps(DIGITS):
        return _value(expr, {s: _number(v) for s, v in at.items()})


def scale(expr: Expr, at: Mapping[Symbol, Any]) -> Any:
    """The largest term of a sum at a point, at least 1: what a rounding error is relative to."""
    return max([mpmath.mpf(1), *(abs(value(term, at)) for term in Add.make_args(expr))])


def holds(region: Region, at: Mapping[Symbol, Any]) -> bool:
    """Whether a point lies in a region, by evaluation; variables without a value are not asked about."""
    bounds = [(at[v], *b) for v, b in region.box.items() if v in at]
    in_box = all((lo is None or float(lo) < x) and (hi is None or x < float(hi)) for x, lo, hi in bounds)
    return in_box and all(value(g, at) * s > 0 for g, s in region.conditions.items())


def _number(v: Any) -> Any:
    return mpmath.mpf(v.p) / v.q if isinstance(v, Rational) else mpmath.mpf(v)


def _value(expr: Expr, at: Mapping[Symbol, Any]) -> Any:
    if expr in at:
        return at[expr]
    if expr.is_Number:
        return _number(expr) if expr.is_Rational else mpmath.mpf(str(expr))
    if expr.is_NumberSymbol:
        return expr._to_mpmath(mpmath.mp.prec)
    if isinstance(expr, Piecewise):
        return next(_value(e, at) for e, c in expr.args if c == True or _value(c, at))  # noqa: E712
    if isinstance(expr, Relational):
        a, b = (_value(x, at) for x in (expr.lhs, expr.rhs))
        return {">": a > b, "<": a < b, ">=": a >= b, "<=": a <= b}[expr.rel_op]
    return HEADS[expr.func](*(_value(a, at) for a in expr.args))


# --- numbers and points ---------------------------------------------------------------------------------------------
Numbers = st.SearchStrategy[Rational]
Formulas = st.SearchStrategy[Expr]


def rationals(bound: int = 3, denominators: tuple[int, ...] = (1, 2, 3), zero: bool = True) -> Numbers:
    """Rationals in [-bound, bound] with one of these denominators."""
    drawn = st.builds(lambda p, q: Rational(p, q), st.integers(-bound, bound), st.sampled_from(denominators))
    return drawn if zero else drawn.filter(lambda q: q != 0)


def points(*variables: Symbol, bound: int = 4) -> st.SearchStrategy[dict[Symbol, Rational]]:
    """Points on no threshold to speak of: each variable has a prime denominator of its own; logp is negative."""

    def coordinate(v: Symbol, prime: int) -> st.SearchStrategy[Rational]:
        steps = st.integers(0 if v == logp else -prime * bound, prime * bound)
        return steps.map(lambda k: (-1 if v == logp else 1) * Rational(2 * k + 1, 2 * prime))

    return st.fixed_dictionaries(
        {v: coordinate(v, p) for v, p in zip(variables, (97, 101, 103, 107, 109), strict=False)}
    )


# --- coefficients: sums of polynomial times exponential -------------------------------------------------------------
def linear_forms(*variables: Symbol) -> Formulas:
    """a l + b log w + c logp with small rational a, b, c."""
    numbers = st.tuples(*(rationals(2) for _ in variables))
    return numbers.map(lambda cs: Add(*(c * v for c, v in zip(cs, variables, strict=True))))


def monomials(*variables: Symbol, degree: int = 2) -> Formulas:
    """l^i (log w)^j logp^k with i + j + k up to the degree."""
    powers = st.lists(st.sampled_from(variables), max_size=degree)
    return powers.map(lambda vs: Mul(*vs))


def terms(*variables: Symbol, degree: int = 2) -> Formulas:
    """One monomial times one exponential times a coefficient that is not 0."""
    numbers, factors = rationals(zero=False), monomials(*variables, degree=degree)
    return st.builds(lambda c, m, a: c * m * exp(a), numbers, factors, linear_forms(*variables))


def coefficients(*variables: Symbol, size: int = 4, degree: int = 2) -> Formulas:
    """A sum of one to ``size`` terms; it may happen to be 0."""
    return st.lists(terms(*(variables or VARIABLES), degree=degree), min_size=1, max_size=size).map(lambda ts: Add(*ts))


# --- scrambles: the same function, written differently --------------------------------------------------------------
_POSITIVE: Final = (1 + exp(log_ratio), 2 + exp(log_weight - log_ratio), 1 + log_ratio**2, 3 + exp(logp / 2))

_ZEROS: Final = (
    (log_ratio + log_weight) ** 2 - log_ratio**2 - 2 * log_ratio * log_weight - log_weight**2,
    (exp(log_ratio) - 1) * (exp(log_ratio) + 1) - exp(2 * log_ratio) + 1,
    sinh(log_ratio) ** 2 - cosh(log_ratio) ** 2 + 1,
    tanh(log_weight) * (exp(2 * log_weight) + 1) - exp(2 * log_weight) + 1,
    log(exp(log_ratio) * (1 + exp(log_weight))) - log_ratio - log(1 + exp(log_weight)),
    log(2 + 2 * exp(-log_ratio)) + log_ratio - log(exp(log_ratio) + 1) - log(2),
    sqrt(1 + exp(log_ratio)) ** 4 - exp(2 * log_ratio) - 2 * exp(log_ratio) - 1,
    1 / (1 + exp(-logp)) + 1 / (1 + exp(logp)) - 1,
)
"""Functions that vanish, none of which SymPy folds to 0 as it builds them."""


def _split_exponentials(e: Expr) -> Expr:
    """e^(a+b) as an unevaluated product e^a e^b."""
    return e.replace(
        lambda x: isinstance(x, exp) and x.args[0].is_Add,
        lambda x: Mul(*(exp(a, evaluate=False) for a in x.args[0].args), evaluate=False),
    )


def _exponentials(e: Expr, function: Callable[[Expr], Expr]) -> Expr:
    return e.replace(lambda x: isinstance(x, exp) and not x.args[0].is_Number, lambda x: function(x.args[0]))


def _is_integral(a: Expr) -> bool:
    return all(c.is_Integer for c in a.atoms(Rational))


SCRAMBLES: Final[dict[str, Callable[[Expr], Expr]]] = {
    "expand": expand,
    "split exponentials": _split_exponentials,
    "expand exponentials": expand_power_exp,
    "together": together,
    "cosh + sinh": lambda e: _exponentials(e, lambda a: cosh(a) + sinh(a) if _is_integral(a) else exp(a)),
    "tanh": lambda e: _exponentials(e, lambda a: cosh(a) * (1 + tanh(a)) if _is_integral(a) else exp(a)),
    "cubed root": lambda e: _exponentials(e, lambda a: Pow(exp(a / 3), 3, evaluate=False)),
    "log of exp": lambda e: e.xreplace({log_ratio: log(2 * exp(log_ratio)) - log(2)}),
    "shifted logarithm": lambda e: e.xreplace(
        {log_weight: log(exp(log_weight) + exp(2 * log_weight)) - log(1 + exp(log_weight))}
    ),
    **{f"add zero {i}": lambda e, z=z: Add(e, z, evaluate=False) for i, z in enumerate(_ZEROS)},
    **{f"times {p} / {p}": lambda e, p=p: Mul(expand(e * p), 1 / p, evaluate=False) for p in _POSITIVE},
    **{f"plus {p} minus": lambda e, p=p: together(e + 1 / p) - 1 / p for p in _POSITIVE},
    "square of binomial": lambda e: ((e + log_ratio) ** 2 - (e - log_ratio) ** 2) / (4 * log_ratio),
}
"""Rewritings that keep the value wherever both sides are defined."""


@st.composite
def scrambled(draw: Any, expr: Expr, most: int = 2) -> Expr:
    """A different way to write ``expr``."""
    for name in draw(st.lists(st.sampled_from(sorted(SCRAMBLES)), min_size=1, max_size=most, unique=True)):
        expr = SCRAMBLES[name](expr)
    return expr


# --- formulas with kinks --------------------------------------------------------------------------------------------
def clamp(x: Expr, lo: Expr | int, hi: Expr | int) -> Expr:
    """min(max(x, lo), hi), as ``torch.clamp``."""
    return Min(Max(x, lo), hi)


def where(condition: Any, yes: Expr, no: Expr) -> Expr:
    """``torch.where``."""
    return Piecewise((yes, condition), (no, True))


def formulas(*variables: Symbol, leaves: int = 5) -> Formulas:
    """Nests of +, *, min, max, abs, sign, clamp and where over the variables, their exponentials and rationals."""
    atoms = st.one_of(st.sampled_from([*variables, *map(exp, variables), *(exp(-v) for v in variables)]), rationals(2))

    def nest(inner: Formulas) -> Formulas:
        return st.one_of(
            st.builds(lambda a, b: a + b, inner, inner),
            st.builds(lambda c, a: c * a, rationals(2, zero=False), inner),
            st.builds(Min, inner, inner),
            st.builds(Max, inner, inner),
            st.builds(Abs, inner),
            st.builds(lambda a: sign(a) * a**2, inner),
            st.builds(lambda a, lo: clamp(a, lo, lo + 1), inner, rationals(2)),
            st.builds(lambda a, b, c, d: where(a > b, c, d) if a != b else c, inner, inner, inner, inner),
        )

    return st.recursive(atoms, nest, max_leaves=leaves).map(S)
