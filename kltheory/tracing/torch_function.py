"""PyTorch: the real function runs, unchanged, on real tensors, and every operation is repeated on expressions.

Two of PyTorch's own interception points are used together. ``__torch_dispatch__`` sees each ATen operation, whatever its
spelling, and has an entry in :mod:`kltheory.tracing.torch_operations`; ``__torch_function__`` sees the calls that take
numbers out of tensors. Expressions lie beside *storages*, with the same strides: what shares memory shares expressions,
so views and writes through views need no rule. Whether a gradient flows is not modelled either, but read off the real
tensor: where ``requires_grad`` is false the expression is held, ``sg(.)``, be it by ``detach``, ``no_grad`` or else.

What has no expression becomes an :class:`Unknown` entry; a trace is refused if its output depends on one. So numbers
that are only logged do no harm. ``torch`` is imported on first use.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from linecache import getline
from typing import Any, Final

import numpy as np
from sympy import Basic, Expr, Integer, Rational, S

from kltheory.tracing.torch_operations import (
    DATA,
    MOVES,
    ON_TRUTHS,
    OPERATIONS,
    SHAPES,
    NoExpression,
    Unknown,
    held,
    is_constant,
    is_live,
    number,
    truth,
    unknowns,
)
from kltheory.tracing.trace import CannotTrace, Exprs, Floats, Input, Trace

Tensor = Any
"""``torch.Tensor``, which is not imported."""


class TorchTracer:
    """Traces, and runs, functions of PyTorch tensors, on the CPU and eagerly (``torch.compile`` is switched off).

    The output is the first floating tensor of what the function returns: of a tuple, a list or the values of a dict.
    """

    def trace(self, fn: Callable[..., Any], inputs: Mapping[str, Input], config: Mapping[str, Any]) -> Trace:
        """The trace of ``fn(**inputs, **config)``. Raises CannotTrace, and whatever the function raises."""
        recorder = Recorder(_torch())
        arguments = {name: recorder.introduce(given) for name, given in inputs.items()}
        with recorder.listening(), _plainly(arguments.values()):
            try:
                result = fn(**arguments, **config)
            except Exception as e:
                raise recorder.explained(e) from e
        return recorder.conclude(result)

    def gradient(
        self, fn: Callable[..., Any], arrays: Mapping[str, Floats], config: Mapping[str, Any], dtype: str
    ) -> tuple[Floats, dict[str, Floats]]:
        """The output at ``arrays`` cast to ``dtype``, and the derivative of its sum by each array, from autograd.

        Zero for an array that the output does not depend on, and for all of them if it does not require a gradient.
        """
        torch = _torch()
        leaves = {name: _leaf(values, getattr(torch, dtype)) for name, values in arrays.items()}
        arguments = {name: leaf.clone() for name, leaf in leaves.items()}
        with _plainly(arguments.values()):
            output = first_floating(fn(**arguments, **config))
        gradients: tuple[Tensor | None, ...] = (None,) * len(leaves)
        if output.requires_grad and leaves:
            gradients = torch.autograd.grad(output, [*leaves.values()], torch.ones_like(output), allow_unused=True)
        return _floats(output), {
            name: np.zeros(leaf.shape) if g is None else _floats(g)
            for (name, leaf), g in zip(leaves.items(), gradients, strict=True)
        }


def _torch() -> Any:
    import torch

    return torch


def _leaf(values: Floats, dtype: Any) -> Tensor:
    return _torch().tensor(np.asarray(values), dtype=dtype, requires_grad=True)


def _floats(t: Tensor) -> Floats:
    return np.asarray(t.detach().double().cpu().numpy())


def first_floating(result: Any) -> Tensor:
    """The first floating tensor of a result. Raises CannotTrace when there is none."""
    found = next((t for t in _tensors(result) if t.is_floating_point()), None)
    if found is None:
        raise CannotTrace(f"the function returned {_description(result)}, and no tensor of floating type")
    return found


def _description(result: Any) -> str:
    tensors = list(_tensors(result))
    return f"a tensor of {tensors[0].dtype}" if tensors else f"an object of type {type(result).__name__}"


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in nested tuples, lists and dicts, in order."""
    if isinstance(value, _torch().Tensor):
        yield value
    elif isinstance(value, Number):
        yield value.tensor
    elif isinstance(value, (tuple, list)):
        for v in value:
            yield from _tensors(v)
    elif isinstance(value, Mapping):
        yield from _tensors([*value.values()])


@contextmanager
def _plainly(arguments: Any) -> Iterator[None]:
    """Arguments behave as data that a caller made, and nothing is compiled.

    They are not leaves, so that they may be edited in place; for ``requires_grad_(False)`` they pass for leaves.
    """
    torch, given = _torch(), {id(t) for t in arguments}
    from torch.overrides import TorchFunctionMode

    class Leaves(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func in (torch.Tensor.requires_grad_, torch.Tensor.requires_grad.__set__) and id(args[0]) in given:
                t, wanted = args[0], all(args[1:]) and all((kwargs or {}).values())
                return t if wanted or not t.requires_grad else t.detach_()
            return func(*args, **(kwargs or {}))

    with ExitStack() as stack:
        stack.enter_context(torch.enable_grad())
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.enter_context(Leaves())
        yield


# --- numbers taken out of tensors -------------------------------------------------------------------------------------
class Number:
    """What ``item()`` gives while tracing: arithmetic goes on in expressions, a branch on it is refused."""

    def __init__(self, tensor: Tensor, recorder: "Recorder") -> None:
        self.tensor = tensor
        self.recorder = recorder

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return NotImplemented  # the recorder comes first; having this makes PyTorch accept a Number as an argument

    def _with(self, operation: Callable[..., Any], *others: Any) -> Any:
        if not all(isinstance(x, (Number, int, float, _torch().Tensor)) for x in others):
            return NotImplemented
        result = operation(self.tensor, *(x.tensor if isinstance(x, Number) else x for x in others))
        return result if any(isinstance(x, _torch().Tensor) for x in others) else Number(result, self.recorder)

    def _refuse(self, *_: Any) -> Any:
        raise self.recorder.refusal("a Python number or branch depends on the inputs")

    __bool__ = __int__ = __float__ = __index__ = __complex__ = __round__ = _refuse
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return repr(self.tensor.item())

    def __format__(self, spec: str) -> str:
        return format(self.recorder.silently(self.tensor.item), spec)


def _delegated(name: str) -> Callable[..., Any]:
    def method(self: Number, *others: Any) -> Any:
        return self._with(getattr(_torch().Tensor, name), *others)

    return method


for _name in "add sub mul truediv pow".split():
    setattr(Number, f"__{_name}__", _delegated(f"__{_name}__"))
    setattr(Number, f"__r{_name}__", _delegated(f"__r{_name}__"))
for _name in "neg abs pos lt le gt ge eq ne".split():
    setattr(Number, f"__{_name}__", _delegated(f"__{_name}__"))
