"""Proof of the library, file by file, on one core: what each file of theorems adds to ``make prove``."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kltheory.proving.theorem import library

RUN = "import sys; from kltheory.cli import main; raise SystemExit(main(sys.argv[1:]))"


@pytest.mark.parametrize("file", sorted(library().glob("*.py")), ids=lambda p: p.stem)
def test_file(benchmark: Any, say: Callable[[str], None], file: Path) -> None:
    """``kltheory prove FILE -j 1`` in a fresh process: imports and compilation of JAX's functions are part of it."""

    def prove() -> dict[str, Any]:
        command = [sys.executable, "-c", RUN, "prove", file, "-j", "1", "--json", "-"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr
        return json.loads(done.stdout)

    report = benchmark.pedantic(prove, rounds=1)
    theorems = sorted(report["theorems"], key=lambda t: -t["seconds"])
    benchmark.extra_info |= {"seconds": {t["name"]: t["seconds"] for t in theorems}}
    slowest = theorems[0]
    say(
        f"{file.stem:20} {benchmark.stats.stats.median:5.1f} s, {len(theorems):2} theorems; "
        f"slowest {slowest['seconds']:.1f} s ({slowest['name']})"
    )
