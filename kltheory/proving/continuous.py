"""Claims outside the categorical world: Gaussians, and lengths with a geometric law."""

from dataclasses import dataclass
from functools import lru_cache

from sympy import Add, Expr, Poly, S, Symbol, fraction

from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.gaussian import Gaussian, conditions, expectation
from kltheory.calculus.notation import text


@dataclass(frozen=True)
class GaussianMean:
    """E_{N(mean, variance)}[left(x)] = right, in closed form."""

    left: Expr
    right: Expr
    mean: Expr
    variance: Expr

    def decide(self) -> bool:
        """Whether the closed form, by completing the square, is the same expression."""
        found = expectation(self.left, Gaussian(self.mean, self.variance))
        if any(c.is_Number and not c > 0 for c in found.conditions):
            raise Undecidable("the expectation does not exist")
        return is_zero(found.value - self.right)

    def __str__(self) -> str:
        return f"E[{text(self.left)}] = {text(self.right)} for x ~ N({text(self.mean)}, {text(self.variance)})"


@dataclass(frozen=True)
class FiniteIff:
    """E_{N(mean, variance)}[left(x)] is finite iff the condition is positive."""

    left: Expr
    condition: Expr
    mean: Expr
    variance: Expr

    def decide(self) -> bool:
        """Whether that is the condition completing the square needs, up to a positive factor."""
        found = conditions(self.left, Gaussian(self.mean, self.variance))
        proper = [c for c in found if not c.is_positive]
        if not proper:
            return bool(self.condition.is_positive)
        if len(proper) > 1:
            raise Undecidable("several terms have conditions of their own")
        ratio = (proper[0] / self.condition).cancel()
        return bool(ratio.is_positive)

    def __str__(self) -> str:
        return (
            f"E[{text(self.left)}] < ∞ iff {text(self.condition)} > 0, "
            f"for x ~ N({text(self.mean)}, {text(self.variance)})"
        )


@dataclass(frozen=True)
class GeometricSum:
    """Σ_{n≥0} left(n) = right, n a length; finite iff |ratio of the terms| < 1."""

    left: Expr
    right: Expr
    length: Symbol

    def decide(self) -> bool:
        """Whether the first terms over one less their ratios add up to it, and no ratio is known to be too large."""
        if any((abs(q) - 1).is_nonnegative for q in self.ratios()):
            return False
        parts = zip(Add.make_args(self.left), self.ratios(), strict=True)
        total = Add(*(term.xreplace({self.length: S.Zero}) / (1 - q) for term, q in parts))
        return is_zero(total - self.right)

    def ratios(self) -> list[Expr]:
        """What each term is multiplied by from one n to the next. Raises Undecidable where that depends on n."""
        return [ratio(term, self.length) for term in Add.make_args(self.left)]

    def __str__(self) -> str:
        return f"Σ_n {text(self.left)} = {text(self.right)}"


@dataclass(frozen=True)
class GeometricFiniteIff:
    """Σ_{n≥0} left(n), a polynomial in n times q^n, converges iff the condition is positive."""

    left: Expr
    condition: Expr
    length: Symbol

    def decide(self) -> bool:
        """Whether 1 - |q| is a positive multiple of the condition: a polynomial in n changes nothing, not at |q| = 1.

        Raises:
            Undecidable: there are several terms, or the sign of q is not known.
        """
        proper = [base(term.as_coeff_Mul()[1], self.length) for term in Add.make_args(self.left)]
        if any(q == 1 for q in proper):
            return bool(self.condition.is_nonpositive)
        if len(proper) > 1:
            raise Undecidable("several terms have conditions of their own")
        (q,) = proper
        if not (q.is_positive or q.is_negative):
            raise Undecidable(f"the sign of {q} is not known")
        left = 1 - abs(q)
        if left == 0:
            return bool(self.condition.is_nonpositive)
        return bool((left / self.condition).cancel().is_positive)

    def __str__(self) -> str:
        return f"Σ_n {text(self.left)} < ∞ iff {text(self.condition)} > 0"


@lru_cache(maxsize=64)
def base(term: Expr, length: Symbol) -> Expr:
    """The q of a polynomial in n times q^n; kept, since mutants differ in a number in front.

    Raises:
        Undecidable: it is of another form.
    """
    quotient = (term.xreplace({length: length + 1}) / term).powsimp().cancel()
    if not quotient.is_rational_function(length):
        raise Undecidable("the terms are no polynomial in n times a power of a number")
    above, below = (Poly(part, length) for part in fraction(quotient))
    q = above.LC() / below.LC()
    if above.degree() != below.degree() or not (term / q**length).powsimp().cancel().is_polynomial(length):
        raise Undecidable("the terms are no polynomial in n times a power of a number")
    return q.cancel()


def ratio(term: Expr, length: Symbol) -> Expr:
    """term(n+1)/term(n).

    Raises:
        Undecidable: it is not free of n.
    """
    quotient = (term.xreplace({length: length + 1}) / term).powsimp().cancel()
    if length in quotient.free_symbols:
        raise Undecidable("the terms are no geometric sequence")
    return quotient
