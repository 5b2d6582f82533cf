"""What ``assert_gradient_of`` checks, and what it prints."""

from collections.abc import Iterator
from functools import partial

from kltheory.audit.audited import Audited
from kltheory.audit.subject import Raised
from kltheory.calculus.symbols import VARIABLES
from kltheory.report.audit_facts import cells_of
from kltheory.report.columns import Fact
from kltheory.report.findings import labelled
from kltheory.testing.advice import advice
from kltheory.testing.claim import Claim
from kltheory.testing.judged import judge
from kltheory.testing.records import Outcome
from kltheory.testing.subject import Call
from kltheory.testing.witness import against_divergence


def check(claim: Claim, call: Call) -> Outcome:
    """The outcome; the first variant that does not bear the claim out is shown."""
    return judge(call, f"have the expected gradient of {claim.expected.name}", partial(_against, claim, call))


def _against(claim: Claim, call: Call, one: Audited) -> Iterator[Fact]:
    objection = claim.objection(one)
    if not objection:
        return
    yield "found", objection
    yield "expected", f"{claim.expected.name}: {claim.expected.title}"
    yield "asked", f"{claim.placed}, {claim.asked}"
    rows = claim.rows(one)
    if not rows or objection.startswith("undecided"):
        return
    yield "witness", _witness(claim, one)
    yield from (("to change", text) for text in advice(claim, one, call))
    yield from labelled(one.alarms)
    first = rows[0]
    residual = "" if first.residual is None else f", residual to the running function {first.residual:.1e}"
    yield "how", f"{first.how}{residual}"
    yield "reason", first.reason if first.how == "measured" else ""
    yield "coefficient", cells_of(rows)


def _witness(claim: Claim, one: Audited) -> str:
    if claim.expected.coefficient is None or one.found is None:
        return ""
    target = one.found.in_numbers(claim.expected.coefficient)
    if any(e.free_symbols - {*VARIABLES} for _, e in target.cells):
        return ""  # a letter that the function has not
    try:
        found = against_divergence(one.found, target, claim.placed, claim.within)
    except Raised as e:
        return f"the function raises {e}"
    if found is None:
        return "no small setting shows the difference"
    return found.describe("running function", claim.expected.name)
