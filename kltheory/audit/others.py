"""Other readings of one variant: without its optional arguments, and with its last axis as the vocabulary."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from kltheory.audit.asking import POLICIES
from kltheory.audit.reading import Reading
from kltheory.audit.recover import recover
from kltheory.audit.roles import Role
from kltheory.audit.subject import Raised, Subject
from kltheory.audit.target import CannotRun
from kltheory.tracing.trace import CannotTrace

OPTIONAL: Final = (Role.LOGP_OLD, Role.LOGP_SAMPLER, Role.LOG_WEIGHT, Role.WEIGHT, Role.WEIGHT_SAMPLER)


def other_readings(name: str, found: Reading) -> Iterator[tuple[str, Reading]]:
    """What else it may be, with a name for it; ``name`` is that of the variant."""
    left_out = _optional(found.subject)
    if left_out and (bare := _read(_without(found.subject, left_out))) is not None and found.differs(bare):
        yield ", ".join(filter(None, (name, *(f"{p}=None" for p in left_out)))), bare
    subject = found.widened()
    if subject is not None and (wide := _read(subject)) is not None:
        yield ", ".join(filter(None, (name, "the last axis is the vocabulary"))), wide


def _optional(subject: Subject) -> list[str]:
    """An old policy and weights that have a default of ``None``; none where no policy is left without them."""
    parameters = subject.target.signature.parameters
    found = [
        path
        for path, role in subject.paths.items()
        if role in OPTIONAL and path in parameters and parameters[path].default is None
    ]
    return found if _without(subject, found).roles & set(POLICIES) else []


def _without(subject: Subject, paths: list[str]) -> Subject:
    return replace(subject, paths={p: r for p, r in subject.paths.items() if p not in paths})


def _read(subject: Subject) -> Reading | None:
    """Its reading; ``None`` where it cannot be called so, as where it needs what was left out."""
    try:
        return recover(subject)
    except (Raised, CannotTrace, CannotRun):
        return None
