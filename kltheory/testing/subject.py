"""The subject of an assertion: a function as somebody's test hands it over, and its audit."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from kltheory.audit.audit import audit, audit_subject
from kltheory.audit.audited import Audit, Audited
from kltheory.audit.binding import bind
from kltheory.audit.codes import Code, Level
from kltheory.audit.finding import Finding
from kltheory.audit.rows import PLACES
from kltheory.audit.subject import Subject
from kltheory.audit.target import CannotRun, Target, load, of_function
from kltheory.audit.variants import Variant, variants

if TYPE_CHECKING:
    from kltheory.audit.framework import Framework
    from kltheory.testing.assertions import Arguments, Function, Settings

FLAGS: Final = {
    "--args": 'arguments={"logp": "NAME", "logp_ref": "NAME"}',
    "--set": 'settings={"NAME": VALUE}',
    "--framework": 'framework="torch"',
    "--output": 'output="KEY"',
    "--args-a": 'arguments_a={"logp": "NAME"}',
}
"""What options of the command line are called in Python."""


class NothingToAudit(AssertionError):
    """The function cannot be called; the message says what to do."""


@dataclass(frozen=True)
class Call:
    """A function and how it is to be called; the attributes are the arguments of the assertions."""

    fn: "Function"
    arguments: "Arguments" = None
    settings: "Settings" = None
    output: str | None = None
    framework: "Framework | None" = None

    @property
    def target(self) -> Target:
        """The target. Raises CannotRun."""
        return load(self.fn, self.framework) if isinstance(self.fn, str) else of_function(self.fn, None, self.framework)

    def setting(self, **settings: Any) -> "Call":
        """The same call with some settings changed."""
        return replace(self, settings={**(self.settings or {}), **settings})

    def audit(self) -> Audit:
        """One audited variant for each choice of what is not set. Raises NothingToAudit."""
        __tracebackhide__ = True
        try:
            done = tuple(audit_subject(v.name, s, PLACES, responses=False) for v, s in self.subjects())
            return Audit(self.target, PLACES, done)
        except CannotRun as e:
            raise NothingToAudit(for_python(f"there is nothing to assert yet: {e}")) from None

    def audit_all(self) -> Audit:
        """The same and what optional arguments add, as ``kltheory audit`` reports tokens. Raises NothingToAudit."""
        __tracebackhide__ = True
        try:
            return audit(self.target, self._choices, self.arguments, output=self.output, responses=False)
        except CannotRun as e:
            raise NothingToAudit(for_python(f"there is nothing to audit yet: {e}")) from None

    def subjects(self) -> Iterator[tuple[Variant, Subject]]:
        """What is called, for each choice of what is not set. Raises CannotRun."""
        target = self.target
        for variant in variants(target, self._choices):
            yield variant, bind(target, self.arguments or {}, variant.settings, self.output)

    @property
    def _choices(self) -> Mapping[str, list[Any]]:
        return {name: [value] for name, value in (self.settings or {}).items()}


def for_python(text: str) -> str:
    """A message of the command line, followed by what its options are called here."""
    used = [f"{flag} is {here}" for flag, here in FLAGS.items() if re.search(rf"{flag}(?![\w-])", text)]
    return f"{text}\n  in Python, {'; '.join(used)}" if used else text


OF_ONE_TOKEN: Final = (
    Code.COUPLED, Code.COUPLED_ON_RESPONSES, Code.TOKENS_DIFFER, Code.ADVANTAGE_UNREAD, Code.UNNORMALISED,
)  # fmt: skip
"""Findings beside which a row of one token says nothing of the function."""


def stopping(one: Audited) -> list[Finding]:
    """Why nothing can be said of one variant; empty where something can."""
    failed = [f for f in one.findings if f.level is Level.FAILURE]
    return failed or one.of(*OF_ONE_TOKEN) or ([] if one.rows else one.undecided or one.notes)
