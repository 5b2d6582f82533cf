"""Surrogates: the per-sample expression that code differentiates, and the coefficient of its expected gradient.

A sample is drawn from the old policy and carries no gradient, so E_old[∇s] = E_old[(∂s/∂logp) ∇log π] = E_π[C ∇log
π] with C = (∂s/∂logp)/w: differentiate holding ``sg(.)`` fixed, then erase it. On-policy the old policy *is* the
policy, detached, and w = π/sg(π) has the value 1 and a derivative.
"""

from dataclasses import dataclass
from enum import Enum

from sympy import Expr, S, exp

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.regions import split
from kltheory.calculus.symbols import erase_sg, log_ratio, log_weight, logp, sg, to_quotients


class Sampler(Enum):
    """Who drew the sample."""

    POLICY = "policy"
    OLD = "old"


@dataclass(frozen=True)
class Surrogate:
    """A per-sample loss in logp, logp_ref, logp_old (or l, w), ``sg`` and the advantage A; minimised."""

    expr: Expr

    @classmethod
    def of(cls, expr: Expr | int) -> "Surrogate":
        """The surrogate with this formula, written in the canonical variables logp, l, log w."""
        return cls(to_quotients(S(expr)))

    def __add__(self, other: "Surrogate") -> "Surrogate":
        return Surrogate(self.expr + other.expr)

    def __sub__(self, other: "Surrogate") -> "Surrogate":
        return Surrogate(self.expr - other.expr)

    def __mul__(self, scalar: Expr | int) -> "Surrogate":
        return Surrogate(scalar * self.expr)

    __rmul__ = __mul__

    def __neg__(self) -> "Surrogate":
        return self * -1

    @property
    def value(self) -> Expr:
        """What the loss evaluates to: stop-gradients erased."""
        return erase_sg(self.expr)

    def sampled_by(self, sampler: Sampler) -> "Surrogate":
        """The expression the sampler makes of it: on-policy, logp_old is sg(logp)."""
        return self if sampler is Sampler.OLD else Surrogate(self.expr.xreplace({log_weight: logp - sg(logp)}))

    def score(self, sampler: Sampler = Sampler.OLD) -> Coefficient:
        """∂s/∂logp per sample, cell by cell: the number that multiplies ∇log π in code."""
        return Coefficient(tuple((r, erase_sg(derivative(e))) for r, e in split(self.sampled_by(sampler).expr)))

    def coefficient(self, sampler: Sampler = Sampler.OLD) -> Coefficient:
        """The coefficient C = (∂s/∂logp)/w of the expected gradient, as an expectation under the policy."""
        score = self.score(sampler)
        return score if sampler is Sampler.POLICY else score.map(lambda e: e * exp(-log_weight))


def derivative(expr: Expr) -> Expr:
    """∂/∂logp at fixed logp_ref and logp_old: logp moves l and log w along with itself."""
    return sum((expr.diff(v) for v in (logp, log_ratio, log_weight)), S.Zero)
