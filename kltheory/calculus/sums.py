"""Sums over the vocabulary: which of them are zero for all policies?

Σ_a F = 0 for every π, π_ref, π_old of full support and every V **iff** F = a·π + b·π_ref + c·π_old with a + b + c = 0,
almost everywhere. *If*: each policy sums to one. *Only if*: two actions show that F(1 - z) = -F(z), three that F is
additive; a measurable additive function is linear (M. Fréchet 1913, W. Sierpiński 1920), and the total is a + b + c.
"""

from sympy import Add, Expr, exp

from kltheory.calculus.cells import split
from kltheory.calculus.exact import Undecidable, is_constant, is_zero
from kltheory.calculus.moments import At, Mean
from kltheory.calculus.symbols import log_ratio, log_weight, logp


def sums_to_zero(summand: Expr) -> bool:
    """Whether Σ_a F is zero in every setting of full support and for every V.

    Raises:
        Undecidable: it is not, in a cell that might be empty or with means in F.
    """
    rows = [(region, *_weights(f)) for region, f in split(summand)]
    first = next((row for row in rows if row[0].is_reached), rows[0])
    for region, *weights in rows:
        linear = all(map(is_constant, weights)) and is_zero(Add(*weights))
        if linear and all(is_zero(x - y) for x, y in zip(weights, first[1:], strict=True)):
            continue
        if not (region.is_reached and first[0].is_reached):
            raise Undecidable(f"it is none where {region}, and whether that is empty is not known")
        if summand.has(Mean, At):
            raise Undecidable(f"whether the means in {summand} are independent is not known")
        return False
    return True


def _weights(f: Expr) -> tuple[Expr, Expr, Expr]:
    """What stands in front of π, π_ref and π_old, if f is a combination of them."""
    per_policy = f * exp(-logp)
    ref = -exp(log_ratio) * per_policy.diff(log_ratio)
    old = -exp(log_weight) * per_policy.diff(log_weight)
    return per_policy - ref * exp(-log_ratio) - old * exp(-log_weight), ref, old
