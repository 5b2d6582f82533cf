"""Claims about floating point that hold for every float of an interval, or at a point where something is not finite.

The model is IEEE 754 with correctly rounded functions; the numeric engine is JAX, with its own. ``minus(a, b)`` is the
rounded difference: in floating point (a - b) - c is not a - (b + c), and SymPy's sums have no order.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import Add, Expr, Function, Mul, Rational, S, exp, nan
from sympy.codegen.cfunctions import expm1

from kltheory.calculus.enclosure import enclose
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.notation import text
from kltheory.calculus.roots import to_fraction
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import log_ratio
from kltheory.numerics import rounded
from kltheory.numerics.rounded import FORMATS
from kltheory.proving.ieee import sign_above, value_and_gradient
from kltheory.proving.scalars import HasSign


class minus(Function):
    """a - b, rounded once."""

    nargs = 2

    def _eval_evalf(self, prec: int) -> Expr:
        """SymPy's hook for the value: the difference, to so many bits."""
        return (self.args[0] - self.args[1])._eval_evalf(prec)


def evaluate(expr: Expr, x: Any, exponential: Any, exponential_m1: Any) -> Any:
    """A formula at every float32, operation by operation, with the functions given."""
    heads: dict[Any, Any] = {
        exp: exponential,
        expm1: exponential_m1,
        minus: lambda a, b: a - b,
        Add: lambda *terms: sum(terms[1:], start=terms[0]),
        Mul: lambda *factors: (
            np.prod(np.broadcast_arrays(*factors), axis=0, dtype=np.float32)
            if len(factors) > 2
            else factors[0] * factors[1]
        ),
    }

    def walk(e: Expr, x: Any) -> Any:
        if e == log_ratio:
            return x
        if e.is_Rational:
            return np.float32(float(e))
        if e.func not in heads:
            raise Undecidable(f"{e.func.__name__} has no rounded meaning here")
        return heads[e.func](*(walk(a, x) for a in e.args))

    runs = np.split(x, range(rounded.RUN, len(x), rounded.RUN))
    return np.concatenate([np.broadcast_to(walk(expr, run), run.shape) for run in runs])


@dataclass(frozen=True)
class NegativeShare:
    """In float32, the share of floats of a binade at which a formula comes out negative lies between bounds.

    Every float counts. The binade is 2^exponent ≤ |l| < 2^(exponent + 1) on one side of zero.
    """

    left: Expr
    exponent: int
    side: int
    at_least: Expr
    at_most: Expr

    def decide(self) -> bool:
        """Whether it does when every operation is rounded correctly; all 2^23 floats are looked at."""
        return self.holds(self.values())

    def values(self) -> Any:
        """The formula at every float of the binade, from the smallest |l| on, every operation rounded correctly."""
        return evaluate(self.left, rounded.binade(self.exponent, self.side), rounded.exp, rounded.expm1)

    def holds(self, values: Any) -> bool:
        """Whether the share of negative values is within the bounds, an exact comparison."""
        share = Rational(int(np.count_nonzero(values < 0)), values.size)
        return bool(self.at_least <= share <= self.at_most)

    def __str__(self) -> str:
        low, high = (f"2^{e}" for e in (self.exponent, self.exponent + 1))
        where = f"{low} ≤ l < {high}" if self.side > 0 else f"{low} ≤ -l < {high}"
        return f"{text(self.left)} < 0 at {self.at_least} to {self.at_most} of all float32 with {where}"


@dataclass(frozen=True)
class OverflowsIff:
    """For every l < 0 of a format, a formula overflows to infinity iff l < bound."""

    left: Expr
    bound: Expr
    format: str

    def decide(self) -> bool:
        """Whether the formula falls with l, and the two floats around the bound lie on either side of the overflow."""
        kind = FORMATS[self.format]
        edge = to_fraction(enclose(self.bound, {}).a)
        for x, side in zip(kind.neighbours(edge), (1, -1), strict=True):
            point = Rational(x.numerator, x.denominator)
            if sign_above(self.left.xreplace({log_ratio: point}), kind) != side:
                return False
        if not HasSign(self.left.diff(log_ratio), -1, below=S.Zero).decide():
            raise Undecidable("it does not fall with l, so two points do not tell")
        return True

    def __str__(self) -> str:
        return f"{text(self.left)} overflows in {self.format} iff l < {self.bound}, for l < 0"


@dataclass(frozen=True)
class Computes:
    """At one l, in a format, a surrogate has this value and this derivative by automatic differentiation.

    Either may be infinite or ``nan``; a finite one is meant up to rounding.
    """

    left: Surrogate
    at: Expr
    format: str
    value: Expr
    gradient: Expr

    def decide(self) -> bool:
        """Whether real arithmetic with overflow and ∞ - ∞ = 0·∞ = nan, and the chain rule in reverse, give both."""
        value, gradient = value_and_gradient(self.left.expr, self.at, FORMATS[self.format])
        return _same(value, self.value) and _same(gradient, self.gradient)

    def __str__(self) -> str:
        what = f"{text(self.left.expr)} at l = {self.at} in {self.format}"
        return f"{what} has the value {self.value} and the derivative {self.gradient}"


def _same(a: Expr, b: Expr) -> bool:
    if a is nan or b is nan:
        return a is b
    return is_zero(a - b) if a.is_finite and b.is_finite else a == b
