"""Values: expectations as sums over the vocabulary, and when two sums are the same number for all policies."""

from sympy import Expr, S, exp

from kltheory.calculus.divergence import Objective
from kltheory.calculus.moments import E, normal
from kltheory.calculus.relations import is_null
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import log_weight, logp, to_quotients


def expectation(value: Expr | int, sampler: Sampler = Sampler.POLICY) -> Objective:
    """E[value] as a sum over the vocabulary, under the policy or under the old policy."""
    log_probability = logp if sampler is Sampler.POLICY else logp - log_weight
    return Objective(exp(log_probability) * to_quotients(S(value)))


def same_value(a: Objective, b: Objective) -> bool:
    """Whether Σ_a F is the same number for both, in every setting of full support and for every V.

    Raises:
        Undecidable: they differ in a cell that might be empty, or means in F are not known to be independent.
    """
    return is_null(normal(E(exp(-logp) * (a.summand - b.summand))))
