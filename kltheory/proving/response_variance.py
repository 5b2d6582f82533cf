"""Claims about variances over whole responses: how they grow with the length."""

from dataclasses import dataclass
from itertools import pairwise
from math import factorial
from typing import Any

from sympy import Expr, Poly

from kltheory.calculus.notation import text
from kltheory.calculus.relations import same_moment
from kltheory.calculus.sequence.iid import iid_trace_variance
from kltheory.calculus.sequence.language import length
from kltheory.calculus.sequence.loss import SequenceLoss
from kltheory.proving.sequences import sequence_text


@dataclass(frozen=True)
class VarianceGrowth:
    """With N equal, independent steps that share their logits, tr Var of the gradient is leading·N^degree + lower."""

    left: SequenceLoss
    leading: Expr
    degree: int

    def decide(self) -> bool:
        """Whether the coefficients above vanish, and this one is the leading one, and is not zero."""
        polynomial = Poly(iid_trace_variance(self.left), length)
        if polynomial.is_zero:
            return False
        above = (polynomial.coeff_monomial(length**n) for n in range(self.degree + 1, polynomial.degree() + 1))
        if not all(same_moment(c, 0 * c) for c in above) or same_moment(self.leading, 0 * self.leading):
            return False
        return same_moment(polynomial.coeff_monomial(length**self.degree), self.leading)

    def differences(self, spread: list[Any]) -> tuple[Any, Any]:
        """From the traces at N = 1, 2, ...: the last difference of the leading order over its factorial, and the next.

        The second is zero, and the first the leading coefficient, if the trace is such a polynomial.
        """
        for _ in range(self.degree):
            spread = [b - a for a, b in pairwise(spread)]
        return spread[0] / factorial(self.degree), spread[1] - spread[0]

    def __str__(self) -> str:
        return f"tr Var ∇ {sequence_text(self.left)} = ({text(self.leading)}) N^{self.degree} + lower, steps i.i.d."
