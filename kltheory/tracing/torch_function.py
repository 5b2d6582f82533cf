"""PyTorch: the real function runs, unchanged, on real tensors, and every operation is repeated on expressions.

PyTorch has two interception points. ``__torch_dispatch__`` sees each ATen operation, whatever its spelling; it has an
entry in :mod:`kltheory.tracing.torch_operations`. ``__torch_function__`` sees calls; it guards those that take numbers
out of tensors. Expressions lie beside *storages*, with the strides of the tensors: what shares memory shares
expressions, so views, and writes through views, need no rule. Whether a gradient flows is read off the real tensor:
where ``requires_grad`` is false, be it by ``detach``, ``no_grad`` or otherwise, the expression is held: ``sg(.)``.

What has no expression becomes an :class:`Unknown`, and a trace is refused if its output depends on one: numbers that
are only logged do no harm. ``torch`` is imported on first use.
"""

import contextlib
import copy
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache
from linecache import getline
from math import log10
from typing import Any

import numpy as np
from sympy import Basic, Expr, Integer, Rational, S, nan, oo

from kltheory.calculus.symbols import sg
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
    undefined,
    unknowns,
)
from kltheory.tracing.trace import CannotTrace, Exprs, Floats, Input, Trace

Tensor = Any
"""``torch.Tensor``: PyTorch is not imported to name it."""
Handler = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]
"""What to do instead of ``func(*args, **kwargs)``."""


class TorchTracer:
    """Traces, and runs, functions of PyTorch tensors: on the CPU, eagerly (``torch.compile`` is switched off).

    The output is the first floating tensor in what the function returns: in a tuple, a list, or the values of a dict.
    """

    def trace(self, fn: Callable[..., Any], inputs: Mapping[str, Input], config: Mapping[str, Any]) -> Trace:
        """The trace of ``fn(**inputs, **config)``. Raises CannotTrace, and whatever the function raises."""
        recorder = Recorder(_torch())
        arguments = {name: recorder.introduce(given) for name, given in inputs.items()}
        with recorder.listening(), _as_data(arguments.values()):
            try:
                result = fn(**arguments, **config)
            except Exception as e:
                recorder.blame(e)
                raise
        return recorder.conclude(result)

    def gradient(
        self, fn: Callable[..., Any], arrays: Mapping[str, Floats], config: Mapping[str, Any], dtype: str
    ) -> tuple[Floats, dict[str, Floats]]:
        """The output at ``arrays`` cast to ``dtype``, and the derivative of its sum by each array, from autograd.

        Zero for an array that the output does not depend on, and for all if the output does not require a gradient.
        """
        torch = _torch()
        leaves = {name: _leaf(values, getattr(torch, dtype)) for name, values in arrays.items()}
        arguments = {name: leaf.clone() for name, leaf in leaves.items()}
        with _as_data(arguments.values()):
            output = first_floating(fn(**arguments, **config))
        gradients: Iterable[Tensor | None] = [None] * len(leaves)
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
    return np.array(t.detach().double().cpu().numpy())


def first_floating(result: Any) -> Tensor:
    """The first floating tensor of a result, or else its first float. Raises CannotTrace when there is none."""
    tensors = list(_instances(_torch().Tensor, result))
    numbers = [*(n.tensor for n in _instances(Number, result)), *map(_double, _instances(float, result))]
    found = next((t for t in [*tensors, *numbers] if t.is_floating_point()), None)
    if found is None:
        what = f"a tensor of {tensors[0].dtype}" if tensors else f"a {type(result).__name__}"
        raise CannotTrace(f"the function returned {what}, and no tensor of floating type")
    return found


def _double(value: float) -> Tensor:
    return _torch().tensor(value, dtype=_torch().float64)


def _instances(kind: type, value: Any) -> Iterator[Any]:
    """The instances of a type in nested tuples, lists and mappings, in order."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, (tuple, list)):
        for v in value:
            yield from _instances(kind, v)
    elif isinstance(value, Mapping):
        yield from _instances(kind, [*value.values()])


def _tensors(value: Any) -> Iterator[Tensor]:
    yield from _instances(_torch().Tensor, value)


# --- interception -----------------------------------------------------------------------------------------------------
def _function_mode(handle: Handler) -> Any:
    from torch.overrides import TorchFunctionMode

    class Calls(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return handle(func, args, kwargs or {})

    return Calls()


def _dispatch_mode(handle: Handler) -> Any:
    from torch.utils._python_dispatch import TorchDispatchMode

    class Kernels(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return handle(func, args, kwargs or {})

    return Kernels()


@contextmanager
def _as_data(arguments: Iterable[Tensor]) -> Iterator[None]:
    """Arguments behave as a caller's data: they may be edited in place, and be told not to require a gradient.

    The former needs tensors that are not leaves of the graph; for the latter they pass for leaves.
    """
    torch, given = _torch(), {id(t) for t in arguments}
    asking = (torch.Tensor.requires_grad_, torch.Tensor.requires_grad.__set__)

    def handle(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if func in asking and id(args[0]) in given and args[0].requires_grad:
            return args[0] if all([*args[1:], *kwargs.values()]) else args[0].detach_()
        return func(*args, **kwargs)

    with ExitStack() as stack:
        stack.enter_context(torch.enable_grad())
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.enter_context(_function_mode(handle))
        yield


@lru_cache(maxsize=1)
def _not_the_users() -> tuple[str, ...]:
    folders = (os.path.dirname(path) + os.sep for path in (__file__, _torch().__file__, np.__file__))
    return (*folders, contextlib.__file__, copy.__file__)


def _site() -> str:
    """Where the user's code stands: file, line and text."""
    frame = sys._getframe()
    while frame.f_back and frame.f_code.co_filename.startswith(_not_the_users()):
        frame = frame.f_back
    path, line = frame.f_code.co_filename, frame.f_lineno
    text = getline(path, line).strip()
    return f"{path}:{line}, in {frame.f_code.co_name}" + f": {text}" * bool(text)


# --- numbers taken out of tensors -------------------------------------------------------------------------------------
def _delegated(name: str) -> Any:
    def method(self: "Number", *others: Any) -> Any:
        kinds = (Number, int, float, _torch().Tensor)
        if not all(isinstance(x, kinds) for x in others):
            return NotImplemented
        result = getattr(self.tensor, name)(*map(_unwrapped, others))
        return result if any(isinstance(x, _torch().Tensor) for x in others) else Number(result, self.recorder)

    return method


class Number:
    """What ``item()`` gives while tracing: arithmetic goes on in expressions, a branch on it is refused."""

    def __init__(self, tensor: Tensor, recorder: "Recorder") -> None:
        self.tensor = tensor
        self.recorder = recorder

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Makes PyTorch accept a Number as an argument; the recorder is asked first."""
        return NotImplemented

    def _refuse(self, *_: Any) -> Any:
        raise self.recorder.refusal("a Python number that depends on the inputs is used in a branch or as a float")

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
        with self.recorder.silence():
            return format(self.tensor.item(), spec)


def _unwrapped(value: Any) -> Any:
    """Numbers as the tensors they stand for."""
    if isinstance(value, Number):
        return value.tensor
    return type(value)(map(_unwrapped, value)) if type(value) in (tuple, list) else value


# --- constants --------------------------------------------------------------------------------------------------------
@lru_cache(maxsize=65536)
def exact(value: float, dtype: Any = None) -> Expr:
    """The number that was meant by a float of this type (float64): a short decimal or a small fraction, if it is one.

    A float64 that was a float32 before is recognised.
    """
    if not np.isfinite(value):
        return nan if value != value else oo if value > 0 else -oo
    if value.is_integer() and abs(value) < 2**53:
        return Integer(int(value))
    torch = _torch()
    dtype = dtype or torch.float64
    found = _short(value, dtype)
    if found is None and dtype == torch.float64 and torch.tensor(value, dtype=torch.float32).item() == value:
        found = _short(value, torch.float32)
    return next(_decimals(value, dtype, 18)) if found is None else found


def _short(value: float, dtype: Any) -> Expr | None:
    eps = _torch().finfo(dtype).eps
    fraction = Fraction(value).limit_denominator(int(eps**-0.25))
    if (found := next(_decimals(value, dtype, int(-log10(eps))), None)) is None and _rounds(fraction, value, dtype):
        return Rational(fraction.numerator, fraction.denominator)
    return found


def _decimals(value: float, dtype: Any, most: int) -> Iterator[Expr]:
    """The decimals of at most so many digits that round to the value, the shortest first."""
    texts = (f"{value:.{digits}e}" for digits in range(most))
    return (Rational(text) for text in texts if _rounds(text, value, dtype))


def _rounds(number: Any, value: float, dtype: Any) -> bool:
    return bool(_torch().tensor(float(number), dtype=dtype).item() == value)


def _rounded_to(t: Tensor) -> Any:
    """The type that the numbers of a constant were rounded to: Boolean if they are exact."""
    torch = _torch()
    values = [x for x in t.detach().reshape(-1).tolist() if isinstance(x, float) and np.isfinite(x)]
    if all(exact(x, t.dtype) == Rational(x) for x in values):
        return torch.bool
    return torch.float32 if t.dtype == torch.float64 and any(float(exact(x)) != x for x in values) else t.dtype


def _constant(value: Any, dtype: Any) -> Basic:
    if isinstance(value, bool):
        return S.true if value else S.false
    if isinstance(value, int):
        return Integer(value)
    if isinstance(value, float):
        return exact(value, dtype)
    raise NoExpression(f"a {type(value).__name__}")


# --- the recorder -----------------------------------------------------------------------------------------------------
@dataclass(eq=False)
class Shadow:
    """The expressions beside a storage, one for each of its elements. The storage is kept: its address is the key."""

    storage: Any
    entries: Exprs
    dtype: Any  # the coarsest floating type on the way to these entries


@dataclass
class Recorder:
    """Repeats on expressions what PyTorch does on numbers, between :meth:`introduce` and :meth:`conclude`."""

    torch: Any
    shadows: dict[int, Shadow] = field(default_factory=dict)
    refused: CannotTrace | None = None
    taken: str | None = None  # where the first Number was taken
    silent: bool = False
    kernels: Any = None

    def introduce(self, given: Input) -> Tensor:
        """An argument. It requires a gradient unless it is constant."""
        t = _leaf(given.values, self.torch.float64).clone()
        t = t.detach() if is_constant(given.exprs) else t
        self._shadow(t).entries[...] = given.exprs.reshape(-1)
        return t

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Everything that PyTorch does is recorded."""
        self.kernels = _dispatch_mode(self.kernel)
        with self.kernels, _function_mode(self.call):
            yield

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Nothing is recorded: numbers are looked at, by us or to print them."""
        before, self.silent = self.silent, True
        try:
            yield
        finally:
            self.silent = before

    def conclude(self, result: Any) -> Trace:
        """The trace that ends in this result. Raises CannotTrace."""
        if self.refused:
            raise self.refused
        output = first_floating(result)
        if self._is_opaque(output):
            raise CannotTrace(self._opaque_reason(output))
        with self.silence(), self._refusing():
            exprs = np.array(self.read(output))
        if found := unknowns(exprs.flat):
            raise CannotTrace(min(found, key=lambda u: u.dummy_index).name)
        for e in exprs.flat:
            if (node := undefined(e)) is not None:
                raise CannotTrace(f"{node} has no value: an infinity is combined with an expression")
        return Trace(exprs, _floats(output), str(self._coarsest([output], output.dtype)).removeprefix("torch."))

    # --- refusing -----------------------------------------------------------------------------------------------------
    def refusal(self, reason: str) -> CannotTrace:
        """The error to raise at once; it is raised at the end if the function catches it."""
        error = CannotTrace(f"{reason} ({_site()})")
        self.refused = self.refused or error
        return error

    def blame(self, error: Exception) -> None:
        """Raises CannotTrace if that is why the function failed: it met a Number where it wanted a float."""
        if self.refused and error is not self.refused:
            raise self.refused from error
        if self.taken and isinstance(error, (TypeError, ValueError)) and "Number" in str(error):
            raise CannotTrace(f"a number that depends on the inputs is taken out of a tensor ({self.taken})") from error

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except NoExpression as e:
            raise self.refusal(str(e)) from None

    # --- storages -----------------------------------------------------------------------------------------------------
    def _shadow(self, t: Tensor) -> Shadow:
        """The expressions beside the storage of ``t``: its numbers, as long as there are no others."""
        storage = t.untyped_storage()
        if storage._cdata not in self.shadows:
            n = storage.nbytes() // t.element_size()
            whole = t.detach().as_strided((n,), (1,), 0)
            entries = np.empty(n, dtype=object)
            entries[:] = [_constant(x, t.dtype) for x in whole.tolist()]
            self.shadows[storage._cdata] = Shadow(storage, entries, t.dtype)
        return self.shadows[storage._cdata]

    def _has_shadow(self, t: Tensor) -> bool:
        try:
            return t.untyped_storage()._cdata in self.shadows
        except (NotImplementedError, RuntimeError):  # sparse tensors; the wrappers of torch.func, around plain ones
            return False

    def _raw(self, t: Tensor) -> Exprs:
        """What lies beside the elements of ``t``, to read and to write."""
        entries = self._shadow(t).entries
        if len(entries) != t.untyped_storage().nbytes() // t.element_size():
            raise NoExpression("the memory of a tensor is read as another type")
        strides = [8 * s for s in t.stride()]
        return np.lib.stride_tricks.as_strided(entries[t.storage_offset() :], t.shape, strides)

    def read(self, t: Tensor) -> Exprs:
        """The expressions of ``t``, held where no gradient flows."""
        if not self._has_shadow(t):
            entries = np.empty(t.numel(), dtype=object)
            entries[:] = [_constant(x, t.dtype) for x in t.detach().reshape(-1).tolist()]
            return entries.reshape(t.shape)
        raw = self._raw(t)
        if t.requires_grad or not t.is_floating_point():
            return raw
        return np.asarray(np.frompyfunc(held, 1, 1)(raw), dtype=object)

    def depends(self, t: Tensor) -> bool:
        """Whether the numbers in ``t`` depend on the inputs."""
        return self._is_opaque(t) or (self._has_shadow(t) and not is_constant(self._raw(t)))

    def _write(self, t: Tensor, exprs: Exprs | str, recorded: bool, fresh: bool) -> None:
        """Put expressions, or the reason why there are none, beside ``t``, whose numbers are there already."""
        if fresh:
            storage = t.untyped_storage()
            empty = np.full(storage.nbytes() // t.element_size(), nan, dtype=object)
            self.shadows[storage._cdata] = Shadow(storage, empty, t.dtype)
        raw, true = self._raw(t), t.detach()
        new = np.broadcast_to(np.asarray("" if isinstance(exprs, str) else exprs, dtype=object), t.shape)
        for i in np.ndindex(raw.shape):
            try:
                if isinstance(exprs, str):
                    raise NoExpression(exprs)
                e = self._typed(new[i], t.dtype, true[i])
            except NoExpression as reason:
                e = self._unknown(str(reason), t.dtype)
            old: Any = raw[i]
            if t.is_floating_point() and not recorded:
                e = held(e) if fresh or not is_live(old) else old + sg(e - old)
            raw[i] = e

    def _typed(self, e: Any, dtype: Any, true: Tensor) -> Any:
        """An entry as one of this type; a constant that is no real number to SymPy is what PyTorch says it is."""
        if dtype == self.torch.bool:
            return truth(e)
        e = number(e)
        whole = not dtype.is_floating_point
        if e.is_number and (e.is_extended_real is not True or (whole and e.is_integer is not True)):
            return _constant(true.item(), dtype)
        if whole and e.is_integer is not True:
            raise NoExpression("a conversion to integers")
        return e

    def _unknown(self, reason: str, dtype: Any) -> Any:
        found = Unknown(f"{reason} ({_site()})", real=True, integer=None if dtype.is_floating_point else True)
        return found > 0 if dtype == self.torch.bool else found

    def _forget(self, t: Tensor, reason: str) -> None:
        self._shadow(t)
        self._write(t, reason, recorded=True, fresh=False)

    # --- operations ---------------------------------------------------------------------------------------------------
    def kernel(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """One ATen operation: on numbers, and on expressions."""
        if self.silent:
            return func(*args, **kwargs)
        with self.silence(), self._refusing():
            tensors = list(_tensors([args, kwargs]))
            random = self.torch.Tag.nondeterministic_seeded in func.tags
            if random or any(self._has_shadow(t) or self._is_opaque(t) for t in tensors):
                return self._repeated(func, args, kwargs, tensors, random)
            return func(*args, **kwargs)

    def _repeated(self, func: Any, args: Any, kwargs: Any, tensors: list[Tensor], random: bool) -> Any:
        name = func._schema.name.removeprefix("aten::")
        base = name.removesuffix("_") if func._schema.is_mutable else name
        if base not in OPERATIONS and self._is_composite(func):
            self.silent = False
            with self.kernels:
                return func.decompose(*args, **kwargs)
        for t in filter(self._is_opaque, tensors):
            if base != "detach" or not self._has_shadow(t):
                self._forget(t, self._opaque_reason(t))
        views = func.is_view or self.torch.Tag.inplace_view in func.tags or base in ("detach", "_unsafe_view")
        if views or (name in SHAPES and not random):
            return func(*args, **kwargs)
        try:
            exprs = "a random operation" if random else self._expressions(func, base, args, kwargs)
        except (NoExpression, TypeError, ValueError) as why:
            exprs = f"{name} has no expression here: {why}"
            if self.torch.Tag.dynamic_output_shape in func.tags:
                raise self.refusal(f"{name} gives a shape that depends on the inputs") from None
        recorded = self.torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
        written = self._written(func, args, kwargs)
        for t in written:
            self._shadow(t)
            if recorded and not t.requires_grad and any(map(is_live, self._raw(t).flat)):
                raise self.refusal(f"{name} changes a detached tensor in place, and another tensor with it")
        depends = any(map(self.depends, tensors))
        result = func(*args, **kwargs)
        outputs = result if isinstance(result, (tuple, list)) else [result]
        if not written and depends and not any(isinstance(t, self.torch.Tensor) for t in outputs):
            raise self.refusal(f"{name} takes a number that depends on the inputs out of a tensor")
        several = isinstance(exprs, tuple)
        for i, t in enumerate(written or outputs):
            e = exprs if isinstance(exprs, str) else exprs[i] if several else None if i else exprs
            if isinstance(t, self.torch.Tensor) and (depends or random or not isinstance(e, str)):
                reason = f"{name} has no expression for its output {i + 1}"
                self._write(t, reason if e is None else e, recorded, fresh=not written)
                self._shadow(t).dtype = self._coarsest(tensors, t.dtype)
        return result

    def _coarsest(self, tensors: Iterable[Tensor], own: Any) -> Any:
        """The coarsest floating type on the way to these tensors, and of this one."""
        types = [self._shadow(t).dtype if self._has_shadow(t) else _rounded_to(t) for t in tensors]
        return max([own, *types], key=lambda d: self.torch.finfo(d).eps if d.is_floating_point else 0)

    def _is_composite(self, func: Any) -> bool:
        return bool(func.has_kernel_for_dispatch_key(self.torch._C.DispatchKey.CompositeImplicitAutograd))

    def _written(self, func: Any, args: Any, kwargs: Any) -> list[Tensor]:
        named = zip(func._schema.arguments, args, strict=False)
        pairs = [*named, *((a, kwargs[a.name]) for a in func._schema.arguments if a.name in kwargs)]
        return [t for a, v in pairs if a.alias_info is not None and a.alias_info.is_write for t in _tensors(v)]

    def _expressions(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        """What the table makes of the arguments. Raises NoExpression."""
        kwargs = {k: v for k, v in kwargs.items() if k != "out"}
        tensors = list(_tensors([args, kwargs]))
        if name in MOVES:
            try:
                return self._moved(func, args, kwargs)
            except NoExpression:
                if name not in OPERATIONS:
                    raise
        if all(t.dtype == self.torch.bool for t in tensors):
            name = ON_TRUTHS.get(name, name)
        if name not in OPERATIONS:
            raise NoExpression("it is not in the table")
        return OPERATIONS[name](*map(self._argument, args), **{k: self._argument(v) for k, v in kwargs.items()})

    def _argument(self, value: Any) -> Any:
        if isinstance(value, self.torch.Tensor):
            return self.read(value)
        if isinstance(value, float):
            return exact(value)
        return [self._argument(v) for v in value] if isinstance(value, (tuple, list)) else value

    def _moved(self, func: Any, args: Any, kwargs: Any) -> Exprs:
        """Where the entries go: the operation itself moves their numbers, counted from 1; 0 is what it fills in."""
        pool: list[Basic] = [S.Zero]

        def numbered(value: Any) -> Any:
            if isinstance(value, (tuple, list)):
                return [numbered(v) for v in value]
            if isinstance(value, self.torch.Tensor):
                start = len(pool)
                pool.extend(self.read(value).flat)
                return self.torch.arange(start, len(pool)).reshape(value.shape)
            pool[0] = _constant(value, None)
            return 0

        def replaced(name: str, value: Any) -> Any:
            if name in DATA:
                return numbered(value)
            if name in ("accumulate", "reduce") and value:
                raise NoExpression(f"it computes, by {name}={value}")
            if any(map(self.depends, _tensors(value))):
                raise NoExpression("the places depend on the inputs")
            return value

        names = [a.name for a in func._schema.arguments]
        moved = func(
            *(replaced(name, v) for name, v in zip(names, args, strict=False)),
            **{name: replaced(name, v) for name, v in kwargs.items()},
        )
        out = np.empty(moved.numel(), dtype=object)
        out[:] = [pool[i] for i in moved.reshape(-1).tolist()]
        return out.reshape(moved.shape)

    # --- custom gradients ---------------------------------------------------------------------------------------------
    def _is_opaque(self, t: Tensor) -> bool:
        return t.requires_grad and isinstance(t.grad_fn, self.torch.autograd.function.BackwardCFunction)

    def _opaque_reason(self, t: Tensor) -> str:
        name = type(t.grad_fn).__name__.removesuffix("Backward")
        return f"{name} is a custom autograd.Function: opaque, its gradient may be any"

    # --- calls --------------------------------------------------------------------------------------------------------
    def call(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """One call of PyTorch: those that take numbers out of tensors, or gradients in, are not left to the kernels."""
        if self.silent:
            return func(*args, **kwargs)
        handle = self._guarded.get(func)
        with self._refusing():
            guarded = handle is not None and any(map(self.depends, _tensors(_unwrapped([*args, *kwargs.values()]))))
        if handle is not None and guarded:
            return handle(func, args, kwargs)
        return func(*_unwrapped(args), **{k: _unwrapped(v) for k, v in kwargs.items()})

    @cached_property
    def _guarded(self) -> Mapping[Any, Handler]:
        torch, t = self.torch, self.torch.Tensor
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
            raise self.refusal(f"{reason}: {getattr(func, '__name__', func)}")

        return handle

    def _looked_at(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with self.silence():
            return func(*args, **kwargs)

    def _restart(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not args[0].requires_grad and all([*args[1:], *kwargs.values()]):
            raise self.refusal("a new graph is started inside the function: requires_grad_")
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
        self.taken = self.taken or _site()
        t = t.detach()
        return Number(t if t.dtype == self.torch.bool else t.double(), self)

    def _construct(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """``torch.tensor([a, b.item()])``: a copy, without a gradient."""
        data = args[0] if args else kwargs.get("data")
        if isinstance(data, self.torch.Tensor):
            return func(*args, **kwargs)

        def entries(value: Any) -> Exprs:
            if isinstance(value, (tuple, list)):
                return np.stack([entries(v) for v in value])
            value = _unwrapped(value)
            if isinstance(value, self.torch.Tensor):
                return np.asarray(self.read(value.detach()), dtype=object)
            return np.asarray(_constant(value, None), dtype=object)

        def plain(value: Any) -> Any:
            if isinstance(value, (tuple, list)):
                return [plain(v) for v in value]
            if isinstance(value, Number):
                return value.tensor.item()
            return value.detach() if isinstance(value, self.torch.Tensor) else value

        with self.silence():
            result = func(*plain(args), **{k: plain(v) for k, v in kwargs.items()})
            self._write(result, entries(data), recorded=False, fresh=True)
            numbers = [n.tensor for n in _instances(Number, data)]
            self._shadow(result).dtype = self._coarsest([*_tensors(data), *numbers], result.dtype)
        return result
