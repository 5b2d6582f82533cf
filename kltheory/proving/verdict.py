"""Verdicts: what was decided, by which engine, how exactly, and with which witness."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from kltheory.numerics.tolerance import Residual


class Verdict(Enum):
    """PROVED, REFUTED (with a witness), UNDECIDED (with a reason). There is no fourth: nothing ran is an error."""

    PROVED = "PROVED"
    REFUTED = "REFUTED"
    UNDECIDED = "UNDECIDED"


class Status(Enum):
    """What one engine says of a claim."""

    HOLDS = "holds"
    FAILS = "fails"
    UNDECIDED = "undecided"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Finding:
    """One engine's answer; ``residual`` is its largest disagreement, as ``numerics.tolerance`` measures it."""

    engine: str
    status: Status
    residual: float | None = None
    detail: str = ""

    @classmethod
    def of(cls, engine: str, found: Residual) -> "Finding":
        """The finding of a comparison."""
        if found.agrees:
            return cls(engine, Status.HOLDS, found.value)
        return cls(engine, Status.FAILS, found.value, str(found))

    def to_json(self) -> dict[str, Any]:
        """A JSON object with ``name``, ``status``, ``residual``, ``detail``."""
        return {"name": self.engine, "status": self.status.value, "residual": self.residual, "detail": self.detail}


@dataclass(frozen=True)
class MutantFinding:
    """What became of one wrong-on-purpose twin: refuted, a survivor, explained or not, or one that nobody can tell.

    ``undecided`` is why the calculus cannot, where no engine beside it can look at the twin either.
    """

    name: str
    claim: str
    killed_by: tuple[str, ...]
    explained: str = ""
    undecided: str = ""

    @property
    def is_accounted_for(self) -> bool:
        """Refuted, on the explained list, or beyond every engine; these are counted apart."""
        return bool(self.killed_by or self.explained or self.undecided)

    def to_json(self) -> dict[str, Any]:
        """A JSON object with ``name``, ``claim``, ``killed_by``, ``explained``, ``undecided``."""
        return {
            "name": self.name,
            "claim": self.claim,
            "killed_by": list(self.killed_by),
            "explained": self.explained,
            "undecided": self.undecided,
        }


@dataclass(frozen=True)
class Report:
    """Everything known of one theorem after it ran."""

    name: str
    verdict: Verdict
    expected: Verdict
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    mutants: tuple[MutantFinding, ...] = ()
    witness: dict[str, Any] | None = None
    seconds: float = 0.0
    problems: tuple[str, ...] = field(default=())
    assumed: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The JSON object of ``kltheory prove``, beside :meth:`Theorem.heading`; docs/json.md has its keys."""
        return {
            "hypotheses": list(self.assumed),
            "verdict": self.verdict.value,
            "as_expected": self.as_expected,
            "reason": self.reason,
            "engines": [f.to_json() for f in self.findings],
            "mutants": [m.to_json() for m in self.mutants],
            "witness": self.witness,
            "seconds": round(self.seconds, 4),
            "problems": list(self.problems),
        }

    @property
    def as_expected(self) -> bool:
        """The verdict is the expected one, the engines agree, and every mutant is accounted for."""
        return self.verdict is self.expected and not self.problems
