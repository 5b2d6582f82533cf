"""What differs between JAX's versions: names, and options of its compiler."""

from contextlib import AbstractContextManager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

QUICKLY: Final[dict[str, tuple[int | bool, tuple[int, ...]]]] = {
    "xla_backend_optimization_level": (0, (0,)),
    "xla_cpu_parallel_codegen_split_count": (1, (0,)),
    "xla_cpu_use_fusion_emitters": (False, (0, 6)),
}
"""XLA's options for what is compiled once and run on a few numbers, and the first JAX that is known to take each.

Compiling takes a ninth of the time where nothing is optimised. An option that XLA does not know ends the process.
"""


def quickly() -> dict[str, int | bool]:
    """Those that the installed JAX takes; all of them where there is none."""
    try:
        installed = tuple(int(part) for part in version("jaxlib").split(".")[:2])
    except (PackageNotFoundError, ValueError):
        installed = (0, 99)
    return {name: value for name, (value, since) in QUICKLY.items() if installed >= since}


def flags() -> str:
    """The same for the environment variable ``XLA_FLAGS``, read when JAX starts."""
    return " ".join(f"--{name}={str(value).lower()}" for name, value in quickly().items())


def x64(on: bool) -> AbstractContextManager[Any]:
    """64-bit numbers, or none, for the body of a ``with`` alone: ``jax.enable_x64``, experimental before JAX 0.8."""
    import jax

    home = jax if hasattr(jax, "enable_x64") else import_module("jax.experimental")
    return home.enable_x64(on)
