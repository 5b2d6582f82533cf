"""Advice: what else was found about the same function that does what was expected. Nothing here is known beforehand.

Each line is read off an audit: of the other rows, of the same function with another choice of a setting, or with policy
and reference exchanged.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Final

from sympy import Expr

from kltheory.audit.audit import examined
from kltheory.audit.audited import Audited
from kltheory.audit.recover import recover
from kltheory.audit.roles import Role
from kltheory.audit.subject import Raised
from kltheory.audit.target import CannotRun
from kltheory.audit.variants import choices_of
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.placement import PLACED, placements
from kltheory.testing.claim import Claim
from kltheory.testing.expected import UNNAMED, terms
from kltheory.testing.subject import Call
from kltheory.testing.words import below
from kltheory.tracing.trace import CannotTrace

MOST: Final = 5
"""Lines that are shown."""
ALTERNATIVES: Final = 12
"""Other choices of settings that are tried."""


def advice(claim: Claim, one: Audited, call: Call) -> list[str]:
    """What to change, one sentence each, the smallest change first."""
    if claim.expected.name in UNNAMED or one.found is None:
        return []
    sources = (_nearer, _scaled, _placed, _chosen, _exchanged)
    return list(islice((line for source in sources for line in source(claim, one, call)), MOST))


def _nearer(claim: Claim, one: Audited, call: Call) -> Iterator[str]:
    """Near the reference it does hold."""
    assert one.found is not None
    target = claim.expected.coefficient
    reach = None if target is None else one.found.holds_within(claim.placed, target)
    if reach is not None:
        near = f"it is {claim.expected.name} within {reach:.6g} nats of the reference"
        yield f"{near}: within={below(reach)} asks for no more"


def _scaled(claim: Claim, one: Audited, call: Call) -> Iterator[str]:
    """It is a multiple of what was expected."""
    row = claim.rows(one)[0]
    if claim.expected.name == "zero" or row.gradient_of in (*UNNAMED, "zero", "undecided"):
        return
    found, wanted = terms(row.gradient_of), terms(claim.expected.name)
    ratios = {found[d] / wanted[d] for d in found if d in wanted}
    if set(found) == set(wanted) and len(ratios) == 1 and (ratio := ratios.pop()) != 1:
        yield f"it is {_times(ratio)} what was expected, {row.gradient_of}: scale it by {1 / ratio}, or expect that"


def _times(ratio: Expr) -> str:
    return "minus" if ratio == -1 else f"{ratio} times"


def _placed(claim: Claim, one: Audited, call: Call) -> Iterator[str]:
    """Another placement or weight of the same function; one weight for each placement."""
    for where in sorted(PLACED, key=lambda p: p != claim.placed.where):
        others = (p for p in placements((where,), who=(claim.placed.who,)) if p != claim.placed)
        if moved := next((p for p in others if not replace(claim, placed=p).objection(one)), None):
            yield f"{moved.manner}, this function has the expected gradient of {claim.expected.name}"


def _chosen(claim: Claim, one: Audited, call: Call) -> Iterator[str]:
    """Another choice of a setting."""
    if one.subject is None:
        return
    parameters = one.subject.target.signature.parameters
    settings = {n: one.settings.get(n, p.default) for n, p in parameters.items()}
    named = ((n, v) for n, now in settings.items() if isinstance(now, str) for v in choices_of(one.subject.target, n))
    for name, value in islice(((n, v) for n, v in named if v != settings[n]), ALTERNATIVES):
        if _holds(claim, call.setting(**{**one.settings, name: value})):
            yield f"with {name}={value!r}, {claim.placed.manner}, it has the expected gradient of {claim.expected.name}"


def _exchanged(claim: Claim, one: Audited, call: Call) -> Iterator[str]:
    """Policy and reference exchanged."""
    if one.subject is None:
        return
    paths = {role: path for path, role in one.subject.paths.items()}
    if Role.LOGP not in paths or Role.LOGP_REF not in paths:
        return
    swapped = {"logp": paths[Role.LOGP_REF], "logp_ref": paths[Role.LOGP]}
    other = Call(call.fn, {**(call.arguments or {}), **swapped}, one.settings, call.output, call.framework)
    if _holds(claim, other):
        yield (
            f"with policy and reference exchanged, {claim.placed.manner}, it has the expected gradient of "
            f"{claim.expected.name}: are {swapped['logp_ref']} and {swapped['logp']} swapped?"
        )


def _holds(claim: Claim, call: Call) -> bool:
    """Whether the claim holds of every variant of another call; of its rows alone, nothing else is looked at."""
    try:
        for variant, subject in call.subjects():
            start = Audited(variant.name, variant.settings, subject)
            if claim.objection(examined(start, recover(subject), (claim.placed.where,))):
                return False
    except (CannotRun, CannotTrace, Raised, Undecidable):
        return False
    return True
