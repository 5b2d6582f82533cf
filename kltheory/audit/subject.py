"""The subject of an audit: one function in one configuration, called on arrays that are named by their roles."""

import contextlib
import inspect
import io
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from kltheory.audit.roles import Role
from kltheory.audit.stand_in import StandIn, Values
from kltheory.audit.target import CannotRun, Target
from kltheory.tracing.trace import CannotTrace, Floats, Input, Trace, Tracer

Arrays = Mapping[Role, Floats]
"""Role to float64 array."""

TRACED: Final = (
    Role.LOGP,
    Role.LOGP_REF,
    Role.LOGP_OLD,
    Role.LOG_RATIO,
    Role.LOG_WEIGHT,
    Role.WEIGHT,
    Role.LOGITS,
    Role.LOGITS_REF,
    Role.LOGITS_OLD,
)
"""Roles through which a gradient may flow; the others are constants of a run."""

PASSED: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Raised(Exception):
    """The function raised; the message says what and where."""


@dataclass(frozen=True)
class Subject:
    """A target with a configuration.

    Attributes:
        target: the function.
        paths: where each array goes: a parameter, or a path through a stand-in such as ``inputs.ref_logps``.
        settings: values of the other parameters, by path.
        omitted: optional parameters that are left at their default although their name has a role.
        output: which of several outputs is meant, by index or key; the first floating one if ``None``.
        mask_type: what the mask is made of.
        per_sequence: whether there is one advantage for each sequence rather than for each token.
        wide: whether log-probabilities beside logits and actions are those of the whole vocabulary as well.
        labels_mask: whether the actions only say which tokens count.
    """

    target: Target
    paths: Mapping[str, Role]
    settings: Mapping[str, Any] = field(default_factory=dict)
    output: str | None = None
    mask_type: str = "float"
    per_sequence: bool = False
    wide: bool = False
    labels_mask: bool = False

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
        return self.is_over_vocabulary and Role.ACTIONS in self.roles and not self.labels_mask

    def with_settings(self, **settings: Any) -> "Subject":
        """The same function with some settings changed."""
        return replace(self, settings={**self.settings, **settings})

    # --- calling ----------------------------------------------------------------------------------------------------
    def __call__(self, **arrays: Any) -> Any:
        """The output of the function on arrays of its framework, keyed by role. Raises what the function raises."""
        values = Values(arrays, self.paths, self.settings)
        args, kwargs = self._arguments(values)
        return self._chosen(self.target.function(*args, **kwargs))

    def _arguments(self, values: Values) -> tuple[list[Any], dict[str, Any]]:
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        for i, (name, parameter) in enumerate(self.target.signature.parameters.items()):
            if i == 0 and self.target.owner is not None:
                positional.append(values.instance(self.target.owner, name))
                continue
            if parameter.kind in PASSED:
                continue
            dotted = any(p.startswith(name + ".") for p in (*self.paths, *self.settings))
            if name in self.settings or name in self.paths or dotted:
                value = values.read(name)
            elif parameter.default is not parameter.empty:
                continue
            else:
                value = StandIn(name, values)
            if parameter.kind is parameter.POSITIONAL_ONLY:
                positional.append(value)
            else:
                keywords[name] = value
        if self._takes_keywords:
            known = self.target.signature.parameters
            named = (n for n in (*self.settings, *self.paths) if n not in known and "." not in n)
            keywords |= {n: values.read(n) for n in named}
        return positional, keywords

    @property
    def _takes_keywords(self) -> bool:
        return any(p.kind is p.VAR_KEYWORD for p in self.target.signature.parameters.values())

    def _chosen(self, result: Any) -> Any:
        if self.output is not None:
            key: Any = int(self.output) if self.output.lstrip("-").isdigit() else self.output
            return result[key] if not hasattr(result, str(key)) else getattr(result, str(key))
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
        kinds = {Role.ACTIONS: "int", Role.MASK: self.mask_type, Role.ADVANTAGE: "float"}
        return {
            r.value: self.array(
                self._shaped(r, arrays[r], arrays), {"int": "int64", "bool": "bool", "float": dtype}[kinds[r]]
            )
            for r in self.roles
            if r in kinds
        }

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

        with jax.enable_x64(dtype == "float64"):
            return jax.numpy.asarray(values, "int32" if dtype == "int64" else dtype)


def _indices(arrays: Arrays) -> np.ndarray[Any, np.dtype[np.int64]]:
    return arrays[Role.ACTIONS].astype(np.int64)[..., None]


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
        raise Raised(_description(e)) from e
    except SystemExit as e:
        raise Raised(f"SystemExit: it ends the process (code {e.code})") from e


def _description(error: BaseException) -> str:
    message = " ".join(str(error).split())[:300]
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [f for f in frames if "kltheory" not in f.filename and "contextlib" not in f.filename]
    where = f" ({theirs[-1].filename.rpartition('/')[2]}:{theirs[-1].lineno})" if theirs else ""
    return f"{type(error).__name__}: {message}{where}"
