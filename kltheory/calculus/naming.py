"""The names of coefficients: a multiple of a known divergence's, or a sum of multiples of several."""

from typing import Final

from sympy import Add, Expr, Rational, S, exp, expand_mul

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import (
    DIVERGENCES,
    Base,
    Divergence,
    cressie_read,
    forward_kl,
    kl_uniform,
    reverse_kl,
)
from kltheory.calculus.exact import Undecidable, is_constant, is_zero, normal_form
from kltheory.calculus.symbols import VARIABLES, log_ratio, log_weight, logp

Term = tuple[Expr, Divergence]

POWERS: Final = {Rational(1): 4, Rational(-2): 5, Rational(-1, 2): 6}
"""Exponents λ whose Cressie-Read divergence has a name: λ -> index in DIVERGENCES."""


def terms_of(c: Coefficient, base: Base | None) -> tuple[Term, ...] | None:
    """C, a function of the quotient over the base, as a multiple of a known divergence, or as a sum of multiples."""
    try:
        for divergence in DIVERGENCES if base is not None else ():
            known = divergence if base == "ref" else divergence.from_old()
            scale = _scale(c, known.coefficient)
            if scale is not None:
                return ((scale, known),)
        return _combination(c)
    except Undecidable:  # a function that is not told apart from a known one has no name
        return None


def _scale(c: Coefficient, d: Coefficient) -> Expr | None:
    """The number a with C = a D modulo constants, if there is one."""
    variable = d.sole_variable
    pairs = [(e, g) for a, e in c.cells for b, g in d.cells if (a & b) is not None]
    slopes = [(e.diff(variable), g.diff(variable)) for e, g in pairs]
    slopes += [(e - pairs[0][0], g - pairs[0][1]) for e, g in pairs[1:]]
    ratio = next((x / y for x, y in slopes if not is_zero(y)), None)
    if ratio is None or not is_constant(ratio) or is_zero(ratio) or not (c - ratio * d).is_constant():
        return None
    return normal_form(ratio).as_expr()


def _combination(c: Coefficient) -> tuple[Term, ...] | None:
    """C as a sum of multiples of l and e^(λl) (and the same in log w): each is a known coefficient."""
    if len(c.merged) != 1:
        return None
    found: dict[Divergence, Expr] = {}
    for term in Add.make_args(expand_mul(normal_form(c.merged[0][1]).as_expr())):
        scale, part = term.as_independent(*VARIABLES, as_Add=False)
        known = _power_term(part)
        if part == 1:
            continue
        if known is None:
            return None
        divergence, unit = known
        found[divergence] = found.get(divergence, S.Zero) + scale * unit
    scales = {d: normal_form(a).as_expr() for d, a in found.items()}
    terms = tuple((a, d) for d, a in scales.items() if a != 0)
    total = sum((d.coefficient.cells[0][1] * a for a, d in terms), S.Zero)
    return terms if terms and (c - Coefficient.of(total)).is_constant() else None


def _power_term(part: Expr) -> Term | None:
    """The divergence whose coefficient is a multiple of this monomial, and that multiple's inverse."""
    if part == logp:
        return kl_uniform, S.One
    for v, move in ((log_ratio, lambda d: d), (log_weight, Divergence.from_old)):
        if part == v:
            return move(reverse_kl), S.One
        if isinstance(part, exp) and is_constant(lam := part.args[0] / v):
            if lam == -1:
                return move(forward_kl), S.NegativeOne
            divergence = DIVERGENCES[POWERS[lam]] if lam in POWERS else cressie_read(lam)
            unit = exp(lam * v) / divergence.coefficient.cells[0][1].diff(log_ratio).xreplace({log_ratio: v}) * lam
            return move(divergence), normal_form(unit).as_expr()
    return None
