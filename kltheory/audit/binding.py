"""Binding: which argument of a function holds what."""

import ast
import enum
import functools
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from kltheory.audit.forms import Form
from kltheory.audit.generic import GENERIC, number_of
from kltheory.audit.reach import reached
from kltheory.audit.roles import WIDE, Expected, Role, expected, guess, guess_all
from kltheory.audit.source import (
    annotation_of,
    attributes_of,
    calls_with,
    exponentiated,
    is_inverted,
    is_name,
    is_subscripted,
    source_tree,
)
from kltheory.audit.subject import PASSED, Assumed, Subject
from kltheory.audit.target import CannotRun, Target
from kltheory.calculus.names import whose, words_of

PLAIN: Final = ("str", "int", "bool", "float", "str | None", "float | None", "int | None")
"""Annotations of what is no array."""
OF_DISTRIBUTIONS: Final = {"log_prob", "entropy", "rsample", "base_dist", "log_probs"}
"""What is read from a distribution, and from no tensor."""


def bind(
    target: Target, arguments: Mapping[str, str], settings: Mapping[str, Any], output: str | None = None
) -> Subject:
    """The subject with arguments told apart by their names, except those that are given.

    Args:
        target: the function.
        arguments: role to parameter or path, for what names do not tell.
        settings: path to value.
        output: which of several outputs is meant.

    Raises:
        CannotRun: a role, a parameter or a setting does not exist; the message lists those that do.
    """
    parameters = target.signature.parameters
    own = [*parameters][1:] if target.owner is not None else [*parameters]
    settings = {**_fixed(target.function), **settings}
    for path in (*(_parted(text)[0] for text in arguments.values()), *settings):
        head = path.partition(".")[0].removesuffix("()")
        if head not in parameters and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            raise CannotRun(f"{target.name} has no parameter {head}; it has {', '.join(own) or 'none'}")
    settings = {n: _typed(v, parameters.get(n), target) for n, v in settings.items()}
    given: dict[str, Expected] = {}
    for role, text in arguments.items():
        if role not in set(Role):
            raise CannotRun(f"there is no role {role}; the roles are {', '.join(Role)}")
        path, made = _parted(text)
        claim = expected(path.rpartition(".")[2])
        told = claim[1] if claim is not None and claim[0] in (Role(role), *_NARROW.get(Role(role), ())) else ()
        given[path] = Role(role), tuple(dict.fromkeys((*made, *told)))
    tree = source_tree(target.function)
    free = {n: p for n, p in parameters.items() if n in own and n not in settings and n not in given}
    free = {n: p for n, p in free.items() if p.kind not in PASSED and not _is_plain(p) and not _is_object(tree, n)}
    taken = {role for role, _ in given.values()}
    guessed = {n: c for n, c in guess_all(free).items() if c[0] not in taken or c[0] is Role.MASK}
    unsaid = {n: p for n, p in free.items() if n not in guessed}
    guessed |= dict(_by_use(unsaid, tree, {r for r, _ in guessed.values()}))
    known = _wide({**guessed, **_distributions(free, tree), **given})
    for name, parameter in free.items():
        if name in known:
            known[name] = known[name][0], (*known[name][1], *_forms(parameter, tree, known[name][0]))
    roles = {path: role for path, (role, _) in known.items()}
    methods = {p: r for p, r in _model_methods(target).items() if r not in roles.values() and p not in roles}
    forms = {path: forms for path, (_, forms) in known.items() if forms}
    assumed = dict(_numbers(target, tree, {*roles, *settings}))
    return Subject(target, {**roles, **methods}, settings, forms, assumed, _results(target), output)


def _fixed(function: Any) -> dict[str, Any]:
    """What ``functools.partial`` has fixed by keyword."""
    return dict(function.keywords) if isinstance(function, functools.partial) else {}


def _typed(value: Any, parameter: inspect.Parameter | None, target: Target) -> Any:
    """A text as the member of an enumeration that it names, where the parameter wants one."""
    kind = None if parameter is None else enumeration(parameter, target)
    if kind is None or isinstance(value, kind):
        return value
    text = str(value).rpartition(".")[2]
    return next((m for m in kind if m.name == text or m.value == value), value)


def enumeration(parameter: inspect.Parameter, target: Target) -> type[enum.Enum] | None:
    """The enumeration that a parameter is annotated with, or whose member is its default."""
    scope = getattr(target.inner, "__globals__", {})
    words = annotation_of(parameter).replace("|", " ").replace("[", " ").replace("]", " ").split()
    named = [parameter.annotation, type(parameter.default), *(scope.get(w.rpartition(".")[2]) for w in words)]
    return next((k for k in named if isinstance(k, type) and issubclass(k, enum.Enum) and len(k)), None)


def _wide(known: Mapping[str, Expected]) -> dict[str, Expected]:
    """Probabilities are over the vocabulary where an action is taken from them, or beside logits."""
    roles = {role for role, _ in known.values()}
    wide = Role.ACTIONS in roles or any(role.is_over_vocabulary for role in roles)
    return {
        name: (WIDE.get(role, role) if wide and Form.PROBABILITY in forms else role, forms)
        for name, (role, forms) in known.items()
    }


def _distributions(free: Mapping[str, inspect.Parameter], tree: ast.AST) -> dict[str, Expected]:
    """Parameters that are used, or annotated, as distributions, whatever they are called."""
    found: dict[str, Expected] = {}
    for name, parameter in free.items():
        used = bool(attributes_of(tree, name) & OF_DISTRIBUTIONS)
        compared = any(call == "kl_divergence" for call, _ in calls_with(tree, name))
        stated = any(w in annotation_of(parameter) for w in ("Categorical", "Distribution"))
        if used or compared or stated:
            role = whose(set(words_of(name)), Role.LOGITS, Role.LOGITS_REF, Role.LOGITS_OLD)
            if role not in {r for r, _ in found.values()}:
                found[name] = role, (Form.DISTRIBUTION,)
    return found


def _forms(parameter: inspect.Parameter, tree: ast.AST, role: Role) -> Iterator[Form]:
    """What its annotation and its use say of how it comes."""
    annotation = annotation_of(parameter).lower()
    if annotation.startswith(("list", "tuple", "sequence", "iterable", "typing.list", "typing.sequence")):
        yield Form.LIST
    padding = {"pad", "padding", "padded"} & set(words_of(parameter.name))
    if role is Role.MASK and padding and is_inverted(tree, parameter.name):
        yield Form.PADDING


def _parted(text: str) -> tuple[str, tuple[Form, ...]]:
    """The parameter or path, and what it is beside its role: ``-ppo_kl``, ``log(teacher_probs)``."""
    text = text.strip()
    if text.startswith("-"):
        return text[1:].strip(), (Form.NEGATED,)
    if text.startswith("log(") and text.endswith(")"):
        return text[4:-1].strip(), (Form.PROBABILITY,)
    return text, ()


_NARROW: Final = {wide: (role,) for role, wide in WIDE.items()}
"""What over the vocabulary is called as a log-probability is."""


def _by_use(free: Mapping[str, inspect.Parameter], tree: ast.AST, taken: set[Role]) -> Iterator[tuple[str, Expected]]:
    """Required parameters whose names say nothing, by their annotation and by what the function does with them.

    What is exponentiated beside advantages is the logarithm of the weight, or minus it: ``(-ppo_kl).exp()``.
    """
    wide = bool(taken & {Role.LOGITS, Role.LOGITS_REF})
    for name, parameter in free.items():
        annotation = annotation_of(parameter)
        if parameter.default is not parameter.empty:
            continue
        if re.search(r"\bBool\[|BoolTensor", annotation) and Role.MASK not in taken:
            yield name, (Role.MASK, ())
        elif wide and Role.ACTIONS not in taken and (name in INDICES or re.search(r"\bInt\[|LongTensor", annotation)):
            yield name, (Role.ACTIONS, ())
        elif _is_index(parameter, tree):
            yield name, (Role.GROUP, ())
        elif Role.ADVANTAGE in taken and not taken & WEIGHED and (sign := exponentiated(tree, name)):
            yield name, (Role.LOG_WEIGHT, (Form.NEGATED,) if sign < 0 else ())


WEIGHED: Final = {Role.LOGP_OLD, Role.LOG_WEIGHT, Role.WEIGHT}
"""With these a function has its weight."""
INDICES: Final = ("index", "indices", "idx")


def _is_index(parameter: inspect.Parameter, tree: ast.AST) -> bool:
    """Whether a parameter says of each response which prompt it answers: an index of which entries are read."""
    named = parameter.name in INDICES and parameter.default is parameter.empty
    return named and (is_subscripted(tree, parameter.name) or "array" in annotation_of(parameter).lower())


def _is_object(tree: ast.AST, name: str) -> bool:
    """Whether a parameter is a model, a batch, an output: it is called, or logits are read from it."""
    if any(isinstance(n, ast.Subscript) and is_name(n.value, name) and _is_text(n.slice) for n in ast.walk(tree)):
        return True
    called = any(isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == name for n in ast.walk(tree))
    return called or bool(attributes_of(tree, name) & {"logits", "batch"})


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _numbers(target: Target, tree: ast.AST, known: set[str]) -> Iterator[tuple[str, Assumed]]:
    """Required numbers that are not given, and the generic value that each is taken to have."""
    for i, (name, p) in enumerate(target.signature.parameters.items()):
        is_self = i == 0 and target.owner is not None
        if is_self or p.default is not p.empty or p.kind in PASSED or any(k.partition(".")[0] == name for k in known):
            continue
        if GROUP_OF_PROCESSES.fullmatch(name) or "ProcessGroup" in annotation_of(p):
            yield name, Assumed(None)
        elif {"mask", "inf"} <= set(words_of(name)):
            yield name, Assumed(False, "nothing is infinite")
        elif guess(name) is None and (value := number_of(p, tree)) is not None and not is_subscripted(tree, name):
            yield name, Assumed(value, GENERIC)


GROUP_OF_PROCESSES: Final = re.compile(r"(tp|cp|dp|pp|sp|ep|process|reduce|parallel|model_parallel)_group|device_mesh")
"""Whom a process works with: nobody."""


def _model_methods(target: Target) -> dict[str, Role]:
    """Methods of ``self`` that the function hands a model, and whose names say that log-probabilities come back."""
    if target.owner is None:
        return {}
    own = next(iter(target.signature.parameters))
    found: dict[str, Role] = {}
    for node in reached(target):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        of_self = isinstance(node.func.value, ast.Name) and node.func.value.id == own
        with_model = not hasattr(target.owner, node.func.attr) or any("model" in ast.unparse(a) for a in node.args)
        role = guess(node.func.attr)
        if of_self and with_model and role is not None and role not in found.values():
            found[f"{own}.{node.func.attr}()"] = role
    return found


def _results(target: Target) -> dict[str, tuple[str, ...]]:
    """The names that the results of methods of ``self`` are unpacked into, by the method's path."""
    if target.owner is None:
        return {}
    own = next(iter(target.signature.parameters))
    found: dict[str, tuple[str, ...]] = {}
    for node in reached(target):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.targets[0], ast.Tuple):
            method = ast.unparse(node.value.func)
            if method.startswith(own + "."):
                found[method + "()"] = tuple(ast.unparse(e) for e in node.targets[0].elts)
    return found


def _is_plain(parameter: inspect.Parameter) -> bool:
    """Whether a parameter holds a number or a text, by its default or annotation."""
    plain = isinstance(parameter.default, (bool, int, float, str, enum.Enum))
    return plain or annotation_of(parameter) in PLAIN
