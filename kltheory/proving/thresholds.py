"""Claims about zeros: closed forms with Lambert's W, and that there are no other real zeros.

A closed form a + W_k(z) is put in symbolically: W is a symbol ω with e^ω = z/ω, and the zero test decides. That it is
*this* zero and no other is seen from isolating intervals: of the formula's zeros, and of those of ω e^ω - z, the lower
of which is the branch k = -1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sympy import Dummy, Expr, LambertW, S, exp, expand

from kltheory.calculus.domain import under
from kltheory.calculus.enclosure import enclose
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.line import poles, roots
from kltheory.calculus.notation import text
from kltheory.calculus.symbols import log_ratio

BITS = (64, 256)


@dataclass(frozen=True)
class Zero:
    """A formula vanishes at a point given in closed form, for every value of the parameters."""

    left: Expr
    at: Expr

    def decide(self) -> bool:
        """Whether the formula, with e^W = z/W, is formally zero there.

        Raises:
            Undecidable: it is not formally zero, and the point has parameters, or no enclosure excludes zero; or the
                formula may have no value there.
        """
        if (part := next(under(self.left), None)) is not None:
            raise Undecidable(f"whether {part} is positive at l = {self.at} is not asked")
        if _vanishes(self.left, self.at):
            return True
        names = sorted((self.left.free_symbols | self.at.free_symbols) - {log_ratio}, key=str)
        numbers = {s: S(k) for k, s in enumerate(names, 1)}
        if _excludes_zero(self.left.xreplace(numbers), self.at.xreplace(numbers)):
            return False
        raise Undecidable(f"{self.left} is not formally zero at l = {self.at}")

    def __str__(self) -> str:
        return f"{text(self.left)} = 0 at l = {self.at}"


@dataclass(frozen=True)
class Zeros:
    """All real zeros of a formula in l, from left to right, in closed forms without parameters."""

    left: Expr
    right: tuple[Expr, ...]

    def decide(self) -> bool:
        """Whether each closed form is a zero, lies at its place among the isolated zeros, and none is left over."""
        if poles(self.left, log_ratio):
            raise Undecidable(f"{self.left} has poles")
        if (part := next(under(self.left), None)) is not None:
            raise Undecidable(f"where {part} is positive is not asked")
        isolated = roots(self.left, log_ratio)
        if len(isolated) != len(self.right) or not all(Zero(self.left, at).decide() for at in self.right):
            return False
        return all(_nearest(at, isolated) == k for k, at in enumerate(self.right))

    def __str__(self) -> str:
        return f"{text(self.left)} = 0 at l = {', '.join(map(str, self.right))}, and nowhere else"


def _vanishes(left: Expr, at: Expr) -> bool:
    """Whether the formula is formally zero at a closed form, by e^{nω} = (z/ω)^n for W_k(z) = ω."""
    value = left.xreplace({log_ratio: at})
    for known in sorted(at.atoms(LambertW), key=str):
        omega, z = Dummy("omega", real=True), known.args[0]

        def rewrite(x: Expr, omega: Expr = omega, z: Expr = z) -> Expr:
            n = expand(x).coeff(omega)
            return exp(expand(x - n * omega)) * (z / omega) ** n if n.is_Integer else exp(x)

        value = value.xreplace({known: omega}).replace(exp, rewrite)
    return is_zero(value)


def _branch(known: Expr, bits: int) -> Any:
    """An interval around W_k(z), -1/e < z < 0, as the zero of ω e^ω - z of that number, from the left."""
    z, branch = known.args[0], known.args[1] if len(known.args) > 1 else S.Zero
    both = roots(log_ratio * exp(log_ratio) - z, log_ratio)
    if len(both) != 2 or branch not in (-1, 0):
        raise Undecidable(f"{known} is not one of two real values")
    return both[int(branch) + 1].interval(bits)


def _interval(at: Expr, bits: int) -> Any:
    """An interval around a closed form."""
    known: Mapping[Expr, Dummy] = {w: Dummy(real=True) for w in at.atoms(LambertW)}
    return enclose(at.xreplace(known), {d: _branch(w, bits) for w, d in known.items()}, bits + 64)


def _excludes_zero(left: Expr, at: Expr) -> bool:
    for bits in BITS:
        value = enclose(left, {log_ratio: _interval(at, bits)}, bits + 64)
        if value.a > 0 or value.b < 0:
            return True
    return False


def _nearest(at: Expr, isolated: list[Any]) -> int:
    """The number of the one zero whose interval meets that of the closed form, which is a zero."""
    for bits in BITS:
        here = _interval(at, bits)
        meeting = [
            k for k, r in enumerate(isolated) if not (r.interval(bits).b < here.a or here.b < r.interval(bits).a)
        ]
        if len(meeting) == 1:
            return meeting[0]
    raise Undecidable(f"which zero {at} is needs more precision than is tried")
