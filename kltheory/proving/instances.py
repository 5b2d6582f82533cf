"""Instances: numbers for parameters, and actual functions for "any h", so that numeric engines can take part."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, Final

from sympy import Expr, Rational, Symbol, exp, log
from sympy.core.function import AppliedUndef, Derivative, Subs

from kltheory.calculus.divergence import Objective
from kltheory.calculus.moments import At, Mean, formulas, map_means
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import VARIABLES, logp_old, logp_ref, weight
from kltheory.proving.claims import Claim

FUNCTIONS: Final[tuple[Callable[[Expr], Expr], ...]] = (
    lambda x: log(1 + x**2) + x / 3,
    lambda x: x * exp(-x / 4) - x / 5,
)
"""What an arbitrary function is replaced by: no symmetry, no special value."""

NUMBERS: Final = (Rational(3, 10), Rational(7, 5), Rational(2, 7))
"""What parameters are set to, in the order of their names."""

PER_SAMPLE: Final = {*VARIABLES, logp_ref, logp_old, weight}


def is_general(claim: Claim) -> bool:
    """Whether the claim speaks of an arbitrary function."""
    return any(e.has(AppliedUndef, Derivative, Subs) for e in expressions(claim))


def instances(claim: Claim) -> tuple[Claim, ...]:
    """The claim with its arbitrary functions replaced by each of :data:`FUNCTIONS`; itself when there are none."""
    if not is_general(claim):
        return (claim,)
    return tuple(_map(claim, function) for function in FUNCTIONS)


def parameters(claim: Claim) -> dict[Symbol, Rational]:
    """A number for every parameter of the claim."""
    symbols = {s for e in expressions(claim) for s in e.free_symbols if isinstance(s, Symbol)} - PER_SAMPLE
    names = {s for s in symbols if not isinstance(s, Mean | At)}
    return dict(zip(sorted(names, key=str), NUMBERS, strict=False))


def expressions(claim: Claim) -> list[Expr]:
    """Every formula in the claim, those inside its means too."""
    return [e for f in fields(claim) for whole in _formulas(getattr(claim, f.name)) for e in formulas(whole)]


def _formulas(value: Any) -> list[Expr]:
    if isinstance(value, Surrogate):
        return [value.expr]
    if isinstance(value, Objective):
        return [value.summand]
    return [value] if isinstance(value, Expr) else []


def _map(claim: Claim, function: Callable[[Expr], Expr]) -> Claim:
    def instantiate(expr: Expr) -> Any:
        replaced = map_means(expr, instantiate)
        return replaced.replace(lambda e: isinstance(e, AppliedUndef), lambda e: function(*e.args)).doit()

    changed: dict[str, Any] = {}
    for f in fields(claim):
        value = getattr(claim, f.name)
        if isinstance(value, Surrogate):
            changed[f.name] = Surrogate(instantiate(value.expr))
        elif isinstance(value, Objective):
            changed[f.name] = Objective(instantiate(value.summand))
        elif isinstance(value, Expr):
            changed[f.name] = instantiate(value)
    return replace(claim, **changed)
