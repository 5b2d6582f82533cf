"""Derivations about floating point: what the model of IEEE 754 arithmetic gives, step by step."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from sympy import Rational

from kltheory.calculus.enclosure import enclose
from kltheory.calculus.notation import text
from kltheory.calculus.roots import to_fraction
from kltheory.numerics.rounded import FORMATS
from kltheory.proving.floats import Computes, NegativeShare, OverflowsIff
from kltheory.proving.ieee import value_and_gradient
from kltheory.report.derivations.step import Derivation, Step, confirm


def _verdict(holds: bool) -> str:
    return "it holds" if holds else "it fails"


def _negative_share(claim: NegativeShare) -> Iterator[Step]:
    values = claim.values()
    negative, zero = int(np.count_nonzero(values < 0)), int(np.count_nonzero(values == 0))
    yield Step("Every float32 of the binade is put in, each operation rounded to the nearest float32")
    yield Step(f"Of {values.size} results {negative} are negative and {zero} are zero")
    holds = claim.at_least <= Rational(negative, values.size) <= claim.at_most
    confirm(bool(holds) == claim.decide(), "the share")
    yield Step(f"A share of {negative / values.size:.6f}: {_verdict(bool(holds))}")


def _overflows_iff(claim: OverflowsIff) -> Iterator[Step]:
    kind = FORMATS[claim.format]
    low, high = (float(x) for x in kind.neighbours(to_fraction(enclose(claim.bound, {}).a)))
    yield Step(f"Rounding to nearest overflows from {text(kind.overflow)} = {float(kind.overflow):.8g} on")
    yield Step(f"The bound lies between two neighbouring floats, l = {low!r} and l = {high!r}")
    yield Step(
        f"Overflow at the first, none at the second, and the formula falls for l < 0: {_verdict(claim.decide())}"
    )


def _computes(claim: Computes) -> Iterator[Step]:
    value, gradient = value_and_gradient(claim.left.expr, claim.at, FORMATS[claim.format])
    size = "beyond the largest number is ∞" if claim.at.is_finite else "∞ goes in"
    yield Step(f"In {claim.format}, {size}; ∞ - ∞ and 0·∞ are nan; a clamp passes 0 to what it does not take")
    yield Step(
        f"From the inside out the value is {value}; from the outside in, by the chain rule, the derivative {gradient}"
    )
    yield Step(f"Claimed are {claim.value} and {claim.gradient}: {_verdict(claim.decide())}")


STEPS: Final[Mapping[type, Derivation]] = {
    NegativeShare: _negative_share,
    OverflowsIff: _overflows_iff,
    Computes: _computes,
}
"""Kind of claim to its derivation."""
