"""Behaviour near l = 0 and far out, by evaluation with many digits: an independent look at orders and limits."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import mpmath
from sympy import Expr, Rational, S, lambdify

from kltheory.calculus.symbols import advantage, log_ratio, log_weight, logp
from kltheory.numerics.bridge import Parameters

DIGITS: Final = 80
FLOOR: Final = mpmath.mpf(10) ** -60
"""What rounding may leave of a difference at :data:`DIGITS` digits."""


def _function(expr: Expr, parameters: Parameters) -> Callable[[Any], Any]:
    at = {logp: Rational(-3, 2), log_weight: Rational(2, 5), advantage: Rational(7, 10), **parameters}
    return lambdify(log_ratio, expr.xreplace(at), "mpmath")


def order_at_zero(expr: Expr, parameters: Parameters, modulo_constant: bool) -> float:
    """The exponent n with expr ~ c·l^n at 0, from the slope between l = 1e-12 and 1e-13; infinite for zero."""
    f = _function(expr, parameters)
    with mpmath.workdps(DIGITS):
        constant = f(mpmath.mpf(0)) if modulo_constant else mpmath.mpf(0)
        near, far = (abs(f(mpmath.mpf(10) ** -k) - constant) for k in (13, 12))
        if near < mpmath.mpf(10) ** (8 - DIGITS):
            return float("inf")
        return float(mpmath.log10(far / near))


def approaches(expr: Expr, at: Expr, target: Expr, parameters: Parameters) -> tuple[bool, str]:
    """Whether the values at |l| = 50, 500, 5000 go to the target, and what they are.

    To a number: each step at least halves the gap. To ±oo: they grow, from 40 on.
    """
    f, side = _function(expr, parameters), 1 if at is S.Infinity else -1
    with mpmath.workdps(DIGITS):
        values = [f(mpmath.mpf(side * 10**k * 50)) for k in range(3)]
        seen = ", ".join(mpmath.nstr(v, 4) for v in values)
        if target.is_finite:
            gaps = [abs(v - mpmath.mpf(str(target))) for v in values]
            return gaps[2] < mpmath.mpf("1e-3") and all(b <= max(a / 2, FLOOR) for a, b in pairwise(gaps)), seen
        sign = 1 if target is S.Infinity else -1
        return sign * values[0] > 40 and all(sign * (b - a) > 0 for a, b in pairwise(values)), seen
