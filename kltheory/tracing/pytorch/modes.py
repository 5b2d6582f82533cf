"""The two interception points of PyTorch, and the conditions that a function runs under."""

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from kltheory.tracing.pytorch.tensors import Tensor, torch_module

Handler = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]
"""What to do instead of ``func(*args, **kwargs)``."""


def function_mode(handle: Handler) -> Any:
    """A context in which ``handle`` sees each call of PyTorch."""
    from torch.overrides import TorchFunctionMode

    class Calls(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return handle(func, args, kwargs or {})

    return Calls()


def dispatch_mode(handle: Handler) -> Any:
    """A context in which ``handle`` sees each ATen operation, whatever its spelling."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Kernels(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return handle(func, args, kwargs or {})

    own = inspect.unwrap(Kernels.__torch_dispatch__)
    setattr(own, "__dynamo_disable", own)  # else PyTorch imports its compiler, which takes seconds, to switch it off
    return Kernels()


@contextmanager
def as_data(arguments: Iterable[Tensor]) -> Iterator[None]:
    """Arguments behave as a caller's data: they may be edited in place, and be told not to require a gradient.

    The former needs tensors that are not leaves of the graph; for the latter they pass for leaves. Compilers are
    switched off: functions run eagerly.
    """
    torch, given = torch_module(), {id(t) for t in arguments}
    asking = (torch.Tensor.requires_grad_, torch.Tensor.requires_grad.__set__)

    def handle(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if func in asking and id(args[0]) in given and args[0].requires_grad:
            return args[0] if all([*args[1:], *kwargs.values()]) else args[0].detach_()
        return func(*args, **kwargs)

    with ExitStack() as stack:
        stack.enter_context(_one_thread())
        stack.enter_context(torch.enable_grad())
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.enter_context(torch.jit.optimized_execution(False))
        stack.enter_context(function_mode(handle))
        yield


@contextmanager
def _one_thread() -> Iterator[None]:
    """A few numbers are not worth waking threads for."""
    torch = torch_module()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
