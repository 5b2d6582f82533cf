"""A claim about all functions: the solutions of a linear differential equation are exactly a given family."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from sympy import Expr, Function, Matrix, Pow, S, Symbol, log
from sympy.core.function import AppliedUndef

from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.moments import CORNERED
from kltheory.calculus.notation import text
from kltheory.calculus.symbols import log_ratio

h = Function("h")(log_ratio)
"""The unknown function of the log-ratio."""


@dataclass(frozen=True)
class Forces:
    """``left`` = 0 for every l, an equation for h(l), forces h to be ``right`` for some values of the constants.

    Linear equations with constant coefficients only, the leading one known not to be zero: the solutions are a
    particular one and any combination of n independent ones of the homogeneous equation, n its order; a family affine
    in constants, any real numbers, is all of them if n of its directions are independent.
    """

    left: Expr
    right: Expr
    constants: tuple[Symbol, ...]

    def decide(self) -> bool:
        """Whether every member of the family solves the equation, and the family is as large as its order."""
        order = self.order()
        if order < 0:
            return False
        solves = is_zero(self.left.xreplace({h: self.right}).doit())
        directions = [self.right.diff(c) for c in self.constants]
        if any(d.has(*self.constants) for d in directions):
            raise Undecidable("the family is not linear in its constants")
        if (part := next(_fails_somewhere(self.left, self.right), None)) is not None:
            raise Undecidable(f"{part} may have no value, or a corner, at some l")
        if narrow := next((c for c in self.constants if not _is_any_real(c)), None):
            raise Undecidable(f"the constant {narrow} is not any real number")
        wronskians = (
            Matrix([[d.diff(log_ratio, k) for d in some] for k in range(order)]).det() if order else S.One
            for some in combinations(directions, order)
        )
        return solves and not all(map(is_zero, wronskians))

    def order(self) -> int:
        """The order of the equation, -1 where h does not occur; linear in h, with constant coefficients.

        Raises:
            Undecidable: it is of another form.
        """
        if any(e.args != h.args for e in self.left.atoms(AppliedUndef)):
            raise Undecidable("h stands at another argument than l")
        coefficients = {0: self.left.diff(h)} if self.left.has(h) else {}
        for d in self.left.atoms(type(h.diff(log_ratio))):
            coefficients[d.derivative_count] = self.left.diff(d)
        found = {n: c for n, c in coefficients.items() if not is_zero(c)}
        if not found:
            return -1
        if any(c.has(h) or log_ratio in c.free_symbols for c in found.values()):
            raise Undecidable("the equation is not linear in h with constant coefficients")
        if self.left.has(*self.constants):
            raise Undecidable("the constants of the family occur in the equation")
        leading = found[max(found)]
        if not leading.is_nonzero:
            raise Undecidable(f"the equation's leading coefficient {leading} may be zero")
        return max(found)

    def __str__(self) -> str:
        free = f", any {', '.join(map(str, self.constants))}" if self.constants else ""
        return f"{text(self.left)} = 0 for every l iff h(l) = {text(self.right)}{free}"


def _fails_somewhere(*sides: Expr) -> Iterator[Expr]:
    """What may be infinite, undefined or kinked at some l: beside it, there are more solutions than one family."""
    for node in (n for side in sides for n in side.atoms(Pow, log, *CORNERED) if n.has(log_ratio)):
        power = node.is_Pow and (node.base.is_positive or (node.exp.is_Integer and node.exp.is_positive))
        if not power and not (node.func is log and node.args[0].is_positive):
            yield node


def _is_any_real(constant: Symbol) -> bool:
    """Whether nothing but being real is known of a symbol."""
    known = (constant.is_positive, constant.is_negative, constant.is_zero, constant.is_integer)
    return bool(constant.is_real and all(x is None for x in known))
