"""Running a JAX function with its derivative: compiled once for each shape and type where it can be, else step by step.

Compiling the whole is several times quicker than letting JAX compile each operation for each new shape and type. What
cannot be compiled, because Python asks for values, runs as it is.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from kltheory.jax_versions import quickly
from kltheory.tracing.trace import CannotTrace

Arrays = Mapping[str, Any]
Run = Callable[[Arrays, Arrays], tuple[Any, Arrays]]
"""From the arrays to differentiate by, and others, to the output, and the derivative of its sum by each of those."""


class Same:
    """A value that equals itself alone, whether or not it can be hashed; it is kept alive."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def run(fn: Callable[..., Any], given: Arrays, config: Mapping[str, Any]) -> tuple[Any, Arrays]:
    """The output of ``fn(**given, **config)``, one array, and ``jax.vjp``'s derivative of its sum by each of ``given``.

    Arrays of the configuration, such as a mask, are arguments of what is compiled, so that it serves whatever they
    hold. Where Python asks for what they hold, it is compiled for just that. An output of integers or truth values
    has derivative zero. What the function raises is passed on.
    """
    import jax

    arrays = {name: value for name, value in config.items() if isinstance(value, jax.Array)}
    rest = {name: value for name, value in config.items() if name not in arrays}
    for fixed, free in ((rest, arrays), (config, dict[str, Any]())):
        key = tuple((name, _fingerprint(value)) for name, value in sorted(fixed.items()))
        compiled = _Compiled.of(Same(fn), key, tuple(sorted(free)), _Config(fixed))
        if not compiled.fails:
            try:
                return compiled.fast(given, free)
            except Exception:  # whatever is wrong shows itself, or not, without the compiler
                compiled.fails = True
    return compiled.plain(given, free)


class _Config:
    """The configuration, which takes no part in the cache's key: its fingerprint does."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Config)

    def __hash__(self) -> int:
        return 0


class _Compiled:
    def __init__(self, plain: Run) -> None:
        import jax

        self.plain = plain
        self.fast: Run = jax.jit(plain, compiler_options=quickly())
        self.fails = False

    @staticmethod
    @lru_cache(maxsize=32)
    def of(fn: Same, key: Any, free: tuple[str, ...], config: _Config) -> "_Compiled":
        return _Compiled(lambda given, arrays: _with_slopes(fn.value, given, {**config.values, **arrays}))


def _with_slopes(fn: Callable[..., Any], given: Mapping[str, Any], config: Mapping[str, Any]) -> Any:
    import jax

    output, pull = jax.vjp(lambda args: as_array(fn(**args, **config)), dict(given))
    if not jax.numpy.issubdtype(output.dtype, np.floating):
        return output, {name: jax.numpy.zeros_like(x) for name, x in given.items()}
    (slopes,) = pull(jax.numpy.ones_like(output))
    return output, slopes


def _fingerprint(value: Any) -> Any:
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        array = np.asarray(value)
        return (array.shape, str(array.dtype), array.tobytes())
    return Same(value)


def as_array(output: Any) -> Any:
    """The output as a JAX array. Raises CannotTrace."""
    import jax

    if isinstance(output, (jax.Array, np.ndarray, np.generic, bool, int, float)):
        return jax.numpy.asarray(output)
    raise CannotTrace(f"the function returned {type(output).__name__}, not one array: wrap it, and return the loss")
