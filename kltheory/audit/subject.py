"""The subject of an audit: one function in one configuration, called on arrays that are named by their roles."""

import contextlib
import inspect
import io
import math
import traceback
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from sympy import Symbol

from kltheory.audit.absent import standing_in_for
from kltheory.audit.forms import Form, handed
from kltheory.audit.instance import instance
from kltheory.audit.roles import Role
from kltheory.audit.stand_in import StandIn, Values
from kltheory.audit.surroundings import alone
from kltheory.audit.target import CannotRun, Target
from kltheory.jax_versions import x64
from kltheory.tracing.trace import CannotTrace, Floats, Input, Trace, Tracer

Arrays = Mapping[Role, Floats]
"""Role to float64 array."""

TRACED: Final = (
    Role.LOGP,
    Role.LOGP_REF,
    Role.LOGP_OLD,
    Role.LOGP_SAMPLER,
    Role.LOG_RATIO,
    Role.LOG_WEIGHT,
    Role.WEIGHT,
    Role.LOGITS,
    Role.LOGITS_REF,
    Role.LOGITS_OLD,
)
"""Roles through which a gradient may flow; the others are constants of a run."""

LETTER: Final = "number "
"""What stands before the path of a number that is traced as a letter, among the names of arrays."""
PASSED: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Raised(Exception):
    """The function raised; the message says what and where.

    Attributes:
        lines: how far it came: the line in each of its frames, from the outermost.
    """

    def __init__(self, message: str, lines: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.lines = lines


@dataclass(frozen=True)
class Assumed:
    """What is taken for something that the function reads and nobody gave.

    Attributes:
        value: it.
        why: where such values are from, for a note; empty where the output cannot depend on it, such as on a log.
        is_needed: whether nothing is said before it is given: it only lets the function run on to what else is missing.
    """

    value: Any
    why: str = ""
    is_needed: bool = False


@dataclass(frozen=True)
class Subject:
    """A target with a configuration.

    Attributes:
        target: the function.
        paths: where each array goes: a parameter, or a path through a stand-in such as ``inputs.ref_logps``.
        settings: values of the other parameters, by path.
        forms: what is made of the array at a path, where it is not handed over as it is.
        assumed: what is taken for what is not given, by path.
        results: the names that a method's results are unpacked into, by its path.
        output: which of several outputs is meant, by index or key; the first floating one if ``None``.
        mask_type: what the mask is made of.
        per_sequence: whether there is one advantage for each sequence rather than for each token.
        wide: whether log-probabilities beside logits and actions are those of the whole vocabulary as well.
        is_settled: whether all arrays that it reads are found.
        letters: the letter that a trace has for a number that is assumed, by its path.
        is_alone: whether it asks other processes, and is told that there are none.
    """

    target: Target
    paths: Mapping[str, Role]
    settings: Mapping[str, Any] = field(default_factory=dict)
    forms: Mapping[str, tuple[Form, ...]] = field(default_factory=dict)
    assumed: Mapping[str, Assumed] = field(default_factory=dict)
    results: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    output: str | None = None
    mask_type: str = "float"
    per_sequence: bool = False
    wide: bool = False
    is_settled: bool = False
    letters: Mapping[str, Symbol] = field(default_factory=dict)
    is_alone: bool = False

    @property
    def roles(self) -> frozenset[Role]:
        """The roles the function has arguments for."""
        return frozenset(self.paths.values())

    @property
    def traced(self) -> tuple[Role, ...]:
        """Those of them whose entries are variables, in order."""
        return tuple(r for r in TRACED if r in self.roles)

    @property
    def is_over_vocabulary(self) -> bool:
        """Whether it takes logits."""
        return any(r.is_over_vocabulary for r in self.roles)

    @property
    def gathers(self) -> bool:
        """Whether it takes logits together with the actions that were sampled."""
        return self.is_over_vocabulary and Role.ACTIONS in self.roles

    def formed(self, form: Form, paths: Iterable[str]) -> "Subject":
        """The same function with one form more for the arrays at these paths."""
        return replace(self, forms={**self.forms, **{p: (*self.forms.get(p, ()), form) for p in paths}})

    # --- calling ----------------------------------------------------------------------------------------------------
    def __call__(self, **arrays: Any) -> Any:
        """The output of the function on arrays of its framework, keyed by role. Raises what the function raises."""

        def made(path: str) -> Any:
            role, forms = self.paths[path], self.forms.get(path, ())
            array = arrays[role]
            if Form.SEQUENCE in forms and Role.MASK in arrays:
                array = array * arrays[Role.MASK]
            return handed(array, forms, self.target.framework, role.is_over_vocabulary)

        numbers = {name.removeprefix(LETTER): x for name, x in arrays.items() if name.startswith(LETTER)}
        settings = {**{path: a.value for path, a in self.assumed.items()}, **self.settings, **numbers}
        values = Values(self.paths, settings, made, self.results, self.is_settled)
        args, kwargs = self._arguments(values)
        with standing_in_for(self.target.absent), alone() if self.is_alone else contextlib.nullcontext():
            return self._per_token(self._chosen(awaited(self.target.function(*args, **kwargs))), arrays)

    def _arguments(self, values: Values) -> tuple[list[Any], dict[str, Any]]:
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        for i, (name, parameter) in enumerate(self.target.signature.parameters.items()):
            if i == 0 and self.target.owner is not None:
                positional.append(instance(values, self.target.owner, name))
                continue
            if parameter.kind in PASSED:
                continue
            if values.knows(name):
                value = values.read(name)
            elif parameter.default is not parameter.empty:
                continue
            else:
                value = StandIn(name, values)
            if parameter.kind is parameter.POSITIONAL_ONLY or not self.target.takes_keywords:
                positional.append(value)
            else:
                keywords[name] = value
        if self._takes_keywords:
            known = self.target.signature.parameters
            named = (n for n in (*values.settings, *self.paths) if n not in known and "." not in n)
            keywords |= {n: values.read(n) for n in named}
        return positional, keywords

    @property
    def _takes_keywords(self) -> bool:
        return any(p.kind is p.VAR_KEYWORD for p in self.target.signature.parameters.values())

    def _per_token(self, result: Any, arrays: Mapping[str, Any]) -> Any:
        """A result of shape (…, 1), or with all tokens in one row, in the shape of the tokens."""
        first = result[0] if isinstance(result, (list, tuple)) and result else result
        shape, role = tuple(getattr(first, "shape", ())), next((r for r in self.traced if r in arrays), None)
        if role is None or not shape:
            return result
        wide = role.is_over_vocabulary or (self.is_over_vocabulary and not self._is_of_action(role))
        tokens = tuple(arrays[role].shape)[: -1 if wide else None]
        if len(tokens) > 1 and shape == (math.prod(tokens),):
            return first.reshape(tokens)
        return first[..., 0] if shape == (*tokens, 1) else result

    def _chosen(self, result: Any) -> Any:
        """The output that is meant, without an axis of one entry behind those of the tokens."""
        if self.output is not None:
            key: Any = int(self.output) if self.output.lstrip("-").isdigit() else self.output
            return result[key] if not hasattr(result, str(key)) else getattr(result, str(key))
        if is_dataclass(result) and not isinstance(result, Mapping):
            result = tuple(getattr(result, f.name) for f in fields(result))  # the outputs in their order
        if self.target.framework == "jax":
            import jax

            leaves = [x for x in _leaves(result) if isinstance(x, jax.Array)]
            floating = [x for x in leaves if jax.numpy.issubdtype(x.dtype, jax.numpy.floating)]
            return floating[0] if floating else result
        return result

    # --- what the tracers do ----------------------------------------------------------------------------------------
    @property
    def tracer(self) -> Tracer:
        """The tracer of its framework."""
        return self.target.tracer()

    def trace(self, arrays: Arrays, exprs: Mapping[Role, Any]) -> Trace:
        """The trace on arrays whose entries are these expressions; advantages too. Raises CannotTrace, Raised."""
        inputs = {
            r.value: Input(self._shaped(r, arrays[r], arrays), self._shaped(r, exprs[r], arrays), r in TRACED)
            for r in exprs
        }
        for path, letter in self.letters.items():
            value = np.array(self.assumed[path].value, dtype=np.float64)
            inputs[f"{LETTER}{path}"] = Input(value, np.array(letter, dtype=object), False)
        with guarded():
            constants = self.constants(arrays, "float64")
            return self.tracer.trace(self, inputs, {k: v for k, v in constants.items() if k not in inputs})

    def run(self, arrays: Arrays, dtype: str = "float64") -> tuple[Floats, dict[Role, Floats]]:
        """The output, and the derivative of its sum by each variable array. Raises Raised, CannotTrace."""
        variables = {r.value: self._shaped(r, arrays[r], arrays) for r in self.traced}
        with guarded():
            value, slopes = self.tracer.gradient(self, variables, self.constants(arrays, dtype), dtype)
        return value, {Role(r): self._spread(Role(r), slope, arrays) for r, slope in slopes.items()}

    def variables(self, arrays: Arrays, dtype: str) -> dict[str, Any]:
        """The arguments that gradients may flow through, as arrays of the framework."""
        return {r.value: self.array(self._shaped(r, arrays[r], arrays), dtype) for r in self.traced}

    def constants(self, arrays: Arrays, dtype: str) -> dict[str, Any]:
        """The arguments that no gradient flows through, as arrays of the framework."""
        kinds = {
            Role.ACTIONS: "int",
            Role.IDS: "int",
            Role.MASK: self.mask_type,
            Role.ADVANTAGE: "float",
            Role.VALUE: "float",
            Role.WEIGHT_SAMPLER: "float",
        }
        types = {"int": "int64", "bool": "bool", "float": dtype}
        found = {
            r.value: self.array(self._shaped(r, arrays[r], arrays), types[kinds[r]]) for r in self.roles if r in kinds
        }
        if Role.GROUP in self.roles:  # one index a response, hashable, as where a dict groups by it
            found[Role.GROUP.value] = np.zeros(arrays[Role.GROUP].shape[:1], dtype=np.int64)
        return found

    def _shaped(self, role: Role, values: Any, arrays: Arrays) -> Any:
        """An array in the shape that the function takes: of the sampled action, or one advantage a response."""
        if role is Role.ADVANTAGE:
            return values[:, 0] if self.per_sequence and values.ndim == 2 else values
        if self._is_of_action(role):
            return np.take_along_axis(values, _indices(arrays), axis=-1)[..., 0]
        return values

    def _is_of_action(self, role: Role) -> bool:
        return self.gathers and not self.wide and role in TRACED and not role.is_over_vocabulary

    def _spread(self, role: Role, slope: Floats, arrays: Arrays) -> Floats:
        """A derivative by what was sampled, as one by all actions."""
        if not self._is_of_action(role):
            return slope
        out = np.zeros(arrays[role].shape)
        np.put_along_axis(out, _indices(arrays), slope[..., None], axis=-1)
        return out

    def array(self, values: Floats, dtype: str) -> Any:
        """An array of the framework."""
        if self.target.formula is not None:
            return np.asarray(values, dtype=np.float64)
        if self.target.framework == "torch":
            import torch

            return torch.tensor(np.asarray(values), dtype=getattr(torch, dtype))
        import jax

        with x64(dtype == "float64"):
            return jax.numpy.asarray(values, "int32" if dtype == "int64" else dtype)


def _indices(arrays: Arrays) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The actions, to look up with; at a label that is left out any will do."""
    last = arrays[Role.LOGITS].shape[-1] - 1
    return np.clip(arrays[Role.ACTIONS], 0, last).astype(np.int64)[..., None]


def awaited(result: Any) -> Any:
    """What a coroutine comes to; anything else as it is."""
    if not inspect.iscoroutine(result):
        return result
    import asyncio

    return asyncio.run(result)


def _leaves(result: Any) -> Iterator[Any]:
    """What a result holds, in the order in which it was written; other trees as JAX knows them."""
    import jax

    if isinstance(result, Mapping):
        result = list(result.values())
    if isinstance(result, (list, tuple)):
        for part in result:
            yield from _leaves(part)
    else:
        yield from jax.tree_util.tree_leaves(result)


@contextmanager
def guarded() -> Iterator[io.StringIO]:
    """What the function prints or warns is kept apart; what it raises becomes Raised."""
    printed = io.StringIO()
    try:
        with (
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
            warnings.catch_warnings(),
            np.errstate(all="ignore"),
        ):
            warnings.simplefilter("ignore")
            yield printed
    except (CannotTrace, CannotRun):
        raise
    except Exception as e:
        raise Raised(_description(e), tuple(f.lineno or 0 for f in _frames(e))) from e
    except SystemExit as e:
        raise Raised(f"SystemExit: it ends the process (code {e.code})") from e


def _description(error: BaseException) -> str:
    message = " ".join(str(error).split())[:300]
    theirs = _frames(error)
    where = f" ({theirs[-1].filename.rpartition('/')[2]}:{theirs[-1].lineno})" if theirs else ""
    return f"{type(error).__name__}: {message}{where}"


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The frames that are not ours."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f for f in frames if not f.filename.startswith((_OURS, contextlib.__file__))]


_OURS: Final = str(Path(__file__).parent.parent)
