"""The names of a formula: variables, estimators, constants, and what code calls them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sympy import Expr, Symbol, log

from kltheory.calculus.estimators import ESTIMATORS
from kltheory.calculus.names import Role, sure
from kltheory.calculus.notation import text
from kltheory.calculus.symbols import advantage, log_ratio, logp, logp_old, logp_ref, ratio, weight

VARIABLES: Final[Mapping[str, Expr]] = {
    "l": log_ratio, "w": weight, "logp": logp, "logp_ref": logp_ref, "logp_old": logp_old, "A": advantage,
    "u": ratio, "r": 1 / ratio,
}  # fmt: skip
"""The per-sample names; ``ℓ`` may be written for ``l``; u = exp(l) and r = exp(-l)."""

QUOTIENTS: Final = {"u": "u is exp(l) = π/π_ref", "r": "r is exp(-l) = π_ref/π, and not PPO's ratio, which is w"}
"""What papers call by the letters of other ratios."""

FORMULAS: Final[Mapping[str, Expr]] = {k.name: k.expr for k in ESTIMATORS}
"""The estimators by name; ``abs`` alone is |l|, beside the function."""

CONSTANTS: Final = (
    "alpha", "beta", "gamma", "delta", "eps", "eps_low", "eps_high", "epsilon", "epsilon_low", "epsilon_high", "eta",
    "kappa", "lam", "tau", "c",
)  # fmt: skip
"""Customary names of positive constants, read as such without being declared."""

ANSWERS: Final = ("f", "t")
"""Letters of the answers: a generator f(u), an integral over t."""

READ: Final[Mapping[Role, tuple[Expr, str]]] = {
    Role.LOGP: (logp, "logp = log π"),
    Role.LOGP_REF: (logp_ref, "logp_ref = log π_ref"),
    Role.LOGP_OLD: (logp_old, "logp_old = log π_old, of the policy that sampled"),
    Role.WEIGHT: (weight, "w = π/π_old"),
    Role.LOG_WEIGHT: (log(weight), "log(w) = log π/π_old"),
    Role.ADVANTAGE: (advantage, "A, the advantage"),
}
"""What code calls by many names, each of which has one reading."""

QUANTITIES: Final = frozenset(expr for expr, _ in READ.values())
"""What has one name in a formula: two may be two policies."""


@dataclass(frozen=True)
class Meaning:
    """What a name stands for, and what is to be said of it: nothing of a formula's own names."""

    expr: Expr
    note: str = ""
    is_constant: bool = False


def meaning(name: str, constants: Mapping[str, Expr]) -> Meaning | None:
    """The meaning of a name, with the constants that are declared; ``None`` where it has none, or several."""
    if name in VARIABLES:
        return Meaning(VARIABLES[name], QUOTIENTS.get(name, ""))
    if name in FORMULAS:
        return Meaning(FORMULAS[name], f"{name} is {text(FORMULAS[name])}")
    if name in constants and constants[name].is_number:
        return Meaning(constants[name], f"{name} is {text(constants[name])}")
    if name in constants or name in CONSTANTS:
        return Meaning(Symbol(name, positive=True), f"{name} is a positive constant", is_constant=True)
    if (role := sure(name)) is not None:
        expr, words = READ[role]
        return Meaning(expr, f"{name} is read as {words}")
    return None
