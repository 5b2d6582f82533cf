"""The optimum of reward minus penalty: which policy maximises E_π[A] - β D_f(π‖π_ref).

The coefficient A - β C(l) has to be one constant λ on every action the policy keeps, so f'(u) = (A - λ)/β: with f'
strictly increasing, u = π/π_ref is a function of the reward alone (arXiv 2510.20817; I. Csiszár 1967). The function is
found by solving f'(u) = y for u, and believed only when it gives u back at y = f'(u).
"""

from functools import lru_cache
from typing import Final

from sympy import Abs, Expr, Heaviside, LambertW, Piecewise, Pow, Symbol, exp, expand_log, sign, solve

from kltheory.calculus.divergence import Divergence, u
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.line import limit, signs
from kltheory.calculus.symbols import log_ratio

y: Final = Symbol("y", real=True)
"""(A - λ)/β, what the coefficient has to be."""


STEEPEST: Final = 16
"""Powers of u beyond this are not solved for: roots of so high a degree take minutes."""


@lru_cache(maxsize=64)
def ratio_of(divergence: Divergence) -> Expr | None:
    """π/π_ref as a function of y = (A - λ)/β; ``None`` where no closed form is found."""
    slope = divergence.f.diff(u)
    if slope.has(sign, Abs, Heaviside, Piecewise) or any(
        abs(p.exp) > STEEPEST for p in slope.atoms(Pow) if p.exp.is_number
    ):
        return None
    try:
        candidates = solve(slope - y, u)
    except NotImplementedError:
        return None
    return next((found for found in candidates if _inverts(found, slope)), None)


@lru_cache(maxsize=64)
def gives_up(divergence: Divergence) -> bool:
    """Whether an action may be given up altogether, u = 0: f'(0) is known to be finite."""
    try:
        return bool(limit(along_line(divergence.f.diff(u)), log_ratio, -1).is_finite)
    except Undecidable:
        return False


def _inverts(candidate: Expr, slope: Expr) -> bool:
    """Whether it gives u back at y = f'(u), for every u > 0, with no root of a negative number on the way."""
    try:
        roots = [p.base for p in candidate.atoms(Pow) if p.exp.is_Rational and not p.exp.is_Integer]
        if any(s < 0 for base in roots for _, _, s in signs(along_line(base.xreplace({y: slope})), log_ratio)):
            return False
        if candidate.has(LambertW):
            return _inverts_by_w(candidate, slope)
        return is_zero(candidate.xreplace({y: slope}) - u)
    except Undecidable:
        return False


def along_line(of_u: Expr) -> Expr:
    """An expression in u as one in l = log u."""
    return expand_log(of_u.xreplace({u: exp(log_ratio)}))


def _inverts_by_w(candidate: Expr, slope: Expr) -> bool:
    """The same where Lambert's W occurs: W(z) = t for the one t > 0 with t e^t = z."""
    (w,) = candidate.atoms(LambertW)
    t = Symbol("t", positive=True)
    argument = w.args[0].xreplace({y: slope})
    for value in solve(candidate.xreplace({w: t}).xreplace({y: slope}) - u, t):
        if value.is_positive and is_zero(argument - value * exp(value)):
            return True
    return False
