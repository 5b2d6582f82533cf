"""Numbers as symbols: e^(1/d), √2 or log 2 beside a variable, kept apart until a sign is asked for."""

from collections.abc import Mapping

from sympy import Expr, Symbol

from kltheory.calculus.enclosure import sign_of
from kltheory.calculus.exact import Undecidable, is_zero


class Constant(Symbol):
    """A real number, by name."""

    __slots__ = ("value",)
    value: Expr

    def __new__(cls, value: Expr) -> "Constant":
        """The symbol of this number."""
        symbol: Constant = Symbol.__xnew__(cls, f"<{value}>", real=True)
        symbol.value = value
        return symbol


def put_in(expr: Expr) -> Expr:
    """The expression with every :class:`Constant` replaced by its number."""
    return expr.xreplace({c: c.value for c in expr.atoms(Constant)})


def named(meaning: Mapping[Symbol, Expr]) -> dict[Symbol, Constant]:
    """Of generators and what they stand for: those that stand for numbers, each to its constant."""
    return {g: Constant(e) for g, e in meaning.items() if not e.free_symbols}


def sign_of_constant(c: Expr) -> int:
    """The sign of a number.

    Raises:
        Undecidable: it is not formally zero, and no precision that is tried separates it from zero.
    """
    if c.is_Rational:
        return bool(c > 0) - bool(c < 0)
    if (sign := sign_of(c, {})) is not None:
        return sign
    if is_zero(c):
        return 0
    raise Undecidable(f"the sign of {c} needs more precision than is tried")
