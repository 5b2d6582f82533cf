"""Where a formula is defined: logarithms of what is positive, roots of what is not negative. Undefined is not zero."""

from collections.abc import Iterator

from sympy import Basic, Expr, Piecewise, Pow, S, log, preorder_traversal

from kltheory.calculus.exact import Undecidable


class Undefined(Undecidable):
    """A formula without a value for some action of some setting; ``where`` says which."""

    def __init__(self, where: str) -> None:
        super().__init__(f"undefined {where}" if where == "everywhere" else f"undefined where {where}")
        self.where = where


NOT_NUMBERS = (S.NaN, S.ComplexInfinity, S.Infinity, S.NegativeInfinity)


def has_no_value(expr: Expr) -> bool:
    """Whether it is nan or infinite as it stands."""
    return expr.has(*NOT_NUMBERS)


def below(expr: Expr) -> set[Expr]:
    """The sums that are divided by: where one is zero throughout, there is no value."""
    return {p.base for p in expr.atoms(Pow) if p.base.is_Add and p.exp.is_negative}


def under(expr: Basic) -> Iterator[Expr]:
    """What has to be positive for the value to be a real number, innermost last; zero only on an edge.

    Products under one logarithm or root are taken whole: their sign is what counts.
    """
    return (node.args[0] for node in fallible(expr))


def fallible(expr: Basic) -> Iterator[Expr]:
    """The logarithms and roots in it that may have no value; those that only a branch has are left out."""
    nodes = preorder_traversal(expr)
    for node in nodes:
        if isinstance(node, Piecewise):
            nodes.skip()
            yield from fallible(node.args[0][1])
        elif (
            (isinstance(node, log) and not node.args[0].is_positive)
            or (
                isinstance(node, Pow)
                and node.exp.is_Rational
                and not node.exp.is_Integer
                and not node.base.is_nonnegative
            )
            or (isinstance(node, Pow) and not node.exp.is_Rational and not node.base.is_positive)
        ):
            yield node
