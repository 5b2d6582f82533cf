"""Numbers taken out of tensors: what ``item()`` gives while tracing."""

from typing import Any

from kltheory.tracing.pytorch.tensors import Tensor, torch_module
from kltheory.tracing.pytorch.watch import Watch


def _delegated(name: str) -> Any:
    def method(self: "Number", *others: Any) -> Any:
        kinds = (Number, int, float, torch_module().Tensor)
        if not all(isinstance(x, kinds) for x in others):
            return NotImplemented
        result = getattr(self.tensor, name)(*map(unwrapped, others))
        return result if any(isinstance(x, torch_module().Tensor) for x in others) else Number(result, self.watch)

    return method


class Number:
    """What ``item()`` gives while tracing: arithmetic goes on in expressions, a branch on it is refused."""

    def __init__(self, tensor: Tensor, watch: Watch) -> None:
        self.tensor = tensor
        self.watch = watch

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Makes PyTorch accept a Number as an argument; those who watch are asked first."""
        return NotImplemented

    def _refuse(self, *_: Any) -> Any:
        raise self.watch.refusal("a Python number that depends on the inputs is used in a branch or as a float")

    __bool__ = __int__ = __float__ = __index__ = __complex__ = __round__ = _refuse
    __hash__ = object.__hash__
    __add__, __radd__, __sub__, __rsub__ = map(_delegated, ("__add__", "__radd__", "__sub__", "__rsub__"))
    __mul__, __rmul__, __truediv__, __rtruediv__ = map(_delegated, ("__mul__", "__rmul__", "__truediv__", "__rdiv__"))
    __pow__, __rpow__, __neg__, __abs__ = map(_delegated, ("__pow__", "__rpow__", "__neg__", "__abs__"))
    __lt__, __le__, __gt__, __ge__ = map(_delegated, ("__lt__", "__le__", "__gt__", "__ge__"))
    __eq__, __ne__ = map(_delegated, ("__eq__", "__ne__"))

    def __repr__(self) -> str:
        return format(self, "")

    def __format__(self, spec: str) -> str:
        with self.watch.silence():
            return format(self.tensor.item(), spec)


def unwrapped(value: Any) -> Any:
    """Numbers as the tensors they stand for."""
    if isinstance(value, Number):
        return value.tensor
    return type(value)(map(unwrapped, value)) if type(value) in (tuple, list) else value
