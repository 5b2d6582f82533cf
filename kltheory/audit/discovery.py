"""Discovery: what a function reads of the objects that it is handed, found by running it until nothing is missing."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final, TypeGuard

from kltheory.audit.asking import array_of, asked
from kltheory.audit.defaults import NOTHING, default_of, default_of_field, fields_of
from kltheory.audit.generic import GENERIC, bound_of_name, number_of_name
from kltheory.audit.reach import reached
from kltheory.audit.roles import SHARED, Role, beside_old, older
from kltheory.audit.source import attributes_of, is_subscripted, source_tree
from kltheory.audit.stand_in import OBJECT, Missing, Use, Wanted, claimed
from kltheory.audit.subject import Arrays, Assumed, Raised, Subject
from kltheory.audit.surroundings import KNOWN, NO_GROUP
from kltheory.audit.target import CannotRun
from kltheory.calculus.names import LOG_PROBABILITY, PLAIN, words_of
from kltheory.tracing.trace import CannotTrace

MOST: Final = 120
"""More than a loss reads."""
LACKS: Final = re.compile(r"missing \d+ required (?:positional|keyword-only) arguments?: '(\w+)'")
"""What Python says of a call without an argument."""
NONE: Final = "'NoneType' object"
"""How Python begins to say that something is None."""
FLAG: Final = {"use", "is", "has", "enable", "enabled", "disable", "do", "with", "return", "should"}
"""Words of what is on or off; what is not given is off, and a note says so."""


def discovered(
    subject: Subject, arrays: Callable[[Subject], Arrays], manner: Callable[[Subject], Subject] = lambda s: s
) -> Subject:
    """The subject with the arrays that the function reads through stand-ins, and what is assumed of the rest.

    Args:
        subject: the function.
        arrays: what it is called on, which changes once logits are seen to be read.
        manner: how its arrays are handed over, those that are found on the way as well.

    Raises:
        CannotRun: something is missing without which nothing can be said, and all of that; or too much is read.
        Raised, CannotTrace: the function raises, with nothing missing.
    """
    for _ in range(MOST):
        try:
            (offered := manner(subject)).run(arrays(offered))
        except Wanted as wanted:
            known = _by_default(subject, wanted.path)
            if known is None:
                subject = _with_array(subject, wanted.path, wanted.role, wanted.forms)
            else:
                subject = replace(subject, assumed={**subject.assumed, wanted.path: known})
        except (Raised, CannotTrace) as e:
            if NO_GROUP in str(e.__cause__) and not subject.is_alone:
                subject = replace(subject, is_alone=True)
                continue
            missing = _missing(subject, e.__cause__)
            again = None if missing is None else _assuming(subject, missing)
            if again is None:
                raise _explained(subject, e) from e
            subject = again
        else:
            if needed := list(_needed(subject)):
                raise CannotRun(asked(subject, needed))
            return replace(offered, is_settled=True)
    raise CannotRun(f"{subject.target.name} reads more than a loss does: name its arrays with --args")


def _missing(subject: Subject, cause: BaseException | None) -> Missing | None:
    """What was missing: said by a stand-in, or by a dict or a call that was made of all of one."""
    if cause is None or isinstance(cause, Missing):
        return cause
    name, said = "", str(cause)
    if said.startswith(NONE):
        return _none_that_is_read(subject, said)
    if isinstance(cause, KeyError) and cause.args and isinstance(cause.args[0], str):
        name = cause.args[0]
    elif isinstance(cause, TypeError) and (found := LACKS.search(said)):
        name = found[1]
    for node in reached(subject.target) if name.isidentifier() else ():
        whole = ast.unparse(node.func.value) if _is_items(node) else ""
        whole = ast.unparse(node.value) if isinstance(node, ast.keyword) and node.arg is None else whole
        if whole in subject.target.signature.parameters and f"{whole}.{name}" not in (*subject.paths, *subject.assumed):
            return Missing(f"{whole}.{name}")
    return None


def _none_that_is_read(subject: Subject, said: str) -> Missing | None:
    """What is None by default and the function cannot do without, such as ``config=None``: it reads more of it."""
    wanted = set(re.findall(r"'(\w+)'$", said))
    for node in reached(subject.target) if wanted else ():
        if isinstance(node, ast.Attribute) and node.attr in wanted:
            path = ast.unparse(node.value)
            if path in subject.assumed and subject.assumed[path].value is None:
                return Missing(path, Use.NONE)
    tree = source_tree(subject.target.function)
    for name, parameter in subject.target.signature.parameters.items():
        read = attributes_of(tree, name) & set(re.findall(r"\w+", said)) or is_subscripted(tree, name)
        if parameter.default is None and read and name not in (*subject.paths, *subject.settings, *subject.assumed):
            return Missing(name)
    return None


def _is_items(node: ast.AST) -> TypeGuard[Any]:
    call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    return call and node.func.attr in ("items", "copy")  # type: ignore[attr-defined]


def _with_array(subject: Subject, path: str, role: Role, forms: tuple[Any, ...]) -> Subject:
    """With an array at a path; of two old policies, that is the old one which a ratio is taken to."""
    paths = {**subject.paths, path: beside_old(path.rpartition(".")[2], role, subject.roles) or role}
    before = next((p for p, r in subject.paths.items() if r is Role.LOGP_OLD), None)
    if role is Role.LOGP_OLD and before and older(path.rpartition(".")[2]) < older(before.rpartition(".")[2]):
        paths |= {before: Role.LOGP_SAMPLER, path: Role.LOGP_OLD}
    return replace(subject, paths=paths, forms={**subject.forms, **({path: forms} if forms else {})})


def _assuming(subject: Subject, missing: Missing) -> Subject | None:
    """The subject with something at the path; ``None`` where that would not help."""
    path, known = missing.path, subject.assumed.get(missing.path)
    holder = array_of(path)
    used = missing.use is Use.NUMBER or holder != path
    if used and holder not in subject.paths and (bare := claimed(holder, bare=True)) and bare[0] not in subject.roles:
        without = {p: a for p, a in subject.assumed.items() if not (p + ".").startswith(holder + ".")}
        return _with_array(replace(subject, assumed=without), holder, *bare)
    if missing.use is Use.READ and known is None:
        claim = None if _by_default(subject, path) else claimed(path)
        if claim is not None and _is_stored(subject, path, claim[0]):
            claim = Role.LOGP_OLD, claim[1]
        if claim is not None and (claim[0] in (*SHARED, Role.LOGP_OLD) or claim[0] not in subject.roles):
            return _with_array(subject, path, *claim)
        taken = _assumed(subject, path)
    elif missing.use is Use.NONE:
        taken = Assumed(OBJECT)
    elif missing.use is Use.PARTS or (known is not None and known.is_needed):
        return None
    else:
        values = {Use.NUMBER: 0.5, Use.FLAG: False, Use.CHOICE: missing.other}
        taken = Assumed(values.get(missing.use, OBJECT), is_needed=True)
    return replace(subject, assumed={**subject.assumed, path: taken})


DATA: Final = {"batch", "data", "inputs", "input", "samples", "sample", "experience", "rollout", "rollouts"}
"""Words of what was stored when responses were generated."""


def _is_stored(subject: Subject, path: str, role: Role) -> bool:
    """Whether a log-probability lies in the data and the policy's own is an argument: it is then the old policy's."""
    holder, _, leaf = path.rpartition(".")
    plain = not set(LOG_PROBABILITY.sub("", leaf.lower()).split("_")) - PLAIN - {""}
    own = any(r is Role.LOGP and p in subject.target.signature.parameters for p, r in subject.paths.items())
    in_data = bool(set(words_of(holder.partition(".")[0])) & DATA)
    return role is Role.LOGP and own and plain and in_data and Role.LOGP_OLD not in subject.roles


def _default(subject: Subject, path: str) -> tuple[Any, str]:
    """What a class says of a path, and where; NOTHING where no class does."""
    owner, own = subject.target.owner, next(iter(subject.target.signature.parameters), "self")
    value, where = NOTHING, ""
    if owner is not None:
        value, where = default_of(owner, path, subject.settings, own), f"{owner.__name__}.__init__"
    if value is NOTHING and (parameter := subject.target.signature.parameters.get(path.partition(".")[0])) is not None:
        value, where = default_of_field(parameter, subject.target.inner, path, subject.settings), "its class"
    return value, where


def _by_default(subject: Subject, path: str) -> Assumed | None:
    """What is no array, whatever its name, as its class gives it a number, a text or a flag, or None to ``self``."""
    value, where = _default(subject, path)
    unset = value is None and where.endswith("__init__")
    return Assumed(value, f"defaults of {where}") if unset or isinstance(value, (bool, int, float, str)) else None


def _assumed(subject: Subject, path: str) -> Assumed:
    leaf = path.rpartition(".")[2]
    if leaf in KNOWN:
        return Assumed(KNOWN[leaf]())
    value, where = _default(subject, path)
    if value is not NOTHING:
        if fields_of(type(value)):
            return Assumed(OBJECT)  # what is read of it is told, field by field
        plain = value is None or isinstance(value, (bool, int, float, str))
        return Assumed(value, f"defaults of {where}" if plain else "")
    if leaf.endswith("()"):
        return Assumed(OBJECT)
    tree = source_tree(subject.target.function)
    if (number := bound_of_name(leaf, tree) or number_of_name(leaf)) is not None:
        return Assumed(number, GENERIC)
    if set(words_of(leaf)) & FLAG:
        return Assumed(False, "taken to be off, --set NAME=True for on")
    return Assumed(OBJECT)


def _needed(subject: Subject) -> Iterator[str]:
    return (path for path, a in subject.assumed.items() if a.is_needed)


def _unset(subject: Subject, said: str) -> Iterator[str]:
    """What its class leaves at None, where the function cannot compute with that."""
    if NONE.split()[0] in said:
        yield from (path for path, a in subject.assumed.items() if a.value is None)


def _explained(subject: Subject, error: Raised | CannotTrace) -> Exception:
    """The error, and everything that is not known of which it may come."""
    cause, paths = error.__cause__, list(_needed(subject))
    if isinstance(cause, Missing) and cause.path not in paths:
        paths.append(cause.path)
    if paths:
        return CannotRun(asked(subject, paths))
    if (unset := list(_unset(subject, str(cause)))) and not isinstance(cause, Missing):
        values = " ".join(f"--set {path}=VALUE" for path in unset)
        return type(error)(f"{error}; {', '.join(unset)} of {subject.target.name} is None by default: {values}")
    known = (*subject.assumed, *subject.paths, *subject.settings)
    objects = [path for path, a in subject.assumed.items() if a.value is OBJECT]
    objects = [path for path in objects if not any(k.startswith((path + ".", path + "(")) for k in known)]
    return type(error)(f"{error}; {asked(subject, objects)}") if objects else error
