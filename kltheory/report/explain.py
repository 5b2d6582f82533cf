"""Derivations: a theorem step by step, as a person writes it. Only what the calculus confirms is printed."""

from collections.abc import Iterator
from typing import Final

from kltheory.proving.claims import Claim
from kltheory.proving.statement import Refuted, written
from kltheory.proving.theorem import Theorem
from kltheory.proving.witnesses import find_witness
from kltheory.report.derivations import continuous, floats, functions, gradients, means, sequences, zeros
from kltheory.report.derivations.step import Derivation, Step, WrongStep

__all__ = ["STEPS", "Step", "WrongStep", "explain"]


def explain(theorem: Theorem) -> Iterator[Step]:
    """The derivation of a theorem, claim by claim.

    Raises:
        WrongStep: the calculus does not confirm a step.
    """
    built = theorem.stated
    yield Step(f"{theorem.name}. {theorem.statement}")
    yield Step(f"Assumed: {'; '.join(theorem.assumptions)}")
    if isinstance(built, Refuted):
        yield from _refutation(built.claim)
        yield Step("What is true instead")
    for claim in theorem.claims():
        yield Step(f"Claim: {written(claim)}")
        yield from STEPS.get(type(claim), _decided)(claim)


def _refutation(claim: Claim) -> Iterator[Step]:
    yield Step(f"Stated: {written(claim)}")
    yield from STEPS.get(type(claim), lambda _: iter(()))(claim)
    witness = find_witness(claim)
    if claim.decide() or witness is None:
        raise WrongStep(f"{written(claim)} has no certified counterexample")
    yield Step(f"Counterexample, enclosed in ball arithmetic: {witness['text']}")


def _decided(claim: Claim) -> Iterator[Step]:
    """Claims about one function: the difference is decided as it stands."""
    holds = claim.decide()
    yield Step("Decided by the zero test and exact signs on every cell: it " + ("holds" if holds else "fails"))


STEPS: Final[dict[type, Derivation]] = {
    **gradients.STEPS,
    **functions.STEPS,
    **means.STEPS,
    **zeros.STEPS,
    **floats.STEPS,
    **continuous.STEPS,
    **sequences.STEPS,
}
"""Kind of claim to its derivation; kinds without one are decided as they stand."""
