"""No test depends on the clock: a slow machine makes a run longer, never red. What is compiled is compiled once."""

import gc
import os
import sys
import tempfile

import pytest
from hypothesis import HealthCheck, settings

from kltheory.jax_versions import flags

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
os.environ.setdefault("KLTHEORY_TIMEOUT", "100000")  # of every command that is given none

os.environ.pop("COLUMNS", None)  # how wide a report is: workers of pytest are told one, and tests say it themselves

# What is compiled here runs a few times on a few numbers: optimising it costs more than it saves. Read when JAX starts.
os.environ.setdefault("XLA_FLAGS", flags())

# As the command does for itself (``kltheory.cli.main``): the same formulas come again, and expressions are trees.
os.environ.setdefault("SYMPY_CACHE_SIZE", "20000")  # read when SymPy is imported; commands and workers inherit it
gc.set_threshold(100_000, 20, 50)

# Workers and commands, hundreds of processes, would each compile all sources anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_configure(config: pytest.Config) -> None:
    """What XLA compiled serves all workers and commands of this run; the next one starts with nothing."""
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    folder = tempfile.TemporaryDirectory(prefix="kltheory-xla-", ignore_cleanup_errors=True)
    config.add_cleanup(folder.cleanup)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = folder.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"


def pytest_collection_finish() -> None:
    """Modules and tests stay until the end: no search for cycles looks at them again."""
    gc.freeze()
