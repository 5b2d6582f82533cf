"""PyTorch: the real function runs, unchanged, on real tensors, and every operation is repeated on expressions.

PyTorch has two interception points. ``__torch_dispatch__`` sees each ATen operation, whatever its spelling; it has an
entry in :mod:`kltheory.tracing.pytorch.table`. ``__torch_function__`` sees calls; it guards those that take numbers out
of tensors. Expressions lie in :mod:`kltheory.tracing.pytorch.shadows`. ``torch`` is imported on first use.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from sympy import sympify

from kltheory.tracing.entries import symbols_of, undefined, unknowns
from kltheory.tracing.pytorch.calls import Calls
from kltheory.tracing.pytorch.kernels import Kernels
from kltheory.tracing.pytorch.modes import as_data, function_mode
from kltheory.tracing.pytorch.number import Number
from kltheory.tracing.pytorch.shadows import Shadows
from kltheory.tracing.pytorch.tensors import Tensor, floats, instances, is_opaque, leaf, opaque_reason, torch_module
from kltheory.tracing.pytorch.watch import Watch
from kltheory.tracing.trace import CannotTrace, Floats, Input, Trace


class TorchTracer:
    """Traces, and runs, functions of PyTorch tensors: on the CPU, eagerly (``torch.compile`` is switched off).

    An array of Booleans, a mask, arrives as a tensor of Booleans. The output is the first floating tensor in what the
    function returns: in a tuple, a list, or the values of a dict.
    """

    def trace(self, fn: Callable[..., Any], inputs: Mapping[str, Input], config: Mapping[str, Any]) -> Trace:
        """The trace of ``fn(**inputs, **config)``. Raises CannotTrace, and whatever the function raises."""
        watch, shadows = Watch(), Shadows()
        arguments = {name: _argument(given, shadows) for name, given in inputs.items()}
        with Kernels(watch, shadows).mode, function_mode(Calls(watch, shadows)), as_data(arguments.values()):
            try:
                result = fn(**arguments, **config)
            except Exception as e:
                watch.blame(e)
                raise
        if watch.refused:
            raise watch.refused
        with watch.refusing():
            return _conclusion(first_floating(result), shadows)

    def gradient(
        self, fn: Callable[..., Any], arrays: Mapping[str, Floats], config: Mapping[str, Any], dtype: str
    ) -> tuple[Floats, dict[str, Floats]]:
        """The output at ``arrays`` cast to ``dtype``, and the derivative of its sum by each array, from autograd.

        Zero for an array that the output does not depend on, and for all if the output does not require a gradient.
        """
        torch = torch_module()
        leaves = {name: leaf(values, getattr(torch, dtype)) for name, values in arrays.items()}
        arguments = {name: t.clone() for name, t in leaves.items()}
        with as_data(arguments.values()):
            output = first_floating(fn(**arguments, **config))
        wanted = {name: t for name, t in leaves.items() if t.requires_grad}
        found: Iterable[Tensor | None] = ()
        if output.requires_grad and wanted:
            found = torch.autograd.grad(output, [*wanted.values()], torch.ones_like(output), allow_unused=True)
        slopes = {name: floats(g) for name, g in zip(wanted, found, strict=False) if g is not None}
        return floats(output), {name: slopes.get(name, np.zeros(t.shape)) for name, t in leaves.items()}


def _argument(given: Input, shadows: Shadows) -> Tensor:
    """A tensor and its shadow. It requires a gradient unless it is constant."""
    t = leaf(given.values, torch_module().float64).clone()
    if not t.is_floating_point():
        return t
    entries = [sympify(e) for e in given.exprs.flat]
    t = t if given.differentiated and any(map(symbols_of, entries)) else t.detach()
    shadows.of(t).entries[:] = entries
    return t


def _conclusion(output: Tensor, shadows: Shadows) -> Trace:
    """The trace that ends in this tensor."""
    if is_opaque(output):
        raise CannotTrace(opaque_reason(output))
    exprs = np.array(shadows.read(output))
    if found := unknowns(exprs.flat):
        raise CannotTrace(min(found, key=lambda u: u.dummy_index).name)
    for e in exprs.flat:
        if (node := undefined(e)) is not None:
            raise CannotTrace(f"{node} has no value: an infinity is combined with an expression")
    return Trace(exprs, floats(output), str(shadows.coarsest([output], output.dtype)).removeprefix("torch."))


def first_floating(result: Any) -> Tensor:
    """The first floating tensor of a result, or else its first float. Raises CannotTrace when there is none."""
    torch = torch_module()
    tensors = list(instances(torch.Tensor, result))
    numbers = [n.tensor for n in instances(Number, result)]
    numbers += [torch.tensor(x, dtype=torch.float64) for x in instances(float, result)]
    found = next((t for t in [*tensors, *numbers] if t.is_floating_point()), None)
    if found is None:
        what = f"a tensor of {tensors[0].dtype}" if tensors else f"a {type(result).__name__}"
        raise CannotTrace(f"the function returned {what}, and no tensor of floating type")
    return found
