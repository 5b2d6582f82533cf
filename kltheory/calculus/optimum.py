"""The optimum of reward minus penalty: which policy maximises E_π[A] - β D_f(π‖π_ref).

The coefficient A - β C(l) has to be one constant λ on every action the policy keeps, so f'(u) = (A - λ)/β: with f'
strictly increasing, u = π/π_ref is a function of the reward alone (arXiv 2510.20817; I. Csiszár 1967). The function is
found by solving f'(u) = y for u, and believed only when it gives u back at y = f'(u).
"""

from functools import lru_cache
from typing import Final

from sympy import Abs, Expr, Heaviside, LambertW, Piecewise, Symbol, exp, sign, solve

from kltheory.calculus.divergence import Divergence, u
from kltheory.calculus.exact import Undecidable, is_zero

y: Final = Symbol("y", real=True)
"""(A - λ)/β, what the coefficient has to be."""


@lru_cache(maxsize=64)
def ratio_of(divergence: Divergence) -> Expr | None:
    """π/π_ref as a function of y = (A - λ)/β; ``None`` where no closed form is found."""
    slope = divergence.f.diff(u)
    if slope.has(sign, Abs, Heaviside, Piecewise):
        return None
    try:
        candidates = solve(slope - y, u)
    except NotImplementedError:
        return None
    return next((found for found in candidates if _inverts(found, slope)), None)


def _inverts(candidate: Expr, slope: Expr) -> bool:
    """Whether it gives u back at y = f'(u), for every u > 0."""
    try:
        if candidate.has(LambertW):
            return _inverts_by_w(candidate, slope)
        return is_zero(candidate.xreplace({y: slope}) - u)
    except Undecidable:
        return False


def _inverts_by_w(candidate: Expr, slope: Expr) -> bool:
    """The same where Lambert's W occurs: W(z) = t for the one t > 0 with t e^t = z."""
    (w,) = candidate.atoms(LambertW)
    t = Symbol("t", positive=True)
    argument = w.args[0].xreplace({y: slope})
    for value in solve(candidate.xreplace({w: t}).xreplace({y: slope}) - u, t):
        if value.is_positive and is_zero(argument - value * exp(value)):
            return True
    return False
