"""Manners: the ways to hand a function its arrays, in the order in which they are tried."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import Final

import numpy as np

from kltheory.audit.asking import POLICIES, unknown_objects
from kltheory.audit.discovery import discovered
from kltheory.audit.forms import IGNORED, Form
from kltheory.audit.reach import shifted
from kltheory.audit.roles import SHARED, WIDE, Role, guess
from kltheory.audit.source import calls_with, is_name, source_tree
from kltheory.audit.subject import Arrays, Raised, Subject
from kltheory.tracing.trace import CannotTrace, Floats

MASK_TYPES: Final = ("float", "bool", "int")
STORED: Final = (Role.LOGP_REF, Role.LOGP_OLD)
"""What is stored with a response, for each of its tokens or as a sum."""
GATHERING: Final = {"cat", "concat", "concatenate", "stack", "hstack", "vstack", "pad_sequence", "zip", "enumerate"}
"""Calls that take a list of arrays."""


def in_some_manner(
    subject: Subject, manner: Callable[[Subject], Subject], arrays: Callable[[Subject], Arrays], responses: bool
) -> Subject:
    """The subject with a kind of mask and of advantage with which the function runs.

    A function for one advantage per sequence runs on one per token too, and broadcasts; not the other way round.

    Args:
        subject: the function.
        manner: how its arrays are handed over otherwise.
        arrays: what it is called on.
        responses: whether the first axis holds responses.

    Raises:
        Raised, CannotTrace: it runs with none; the error of the attempt that came furthest.
    """
    errors: list[Raised | CannotTrace] = []
    known, tried = subject, set()
    for per_sequence in ("response", "token", "column") if responses else ("token",):
        for mask, wide in product(MASK_TYPES, (False, True)):
            if (kind := _seen(mask, per_sequence, wide, known)) in tried:
                continue
            tried.add(kind)
            try:
                offered = replace(known, mask_type=mask, per_sequence=per_sequence != "token", wide=wide)
                if per_sequence == "column":
                    offered = offered.formed(Form.COLUMN, (p for p, r in known.paths.items() if r is Role.ADVANTAGE))
                found = discovered(offered, arrays, manner)
            except (Raised, CannotTrace) as e:
                errors.append(e)
            else:
                return found
    raise max(errors, key=lambda e: getattr(e, "lines", ()))


def _seen(mask: str, advantage: str, wide: bool, subject: Subject) -> tuple[str, str, bool]:
    """What of these the function sees: it may have no mask, no advantage, or nothing beside logits and actions.

    What it reads from an object is not known before it runs.
    """
    reads = bool(unknown_objects(subject))
    shown = mask if reads or Role.MASK in subject.roles else ""
    return shown, advantage if reads or Role.ADVANTAGE in subject.roles else "", wide and subject.gathers


def manners(subject: Subject) -> Iterator[Callable[[Subject], Subject]]:
    """Ways to hand the arrays over: as they are, then in the forms that the source gives reason to try."""
    if subject.is_settled:
        yield lambda s: s
        return
    tree = source_tree(subject.target.function)
    ends = shifted(subject.target)
    if all(ends):
        yield lambda s: _longer(s, *ends)
    yield lambda s: s
    if any(ends) and not all(ends):
        yield lambda s: _longer(s, *ends)
    if any(Form.PROBABILITY in f and subject.paths[p] in WIDE for p, f in subject.forms.items()):
        yield _over_vocabulary
    listed = [p for p in subject.paths if _is_gathered(tree, p) and Form.LIST not in subject.forms.get(p, ())]
    if listed:
        yield lambda s: s.formed(Form.LIST, listed)
    lists = [p for p, f in subject.forms.items() if Form.LIST in f and subject.paths[p].is_over_vocabulary]
    if lists:
        yield lambda s: replace(s, forms={**s.forms, **dict.fromkeys(lists, (Form.CHUNKS,))})
    if "requires_grad" in ast.unparse(tree) or "is_leaf" in ast.unparse(tree):
        yield lambda s: s.formed(Form.DETACHED, (p for p, r in s.paths.items() if r not in POLICIES))
    yield lambda s: s.formed(Form.SEQUENCE, (p for p, r in s.paths.items() if r in STORED))
    optional = [p for p, r in subject.paths.items() if r in SHARED and _is_optional(subject, p)]
    if optional:
        yield lambda s: replace(s, paths={p: r for p, r in s.paths.items() if p not in optional})
    if Role.GROUP in subject.roles:
        yield lambda s: s.formed(Form.ARRAY, (p for p, r in s.paths.items() if r is Role.GROUP))


def _is_optional(subject: Subject, path: str) -> bool:
    parameter = subject.target.signature.parameters.get(path)
    return parameter is not None and parameter.default is None


def _longer(subject: Subject, without_last: set[str], without_first: set[str]) -> Subject:
    """With one position more where the function takes one away, so that what is left is the layout's."""
    last = _called(subject, without_last)
    first = [p for p in _called(subject, without_first) if p not in last]
    if without_last and without_first and not (last and first):
        return subject
    return subject.formed(Form.ONE_AFTER, last).formed(Form.ONE_BEFORE, first)


def _called(subject: Subject, names: set[str]) -> list[str]:
    """The arrays with these names; or else with the roles that they tell, as where a helper calls them otherwise."""
    named = [p for p in subject.paths if p.rpartition(".")[2] in names]
    roles = {guess(name) for name in names}
    if any(role is not None and role.is_over_vocabulary for role in roles):
        return [p for p, r in subject.paths.items() if r.is_over_vocabulary]  # one helper for all of them
    return named or [p for p, r in subject.paths.items() if r in roles and not set(subject.forms.get(p, ())) & SHORT]


SHORT: Final = {Form.COUNT, Form.ROWS, Form.RESPONSE, Form.PROMPT}
"""Forms that have no entry for each token."""


def _over_vocabulary(subject: Subject) -> Subject:
    wide = (p for p, f in subject.forms.items() if Form.PROBABILITY in f)
    return replace(subject, paths={**subject.paths, **{p: WIDE.get(subject.paths[p], subject.paths[p]) for p in wide}})


def _is_gathered(tree: ast.AST, path: str) -> bool:
    """Whether a parameter is iterated over, or handed to what takes a list."""
    loops = (n.iter for n in ast.walk(tree) if isinstance(n, (ast.For, ast.comprehension)))
    return any(is_name(n, path) for n in loops) or any(call in GATHERING for call, _ in calls_with(tree, path))


def masks_by_labels(subject: Subject, arrays: Arrays) -> Subject:
    """The subject with actions that only mask, or do nothing, read as what they are.

    They mask where the output changes with what is left out, and not with the action. They may do both; then they are
    actions, and stay within the vocabulary.
    """
    labels = [p for p, r in subject.paths.items() if r is Role.ACTIONS]
    ids, left_out = arrays[Role.ACTIONS], arrays[Role.ACTIONS].copy()
    left_out[(0,) * ids.ndim] = IGNORED
    for path in labels:
        alone = _with_role(subject, [p for p in labels if p != path], Role.IDS)
        if _same(alone, arrays, ids, ids + 1):
            masks = not _same(alone, arrays, ids, left_out)
            subject = _with_role(subject, [path], Role.MASK if masks else Role.IDS)
            subject = subject.formed(Form.LABELS, [path]) if masks else subject
    return subject


def _with_role(subject: Subject, paths: list[str], role: Role) -> Subject:
    return replace(subject, paths={p: role if p in paths else r for p, r in subject.paths.items()})


def _same(subject: Subject, arrays: Arrays, ids: Floats, others: Floats) -> bool:
    """Whether two choices of actions give the same output and derivatives."""
    try:
        one, other = (subject.run({**arrays, Role.ACTIONS: chosen}) for chosen in (ids, others))
    except (Raised, CannotTrace):
        return False
    pairs = [(one[0], other[0]), *((one[1][r], other[1][r]) for r in one[1])]
    return all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)
