"""What an audit found: of one variant, and of one target. The exit status is settled here."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kltheory.audit.advantage import Pushed
from kltheory.audit.codes import Code, Level
from kltheory.audit.finding import Finding
from kltheory.audit.reading import Reading
from kltheory.audit.row import ResponseRow, Row
from kltheory.audit.subject import Subject
from kltheory.audit.target import Target


@dataclass(frozen=True)
class Audited:
    """One variant.

    Attributes:
        name: the settings that distinguish it.
        settings: all settings.
        subject: what was called; ``None`` if binding failed.
        found: what was recovered; ``None`` if it did not run.
        rows: what it descends, one token at a time.
        pushes: what the part with the advantage does, for each sign of it.
        responses: what it descends on whole responses, where it takes arrays of shape (B, T).
        findings: all that there is to say of it.
    """

    name: str
    settings: Mapping[str, Any]
    subject: Subject | None = None
    found: Reading | None = None
    rows: tuple[Row, ...] = ()
    pushes: tuple[Pushed, ...] = ()
    responses: tuple[ResponseRow, ...] = ()
    findings: tuple[Finding, ...] = ()

    def of(self, *codes: Code) -> list[Finding]:
        """The findings with one of these codes."""
        return [f for f in self.findings if f.code in codes]

    @property
    def alarms(self) -> list[Finding]:
        """What to hear about before merging."""
        return self._at(Level.ALARM)

    @property
    def undecided(self) -> list[Finding]:
        """What was not decided, and why."""
        return self._at(Level.UNDECIDED)

    @property
    def notes(self) -> list[Finding]:
        """What else a reader should know."""
        return self._at(Level.NOTE)

    @property
    def failure(self) -> str:
        """Why it could not run, or empty."""
        return "; ".join(f.text for f in self._at(Level.FAILURE))

    @property
    def level(self) -> Level:
        """That of the most serious finding."""
        return max((f.level for f in self.findings), default=Level.NOTE)

    def _at(self, level: Level) -> list[Finding]:
        return [f for f in self.findings if f.level is level]

    def saying(self, *more: Finding) -> "Audited":
        """The same with more findings."""
        return replace(self, findings=(*self.findings, *more))


@dataclass(frozen=True)
class Audit:
    """All variants of one target."""

    target: Target
    placements: tuple[str, ...]
    variants: tuple[Audited, ...]
    hints: tuple[str, ...] = field(default=())

    @property
    def status(self) -> Level:
        """The exit status: that of the worst finding. Beside variants that run, one that does not is an alarm."""
        levels = [v.level for v in self.variants]
        ran = [level for level in levels if level is not Level.FAILURE]
        if not ran:
            return Level.FAILURE
        return max(*ran, Level.ALARM if len(ran) < len(levels) else Level.NOTE)
