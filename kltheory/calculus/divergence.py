"""Divergences D_f = Σ π_ref f(π/π_ref), and objectives Σ_a F(π, π_ref, π_old) in general, with their coefficients.

∇Σ_a F = E_π[(∂F/∂logp / π) ∇log π], so an objective has a coefficient like any surrogate, and a divergence has C =
f'(e^l). Generators f are convex with f(1) = 0 (I. Csiszár 1967; F. Liese and I. Vajda 2006); values are in nats.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

from sympy import Abs, Expr, Rational, S, Symbol, exp, log, sqrt

from kltheory.calculus.cells import split
from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.decimals import in_decimals
from kltheory.calculus.surrogate import derivative
from kltheory.calculus.symbols import log_ratio, log_weight, logp, to_quotients

u: Final = Symbol("u", positive=True)
"""The argument of a generator f: π/π_ref."""

Base = Literal["ref", "old", "uniform"]

LOG_QUOTIENT: Final[dict[Base, Symbol]] = {"ref": log_ratio, "old": log_weight, "uniform": logp}
"""The logarithm of the policy over its base; over the uniform policy up to the constant log V."""


@dataclass(frozen=True)
class Objective:
    """Σ_a F, summed over the whole vocabulary and differentiated through π alone."""

    summand: Expr

    def __post_init__(self) -> None:
        object.__setattr__(self, "summand", in_decimals(self.summand))

    @classmethod
    def of(cls, summand: Expr | int) -> "Objective":
        """The objective with this summand (in l, w, logp, logp_ref, logp_old)."""
        return cls(to_quotients(S(summand)))

    def __add__(self, other: "Objective") -> "Objective":
        return Objective(self.summand + other.summand)

    def __sub__(self, other: "Objective") -> "Objective":
        return Objective(self.summand - other.summand)

    def __mul__(self, scalar: Expr | int) -> "Objective":
        return Objective(scalar * self.summand)

    __rmul__ = __mul__

    def coefficient(self) -> Coefficient:
        """C = (∂F/∂logp)/π, so that the gradient is E_π[C ∇log π]."""
        return Coefficient(tuple((r, derivative(e) * exp(-logp)) for r, e in split(self.summand)))


@dataclass(frozen=True)
class Divergence:
    """An f-divergence of the policy from the reference, or with ``base`` from the old or the uniform policy."""

    name: str
    title: str
    f: Expr
    base: Base = "ref"

    def from_old(self) -> "Divergence":
        """The same divergence measured from the old policy."""
        name = {"reverse_kl": "kl_policy_old", "forward_kl": "kl_old_policy"}.get(self.name, f"{self.name}_old")
        return replace(self, name=name, title=self.title.replace("π_ref", "π_old"), base="old")

    @property
    def objective(self) -> Objective:
        """Its value as a sum: Σ π_ref f(π/π_ref)."""
        log_u = LOG_QUOTIENT[self.base]
        return Objective(exp(logp - log_u) * self.f.xreplace({u: exp(log_u)}))

    @property
    def coefficient(self) -> Coefficient:
        """f'(e^l), from f; :class:`Objective` reaches the same from the sum."""
        log_u = LOG_QUOTIENT[self.base]
        return Coefficient(tuple((r, e) for r, e in split(self.f.diff(u).xreplace({u: exp(log_u)}))))


def cressie_read(lam: Expr) -> Divergence:
    """CR_λ = Σ π((π/π_ref)^λ - 1)/(λ(λ+1)), λ ∉ {0, -1} (N. Cressie and T. Read 1984)."""
    if lam in (0, -1):
        raise ValueError("CR_λ is the limit KL(π‖π_ref) at λ = 0, KL(π_ref‖π) at λ = -1: use reverse_kl, forward_kl")
    return Divergence(f"cressie_read[{lam}]", f"CR_{{{lam}}}(π‖π_ref)", (u ** (lam + 1) - u) / (lam * (lam + 1)))


reverse_kl: Final = Divergence("reverse_kl", "KL(π‖π_ref)", u * log(u))
forward_kl: Final = Divergence("forward_kl", "KL(π_ref‖π)", -log(u))
jeffreys: Final = Divergence("jeffreys", "J(π, π_ref)", (u - 1) * log(u))
total_variation: Final = Divergence("total_variation", "TV(π, π_ref)", Abs(u - 1) / 2)
pearson_chi2: Final = Divergence("pearson_chi2", "χ²(π‖π_ref)", (u - 1) ** 2)
neyman_chi2: Final = Divergence("neyman_chi2", "χ²(π_ref‖π)", (u - 1) ** 2 / u)
squared_hellinger: Final = Divergence("squared_hellinger", "Σ(√π - √π_ref)²", (sqrt(u) - 1) ** 2)
jensen_shannon: Final = Divergence(
    "jensen_shannon", "JS(π, π_ref)", (u * log(2 * u / (1 + u)) + log(2 / (1 + u))) * Rational(1, 2)
)

kl_uniform: Final = Divergence("kl_uniform", "KL(π‖uniform)", u * log(u), "uniform")
"""Its sum is Σ π log π, the negative entropy: KL(π‖uniform) less log V."""

DIVERGENCES: Final = (
    reverse_kl,
    forward_kl,
    jeffreys,
    total_variation,
    pearson_chi2,
    neyman_chi2,
    squared_hellinger,
    jensen_shannon,
)
"""The divergences with a name of their own; the Cressie-Read family holds six of them."""
