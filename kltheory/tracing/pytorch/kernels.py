"""Kernels: each ATen operation is done on numbers, by PyTorch, and repeated on expressions, by the table.

What has no expression becomes an Unknown, and a trace is refused if its output depends on one: numbers that are only
logged do no harm.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from kltheory.tracing.conditions import COMPARISONS, value
from kltheory.tracing.entries import NoExpression, is_live, symbols_of
from kltheory.tracing.pytorch.constants import exact
from kltheory.tracing.pytorch.modes import dispatch_mode
from kltheory.tracing.pytorch.moves import MOVES, moved
from kltheory.tracing.pytorch.shadows import Shadows
from kltheory.tracing.pytorch.table import ON_TRUTHS, OPERATIONS
from kltheory.tracing.pytorch.tensors import Tensor, is_opaque, opaque_reason, tensors_in, torch_module
from kltheory.tracing.pytorch.watch import Watch

_SHAPES: Final = frozenset(
    {
        *("empty_like", "empty_strided", "full_like", "ones_like", "zeros_like"),
        *("new_empty", "new_empty_strided", "new_full", "new_ones", "new_zeros"),
    }
)
"""Operations that look at shapes only: their results are constants."""


@dataclass
class Kernels:
    """Sees ATen operations: as a context, and as a function of one of them."""

    watch: Watch
    shadows: Shadows

    def __post_init__(self) -> None:
        self.mode = dispatch_mode(self)

    def __call__(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """One operation: on numbers, and on expressions."""
        if self.watch.silent:
            return func(*args, **kwargs)
        with self.watch.silence(), self.watch.refusing():
            tensors = list(tensors_in([args, kwargs]))
            random = torch_module().Tag.nondeterministic_seeded in func.tags
            if random or any(self.shadows.has(t) or is_opaque(t) for t in tensors):
                return self._repeated(func, args, kwargs, tensors, random)
            return func(*args, **kwargs)

    def _repeated(self, func: Any, args: Any, kwargs: Any, tensors: list[Tensor], random: bool) -> Any:
        torch, shadows = torch_module(), self.shadows
        name = func._schema.name.removeprefix("aten::")
        base = name.removesuffix("_") if func._schema.is_mutable else name
        if base not in OPERATIONS and _is_composite(func):
            self.watch.silent = False
            with self.mode:
                return func.decompose(*args, **kwargs)
        for t in filter(is_opaque, tensors):
            if base != "detach" or not shadows.has(t):
                shadows.of(t)
                shadows.write(t, opaque_reason(t), recorded=True, fresh=False)
        views = func.is_view or torch.Tag.inplace_view in func.tags or base in ("detach", "_unsafe_view")
        if views or (name in _SHAPES and not random):
            return func(*args, **kwargs)
        try:
            exprs = "a random operation" if random else self._expressions(func, base, args, kwargs)
        except (NoExpression, TypeError, ValueError, RecursionError) as why:
            exprs = f"{name} has no expression here: {why}"
            if torch.Tag.dynamic_output_shape in func.tags:
                raise self.watch.refusal(f"{name} gives a shape that depends on the inputs") from None
        recorded = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
        written = _written(func, args, kwargs)
        for t in written:
            shadows.of(t)
            if recorded and not t.requires_grad and any(map(is_live, shadows.raw(t).flat)):
                raise self.watch.refusal(f"{name} changes a detached tensor in place, and another tensor with it")
        depends = any(map(shadows.depends, tensors))
        result = func(*args, **kwargs)
        outputs = result if isinstance(result, (tuple, list)) else [result]
        if not written and depends and not any(isinstance(t, torch.Tensor) for t in outputs):
            raise self.watch.refusal(f"{name} takes a number that depends on the inputs out of a tensor")
        several = isinstance(exprs, tuple)
        for i, t in enumerate(written or outputs):
            e = exprs if isinstance(exprs, str) else exprs[i] if several else None if i else exprs
            if isinstance(t, torch.Tensor) and (depends or random or not isinstance(e, str)):
                reason = f"{name} has no expression for its output {i + 1}"
                shadows.write(t, reason if e is None else e, recorded, fresh=not written)
                shadows.of(t).dtype = shadows.coarsest(tensors, t.dtype)
        return result

    def _expressions(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        """What the table makes of the arguments. Raises NoExpression."""
        kwargs = {k: v for k, v in kwargs.items() if k != "out"}
        tensors = list(tensors_in([args, kwargs]))
        if name in MOVES:
            try:
                return moved(func, args, kwargs, self.shadows)
            except NoExpression:
                if name not in OPERATIONS:
                    raise
        if all(t.dtype == torch_module().bool for t in tensors):
            name = ON_TRUTHS.get(name, name)
        if name not in OPERATIONS:
            raise NoExpression("it is not in the table")
        if name in COMPARISONS:
            self._compared(tensors)
        return OPERATIONS[name](*map(self._argument, args), **{k: self._argument(v) for k, v in kwargs.items()})

    def _compared(self, tensors: list[Tensor]) -> None:
        """Of two roundings of one number, e.g. ``x.float() < x``, chance decides which is greater."""
        types = {self.shadows.coarsest([t], t.dtype) for t in tensors}
        if len({t.data_ptr() for t in tensors}) > 1 and any(d.is_floating_point and d.itemsize < 8 for d in types):
            a, b = (np.frompyfunc(value, 1, 1)(self.shadows.read(t)) for t in tensors)
            if any(x == y and symbols_of(x) for x, y in np.broadcast(a, b)):
                raise NoExpression("two roundings of one number are compared")

    def _argument(self, given: Any) -> Any:
        if isinstance(given, torch_module().Tensor):
            return self.shadows.read(given)
        if isinstance(given, float):
            return exact(given)
        return [self._argument(v) for v in given] if isinstance(given, (tuple, list)) else given


def _is_composite(func: Any) -> bool:
    return bool(func.has_kernel_for_dispatch_key(torch_module()._C.DispatchKey.CompositeImplicitAutograd))


def _written(func: Any, args: Any, kwargs: Any) -> list[Tensor]:
    """The arguments that an in-place operation writes to."""
    named = zip(func._schema.arguments, args, strict=False)
    pairs = [*named, *((a, kwargs[a.name]) for a in func._schema.arguments if a.name in kwargs)]
    return [t for a, v in pairs if a.alias_info is not None and a.alias_info.is_write for t in tensors_in(v)]
