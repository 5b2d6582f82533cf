"""Dual numbers over balls: a value, and its slope in each of many variables; derivatives by the chain rule alone.

The value and the slopes may be duals again: duals of duals have second derivatives, and so on. A dual answers to what a
ball answers to, so one table of heads (``balls.BALLS``) evaluates a formula in either. Comparisons look at the value.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flint import arb

Slopes = Mapping[Hashable, Any]


@dataclass(frozen=True, eq=False, slots=True)
class Dual:
    """x + Σ_k x_k ε_k with ε_j ε_k = 0; x and the x_k are balls, or duals in variables of the next level."""

    value: Any
    slopes: Slopes

    def _chain(self, value: Any, slope: Any) -> "Dual":
        """A function of this number, given its value and its derivative here."""
        return Dual(value, {k: slope * x for k, x in self.slopes.items()})

    def __add__(self, other: Any) -> "Dual":
        return total((self, other))

    __radd__ = __add__

    def __neg__(self) -> "Dual":
        return self._chain(-self.value, -1)

    def __sub__(self, other: Any) -> "Dual":
        return total((self, -other))

    def __rsub__(self, other: Any) -> "Dual":
        return total((other, -self))

    def __mul__(self, other: Any) -> "Dual":
        if not isinstance(other, Dual):
            return self._chain(self.value * other, other)
        slopes = {k: x * other.value for k, x in self.slopes.items()}
        for k, y in other.slopes.items():
            moved = self.value * y
            slopes[k] = slopes[k] + moved if k in slopes else moved
        return Dual(self.value * other.value, slopes)

    __rmul__ = __mul__

    # --- functions, by the names that balls have ----------------------------------------------------------------------
    def exp(self) -> "Dual":
        """e^x."""
        value = self.value.exp()
        return self._chain(value, value)

    def expm1(self) -> "Dual":
        """e^x - 1."""
        return self._chain(self.value.expm1(), self.value.exp())

    def log(self) -> "Dual":
        """The natural logarithm."""
        return self._chain(self.value.log(), power(self.value, -1))

    def sqrt(self) -> "Dual":
        """The square root."""
        value = self.value.sqrt()
        return self._chain(value, power(2 * value, -1))

    def asin(self) -> "Dual":
        """The inverse sine."""
        return self._chain(self.value.asin(), power((1 - self.value * self.value).sqrt(), -1))

    def sinh(self) -> "Dual":
        """The hyperbolic sine."""
        return self._chain(self.value.sinh(), self.value.cosh())

    def cosh(self) -> "Dual":
        """The hyperbolic cosine."""
        return self._chain(self.value.cosh(), self.value.sinh())

    def tanh(self) -> "Dual":
        """The hyperbolic tangent."""
        value = self.value.tanh()
        return self._chain(value, 1 - value * value)

    # --- comparisons, of the value ------------------------------------------------------------------------------------
    def is_finite(self) -> bool:
        """Whether the value is."""
        return bool(self.value.is_finite())

    def contains(self, x: int) -> bool:
        """Whether the ball of the value does."""
        return bool(self.value.contains(x))

    def __gt__(self, x: int) -> bool:
        return bool(self.value > x)


def total(terms: Iterable[Any]) -> Any:
    """The sum of duals and balls; a ball when all are."""
    value: Any = arb(0)
    slopes: dict[Hashable, Any] | None = None
    for term in terms:
        if not isinstance(term, Dual):
            value = value + term
            continue
        value, slopes = value + term.value, {} if slopes is None else slopes
        for k, x in term.slopes.items():
            slopes[k] = slopes[k] + x if k in slopes else x
    return value if slopes is None else Dual(value, slopes)


def power(base: Any, exponent: Any) -> Any:
    """The power; of a ball around zero too where the exponent is a natural number."""
    if isinstance(exponent, arb) and exponent.is_integer() and (n := exponent.unique_fmpz()) is not None:
        exponent = int(n)
    if isinstance(exponent, int):
        return _integer_power(base, exponent)
    if isinstance(exponent, Dual):
        return (exponent * base.log()).exp()
    if exponent == 0.5:
        return base.sqrt()
    if isinstance(base, Dual):
        return base._chain(power(base.value, exponent), exponent * power(base.value, exponent - 1))
    return base**exponent


def _integer_power(base: Any, n: int) -> Any:
    """By squaring: Arb's own, of a ball with the middle 0, is not a number."""
    if n < 0:
        return _integer_power(_reciprocal(base), -n)
    half = _integer_power(base * base, n // 2) if n > 1 else arb(1)
    return half * base if n % 2 else half


def _reciprocal(x: Any) -> Any:
    if not isinstance(x, Dual):
        return 1 / x
    value = _reciprocal(x.value)
    return x._chain(value, -(value * value))


def moved(x: Any, variables: Iterable[Hashable], depth: int) -> Any:
    """x + Σ ε_k, on each of so many levels."""
    for _ in range(depth):
        x = Dual(x, dict.fromkeys(variables, arb(1)))
    return x


def scaled(x: Any, variables: Iterable[Hashable], depth: int) -> Any:
    """x·Π(1 + ε_k), on each of so many levels."""
    for _ in range(depth):
        x = Dual(x, dict.fromkeys(variables, x))
    return x


def detached(x: Any) -> Any:
    """The number without its slopes on the first level; those on deeper levels stay."""
    return Dual(x.value, {}) if isinstance(x, Dual) else x


def slopes(x: Any) -> Slopes:
    """The slopes on the first level; a ball has none."""
    return x.slopes if isinstance(x, Dual) else {}


def derivatives(x: Any, variable: Hashable, order: int) -> dict[int, Any]:
    """The derivatives of a number that moves with one variable on each of so many levels, from the zeroth on."""
    found = {}
    for k in range(order + 1):
        found[k] = bottom(x)
        x = slopes(x).get(variable, arb(0))
    return found


def bottom(x: Any) -> Any:
    """The ball below all levels."""
    return bottom(x.value) if isinstance(x, Dual) else x


def joined(a: Any, b: Any) -> Any:
    """A number around both; what does not overlap, as slopes on the two sides of a kink, is not a number."""
    if not (isinstance(a, Dual) or isinstance(b, Dual)):
        return a.union(b) if a.overlaps(b) else arb.nan()
    x, y = (n if isinstance(n, Dual) else Dual(n, {}) for n in (a, b))
    both = {k: joined(x.slopes.get(k, arb(0)), y.slopes.get(k, arb(0))) for k in {**x.slopes, **y.slopes}}
    return Dual(joined(x.value, y.value), both)
