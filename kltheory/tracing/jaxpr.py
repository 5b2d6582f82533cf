"""Tracing JAX: the function's own jaxpr, read with SymPy expressions in place of numbers.

``jax.make_jaxpr`` calls the real function once, and :mod:`kltheory.tracing.jax.reader` reads what it met. The primal
body of a ``custom_jvp`` or ``custom_vjp`` function is what is read: that its rule agrees is for the comparison with
:meth:`JaxTracer.gradient` to find out. JAX is imported on first use.
"""

import os
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from kltheory.jax_versions import x64
from kltheory.tracing.jax.largest import finished
from kltheory.tracing.jax.reader import Reader
from kltheory.tracing.jax.running import as_array, run
from kltheory.tracing.jax.values import Array, entrywise
from kltheory.tracing.trace import CannotTrace, Floats, Input, Trace


class JaxTracer:
    """Traces and runs JAX functions, on the CPU, leaving JAX's global configuration alone."""

    def trace(self, fn: Callable[..., Any], inputs: Mapping[str, Input], config: Mapping[str, Any]) -> Trace:
        """The trace of ``fn(**inputs, **config)``, called in float64: what it casts to is followed, and named.

        Raises:
            CannotTrace: a primitive has no expression, Python branches on a traced number, or the output is not one
                array of floating numbers. What the function itself raises is passed on.
        """
        import jax

        def called(arrays: Mapping[str, Any]) -> Any:
            return as_array(fn(**arrays, **config))

        with _scope("float64"):
            given = {name: jax.numpy.asarray(x.values, "float64") for name, x in inputs.items()}
            output = called(given)
            if not jax.numpy.issubdtype(output.dtype, np.floating):
                raise CannotTrace(f"the output is of type {output.dtype}, which has no derivative; return a float")
            with _branching():
                closed = jax.make_jaxpr(called)(given)
            reader = Reader({str(output.dtype)})
            (exprs,) = reader.closed(closed, [_entries(inputs[name], reader) for name in sorted(given)])
            return Trace(entrywise(finished, exprs), _float64(output), reader.narrowest())

    def gradient(
        self, fn: Callable[..., Any], arrays: Mapping[str, Floats], config: Mapping[str, Any], dtype: str
    ) -> tuple[Floats, dict[str, Floats]]:
        """The output at ``arrays`` cast to ``dtype``, and ``jax.vjp``'s derivative of its sum by each array.

        64-bit types are enabled for float64 only. An output of integers or truth values has derivative zero.

        Raises:
            CannotTrace: the output is not one array of numbers.
        """
        import jax

        with _scope(dtype):
            given = {name: jax.numpy.asarray(x, dtype) for name, x in arrays.items()}
            output, slopes = run(fn, given, config)
            return _float64(output), {name: _float64(slopes[name]) for name in arrays}


@contextmanager
def _scope(dtype: str) -> Iterator[None]:
    import jax

    with x64(dtype == "float64"), jax.default_device(jax.local_devices(backend="cpu")[0]):
        yield


@contextmanager
def _branching() -> Iterator[None]:
    """Python code that asks for the value of a traced number becomes CannotTrace, with its line."""
    from jax import errors

    try:
        yield
    except (
        errors.ConcretizationTypeError,
        errors.NonConcreteBooleanIndexError,
        errors.TracerArrayConversionError,
        errors.TracerIntegerConversionError,
    ) as error:
        summary = str(error).partition("\n")[0].rstrip(".")
        raise CannotTrace(f"Python needs the value of a traced array at {_raised_at(error)}: {summary}") from error


def _raised_at(error: BaseException) -> str:
    import jax

    theirs = (os.path.dirname(jax.__file__), os.path.dirname(np.__file__), __file__)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(theirs)]
    return f"{frames[-1].filename}:{frames[-1].lineno} ({frames[-1].name})" if frames else "an unknown line"


def _entries(given: Input, reader: Reader) -> Array:
    """The expressions of an input; a constant is the exact number that its value stands for."""

    def entry(expr: Any, value: float) -> Any:
        return expr if getattr(expr, "free_symbols", ()) else reader.number(float(value), np.dtype("float64"))

    return entrywise(entry, given.exprs, given.values)


def _float64(array: Any) -> Floats:
    return np.asarray(array).astype(np.float64)
