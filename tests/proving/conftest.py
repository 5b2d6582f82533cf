"""The library, run once for the whole session: in a process of its own, on two workers."""

import fcntl
import json
import subprocess
import sys
from dataclasses import dataclass
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


@dataclass(frozen=True)
class LibraryRun:
    """How the run ended: its exit status, what it printed, and the reports, where it wrote them."""

    status: int
    printed: str
    reports: dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def library_run(tmp_path_factory: pytest.TempPathFactory) -> LibraryRun:
    """Not in this process, which has threads of JAX; and once, however many test workers there are or how it ends."""
    folder = tmp_path_factory.getbasetemp()
    shared = folder.parent if "popen-gw" in folder.name else folder
    file, done = shared / "library_reports.json", shared / "library_run.json"
    with Path(shared, "library_run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            ran = subprocess.run([sys.executable, "-c", RUN, file], capture_output=True, text=True, check=False)
            ended = {"status": ran.returncode, "printed": ran.stdout + ran.stderr}
            done.with_suffix(".part").write_text(json.dumps(ended), encoding="utf-8")
            done.with_suffix(".part").rename(done)
    ended = json.loads(done.read_text(encoding="utf-8"))
    reports = json.loads(file.read_text(encoding="utf-8")) if ended["status"] == 0 else []
    return LibraryRun(ended["status"], ended["printed"], {report["name"]: report for report in reports})


@pytest.fixture(scope="session")
def library_reports(library_run: LibraryRun) -> dict[str, dict[str, Any]]:
    """Name to report. A run that failed is one failure, of the test of the run, and not one of each that needs it."""
    if library_run.status:
        pytest.skip("the library could not be run: see test_the_library_runs")
    return library_run.reports
