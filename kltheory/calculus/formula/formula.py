"""A typed formula as it was read."""

from dataclasses import dataclass

from sympy import Expr

from kltheory.calculus.notation import text


@dataclass(frozen=True)
class Formula:
    """``notes`` say which names were read as what; ``constants`` are the positive constants without a value."""

    typed: str
    expr: Expr
    notes: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()

    def __str__(self) -> str:
        """In the names of formulas alone, to be read back."""
        return text(self.expr)
