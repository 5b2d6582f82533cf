"""Values: when do two sums over the vocabulary agree for all policies?

Σ_a h = Σ_a g for every π, π_ref, π_old of full support and every V **iff** h - g = a·π + b·π_ref + c·π_old with a +
b + c = 0. *If*: each policy sums to one. *Only if*: moving mass between two of three actions shows that the
difference is additive in (π, π_ref, π_old), hence linear; V copies of an action show it has no constant; the total
is a + b + c.
"""

from sympy import Expr, S, exp

from kltheory.calculus.divergence import Objective
from kltheory.calculus.exact import is_constant, is_zero
from kltheory.calculus.regions import split
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import log_ratio, log_weight, logp, to_quotients


def expectation(value: Expr | int, sampler: Sampler = Sampler.POLICY) -> Objective:
    """E[value] as a sum over the vocabulary, under the policy or under the old policy."""
    log_probability = logp if sampler is Sampler.POLICY else logp - log_weight
    return Objective(exp(log_probability) * to_quotients(S(value)))


def same_value(a: Objective, b: Objective) -> bool:
    """Whether Σ_a F is the same number for both, in every setting of full support and for every V."""
    weights = []
    for _, difference in split(a.summand - b.summand):
        per_policy = difference * exp(-logp)
        ref = -exp(log_ratio) * per_policy.diff(log_ratio)
        old = -exp(log_weight) * per_policy.diff(log_weight)
        policy = per_policy - ref * exp(-log_ratio) - old * exp(-log_weight)
        if not all(map(is_constant, (policy, ref, old))) or not is_zero(policy + ref + old):
            return False
        weights.append((policy, ref, old))
    return all(is_zero(x - y) for row in weights[1:] for x, y in zip(row, weights[0], strict=True))
