"""Estimators k(l) of a KL divergence, and the placements that turn one into a surrogate.

Values (nats, one sample a ~ π): k1, k2, k3 are those of J. Schulman, *Approximating KL Divergence* (2020); the
power family h_λ contains k2 (λ -> 0) and k3 (λ = -1). In the loss an estimator is differentiated; in the reward it
is detached and multiplies the score (arXiv 2510.01555, section 4). An estimator of your own is one line:
``Estimator("mine", log_ratio**2 / (1 + log_ratio**2))``.
"""

from dataclasses import dataclass
from typing import Final

from sympy import Abs, Expr, exp

from kltheory.calculus.placement import detached, differentiated
from kltheory.calculus.placement import w as w
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import log_ratio, sg, to_quotients


@dataclass(frozen=True)
class Estimator:
    """A named one-sample estimate k(l) of a divergence."""

    name: str
    expr: Expr

    def __post_init__(self) -> None:
        object.__setattr__(self, "expr", to_quotients(self.expr))


k1: Final = Estimator("k1", log_ratio)
k2: Final = Estimator("k2", log_ratio**2 / 2)
k3: Final = Estimator("k3", exp(-log_ratio) - 1 + log_ratio)
k_abs: Final = Estimator("abs", Abs(log_ratio))
ESTIMATORS: Final = (k1, k2, k3, k_abs)


def power(lam: Expr) -> Estimator:
    """h_λ(l) = (e^{λl} - 1 - λl)/λ², λ ≠ 0 (catalogue 16); as a loss it descends the Cressie-Read divergence CR_λ."""
    if lam == 0:
        raise ValueError("h_λ has the limit k2 at λ = 0: use k2")
    return Estimator(f"h[{lam}]", (exp(lam * log_ratio) - 1 - lam * log_ratio) / lam**2)


def as_loss(k: Estimator, weight: Expr | int = 1) -> Surrogate:
    """weight · k, differentiated. The weight is ``1``, ``w`` (live) or ``sg(w)`` (detached)."""
    return differentiated(k.expr, weight)


def in_reward(k: Estimator, weight: Expr | int = 1) -> Surrogate:
    """sg(weight) · sg(k) · log π: k detached, times the score, as in a policy gradient. Minimised, so k is a cost.

    On the score a weight is a number, live or detached: ``w`` and ``sg(w)`` are the same placement.
    """
    return detached(k.expr, weight)


def straight_through(value: Estimator, gradient: Estimator, weight: Expr | int = 1) -> Surrogate:
    """The value of one estimator with the gradient of another: sg(value) + gradient - sg(gradient)."""
    return Surrogate(weight * (sg(value.expr) + gradient.expr - sg(gradient.expr)))
