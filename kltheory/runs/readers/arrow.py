"""Arrow IPC files, as Feather writes them."""

import polars as pl

from kltheory.runs.reader import Reader

READER = Reader(
    "arrow",
    "Arrow IPC files in the names of the schema",
    lambda files: all(f.suffix in (".arrow", ".feather", ".ipc") for f in files),
    lambda files, lost: pl.scan_ipc([str(f) for f in files]),
)
