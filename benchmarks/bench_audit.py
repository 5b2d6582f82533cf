"""An audit from the command line, cold, against starting Python and importing what it cannot do without."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pytest

LOSSES = {
    "jax": """
import jax.numpy as jnp

def per_token(logps, ref_logps):
    log_ratio = logps - ref_logps
    return jnp.clip(jnp.exp(-log_ratio) - 1 + log_ratio, -10, 10)

def aggregated(logps, ref_logps, mask):
    return (per_token(logps, ref_logps) * mask).sum() / mask.sum()
""",
    "torch": """
import torch

def per_token(logps, ref_logps):
    log_ratio = logps - ref_logps
    return (torch.exp(-log_ratio) - 1 + log_ratio).clamp(-10, 10)

def aggregated(logps, ref_logps, mask):
    return (per_token(logps, ref_logps) * mask).sum() / mask.sum()
""",
}
NEEDED = {"jax": "import sympy, jax.numpy", "torch": "import sympy, torch"}
RUNS = 3


def seconds(*arguments: str, status: int = 0) -> float:
    """Wall time of a fresh interpreter."""
    start = perf_counter()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    taken = perf_counter() - start
    assert done.returncode == status, done.stderr
    return taken


@pytest.mark.parametrize("framework", LOSSES)
@pytest.mark.parametrize("function", ["per_token", "aggregated"])
def test_audit(framework: str, function: str, tmp_path: Path, benchmark: Any, say: Callable[[str], None]) -> None:
    """A clamped k3: its verdict is an alarm (status 1), as it should be."""
    pytest.importorskip(framework)
    file = tmp_path / "losses.py"
    file.write_text(LOSSES[framework], encoding="utf-8")
    call = "import sys; from kltheory.cli import main; sys.exit(main(sys.argv[1:]))"

    def audit() -> None:
        seconds("-c", call, "audit", f"{file}:{function}", status=1)

    benchmark.pedantic(audit, rounds=RUNS, warmup_rounds=1)
    whole, imports = benchmark.stats.stats.median, median(seconds("-c", NEEDED[framework]) for _ in range(RUNS))
    benchmark.extra_info.update(imports=imports, ratio=whole / imports)
    say(f"audit, {framework}, {function}: {whole:.1f} s, {whole / imports:.1f}x its imports ({imports:.1f} s)")
