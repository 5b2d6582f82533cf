"""Claims about gradients and values: statements as data. Each kind knows how the calculus decides it.

A claim is about *every* vocabulary size and every policy, reference and old policy of full support, unless its
theorem's hypotheses say otherwise. What engines and mutants do with a kind of claim stands in their tables
(``engines``, ``mutants``).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Final, Protocol, TypeAlias

from sympy import Expr, S, expand

from kltheory.calculus.coefficient import Coefficient, tidy
from kltheory.calculus.divergence import Objective
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.expectation import expectation, same_value
from kltheory.calculus.notation import in_probabilities
from kltheory.calculus.sequence.loss import SequenceLoss, SequenceObjective
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import VARIABLES, log_ratio, log_weight
from kltheory.calculus.taylor import agrees_to

POLICY: Final = Sampler.POLICY
OLD: Final = Sampler.OLD
NO_GRADIENT: Final = Surrogate(S.Zero)

SAMPLED: Final = {POLICY: "on-policy", OLD: "off-policy"}

Term = Surrogate | Objective


Left: TypeAlias = Surrogate | Objective | SequenceLoss | SequenceObjective | Expr  # Python 3.11


class Claim(Protocol):
    """A dataclass that states something about its left side; ``str`` writes it as a formula."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def left(self) -> Left:
        """What the claim is about, and what its mutants edit."""
        ...

    def decide(self) -> bool:
        """Whether it is true.

        Raises:
            Undecidable: that cannot be told; the message says why.
        """
        ...


@lru_cache(maxsize=4096)
def coefficient_of(term: Term, sampler: Sampler) -> Coefficient:
    """The coefficient of either side of a gradient claim."""
    return term.coefficient(sampler) if isinstance(term, Surrogate) else term.coefficient()


@lru_cache(maxsize=4096)
def score_of(term: Surrogate, sampler: Sampler) -> Coefficient:
    """∂s/∂logp of either side of a claim about single samples."""
    return term.score(sampler)


@dataclass(frozen=True)
class SameGradient:
    """The expected gradients are equal: the coefficients differ by a constant."""

    left: Term
    right: Term
    sampler: Sampler

    def decide(self) -> bool:
        """Whether C_left - C_right is constant."""
        return coefficient_of(self.left, self.sampler).equals(coefficient_of(self.right, self.sampler))

    def __str__(self) -> str:
        left, right = (coefficient_of(t, self.sampler) for t in (self.left, self.right))
        return f"C: [{left}] = [{right}] + const, {SAMPLED[self.sampler]}"


@dataclass(frozen=True)
class SameScore:
    """The per-sample gradients are equal, sample by sample: no expectation is taken."""

    left: Surrogate
    right: Surrogate
    sampler: Sampler

    def decide(self) -> bool:
        """Whether ∂s/∂logp is the same function on both sides."""
        return (score_of(self.left, self.sampler) - score_of(self.right, self.sampler)).is_zero()

    def __str__(self) -> str:
        left, right = (score_of(t, self.sampler) for t in (self.left, self.right))
        return f"∂s/∂logp: [{left}] = [{right}], sample by sample, {SAMPLED[self.sampler]}"


@dataclass(frozen=True)
class SamplerFree:
    """The expected gradient does not depend on who sampled: ∂C/∂w = 0."""

    left: Surrogate

    def decide(self) -> bool:
        """Whether C is free of w."""
        return not self.left.coefficient(OLD).depends_on(log_weight)

    def __str__(self) -> str:
        return f"C: [{self.left.coefficient(OLD)}] is free of w"


@dataclass(frozen=True)
class IsDivergence:
    """What is descended is an f-divergence of the policy from the reference: C(l) never falls, and rises somewhere."""

    left: Term
    sampler: Sampler

    def decide(self) -> bool:
        """Whether f'(u) = C(log u), C a function of l alone, belongs to a convex f that is not affine."""
        c = coefficient_of(self.left, self.sampler)
        others = [v for v in VARIABLES if v != log_ratio and c.depends_on(v)]
        return not others and c.slope() == 1

    def __str__(self) -> str:
        return f"C: [{coefficient_of(self.left, self.sampler)}] never decreases in l"


@dataclass(frozen=True)
class AgreesToOrder:
    """Near the reference the coefficients, modulo constants, agree up to order n in l inclusive, and not further."""

    left: Term
    right: Term
    sampler: Sampler
    order: int

    def decide(self) -> bool:
        """Whether C_left - C_right is a number at l = 0, and its first derivative but 0 the one after ``order``."""
        left, right = (coefficient_of(t, self.sampler) for t in (self.left, self.right))
        return agrees_to(left - right, self.order)

    def __str__(self) -> str:
        left, right = (coefficient_of(t, self.sampler) for t in (self.left, self.right))
        return f"C: [{left}] = [{right}] + const + O(l^{self.order + 1}), and no better"


@dataclass(frozen=True)
class SameValue:
    """Two sums over the vocabulary are the same number."""

    left: Objective
    right: Objective

    def decide(self) -> bool:
        """Whether the summands differ by a combination of π, π_ref, π_old whose weights sum to zero."""
        return same_value(self.left, self.right)

    def __str__(self) -> str:
        return f"Σ {in_probabilities(self.left.summand)} = Σ {in_probabilities(self.right.summand)}"


@dataclass(frozen=True)
class NaturalInner:
    """⟨g_left, F⁻ g_right⟩ = value, with F the Fisher matrix in logits and g the expected on-policy gradients.

    g = F·C in logits, so the inner product is Cov_π(C_left, C_right).
    """

    left: Surrogate
    right: Surrogate
    value: Objective

    def decide(self) -> bool:
        """Whether E_π[C_left C_right] is the value, given that one of the two has mean zero."""
        c, d = (formula(t, POLICY) for t in (self.left, self.right))
        if not any(same_value(expectation(x), expectation(0)) for x in (c, d)):
            raise Undecidable("neither coefficient is known to have mean zero")
        return same_value(expectation(c * d), self.value)

    def __str__(self) -> str:
        left, right = (t.coefficient(POLICY) for t in (self.left, self.right))
        return f"Cov_π({left}, {right}) = Σ {in_probabilities(self.value.summand)}"


@dataclass(frozen=True)
class Lemma:
    """One of the lemmas of ``calculus.logits``, for symbolic V: two sides that expand to the same sums."""

    name: str
    left: Expr
    right: Expr

    def decide(self) -> bool:
        """Whether the difference of the sides expands to zero."""
        return bool(expand(self.left - self.right) == 0)

    def __str__(self) -> str:
        return f"{self.left} = {self.right}"


def formula(term: Term, sampler: Sampler) -> Expr:
    """The coefficient of a smooth term as one formula in l, log w, logp.

    Raises:
        Undecidable: it has several cells.
    """
    cells = coefficient_of(term, sampler).cells
    if len(cells) != 1:
        raise Undecidable("the coefficient has several cells, so no single formula")
    return tidy(cells[0][1])
