"""The library, run once for the whole session: by the command line, in a process of its own, on two workers."""

import fcntl
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

RUN = """
import json, sys
from kltheory.proving.run import run_all
from kltheory.proving.theorem import collect, library
theorems = collect([library()])
reports = [{**t.to_json(), **r.to_json(), "name": r.name} for t, r in zip(theorems, run_all(theorems, 2), strict=True)]
open(sys.argv[1], "w").write(json.dumps(reports))
"""


@pytest.fixture(scope="session")
def library_reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Name to report. Not in this process, which has threads of JAX; and once, whatever the number of test workers."""
    folder = tmp_path_factory.getbasetemp()
    shared = folder.parent if "popen-gw" in folder.name else folder
    done = Path(shared, "library_reports.json")
    with Path(shared, "library_reports.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            subprocess.run([sys.executable, "-c", RUN, f"{done}.part"], check=True, timeout=300)
            Path(f"{done}.part").rename(done)
    return {report["name"]: report for report in json.loads(done.read_text(encoding="utf-8"))}
