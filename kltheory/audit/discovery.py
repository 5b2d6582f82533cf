"""Discovery: what a function reads of the objects that it is handed, found by running it until nothing is missing."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from kltheory.audit.asking import asked
from kltheory.audit.defaults import NOTHING, default_of
from kltheory.audit.generic import number_of_name
from kltheory.audit.roles import SHARED
from kltheory.audit.stand_in import OBJECT, Missing, Use, Wanted, claimed
from kltheory.audit.subject import Arrays, Assumed, Raised, Subject
from kltheory.audit.surroundings import KNOWN
from kltheory.audit.target import CannotRun
from kltheory.calculus.names import words_of
from kltheory.tracing.trace import CannotTrace

MOST: Final = 120
"""More than a loss reads."""
FLAG: Final = {"use", "is", "has", "enable", "enabled", "disable", "do", "with", "return", "should"}
"""Words of what is on or off; what is not given is off, and a note says so."""


def discovered(subject: Subject, arrays: Arrays) -> Subject:
    """The subject with the arrays that the function reads through stand-ins, and what is assumed of the rest.

    Raises:
        CannotRun: something is missing without which nothing can be said, and all of that; or too much is read.
        Raised, CannotTrace: the function raises, with nothing missing.
    """
    for _ in range(MOST):
        try:
            subject.run(arrays)
        except Wanted as wanted:
            subject = _with_array(subject, wanted.path, wanted.role, wanted.forms)
        except (Raised, CannotTrace) as e:
            again = _assuming(subject, e.__cause__) if isinstance(e.__cause__, Missing) else None
            if again is None:
                raise _explained(subject, e) from e
            subject = again
        else:
            if needed := list(_needed(subject)):
                raise CannotRun(asked(subject, needed))
            return subject
    raise CannotRun(f"{subject.target.name} reads more than a loss does: name its arrays with --args")


def _with_array(subject: Subject, path: str, role: Any, forms: tuple[Any, ...]) -> Subject:
    return replace(
        subject, paths={**subject.paths, path: role}, forms={**subject.forms, **({path: forms} if forms else {})}
    )


def _assuming(subject: Subject, missing: Missing) -> Subject | None:
    """The subject with something at the path; ``None`` where that would not help."""
    path, known = missing.path, subject.assumed.get(missing.path)
    if missing.use is Use.READ and known is None:
        claim = claimed(path)
        if claim is not None and claim[0] in SHARED and claim[0] in subject.roles:
            return _with_array(subject, path, *claim)
        taken = _assumed(subject, path)
    elif missing.use is Use.PARTS or (known is not None and known.is_needed):
        return None
    else:
        values = {Use.NUMBER: 0.5, Use.FLAG: False, Use.CHOICE: missing.other}
        taken = Assumed(values.get(missing.use, OBJECT), is_needed=True)
    return replace(subject, assumed={**subject.assumed, path: taken})


def _assumed(subject: Subject, path: str) -> Assumed:
    leaf = path.rpartition(".")[2]
    owner, own = subject.target.owner, next(iter(subject.target.signature.parameters), "self")
    if leaf in KNOWN:
        return Assumed(KNOWN[leaf]())
    if owner is not None:
        value = default_of(owner, path, subject.settings, own)
        if value is not NOTHING:
            plain = value is None or isinstance(value, (bool, int, float, str))
            return Assumed(value, f"as {owner.__name__}.__init__ sets it by default" if plain else "")
    if leaf.endswith("()"):
        return Assumed(OBJECT)
    if (number := number_of_name(leaf)) is not None:
        return Assumed(number, f"a generic value: --set {path}=VALUE for another")
    if set(words_of(leaf)) & FLAG:
        return Assumed(False, f"as nothing is given: --set {path}=True for the other")
    return Assumed(OBJECT)


def _needed(subject: Subject) -> Iterator[str]:
    return (path for path, a in subject.assumed.items() if a.is_needed)


def _explained(subject: Subject, error: Raised | CannotTrace) -> Exception:
    """The error, and everything that is not known of which it may come."""
    cause, paths = error.__cause__, list(_needed(subject))
    if isinstance(cause, Missing) and cause.path not in paths:
        paths.append(cause.path)
    if paths:
        return CannotRun(asked(subject, paths))
    objects = [path for path, a in subject.assumed.items() if a.value is OBJECT]
    return type(error)(f"{error}; {asked(subject, objects)}") if objects else error
