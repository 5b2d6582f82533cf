"""Tensors: PyTorch on first use, and what is asked of its tensors."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from kltheory.tracing.trace import Floats

Tensor = Any
"""``torch.Tensor``: PyTorch is not imported to name it."""


def torch_module() -> Any:
    """PyTorch itself."""
    import torch

    return torch


def leaf(values: Floats, dtype: Any) -> Tensor:
    """A tensor of these numbers that gradients flow to; Booleans stay what they are."""
    values = np.asarray(values)
    if values.dtype == bool:
        return torch_module().tensor(values)
    return torch_module().tensor(values, dtype=dtype, requires_grad=True)


def floats(t: Tensor) -> Floats:
    """The numbers in a tensor."""
    return np.array(t.detach().double().cpu().numpy())


def instances(kind: type, value: Any) -> Iterator[Any]:
    """The instances of a type in nested tuples, lists and mappings, in order."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, (tuple, list)):
        for v in value:
            yield from instances(kind, v)
    elif isinstance(value, Mapping):
        yield from instances(kind, [*value.values()])


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in nested tuples, lists and mappings, in order."""
    yield from instances(torch_module().Tensor, value)


def is_opaque(t: Tensor) -> bool:
    """Whether ``t`` comes straight from a custom autograd.Function, whose gradient may be any."""
    if not t.requires_grad:
        return False
    in_python = isinstance(t.grad_fn, torch_module().autograd.function.BackwardCFunction)
    return in_python or type(t.grad_fn).__name__ == "CppFunction"  # an extension, or an optimised TorchScript graph


def opaque_reason(t: Tensor) -> str:
    """Why an opaque tensor has no expression."""
    name = t.grad_fn.name().removesuffix("Backward")
    return f"{name} is a custom autograd.Function: opaque, its gradient may be any"
