"""The ways to the expected gradient that ``bench_gradient`` compares, on the vocabulary of a language model.

As a script, the peak memory of one: ``python gradients.py NAME BATCH`` prints bytes (Linux only).
"""

import ctypes
import re
import sys
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from kltheory.calculus.estimators import as_loss, k2
from kltheory.calculus.surrogate import Sampler
from kltheory.numerics import autodiff, enumeration
from kltheory.numerics.settings import Settings

V: Final = 151_936
"""The vocabulary of Qwen2.5 and Qwen3."""
BATCHES: Final = (1, 8, 64)
SURROGATE: Final = as_loss(k2)
"""k2 as a loss, on-policy: its expected gradient is that of KL(π‖π_ref)."""

Gradient = Callable[[Settings], Any]


def inputs(batch: int, size: int = V) -> Settings:
    random = np.random.default_rng(0)
    reference = random.normal(0, 2, (batch, size))
    policy = reference + random.normal(0, 0.5, (batch, size))
    unused = np.zeros((batch, size))
    return Settings(policy, reference, policy, unused, ("random",) * batch)


# --- the reference points ---------------------------------------------------------------------------------------------
def copied() -> Gradient:
    """Policy, reference and output streamed once: three copies into memory that is there already."""
    out: dict[tuple[int, ...], Any] = {}

    def run(s: Settings) -> Any:
        to = out.setdefault(s.policy.shape, np.zeros_like(s.policy))
        for source in (s.policy, s.reference, s.advantage):
            np.copyto(to, source)
        return to

    return run


def plain() -> Gradient:
    """What one would write: jitted ``jax.grad`` of the full-vocabulary KL, from logits on the device already."""
    import jax
    import jax.numpy as jnp

    def kl(policy: Any, reference: Any) -> Any:
        lp, lq = jax.nn.log_softmax(policy), jax.nn.log_softmax(reference)
        return jnp.sum(jnp.exp(lp) * (lp - lq))

    gradient, on_device = jax.jit(jax.grad(kl)), device_arrays("policy", "reference")
    return lambda s: gradient(*on_device(s)).block_until_ready()


# --- ours -------------------------------------------------------------------------------------------------------------
def enumerated() -> Gradient:
    """The closed form in NumPy, from logits to gradient."""
    coefficient = SURROGATE.coefficient(Sampler.POLICY)
    return lambda s: enumeration.expected_gradient(coefficient, (s,))[0]


def differentiated() -> Gradient:
    """The autodiff engine, from NumPy logits to a NumPy gradient."""
    return lambda s: autodiff.expected_gradient(SURROGATE, (s,), Sampler.POLICY)[0]


def differentiated_again() -> Gradient:
    """The autodiff engine on a setting that it has seen, as when one surrogate after another is checked."""
    seen: dict[tuple[int, ...], Settings] = {}
    gradient = differentiated()
    return lambda s: gradient(seen.setdefault(s.policy.shape, s))


def compiled() -> Gradient:
    """The scalar that the autodiff engine differentiates, under ``jax.jit`` and ``jax.grad``, from the device."""
    import jax

    gradient = jax.jit(jax.grad(autodiff.loss(SURROGATE, Sampler.POLICY)))
    on_device = device_arrays("policy", "reference", "old", "advantage")
    return lambda s: gradient(*on_device(s)).block_until_ready()


def device_arrays(*names: str) -> Callable[[Settings], tuple[Any, ...]]:
    """Arrays of a setting as JAX has them, moved once for each shape."""
    import jax

    seen: dict[tuple[int, ...], tuple[Any, ...]] = {}

    def moved(s: Settings) -> tuple[Any, ...]:
        if s.policy.shape not in seen:
            seen[s.policy.shape] = tuple(jax.device_put(getattr(s, name)) for name in names)
        return seen[s.policy.shape]

    return moved


REFERENCES: Final[dict[str, Callable[[], Gradient]]] = {"copy": copied, "jax.grad": plain}
ENGINES: Final[dict[str, Callable[[], Gradient]]] = {
    "enumeration": enumerated,
    "autodiff": differentiated,
    "autodiff, setting seen": differentiated_again,
    "jit(grad(loss))": compiled,
}


# --- memory -----------------------------------------------------------------------------------------------------------
def status(field: str) -> int:
    """A memory field of this process, in bytes."""
    with open("/proc/self/status") as f:
        found = re.search(rf"^{field}:\s+(\d+) kB$", f.read(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def peak(name: str, batch: int) -> int:
    """Bytes that the first gradient of a setting adds to a process that has imported everything and holds the setting.

    What is compiled or cached once is there already, from a setting of 17 actions. The high-water mark is reset before
    the gradient: getrusage cannot do that, and inherits the mark of the process that started this one.
    """
    gradient = (REFERENCES | ENGINES)[name]()
    with autodiff.scope():
        gradient(inputs(batch, 17))
        setting = inputs(batch)
        ctypes.CDLL(None).malloc_trim(0)
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")
        before = status("VmRSS")
        gradient(setting)
        return status("VmHWM") - before


if __name__ == "__main__":
    print(peak(sys.argv[1], int(sys.argv[2])))
