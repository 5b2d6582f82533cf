"""Claims as plain data, which a program that knows nothing of this package can read: see docs/certificates.md."""

from dataclasses import fields
from typing import Any, Final

from sympy import Expr

from kltheory.calculus.divergence import Objective
from kltheory.calculus.sequence.loss import SequenceLoss, SequenceObjective
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import to_quotients
from kltheory.numerics.sexpr import sexpr
from kltheory.proving.claims import Claim
from kltheory.proving.instances import parameters

ASSUMED: Final = ("integer", "positive", "nonnegative", "negative", "nonpositive")
"""What may be assumed of a parameter beside that it is real."""


def plain(claim: Claim) -> dict[str, Any]:
    """The kind of a claim, and its fields by name: formulas as S-expressions, a side with what is done with it.

    ``{"loss": f}`` is differentiated sample by sample, ``{"sum": f}`` summed over the vocabulary, ``{"mean": f}``
    averaged over the policy's responses; an infinite end of an interval is null. ``parameters`` says what is assumed of
    each.

    Raises:
        NotNumeric: a formula has no number.
    """
    assumed = {s.name: [word for word in ASSUMED if getattr(s, f"is_{word}")] for s in parameters(claim)}
    content = {f.name: _value(getattr(claim, f.name)) for f in fields(claim)}
    return {"kind": type(claim).__name__, **content, "parameters": assumed}


def _value(value: Any) -> Any:
    if isinstance(value, Surrogate | SequenceLoss):
        return {"loss": _formula(value.expr)}
    if isinstance(value, Objective):
        return {"sum": _formula(value.summand)}
    if isinstance(value, SequenceObjective):
        return {"mean": _formula(value.expr)}
    if isinstance(value, Expr):
        return None if value.is_infinite else _formula(value)
    if isinstance(value, Sampler):
        return value.value
    return [_value(v) for v in value] if isinstance(value, tuple) else value


def _formula(expr: Expr) -> str:
    return sexpr(to_quotients(expr))
