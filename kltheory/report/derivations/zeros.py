"""Derivations about zeros: a closed form put in, and the isolated zeros of the formula beside it."""

from collections.abc import Iterator, Mapping
from typing import Final

from kltheory.calculus.line import roots
from kltheory.calculus.notation import text
from kltheory.calculus.regions import short
from kltheory.calculus.symbols import log_ratio
from kltheory.proving.thresholds import Zero, Zeros
from kltheory.report.derivations.step import Derivation, Step


def _zero(claim: Zero) -> Iterator[Step]:
    holds = claim.decide()
    yield Step(f"Put l = {claim.at} into {text(claim.left)}, with e^W = z/W for W = W(z)")
    yield Step(
        "The result is formally zero: it holds" if holds else "An enclosure of the result excludes zero: it fails"
    )


def _zeros(claim: Zeros) -> Iterator[Step]:
    holds, isolated = claim.decide(), roots(claim.left, log_ratio)
    for at in claim.right:
        yield from _zero(Zero(claim.left, at))
    yield Step(f"All real zeros, isolated by the signs of derivatives: l = {', '.join(map(short, isolated))}")
    yield Step("They are these, in this order: it holds" if holds else "They are not these, in this order: it fails")


STEPS: Final[Mapping[type, Derivation]] = {Zero: _zero, Zeros: _zeros}
"""Kind of claim to its derivation."""
