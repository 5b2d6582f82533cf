"""A claim about whole responses: a kind, texts, and how they are sampled; built from them as data."""

from dataclasses import dataclass
from typing import Any

from fuzz.build import build

from kltheory.calculus.sequence.loss import SequenceLoss, SequenceObjective
from kltheory.calculus.surrogate import Sampler
from kltheory.proving.sequences import IsConservative, SameSequenceGradient, SameSequenceValue


@dataclass(frozen=True)
class ResponseCase:
    """``fixed``: every response has the same length; ``objectives``: which sides are means, not losses."""

    kind: str
    left: str
    right: str = "0"
    on_policy: bool = True
    fixed: bool = False
    objectives: tuple[bool, bool] = (False, False)

    def __str__(self) -> str:
        sampled = "on-policy" if self.on_policy else "off-policy"
        more = f"{sampled} fixed={self.fixed} objectives={self.objectives}"
        return f"{self.kind} [{self.left}] ~ [{self.right}] {more}"

    def claim(self) -> Any:
        """The claim, as data."""
        sampler = Sampler.POLICY if self.on_policy else Sampler.OLD
        left, right = map(_side, (self.left, self.right), self.objectives)
        match self.kind:
            case "IsConservative":
                return IsConservative(left, sampler, self.fixed)
            case "SameSequenceValue":
                return SameSequenceValue(_side(self.left, True), _side(self.right, True), self.fixed)
        return SameSequenceGradient(left, right, sampler, self.fixed)


def _side(text: str, objective: bool) -> Any:
    return (SequenceObjective if objective else SequenceLoss).of(build(text))
