"""Expected gradient at V = 151,936, float64, batches of 1, 8, 64: our engines against a plain ``jax.grad`` and a copy.

Every round gets a setting whose log-probabilities are not computed yet. What is compiled is compiled before the clock
starts. Peak memory is measured in a process of its own, see ``gradients.py``.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from gradients import BATCHES, ENGINES, REFERENCES, Gradient, V, inputs

from kltheory.numerics import autodiff
from kltheory.numerics.settings import Settings
from kltheory.numerics.tolerance import ATOL

SCRIPT = Path(__file__).with_name("gradients.py")
ROUNDS = {1: 30, 8: 10, 64: 5}


@cache
def setting(batch: int) -> Settings:
    return inputs(batch)


def fresh(batch: int) -> Settings:
    """The same arrays, nothing computed from them."""
    return setting(batch).rows(0, batch)


def reference(name: str, batch: int) -> float:
    """Median seconds of a reference point, measured now: the machine may be busier than it was for another engine."""
    gradient, taken = REFERENCES[name](), []
    with autodiff.scope():
        gradient(setting(batch))
        for _ in range(ROUNDS[batch]):
            start = perf_counter()
            gradient(setting(batch))
            taken.append(perf_counter() - start)
    return median(taken)


@cache
def peak_memory(name: str, batch: int) -> float | None:
    """Peak memory of one gradient in arrays of (batch, V) float64; ``None`` where there is no /proc."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parent.parent), "MALLOC_MMAP_THRESHOLD_": "65536"}
    command = [sys.executable, str(SCRIPT), name, str(batch)]
    run = subprocess.run(command, env=environment, timeout=300, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return int(run.stdout) / (8 * batch * V)


def memory_text(name: str, batch: int) -> str:
    arrays = peak_memory(name, batch)
    return "memory unknown" if arrays is None else f"{arrays:4.1f} arrays = {arrays * 8 * batch * V / 1e6:.0f} MB"


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", ENGINES)
def test_expected_gradient(benchmark: Any, say: Callable[[str], None], name: str, batch: int) -> None:
    gradient: Gradient = ENGINES[name]()
    with autodiff.scope():
        expected = np.asarray(REFERENCES["jax.grad"]()(setting(batch)))
        assert np.abs(np.asarray(gradient(fresh(batch))) - expected).max() < ATOL
        benchmark.pedantic(gradient, setup=lambda: ((fresh(batch),), {}), rounds=ROUNDS[batch], warmup_rounds=1)
    ours = benchmark.stats.stats.median
    ratios = {point: ours / reference(point, batch) for point in REFERENCES}
    benchmark.extra_info |= {"ratio": ratios, "peak_arrays": peak_memory(name, batch)}
    shown = ", ".join(f"{r:5.1f}× {point}" for point, r in ratios.items())
    say(f"batch {batch:2}  {name:23} {ours * 1e3:7.1f} ms  {shown}; peak {memory_text(name, batch)}")


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", REFERENCES)
def test_reference_point(say: Callable[[str], None], name: str, batch: int) -> None:
    """Not ours: printed beside the rest, and known to give the right gradient."""
    say(f"batch {batch:2}  {name:23} {reference(name, batch) * 1e3:7.1f} ms; peak {memory_text(name, batch)}")
