"""Shadows: expressions that lie beside *storages*, with the strides of the tensors.

What shares memory shares expressions, so views, and writes through views, need no rule. Whether a gradient flows is
read off the real tensor: where ``requires_grad`` is false, be it by ``detach``, ``no_grad`` or otherwise, the
expression is held: ``sg(.)``.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sympy import nan, sympify

from kltheory.calculus.symbols import sg
from kltheory.tracing.conditions import truth
from kltheory.tracing.entries import (
    MAX_SIZE,
    TOO_LARGE,
    NoExpression,
    Unknown,
    held,
    is_constant,
    is_live,
    number,
    size,
)
from kltheory.tracing.pytorch.constants import constant, rounded_to
from kltheory.tracing.pytorch.tensors import Tensor, is_opaque, torch_module
from kltheory.tracing.pytorch.watch import site
from kltheory.tracing.trace import Exprs


@dataclass(eq=False)
class Shadow:
    """The expressions beside a storage, one for each of its elements. The storage is kept: its address is the key."""

    storage: Any
    entries: Exprs
    dtype: Any  # the coarsest floating type on the way to these entries


@dataclass
class Shadows:
    """All shadows of one trace."""

    of_storage: dict[int, Shadow] = field(default_factory=dict)

    def of(self, t: Tensor) -> Shadow:
        """The expressions beside the storage of ``t``: its numbers, as long as there are no others."""
        storage = t.untyped_storage()
        if storage._cdata not in self.of_storage:
            n = storage.nbytes() // t.element_size()
            entries = _constants(t.detach().as_strided((n,), (1,), 0))
            self.of_storage[storage._cdata] = Shadow(storage, entries, t.dtype)
        return self.of_storage[storage._cdata]

    def has(self, t: Tensor) -> bool:
        """Whether there are expressions beside ``t``."""
        try:
            return t.untyped_storage()._cdata in self.of_storage
        except (NotImplementedError, RuntimeError):  # sparse tensors; the wrappers of torch.func, around plain ones
            return False

    def raw(self, t: Tensor) -> Exprs:
        """What lies beside the elements of ``t``, to read and to write."""
        entries = self.of(t).entries
        if len(entries) != t.untyped_storage().nbytes() // t.element_size():
            raise NoExpression("the memory of a tensor is read as another type")
        strides = [8 * s for s in t.stride()]
        return np.lib.stride_tricks.as_strided(entries[t.storage_offset() :], t.shape, strides)

    def read(self, t: Tensor) -> Exprs:
        """The expressions of ``t``, held where no gradient flows."""
        if not self.has(t):
            return _constants(t.detach().reshape(-1)).reshape(t.shape)
        raw = self.raw(t)
        if t.requires_grad or not t.is_floating_point():
            return raw
        return np.asarray(np.frompyfunc(held, 1, 1)(raw), dtype=object)

    def depends(self, t: Tensor) -> bool:
        """Whether the numbers in ``t`` depend on the inputs."""
        return is_opaque(t) or (self.has(t) and not is_constant(self.raw(t)))

    def coarsest(self, tensors: Iterable[Tensor], own: Any) -> Any:
        """The coarsest floating type on the way to these tensors, and of this one."""
        types = [self.of(t).dtype if self.has(t) else rounded_to(t) for t in tensors]
        return max([own, *types], key=lambda d: torch_module().finfo(d).eps if d.is_floating_point else 0)

    def write(self, t: Tensor, exprs: Exprs | str, recorded: bool, fresh: bool) -> None:
        """Put expressions, or the reason why there are none, beside ``t``, whose numbers are there already.

        Without a recorded gradient, what is written over something live changes its value, and not its gradient.
        """
        if fresh:
            storage = t.untyped_storage()
            empty = np.full(storage.nbytes() // t.element_size(), nan, dtype=object)
            self.of_storage[storage._cdata] = Shadow(storage, empty, t.dtype)
        raw, true = self.raw(t), t.detach()
        new = np.broadcast_to(np.asarray("" if isinstance(exprs, str) else exprs, dtype=object), t.shape)
        for i in np.ndindex(raw.shape):
            try:
                if isinstance(exprs, str):
                    raise NoExpression(exprs)
                e = _typed(new[i], t.dtype, true[i])
            except NoExpression as reason:
                e = _unknown(str(reason), t.dtype)
            old: Any = raw[i]
            if t.is_floating_point() and not recorded:
                e = held(e) if fresh or not is_live(old) else old + sg(e - old)
            raw[i] = e


def _constants(t: Tensor) -> Exprs:
    entries = np.empty(t.numel(), dtype=object)
    entries[:] = [constant(x, t.dtype) for x in t.tolist()]
    return entries


def _typed(e: Any, dtype: Any, true: Tensor) -> Any:
    """An entry as one of this type; a constant that is no real number to SymPy is what PyTorch says it is."""
    e = sympify(e)
    if size(e) > MAX_SIZE:
        raise NoExpression(TOO_LARGE)
    if dtype == torch_module().bool:
        return truth(e)
    e = number(e)
    whole = not dtype.is_floating_point
    if e.is_number and (e.is_extended_real is not True or (whole and e.is_integer is not True)):
        return constant(true.item(), dtype)
    if whole and e.is_integer is not True:
        raise NoExpression("a conversion to integers")
    return e


def _unknown(reason: str, dtype: Any) -> Any:
    found = Unknown(f"{reason} ({site()})", real=True, integer=None if dtype.is_floating_point else True)
    return found > 0 if dtype == torch_module().bool else found
