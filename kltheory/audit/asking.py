"""Asking: what a function needs that nobody said, with a line to paste."""

import inspect
from collections.abc import Iterable, Iterator
from typing import Final

from kltheory.audit.defaults import OBJECTS
from kltheory.audit.framework import METHODS
from kltheory.audit.roles import Role, expected, resembling
from kltheory.audit.stand_in import OBJECT
from kltheory.audit.subject import PASSED, Subject
from kltheory.calculus.names import words_of

TENSOR: Final = METHODS | {
    *(
        "sum",
        "mean",
        "to",
        "size",
        "view",
        "reshape",
        "shape",
        "dtype",
        "device",
        "dim",
        "ndim",
        "squeeze",
        "item",
        "cpu",
    ),
    *("astype", "T", "cumsum", "max", "min", "clip", "at", "type", "numpy", "tolist", "int", "transpose", "flatten"),
}
"""What is read from an array."""
POLICIES: Final = (Role.LOGP, Role.LOG_RATIO, Role.LOGITS, Role.LOG_WEIGHT, Role.WEIGHT)
"""Roles through which a gradient reaches the policy."""


def asked(subject: Subject, paths: Iterable[str]) -> str:
    """What is missing at these paths, and how to give it."""
    listed = list(dict.fromkeys(map(array_of, paths)))
    parameters = [p for p in listed if p in subject.target.signature.parameters]
    if parameters and not set(subject.roles) & set(POLICIES):
        return no_policy(subject)
    inside = [p for p in listed if p not in parameters]
    texts = [f"it reads {_and(inside)}: {_given(inside)}"] if inside else []
    return "; ".join([*texts, *([not_given(subject, parameters)] if parameters else [])])


def array_of(path: str) -> str:
    """The path up to where it is used as a tensor: ``inputs.label`` of ``inputs.label.sum()``."""
    parts = path.split(".")
    used = next((i for i, part in enumerate(parts) if i and part.removesuffix("()") in TENSOR), len(parts))
    return ".".join(parts[:used])


def _given(paths: list[str]) -> str:
    if len(paths) == 1:
        path = paths[0]
        other = f"--args ROLE={path} where it is an array" if not path.endswith("()") else f"--args ROLE={path}"
        return f"give it with --set {path}=VALUE, or {other}"
    return f"give them with {' '.join(f'--set {p}=VALUE' for p in paths)}, or --args ROLE=NAME where one is an array"


def not_given(subject: Subject, names: Iterable[str]) -> str:
    """Advice for parameters of which nothing is known: the role that each may have, else a value."""
    left, texts = _wanted(subject), []
    for name in names:
        claim = expected(name)
        like = [path for path, role in subject.paths.items() if claim is not None and role is claim[0]]
        if like:
            texts.append(f"{name} looks like another sample of what {like[0]} is: a loss of pairs is not read")
            continue
        role = resembling(name, left)
        left = [r for r in left if r is not role]
        array = f"--args {role.value}={name} if it is {_MEANING[role]}, else " if role is not None else ""
        texts.append(f"nothing is given for {name}: {array}--set {name}=VALUE")
    return "; ".join(texts)


def unknown_objects(subject: Subject) -> list[str]:
    """Required parameters that may be objects: what a function reads of them is found out by running it."""
    known = {path.partition(".")[0] for path in (*subject.paths, *subject.settings, *subject.assumed)}
    parameters = subject.target.signature.parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind not in PASSED and p.name not in known]


def unknown_parameters(subject: Subject) -> list[str]:
    """Required parameters of which nothing is known."""
    known = {path.partition(".")[0] for path in (*subject.paths, *subject.settings, *subject.assumed)}
    parameters = [*subject.target.signature.parameters.values()][subject.target.owner is not None :]
    required = [p.name for p in parameters if p.default is p.empty and p.kind not in PASSED]
    return [n for n in required if n not in known and not set(words_of(n)) & OBJECTS]


def no_policy(subject: Subject) -> str:
    """What to say where no argument is known to be the policy's."""
    parameters = subject.target.signature.parameters
    names = [n for n, p in parameters.items() if p.kind not in PASSED]
    taken = {*subject.paths, *(n for n, a in subject.assumed.items() if not a.is_needed)}
    free = [n for n in names[subject.target.owner is not None :] if n not in taken]
    free = [n for n in free if parameters[n].default is inspect.Parameter.empty]
    pairs = list(_paired((n for n in free if not set(words_of(n)) & OBJECTS), _wanted(subject)))
    called = [path for path, a in subject.assumed.items() if a.value is OBJECT and path.endswith("()")]
    outputs = [(Role.LOGITS, f"{path}.logits") for path in called if "model" in path][:1]
    line = ",".join(f"{role.value}={name}" for role, name in pairs or outputs or [(Role.LOGP, "NAME")])
    return (
        f"no argument of {subject.target.name} is known to be the policy's log-probabilities (it has "
        f"{', '.join(names) or 'none'}): say which, with --args {line}"
    )


def _paired(names: Iterable[str], wanted: list[Role]) -> Iterator[tuple[Role, str]]:
    """The policy and the reference, by the letters of the names where they say it, else in order."""
    left = wanted[:2]
    for name in names:
        if (role := resembling(name, left)) is not None:
            left.remove(role)
            yield role, name


def _wanted(subject: Subject) -> list[Role]:
    """Roles that are not filled, the policies first."""
    wide = subject.is_over_vocabulary and Role.ACTIONS not in subject.roles
    policies = (Role.LOGITS, Role.LOGITS_REF, Role.LOGITS_OLD) if wide else (Role.LOGP, Role.LOGP_REF, Role.LOGP_OLD)
    return [r for r in (*policies, Role.MASK, Role.ADVANTAGE, Role.ACTIONS) if r not in subject.roles]


_MEANING: Final[dict[Role, str]] = {
    Role.LOGP: "the policy's log-probabilities",
    Role.LOGP_REF: "the reference's log-probabilities",
    Role.LOGP_OLD: "the old policy's log-probabilities",
    Role.LOGITS: "the policy's logits",
    Role.LOGITS_REF: "the reference's logits",
    Role.LOGITS_OLD: "the old policy's logits",
    Role.MASK: "the mask",
    Role.ADVANTAGE: "the advantages",
    Role.ACTIONS: "the actions",
}


def _and(paths: list[str]) -> str:
    return ", ".join(paths[:-1]) + " and " * (len(paths) > 1) + paths[-1]
