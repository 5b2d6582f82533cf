"""Records: what each assertion found, kept for the report that ``--kltheory-report`` writes."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from kltheory.audit.audited import Audit
    from kltheory.audit.compare import Comparison

Record = dict[str, Any]
"""Plain data: ``test``, ``assertion``, ``passed``, ``message``, ``audit`` or ``comparison``, and ``markdown``."""


@dataclass(frozen=True)
class Outcome:
    """What a check found: the message of the failure, empty when it passed; and what it looked at, if it ran."""

    message: str
    seen: "Audit | Comparison | None" = None


listeners: Final[list[Callable[[Record], None]]] = []
"""Who wants records: one for each session of pytest that writes a report, innermost last."""


def record(assertion: str, outcome: Outcome) -> None:
    """Tell the innermost listener; without one this costs nothing."""
    if listeners:
        listeners[-1](_plain(assertion, outcome))


def _plain(assertion: str, outcome: Outcome) -> Record:
    from kltheory.audit.audited import Audit
    from kltheory.report import audit, audit_json, comparison

    seen: dict[str, Any] = {"audit": None, "comparison": None, "markdown": outcome.message}
    if isinstance(outcome.seen, Audit):
        seen |= {"audit": audit_json.to_json(outcome.seen), "markdown": audit.markdown(outcome.seen)}
    elif outcome.seen is not None:
        text = comparison.plain(outcome.seen)
        seen |= {"comparison": comparison.to_json(outcome.seen), "markdown": f"```text\n{text}\n```"}
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]
    return {"test": test, "assertion": assertion, "passed": not outcome.message, "message": outcome.message, **seen}
