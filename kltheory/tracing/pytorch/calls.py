"""Calls of PyTorch that take numbers out of tensors, or gradients in: they are not left to the kernels."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from kltheory.tracing.pytorch.constants import constant
from kltheory.tracing.pytorch.modes import Handler
from kltheory.tracing.pytorch.number import Number, unwrapped
from kltheory.tracing.pytorch.shadows import Shadows
from kltheory.tracing.pytorch.tensors import Tensor, instances, tensors_in, torch_module
from kltheory.tracing.pytorch.watch import Watch, site
from kltheory.tracing.trace import Exprs


@dataclass
class Calls:
    """Sees calls of PyTorch, as a function of one of them."""

    watch: Watch
    shadows: Shadows

    def __call__(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """One call: guarded if it takes something that depends on the inputs."""
        if self.watch.silent:
            return func(*args, **kwargs)
        handle = self._guarded.get(func)
        with self.watch.refusing():
            taken = tensors_in(unwrapped([*args, *kwargs.values()]))
            guarded = handle is not None and any(map(self.shadows.depends, taken))
        if handle is not None and guarded:
            return handle(func, args, kwargs)
        return func(*unwrapped(args), **{k: unwrapped(v) for k, v in kwargs.items()})

    @cached_property
    def _guarded(self) -> Mapping[Any, Handler]:
        torch, t = torch_module(), torch_module().Tensor
        branches = (t.__bool__, t.__int__, t.__float__, t.__index__, t.__complex__)
        exits = (t.numpy, t.__array__, t.__dlpack__, t.__reduce_ex__, t.data_ptr, t.storage, t.untyped_storage)
        return {
            **dict.fromkeys(branches, self._refuse("a Python branch or number depends on the inputs")),
            **dict.fromkeys(exits, self._refuse("a tensor leaves PyTorch")),
            **dict.fromkeys((t.register_hook,), self._refuse("a hook may change the gradient")),
            **dict.fromkeys((t.__repr__, t.__format__), self._looked_at),
            **dict.fromkeys((t.requires_grad_, t.requires_grad.__set__), self._restart),
            **dict.fromkeys((torch.tensor, torch.as_tensor, torch.asarray), self._construct),
            t.__deepcopy__: lambda func, args, kwargs: args[0].detach().clone(),
            t.item: self._item,
            t.tolist: self._list,
        }

    def _refuse(self, reason: str) -> Handler:
        def handle(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            raise self.watch.refusal(f"{reason}: {getattr(func, '__name__', func)}")

        return handle

    def _looked_at(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with self.watch.silence():
            return func(*args, **kwargs)

    def _restart(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not args[0].requires_grad and all([*args[1:], *kwargs.values()]):
            raise self.watch.refusal("a new graph is started inside the function: requires_grad_")
        return func(*args, **kwargs)

    def _item(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args[0].numel() != 1:
            return func(*args, **kwargs)
        return self._number(args[0].reshape(()))

    def _list(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        def nested(t: Tensor) -> Any:
            return [nested(row) for row in t.unbind()] if t.dim() else self._number(t)

        return nested(args[0])

    def _number(self, t: Tensor) -> Number:
        self.watch.taken = self.watch.taken or site()
        t = t.detach()
        return Number(t if t.dtype == torch_module().bool else t.double(), self.watch)

    def _construct(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """``torch.tensor([a, b.item()])``: a copy, without a gradient."""
        data = args[0] if args else kwargs.get("data")
        if isinstance(data, torch_module().Tensor):
            return func(*args, **kwargs)

        def entries(value: Any) -> Exprs:
            if isinstance(value, (tuple, list)):
                return np.stack([entries(v) for v in value])
            value = unwrapped(value)
            if isinstance(value, torch_module().Tensor):
                return np.asarray(self.shadows.read(value.detach()), dtype=object)
            return np.asarray(constant(value, None), dtype=object)

        def plain(value: Any) -> Any:
            if isinstance(value, (tuple, list)):
                return [plain(v) for v in value]
            if isinstance(value, Number):
                return value.tensor.item()
            return value.detach() if isinstance(value, torch_module().Tensor) else value

        with self.watch.silence():
            result = func(*plain(args), **{k: plain(v) for k, v in kwargs.items()})
            self.shadows.write(result, entries(data), recorded=False, fresh=True)
            numbers = [n.tensor for n in instances(Number, data)]
            self.shadows.of(result).dtype = self.shadows.coarsest([*tensors_in(data), *numbers], result.dtype)
        return result
