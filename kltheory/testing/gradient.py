"""What ``assert_gradient_of`` checks, and the finding that it prints."""

from kltheory.audit.audited import Audited
from kltheory.audit.row import Row
from kltheory.audit.subject import Raised
from kltheory.audit.target import Target
from kltheory.testing.advice import advice
from kltheory.testing.claim import Claim
from kltheory.testing.records import Outcome
from kltheory.testing.subject import Call, NothingToAudit, heading
from kltheory.testing.witness import against_divergence
from kltheory.testing.words import block


def check(claim: Claim, call: Call) -> Outcome:
    """The outcome; the first variant that does not bear the claim out is shown."""
    try:
        audit = call.audit()
    except NothingToAudit as e:
        return Outcome(str(e))
    objections = [(one, text) for one in audit.variants if (text := claim.objection(one))]
    if not objections:
        return Outcome("", audit)
    (one, text), *others = objections
    message = _finding(claim, one, text, audit.target, call)
    return Outcome("\n".join([message, *(f"  also {o.name}: {t}" for o, t in others)]), audit)


def _finding(claim: Claim, one: Audited, objection: str, target: Target, call: Call) -> str:
    rows = claim.rows(one)
    row = rows[0] if rows else None
    residual = "" if row is None or row.residual is None else f", residual to the running function {row.residual:.1e}"
    decided = row is not None and not objection.startswith("undecided")
    facts = [
        *heading(target, one),
        ("coefficient", _coefficient(rows) if decided else ""),
        ("asked", f"{claim.placed}, {claim.asked}"),
        ("expected", f"{claim.expected.name}: {claim.expected.title}"),
        ("found", objection),
        ("how", f"{row.how}{residual}" if decided and row is not None else ""),
        ("reason", row.reason if row is not None and row.how == "measured" else ""),
        ("witness", _witness(claim, one) if decided else ""),
        *(("alarm", f.text) for f in (one.alarms if decided else ())),
        *(("to change", text) for text in (advice(claim, one, call) if decided else ())),
    ]
    return block(f"{target.name} is not shown to have the expected gradient of {claim.expected.name}", facts)


def _coefficient(rows: list[Row]) -> str:
    """All its cells; empty when there is no formula."""
    cut = len(rows) > 1
    parts = (r.coefficient + (f" where {r.where}" if cut and " where " not in r.coefficient else "") for r in rows)
    return "; ".join(part for part in parts if part)


def _witness(claim: Claim, one: Audited) -> str:
    if claim.expected.coefficient is None or one.found is None:
        return ""
    try:
        found = against_divergence(one.found, claim.expected.coefficient, claim.placed, claim.within)
    except Raised as e:
        return f"the function raises {e}"
    if found is None:
        return "no small setting shows the difference"
    return found.describe("running function", claim.expected.name)
