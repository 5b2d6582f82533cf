"""The audit of one target: every variant bound, recovered, placed, identified, alarmed and probed."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from kltheory.audit.alarms import Case, alarms
from kltheory.audit.asking import POLICIES, no_policy, not_given, unknown_parameters
from kltheory.audit.audited import Audit, Audited
from kltheory.audit.behaviour import behaviour
from kltheory.audit.binding import bind
from kltheory.audit.codes import Code
from kltheory.audit.finding import Finding
from kltheory.audit.known_losses import recognised
from kltheory.audit.others import other_readings
from kltheory.audit.probes import probes
from kltheory.audit.reading import Reading
from kltheory.audit.recover import read, recover, runnable
from kltheory.audit.remarks import remarks
from kltheory.audit.responses import response_rows
from kltheory.audit.row import Row
from kltheory.audit.rows import FINEST, PLACES, rows
from kltheory.audit.subject import Raised, Subject
from kltheory.audit.target import CannotRun, Target
from kltheory.audit.variants import Variant, variants
from kltheory.audit.vocabulary import READ_SO
from kltheory.calculus.exact import Undecidable
from kltheory.tracing.trace import CannotTrace

FATAL: Final = (Code.RANDOM, Code.SHAPE)
"""Findings after which nothing more can be said."""


def audit(
    target: Target,
    choices: Mapping[str, list[Any]] | None = None,
    arguments: Mapping[str, str] | None = None,
    placements: tuple[str, ...] = PLACES,
    output: str | None = None,
    configurations: Iterable[Mapping[str, Any]] | None = None,
    progress: Callable[[str], None] = lambda name: None,
    responses: bool = True,
) -> Audit:
    """Audit every variant of a target.

    Args:
        target: the function.
        choices: setting to the values it runs through.
        arguments: role to parameter, where names do not tell.
        placements: ``loss``, ``reward`` or both.
        output: which of several outputs is meant.
        configurations: the variants, where they are no product of choices.
        progress: called with the name of each variant before it runs.
        responses: whether to run it on whole responses as well.

    Raises:
        CannotRun: the arguments do not fit the function.
    """
    if configurations is None:
        listed = list(variants(target, choices or {}))
    else:
        listed = [Variant(", ".join(f"{k}={v}" for k, v in c.items()), c) for c in configurations]
    done: list[Audited] = []
    for variant in listed:
        progress(variant.name)
        subject = bind(target, arguments or {}, variant.settings, output)
        one = audit_subject(variant.name, subject, placements, responses)
        others = () if one.found is None else other_readings(variant.name, one.found)
        done += [one, *(audit_subject(name, x.subject, placements, responses, x) for name, x in others)]
    return Audit(target, placements, tuple(done))


def audit_subject(
    name: str,
    subject: Subject,
    placements: tuple[str, ...],
    responses: bool = True,
    known: Reading | None = None,
) -> Audited:
    """One variant. Never raises because of what the function does.

    Args:
        name: what distinguishes it.
        subject: what is called.
        placements: ``loss``, ``reward`` or both.
        responses: whether to run it on whole responses as well.
        known: its reading, where it was read before.
    """
    start = Audited(name, subject.settings, subject)
    try:
        subject, layout = runnable(subject) if known is None else (known.subject, known.layout)
        start = _assuming(start, subject)
        if not subject.roles & set(POLICIES):
            return start.saying(Finding(Code.NO_POLICY, no_policy(subject)))
        start = start.saying(*behaviour(subject, layout))
        if start.of(*FATAL):
            return start
        found = known or read(subject, layout)
        start = _assuming(start, found.subject)
        wide = None if found.per_token else found.widened()
        if wide is not None:
            start = replace(start, subject=wide).saying(Finding(Code.READ_OVER_VOCABULARY, READ_SO))
            found = recover(wide)
        one = examined(start, found, placements, responses)
        return _concluded(one, found, placements) if one.rows or one.pushes else one
    except Raised as e:
        if subject.roles & set(POLICIES):
            return start.saying(Finding(Code.RAISES, f"{e}{_not_given(subject)}", {"raised": str(e)}))
        return start.saying(Finding(Code.NO_POLICY, f"{no_policy(subject)} (it raises {e})"))
    except (CannotRun, CannotTrace) as e:
        return start.saying(Finding(Code.CANNOT_RUN if subject.roles & set(POLICIES) else Code.NO_POLICY, str(e)))


def _assuming(one: Audited, subject: Subject) -> Audited:
    """Of this subject, with what was assumed of it in place of what was assumed before."""
    others = tuple(f for f in one.findings if f.code is not Code.ASSUMED)
    made = tuple(Finding(Code.ASSUMED, text) for text in remarks(subject))
    return replace(one, subject=subject, findings=(*made, *others))


def _not_given(subject: Subject) -> str:
    """Advice for required parameters about which nothing is known: they may be why it raises."""
    unknown = unknown_parameters(subject)
    return f"; {not_given(subject, unknown)}" if unknown else ""


def examined(start: Audited, found: Reading, placements: tuple[str, ...], on_responses: bool = False) -> Audited:
    """The variant with what its reading tells, before anything is alarmed of or probed. Raises Raised."""
    one = _with_advantage(replace(start, found=found), found)
    if one.pushes and not found.has_penalty:
        one = one.saying(Finding(Code.NO_PENALTY, "there is no penalty: nothing is left where the advantages are 0"))
        if found.coupled:
            one = one.saying(_coupled(found, "the advantage's part is for responses of one token"))
        return one
    if on_responses:
        one = _on_responses(one, found, placements)
    if found.coupled and not found.is_of_one_token:
        return one.saying(_coupled(found, "", bool(one.responses)))
    if found.coupled:
        one = one.saying(_coupled(found, "the first table is for responses of one token", bool(one.responses)))
    one = one.saying(*_of_the_formula(found, bool(one.pushes)))
    try:
        one = replace(one, rows=tuple(rows(found, placements)))
    except (Undecidable, CannotTrace) as e:
        return one.saying(Finding(Code.ROW_UNDECIDED, str(e)))
    return one.saying(*of_rows(one.rows, found))


def _coupled(found: Reading, rest: str, told: bool = False) -> Finding:
    """That tokens meet: undecided, or a note where whole responses tell what comes of it."""
    text = "; ".join(filter(None, (f"tokens are coupled: {found.coupled}", rest)))
    return Finding(Code.COUPLED_ON_RESPONSES if told else Code.COUPLED, text)


def _of_the_formula(found: Reading, has_advantage: bool) -> Iterator[Finding]:
    """What to know of the formula before its rows are read."""
    if found.weights is not None and np.isnan(found.weights).any():
        text = "tokens have different formulas; what follows is for the first that counts, or a batch of one"
        yield Finding(Code.TOKENS_DIFFER, text)
    if found.reason:
        yield Finding(Code.MEASURED, f"measured, not derived: {found.reason}")
    if found.left_out:
        text = f"a small constant, which changes a factor by {found.left_out:.0e}, is left out of the formula"
        yield Finding(Code.LEFT_OUT, text, {"factor": found.left_out})
    if found.letters:
        text = f"in formulas and names {' and '.join(found.letters)} may be any positive number"
        yield Finding(Code.ASSUMED, text, {"letters": list(found.letters)})
    if has_advantage:
        yield Finding(Code.PENALTY_ALONE, "the tables are of the penalty: what is left where the advantages are 0")


def of_rows(every: tuple[Row, ...], found: Reading) -> Iterator[Finding]:
    """Rows that are not decided, or that the running function does not bear out."""
    reasons = sorted({(r.placement, r.weight, r.reason) for r in every if r.gradient_of == "undecided"})
    for placement, weight, reason in reasons:
        yield Finding(Code.ROW_UNDECIDED, f"{placement}, weight {weight}: {reason}")
    for r in every:
        if r.is_contradicted(found.rounding(FINEST)):
            yield Finding(
                Code.ROW_DISAGREES,
                f"{r.placed.key}: the running function's expected gradient differs from the derived one by "
                f"{r.residual:.1e}",
            )


def _concluded(one: Audited, found: Reading, placements: tuple[str, ...]) -> Audited:
    """The variant with what its rows alarm of, and what probes find."""
    return one.saying(*alarms(Case(found, one.rows, placements, one.pushes)), *probes(found, placements))


def _with_advantage(one: Audited, found: Reading) -> Audited:
    """What the part with the advantage does; or why that is not known."""
    try:
        return replace(one, pushes=found.pushes())
    except Undecidable as e:
        return one.saying(Finding(Code.ADVANTAGE_UNREAD, str(e)))


def _on_responses(one: Audited, found: Reading, placements: tuple[str, ...]) -> Audited:
    """The rows of whole responses, and what to know of them; or why there are none."""
    if found.across:
        text = f"responses are coupled as well: {found.across}"
        return one.saying(Finding(Code.RESPONSES_COUPLED, text))
    if len(found.layout.tokens) != 2:
        return one
    known = recognised(found.subject) if found.coupled else None
    try:
        every = tuple(response_rows(found, placements, known))
    except (Raised, CannotTrace) as e:
        return one.saying(Finding(Code.NOT_ON_RESPONSES, f"on whole responses it raises {e}"))
    if not all(np.isfinite(d.relative_error) for r in every for d in r.distances.values()):
        text = "on some whole responses its value or gradient is not finite"
        return one.saying(Finding(Code.NOT_ON_RESPONSES, text))
    one = replace(one, responses=every)
    if known is None:
        return one
    text = f"told on responses of two and three tokens: its gradient is that of {known.name}"
    return one.saying(Finding(Code.RECOGNISED, text))
