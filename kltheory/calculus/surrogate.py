"""Surrogates: the per-sample expression that code differentiates, and the coefficient of its expected gradient.

A sample is drawn from the old policy and carries no gradient, so E_old[∇s] = E_old[(∂s/∂logp) ∇log π] = E_π[C ∇log π]
with C = (∂s/∂logp)/w: differentiate holding ``sg(.)`` fixed, then erase it. A live mean M = E_π[f] in the surrogate (a
sum over the vocabulary beside the sample) adds E_old[∂s/∂M] times the coefficient f + ∂f/∂logp of its own. On-policy
the old policy *is* the policy, detached, and w = π/sg(π) has the value 1 and a derivative.
"""

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from sympy import Add, Dummy, Expr, S, exp

from kltheory.calculus.cells import confirm_empty, split
from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.decimals import in_decimals
from kltheory.calculus.domain import has_no_value
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.moments import Mean, boolean, erase, map_means, mean
from kltheory.calculus.symbols import log_ratio, log_weight, logp, sg, to_quotients


class Sampler(Enum):
    """Who drew the sample."""

    POLICY = "policy"
    OLD = "old"


@dataclass(frozen=True)
class Surrogate:
    """A per-sample loss in logp, logp_ref, logp_old (or l, w), ``sg`` and the advantage A; minimised."""

    expr: Expr

    def __post_init__(self) -> None:
        object.__setattr__(self, "expr", in_decimals(self.expr))

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
        return erase(self.expr)

    def sampled_by(self, sampler: Sampler) -> "Surrogate":
        """The expression the sampler makes of it: on-policy, logp_old is sg(logp)."""
        if sampler is Sampler.OLD:
            return self
        on_policy = {log_weight: logp - sg(logp)}
        return Surrogate(map_means(self.expr, lambda f: f.xreplace(on_policy)).xreplace(on_policy))

    def score(self, sampler: Sampler = Sampler.OLD, partial: bool = False) -> Coefficient:
        """∂s/∂logp per sample, cell by cell: the number that multiplies ∇log π in code; NaN in places, if partial.

        Raises:
            Undecidable: a live mean moves with every action's probability, so no one number does.
        """
        expr = self.sampled_by(sampler).expr
        if live := live_means(expr):
            raise Undecidable(f"{live[0]} carries a gradient of its own, which is no multiple of one sample's score")
        return _score(expr, partial)

    def coefficient(self, sampler: Sampler = Sampler.OLD, partial: bool = False) -> Coefficient:
        """The coefficient C = (∂s/∂logp)/w of the expected gradient, as an expectation under the policy; as above."""
        density = S.One if sampler is Sampler.POLICY else exp(-log_weight)
        return _descended(self.sampled_by(sampler).expr, density, partial)


def live_means(expr: Expr) -> list[Mean]:
    """The means through which the gradient flows: those not behind ``sg``."""
    return sorted(expr.replace(sg, lambda x: Dummy()).atoms(Mean), key=str) if expr.has(Mean) else []


def _score(expr: Expr, partial: bool = False) -> Coefficient:
    cells = [(r, e if e is S.NaN else boolean(erase(derivative(e)))) for r, e in split(expr, partial=partial)]
    steep = [(r, S.NaN) for r, e in cells if has_no_value(e)]  # a root that is zero throughout has no derivative
    if not partial:
        confirm_empty(steep)
    return Coefficient(tuple((r, S.NaN if has_no_value(e) else e) for r, e in cells))


def _descended(expr: Expr, density: Expr, partial: bool = False) -> Coefficient:
    """The coefficient of ``expr``, sampled with π times the density."""
    total = _score(expr, partial).map(lambda e: boolean(e * density))
    for m in live_means(expr):
        carried = mean(erase(expr.diff(m)) * density)
        total = total + carried * (Coefficient.of(erase(m.integrand)) + _descended(m.integrand, S.One))
    return total


@lru_cache(maxsize=4096)
def derivative(expr: Expr) -> Expr:
    """∂/∂logp at fixed logp_ref and logp_old: logp moves l and log w along with itself."""
    return Add(*(number * _slope(term) for number, term in (t.as_coeff_Mul() for t in Add.make_args(expr))))


@lru_cache(maxsize=4096)
def _slope(term: Expr) -> Expr:
    """The same of one term; kept, since a claim and its mutants share most of theirs."""
    return sum((term.diff(v) for v in (logp, log_ratio, log_weight) if v in term.free_symbols), S.Zero)
