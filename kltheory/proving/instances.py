"""Instances: numbers for parameters, and actual functions for "any h", so that numeric engines can take part."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from functools import lru_cache
from itertools import count
from typing import Any, Final

from sympy import Expr, Rational, Symbol, exp, log, prime
from sympy.core.function import AppliedUndef, Derivative, Subs

from kltheory.calculus.divergence import Objective
from kltheory.calculus.moments import At, Mean, formulas, map_means
from kltheory.calculus.notation import text
from kltheory.calculus.sequence.language import length
from kltheory.calculus.sequence.loss import PastValue, SequenceLoss, SequenceObjective
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import VARIABLES, logp_old, logp_ref, weight
from kltheory.numerics.critical import Points, critical_points, drawn_settings
from kltheory.numerics.settings import Settings, standard_settings
from kltheory.proving.claims import Claim
from kltheory.proving.equations import Forces

FUNCTIONS: Final[tuple[Callable[[Expr], Expr], ...]] = (
    lambda x: log(1 + (x - Rational(2, 3)) ** 2) + x / 3,
    lambda x: x * exp(-x / 4) - x / 5,
)
"""What an arbitrary function is replaced by: no symmetry, in the derivative either, and no special value."""

NUMBERS: Final = (Rational(3, 10), Rational(7, 5), Rational(2, 7))
"""What the first parameters are set to, in the order of their names."""

PER_SAMPLE: Final = {*VARIABLES, logp_ref, logp_old, weight, length}


def numbers() -> Iterator[Rational]:
    """Numbers for any number of parameters, all different: :data:`NUMBERS`, then quotients of primes."""
    yield from NUMBERS
    for n in count(len(NUMBERS)):
        yield Rational(prime(n + 4), prime(n + 7))


def is_general(claim: Claim) -> bool:
    """Whether the claim speaks of an arbitrary function."""
    return not isinstance(claim, Forces) and any(e.has(AppliedUndef, Derivative, Subs) for e in expressions(claim))


def is_number(claim: Claim) -> bool:
    """Whether the claim speaks of nothing but numbers and parameters: where it is looked at makes no difference."""
    symbols = {s for e in expressions(claim) for s in e.free_symbols}
    return not any(s in PER_SAMPLE or isinstance(s, Mean | At | PastValue) for s in symbols)


def instances(claim: Claim) -> tuple[Claim, ...]:
    """The claim with its arbitrary functions replaced by each of :data:`FUNCTIONS`; itself when there are none."""
    if not is_general(claim):
        return (claim,)
    return tuple(_map(claim, function) for function in FUNCTIONS)


def instance(claim: Claim) -> Claim:
    """The first of :func:`instances`."""
    return _map(claim, FUNCTIONS[0]) if is_general(claim) else claim


def chosen(claim: Claim, instance: Claim) -> dict[str, str]:
    """What stands for what in an instance of a claim: functions and parameters by name, as text; empty for neither."""
    any_function = expressions(claim) if is_general(claim) else []
    applied = sorted({e.func.__name__ for f in any_function for e in f.atoms(AppliedUndef)})
    x = Symbol("x", real=True)
    functions = dict(zip(instances(claim), FUNCTIONS, strict=False)) if applied else {}
    found = {f"{name}(x)": text(functions[instance](x)) for name in applied}
    return found | {str(s): str(number) for s, number in parameters(instance).items()}


def parameters(claim: Claim) -> dict[Symbol, Rational]:
    """A number for every parameter of the claim, one that the assumptions about its symbol admit."""
    symbols = {s for e in expressions(claim) for s in e.free_symbols if isinstance(s, Symbol)} - PER_SAMPLE
    names = {s for s in symbols if not isinstance(s, Mean | At | PastValue)}
    ordered = enumerate(zip(sorted(names, key=str), numbers(), strict=False), 2)
    return {s: _admitted(s, Rational(n) if s.is_integer else number) for n, (s, number) in ordered}


def _admitted(symbol: Symbol, number: Rational) -> Rational:
    return -number if symbol.is_nonpositive else number


def settings_for(claim: Claim, at: Mapping[Symbol, Any]) -> tuple[Settings, ...]:
    """What numeric engines look at: the standard settings, and last those that the claim's own formulas ask for."""
    return _settings(critical_points(expressions(claim), at))


@lru_cache(maxsize=512)
def _settings(points: Points) -> tuple[Settings, ...]:
    return (*standard_settings(), drawn_settings(points))


def expressions(claim: Claim) -> list[Expr]:
    """Every formula in the claim, those inside its means too."""
    return [e for f in fields(claim) for whole in _formulas(getattr(claim, f.name)) for e in formulas(whole)]


def _formulas(value: Any) -> list[Expr]:
    if isinstance(value, (Surrogate, SequenceLoss, SequenceObjective)):
        return [value.expr]
    if isinstance(value, Objective):
        return [value.summand]
    if isinstance(value, tuple):
        return [e for part in value for e in _formulas(part)]
    return [value] if isinstance(value, Expr) else []


def _map(claim: Claim, function: Callable[[Expr], Expr]) -> Claim:
    def instantiate(expr: Expr) -> Any:
        replaced = map_means(expr, instantiate)
        return replaced.replace(lambda e: isinstance(e, AppliedUndef), lambda e: function(*e.args)).doit()

    def mapped(value: Any) -> Any:
        if isinstance(value, (Surrogate, SequenceLoss, SequenceObjective)):
            return type(value)(instantiate(value.expr))
        if isinstance(value, Objective):
            return Objective(instantiate(value.summand))
        if isinstance(value, tuple):
            return tuple(map(mapped, value))
        return instantiate(value) if isinstance(value, Expr) else value

    return replace(claim, **{f.name: mapped(getattr(claim, f.name)) for f in fields(claim)})
