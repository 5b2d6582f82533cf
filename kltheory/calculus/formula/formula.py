"""A typed formula as it was read."""

from dataclasses import dataclass

from sympy import Expr

from kltheory.calculus.cells import confirm
from kltheory.calculus.notation import text
from kltheory.calculus.surrogate import Sampler, Surrogate


@dataclass(frozen=True)
class Formula:
    """``notes`` say which names were read as what; ``constants`` are the positive constants without a value.

    Logarithms and roots, ``fallible``, and what was divided by, ``nonzero``, are asked for their values where they are
    not seen in ``expr`` any more.
    """

    typed: str
    expr: Expr
    notes: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    fallible: tuple[Expr, ...] = ()
    nonzero: tuple[Expr, ...] = ()

    def confirm_defined(self, sampler: Sampler = Sampler.OLD) -> None:
        """Raise Undefined where what cancelled has no value, for the samples of one policy; Undecidable."""
        confirm(*([Surrogate.of(x).sampled_by(sampler).expr for x in xs] for xs in (self.fallible, self.nonzero)))

    def __str__(self) -> str:
        """In the names of formulas alone, to be read back."""
        return text(self.expr)
