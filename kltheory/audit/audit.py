"""The audit of one target: every variant bound, recovered, placed, identified, alarmed and probed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from kltheory.audit.advantage import Push, pushes
from kltheory.audit.alarms import Alarm, Case, alarms
from kltheory.audit.asking import POLICIES, no_policy, not_given, unknown_parameters
from kltheory.audit.behaviour import behaviour
from kltheory.audit.binding import bind
from kltheory.audit.finding import Finding
from kltheory.audit.known_losses import recognised
from kltheory.audit.probes import probes
from kltheory.audit.recover import recover, runnable
from kltheory.audit.recovered import Recovered
from kltheory.audit.responses import ResponseRow, response_rows
from kltheory.audit.roles import Role
from kltheory.audit.row import Row
from kltheory.audit.rows import PLACEMENTS, limit, rows
from kltheory.audit.subject import Raised, Subject
from kltheory.audit.target import CannotRun, Target
from kltheory.audit.variants import Variant, variants
from kltheory.audit.vocabulary import READ_SO, over_vocabulary
from kltheory.calculus.exact import Undecidable
from kltheory.tracing.trace import CannotTrace

NOTHING, ALARMS, UNDECIDED, COULD_NOT_RUN = 0, 1, 2, 3
"""Exit statuses."""

FATAL: Final = ("random", "shape")
"""Alarms after which nothing more can be said."""
OPTIONAL: Final = (Role.LOGP_OLD, Role.LOG_WEIGHT, Role.WEIGHT)


@dataclass(frozen=True)
class Audited:
    """One variant.

    Attributes:
        name: the settings that distinguish it.
        settings: all settings.
        subject: what was called; ``None`` if binding failed.
        found: what was recovered; ``None`` if it did not run.
        rows, alarms, probes: the findings.
        pushes: what the part with the advantage does, for each sign of it.
        responses: what it descends on whole responses, where it takes arrays of shape (B, T).
        undecided: what was not decided, and why.
        failure: why it could not run, or empty.
        notes: what else a reader should know.
    """

    name: str
    settings: Mapping[str, Any]
    subject: Subject | None = None
    found: Recovered | None = None
    rows: tuple[Row, ...] = ()
    pushes: tuple[Push, ...] = ()
    responses: tuple[ResponseRow, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    probes: tuple[Finding, ...] = ()
    undecided: tuple[str, ...] = ()
    failure: str = ""
    notes: tuple[str, ...] = ()

    @property
    def alarming(self) -> list[str]:
        """The texts of all alarms, those of probes included."""
        return [a.text for a in self.alarms] + [f.text for f in self.probes if f.alarm]


@dataclass(frozen=True)
class Audit:
    """All variants of one target."""

    target: Target
    placements: tuple[str, ...]
    variants: tuple[Audited, ...]
    hints: tuple[str, ...] = field(default=())

    @property
    def status(self) -> int:
        """The exit status: 3 when nothing ran, 2 when something is undecided, 1 for alarms, else 0."""
        if all(v.failure for v in self.variants):
            return COULD_NOT_RUN
        if any(v.undecided for v in self.variants):
            return UNDECIDED
        return ALARMS if any(v.alarming or v.failure for v in self.variants) else NOTHING


def audit(
    target: Target,
    choices: Mapping[str, list[Any]] | None = None,
    arguments: Mapping[str, str] | None = None,
    placements: tuple[str, ...] = PLACEMENTS,
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
        responses: whether to run it on whole responses as well, which takes JAX, whatever the framework.

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
        done += [one]
        done += [
            audit_subject(name, other, placements, responses)
            for name, other in (*_without_optional(one), *_over_vocabulary(one))
        ]
    return Audit(target, placements, tuple(done))


def audit_subject(name: str, subject: Subject, placements: tuple[str, ...], responses: bool = True) -> Audited:
    """One variant, on whole responses as well unless told otherwise. Never raises because of what the function does."""
    start = Audited(name, subject.settings, subject)
    try:
        subject, layout = runnable(subject)
        start = replace(start, subject=subject, notes=subject.notes)
        _require_policy(subject)
        seen = list(behaviour(subject, layout))
        if fatal := tuple(a.text for a in seen if a.kind in FATAL):
            return replace(start, alarms=tuple(seen), undecided=fatal)
        found = recover(subject)
        wide = None if found.per_token else over_vocabulary(found)
        if wide is None:
            return _examined(start, found, seen, placements, responses)
        start = replace(start, subject=wide, notes=(*start.notes, READ_SO))
        return _examined(start, recover(wide), seen, placements, responses)
    except Raised as e:
        if subject.roles & set(POLICIES):
            return replace(start, failure=f"{e}{_not_given(subject)}", alarms=(Alarm("raises", f"it raises {e}"),))
        return replace(start, failure=f"{no_policy(subject)} (it raises {e})")
    except (CannotRun, CannotTrace) as e:
        return replace(start, failure=str(e))


def _require_policy(subject: Subject) -> None:
    if not subject.roles & set(POLICIES):
        raise CannotRun(no_policy(subject))


def _not_given(subject: Subject) -> str:
    """Advice for required parameters about which nothing is known: they may be why it raises."""
    unknown = unknown_parameters(subject)
    return f"; {not_given(subject, unknown)}" if unknown else ""


def _examined(
    start: Audited, found: Recovered, seen: list[Alarm], placements: tuple[str, ...], on_responses: bool
) -> Audited:
    undecided: list[str] = []
    notes = list(start.notes)
    start, found_out = _with_advantage(replace(start, found=found), found)
    undecided += found_out
    if start.pushes and found.penalty.expr == 0:
        notes.append("there is no penalty: nothing is left where the advantages are 0")
        if found.coupled:
            undecided.append(f"tokens are coupled: {found.coupled}; the advantage's part is for responses of one token")
        return _concluded(start, found, (), seen, placements, undecided, notes)
    responses, failed = _on_responses(found, placements) if on_responses else ((), [])
    start = replace(start, responses=responses)
    notes += failed
    if found.coupled:
        coupled = f"tokens are coupled: {found.coupled}"
        if found.surrogate is None and not found.reason:
            (notes if responses else undecided).append(coupled)
            return replace(start, alarms=tuple(seen), undecided=tuple(undecided), notes=tuple(notes))
        (notes if responses else undecided).append(f"{coupled}; the first table is for responses of one token")
    if found.weights is not None and np.isnan(found.weights).any():
        undecided.append("tokens have different formulas; what follows is for the first that counts, or a batch of one")
    if found.reason:
        notes.append(f"measured, not derived: {found.reason}")
    if found.left_out:
        notes.append(f"a small constant, which changes a factor by {found.left_out:.0e}, is left out of the formula")
    if start.pushes:
        notes.append("the tables are of the penalty: what is left where the advantages are 0")
    try:
        every = tuple(rows(found, placements))
    except (Undecidable, CannotTrace) as e:
        return replace(start, alarms=tuple(seen), undecided=(*undecided, str(e)), notes=tuple(notes))
    undecided += sorted(
        {f"{r.placement}, weight {r.weight}: {r.reason}" for r in every if r.gradient_of == "undecided"}
    )
    undecided += [
        f"{r.placement}, weight {r.weight}, sampler {r.sampler}: the running function's expected gradient differs from "
        f"the derived one by {r.residual:.1e}"
        for r in every
        if r.how == "derived" and r.residual is not None and not r.residual <= limit(found)
    ]
    return _concluded(start, found, every, seen, placements, undecided, notes)


def _concluded(
    start: Audited,
    found: Recovered,
    every: tuple[Row, ...],
    seen: list[Alarm],
    placements: tuple[str, ...],
    undecided: list[str],
    notes: list[str],
) -> Audited:
    """The variant with its rows, what they alarm of, and what probes find."""
    return replace(
        start,
        rows=every,
        alarms=(*seen, *alarms(Case(found, every, placements, start.pushes))),
        probes=tuple(probes(found, placements)),
        undecided=tuple(undecided),
        notes=tuple(notes),
    )


def _with_advantage(start: Audited, found: Recovered) -> tuple[Audited, list[str]]:
    """What the part with the advantage does; or why that is not known."""
    if Role.ADVANTAGE not in found.subject.roles:
        return start, []
    if found.meeting:
        return start, [f"only the penalty is looked at: {found.meeting}"]
    if found.surrogate is None:
        return start, ["the part with the advantage is not looked at: there is no formula"]
    try:
        return replace(start, pushes=pushes(found)), []
    except Undecidable as e:
        return start, [f"the part with the advantage: {e}"]


def _on_responses(found: Recovered, placements: tuple[str, ...]) -> tuple[tuple[ResponseRow, ...], list[str]]:
    """The rows of whole responses, and what to know of them; or why there are none."""
    if found.across:
        return (), [f"responses are coupled as well: {found.across}"]
    if len(found.layout.tokens) != 2:
        return (), []
    known = recognised(found) if found.coupled else None
    notes = (
        [] if known is None else [f"told on responses of two and three tokens: its gradient is that of {known.name}"]
    )
    try:
        every = tuple(response_rows(found, placements, known))
    except (Raised, CannotTrace) as e:
        return (), [f"on whole responses it raises {e}"]
    if not all(np.isfinite(d.relative_error) for r in every for d in r.distances.values()):
        return (), ["on some whole responses its value or gradient is not finite"]
    return every, notes


def _over_vocabulary(one: Audited) -> list[tuple[str, Subject]]:
    """The variant read the other way, where its entries may be tokens or the actions of a vocabulary."""
    wide = None if one.found is None else over_vocabulary(one.found)
    if wide is None:
        return []
    try:
        recover(wide)
    except (Raised, CannotTrace, CannotRun):
        return []  # it takes no further axis
    name = ", ".join(filter(None, (one.name, "the last axis is the vocabulary")))
    return [(name, wide)]


def _without_optional(one: Audited) -> list[tuple[str, Subject]]:
    """The variant without its optional old policy or weight, where that computes something else."""
    if one.found is None or one.subject is None:
        return []
    parameters = one.subject.target.signature.parameters
    optional = [
        path
        for path, role in one.subject.paths.items()
        if role in OPTIONAL and path in parameters and parameters[path].default is None
    ]
    paths = {p: r for p, r in one.subject.paths.items() if p not in optional}
    if not optional or not set(paths.values()) & set(POLICIES):
        return []
    bare = replace(one.subject, paths=paths)
    try:
        found = recover(bare)
    except (Raised, CannotTrace, CannotRun):
        return []  # it needs them here
    if one.found.surrogate is not None and found.surrogate is not None:
        same = found.surrogate.expr == one.found.surrogate.expr
    else:
        same = True
    name = ", ".join(filter(None, (one.name, *(f"{p}=None" for p in optional))))
    return [] if same else [(name, bare)]
