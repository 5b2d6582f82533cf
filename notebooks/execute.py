"""Execute every notebook from scratch, each in a kernel of its own; the exit status says whether all ran."""

import sys
import time
from pathlib import Path

import jupytext
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

HERE = Path(__file__).parent
LIMIT = 3600
"""Seconds for one cell: for one that never ends, and far from what a slow machine needs."""


def main(names: list[str]) -> int:
    """Run the named ones, or all."""
    failed = 0
    for path in sorted(HERE.glob("[0-9]*.py")):
        if names and path.stem not in names:
            continue
        start = time.perf_counter()
        quiet = ["--log-level=ERROR"]  # the kernel speaks to this machine only
        where = {"metadata": {"path": str(HERE)}}
        client = NotebookClient(jupytext.read(path), timeout=LIMIT, resources=where, extra_arguments=quiet)
        try:
            client.execute()
        except CellExecutionError as e:
            failed += 1
            print(f"{path.name}: FAILED\n{e}", file=sys.stderr)
        else:
            print(f"{path.name}: {time.perf_counter() - start:.1f} s")
    return min(failed, 1)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
