"""Behaviour near l = 0 and far out, by evaluation with many digits: an independent look at orders and limits."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import mpmath
from sympy import Dummy, Expr, S, lambdify

from kltheory.calculus.divergence import Objective
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import advantage, erase_sg, log_ratio, log_weight, logp, sg
from kltheory.numerics.bridge import Parameters

DIGITS: Final = 80
FLOOR: Final = mpmath.mpf(10) ** -60
"""What rounding may leave of a difference at :data:`DIGITS` digits."""
PLACES: Final = ((-1.5, 0.4, 0.7), (-3.25, -0.6, -1.1), (-0.75, 1.3, 0.2))
"""log π, log w and the advantage beside l, which is near 0."""
STEP: Final = mpmath.mpf(10) ** -30
"""Of central differences: at :data:`DIGITS` digits their error is far below :data:`FLOOR`."""

Function = Callable[[Any, tuple[float, ...]], Any]
"""Of l and a place."""


def formula(expr: Expr, parameters: Parameters) -> Function:
    """The value of a formula in l, log π, log w and the advantage."""
    f = lambdify((log_ratio, logp, log_weight, advantage), expr.xreplace(dict(parameters)), "mpmath")
    return lambda l, place: f(l, *map(mpmath.mpf, place))


def coefficient(term: Surrogate | Objective, sampler: Sampler, parameters: Parameters) -> Function:
    """(∂s/∂logp)/w by central differences of the formula itself, what is under ``sg`` held."""
    if isinstance(term, Objective):
        return _moved(term.summand, {}, parameters, lambda value, p, w: value / mpmath.exp(p))
    expr = term.sampled_by(sampler).expr
    inner = {node for outer in expr.atoms(sg) for node in outer.args[0].atoms(sg)}
    held = {node: Dummy(real=True) for node in expr.atoms(sg) - inner}
    on_policy = sampler is Sampler.POLICY
    return _moved(expr, held, parameters, lambda value, p, w: value if on_policy else value / mpmath.exp(w))


def _moved(expr: Expr, held: dict[Expr, Dummy], parameters: Parameters, scale: Callable[..., Any]) -> Function:
    names = (log_ratio, logp, log_weight, advantage)
    flat = expr.xreplace(held).xreplace(dict(parameters))
    f = lambdify((*names, *held.values()), flat, "mpmath")
    kept = [lambdify(names, erase_sg(node).xreplace(dict(parameters)), "mpmath") for node in held]

    def value(l: Any, place: tuple[float, ...]) -> Any:
        p, w, a = map(mpmath.mpf, place)
        fixed = [k(l, p, w, a) for k in kept]
        up, down = (f(l + h, p + h, w + h, a, *fixed) for h in (STEP, -STEP))
        return scale((up - down) / (2 * STEP), p, w)

    return value


def order_at_zero(f: Function, modulo_constant: bool) -> float:
    """The exponent n with f ~ c·l^n near 0, the least of both sides and all places; infinite for zero.

    From the slope between |l| = 1e-10 and 1e-11. Modulo a constant: what f is, at one place, nearer still.
    """
    with mpmath.workdps(DIGITS):
        ten = mpmath.mpf(10)
        constant = f(ten**-25, PLACES[0]) if modulo_constant else mpmath.mpf(0)
        orders = [float("inf")]
        for place in PLACES:
            for side in (1, -1):
                near, far = (abs(f(side * ten**-k, place) - constant) for k in (11, 10))
                if far > ten**-24:
                    orders.append(float(mpmath.log10(far / near)) if near else 0.0)
        return min(orders)


def approaches(expr: Expr, at: Expr, target: Expr, parameters: Parameters) -> tuple[bool, str]:
    """Whether the values at |l| = 50, 500, 5000 go to the target, and what they are.

    To a number: each step at least halves the gap. To ±oo: they grow, from 40 on.
    """
    f, side = formula(expr, parameters), 1 if at is S.Infinity else -1
    with mpmath.workdps(DIGITS):
        values = [f(mpmath.mpf(side * 10**k * 50), PLACES[0]) for k in range(3)]
        seen = ", ".join(mpmath.nstr(v, 4) for v in values)
        if target.is_finite:
            gaps = [abs(v - mpmath.mpf(str(target))) for v in values]
            return gaps[2] < mpmath.mpf("1e-3") and all(b <= max(a / 2, FLOOR) for a, b in pairwise(gaps)), seen
        sign = 1 if target is S.Infinity else -1
        return sign * values[0] > 40 and all(sign * (b - a) > 0 for a, b in pairwise(values)), seen
