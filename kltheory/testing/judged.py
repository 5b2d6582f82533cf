"""Judging a claim about every variant of an audit; what speaks against it is printed as the command line prints it."""

from collections.abc import Callable, Iterable, Iterator

from kltheory.audit.audited import Audited
from kltheory.audit.codes import Code
from kltheory.audit.target import Target
from kltheory.report.audit import called
from kltheory.report.audit_facts import arguments
from kltheory.report.columns import Fact, facts
from kltheory.report.findings import said
from kltheory.testing.records import Outcome
from kltheory.testing.subject import Call, NothingToAudit, for_python, stopping

Against = Callable[[Audited], Iterator[Fact]]
"""What speaks against a claim about one variant, the objection first; nothing where the claim holds."""


def judge(call: Call, claim: str, against: Against) -> Outcome:
    """The outcome of a claim about every variant; of the first that does not bear it out everything is shown.

    Args:
        call: the function, and how it is called.
        claim: what follows "it is not shown to" where it fails.
        against: what speaks against it.
    """
    try:
        audit = call.audit()
    except NothingToAudit as e:
        return Outcome(str(e))
    heard = [(one, said(stops) if (stops := stopping(one)) else against(one)) for one in audit.variants]
    wrong = [(one, first, rest) for one, rest in heard if (first := next(rest, None))]
    if not wrong:
        return Outcome("", audit)
    (one, first, rest), *others = wrong
    also = (("also", f"{other.name}: {text}") for other, (_, text), _ in others)
    shown = [first, *rest, *heading(audit.target, one), *also]
    return Outcome(message(f"{audit.target.name} is not shown to {claim}", shown), audit)


def message(title: str, shown: Iterable[Fact]) -> str:
    """A title with facts under it, and what options of the command line are called here."""
    return for_python("\n".join([title, *facts(shown, indent="  ")]))


def heading(target: Target, one: Audited) -> Iterator[Fact]:
    """What was called: function, file and line, arguments, formula."""
    alone = "in a batch of one token: " if one.of(Code.COUPLED, Code.COUPLED_ON_RESPONSES) else ""
    yield "function", called(target, one.name)
    yield "arguments", arguments(one)
    if one.found is not None:
        yield "computes", alone + (one.found.formula or "no formula: measured")
