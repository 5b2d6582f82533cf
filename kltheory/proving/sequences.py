"""Claims about whole responses: expected gradients and values, for every vocabulary and every length of responses."""

from dataclasses import dataclass
from typing import TypeAlias

from kltheory.calculus.notation import text
from kltheory.calculus.sequence.loss import SequenceLoss, SequenceObjective
from kltheory.calculus.sequence.same import is_conservative, same_gradient, same_value
from kltheory.calculus.surrogate import Sampler
from kltheory.proving.claims import SAMPLED

SequenceTerm = SequenceLoss | SequenceObjective


@dataclass(frozen=True)
class SameSequenceGradient:
    """The expected gradients of two losses of whole responses are equal, whatever parameters the policy has."""

    left: SequenceTerm
    right: SequenceTerm
    sampler: Sampler
    fixed_length: bool = False

    def decide(self) -> bool:
        """Whether both have the same normal form."""
        return same_gradient(self.left, self.right, self.sampler, self.fixed_length)

    def __str__(self) -> str:
        return f"∇ {sequence_text(self.left)} = ∇ {sequence_text(self.right)} in expectation, {self._where()}"

    def _where(self) -> str:
        return SAMPLED[self.sampler] + (", all responses of one length N" if self.fixed_length else "")


@dataclass(frozen=True)
class SameSequenceValue:
    """Two averages over the policy's responses are the same number."""

    left: SequenceObjective
    right: SequenceObjective
    fixed_length: bool = False

    def decide(self) -> bool:
        """Whether both have the same normal form."""
        return same_value(self.left, self.right, self.fixed_length)

    def __str__(self) -> str:
        return f"{sequence_text(self.left)} = {sequence_text(self.right)}"


@dataclass(frozen=True)
class IsConservative:
    """The expected gradient is that of some objective, whatever parameters the policy has: J = Jᵀ."""

    left: SequenceLoss
    sampler: Sampler
    fixed_length: bool = False

    def decide(self) -> bool:
        """Whether ∂_a g_b - ∂_b g_a has the normal form zero."""
        return is_conservative(self.left, self.sampler, self.fixed_length)

    def __str__(self) -> str:
        return f"∇ {sequence_text(self.left)} is the gradient of some objective, {SAMPLED[self.sampler]}"


SequenceClaim: TypeAlias = SameSequenceGradient | SameSequenceValue | IsConservative  # Python 3.11


def sequence_text(term: SequenceTerm) -> str:
    """The formula in brackets, an average over the policy's responses as such."""
    return f"E_π[{text(term.expr)}]" if isinstance(term, SequenceObjective) else f"[{text(term.expr)}]"
