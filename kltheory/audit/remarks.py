"""Remarks: what a reader must know of what was assumed of a function before it could be called."""

from collections.abc import Iterator
from typing import Final

from kltheory.audit.forms import Form
from kltheory.audit.roles import Role
from kltheory.audit.subject import Subject

MADE: Final = {
    Form.DETACHED: "is handed over detached: the function refuses one that requires a gradient",
    Form.LABELS: "only masks: a label is kept, or left out",
    Form.NEGATED: "is taken with the other sign",
    Form.CHUNKS: "is a list of chunks, one for each position",
    Form.SEQUENCE: "is one number a response, the sum over its tokens",
}
"""What of a form a reader must know."""


def remarks(subject: Subject) -> tuple[str, ...]:
    """One sentence for each thing: of its arrays, of its process, and of the values of what nobody gave."""
    return (
        *_of_arrays(subject),
        *_of_samplers(subject),
        *_of_results(subject),
        *_of_process(subject),
        *_of_values(subject),
    )


def _of_arrays(subject: Subject) -> Iterator[str]:
    for path, forms in subject.forms.items():
        yield from (f"{path} {MADE[form]}" for form in forms if form in MADE)
    yield from (f"{p} is the same for all: one group of responses" for p, r in subject.paths.items() if r is Role.GROUP)
    yield from (f"{p} is 0" for p, r in subject.paths.items() if r is Role.VALUE)


def _of_samplers(subject: Subject) -> Iterator[str]:
    """What the rows take for granted of a policy that generated the data, where there is another old policy."""
    named: dict[Role, list[str]] = {}
    for path, role in subject.paths.items():
        named.setdefault(role, []).append(path)
    for sampler in named.get(Role.LOGP_SAMPLER, ()):
        both = " and ".join([sampler, *named.get(Role.LOGP_OLD, ())])
        yield f"{both} are taken to be one policy: the rows hold where the sampler is the old policy"
    for weight in named.get(Role.WEIGHT_SAMPLER, ()):
        yield f"{weight} is read as π_old/π_sampler, and is 1: the rows hold where the sampler is the old policy"


def _of_results(subject: Subject) -> Iterator[str]:
    """An entropy that a method returns beside log-probabilities."""
    for path, names in subject.results.items():
        yield from (f"{name} of {path} is 0" for name in names if path in subject.paths and "entrop" in name)


def _of_process(subject: Subject) -> Iterator[str]:
    if subject.is_alone:
        yield "torch.distributed is that of a run of one process"
    if absent := subject.target.absent:
        few = ", ".join(absent[:3]) + f" and {len(absent) - 3} more" * (len(absent) > 3)
        yield f"not imported here, and asked for no more than one process knows: {few}"


def _of_values(subject: Subject) -> Iterator[str]:
    told: dict[str, list[str]] = {}
    for path, a in subject.assumed.items():
        told.setdefault(a.why, []).append(f"{path} = {a.value!r}")
    yield from (f"{', '.join(taken)}: {why}" for why, taken in told.items() if why)
