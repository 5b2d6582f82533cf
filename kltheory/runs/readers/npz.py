"""NumPy archives: arrays (B, T) or (N,) in the names of the schema; nothing is unpickled."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from kltheory.runs.files import Lost, step_in, streamed
from kltheory.runs.reader import ALIASES, Reader
from kltheory.runs.schema import COLUMNS, NoRun


def _responses(file: Path, lost: Lost) -> Iterator[dict[str, Any]]:
    try:
        with np.load(file, allow_pickle=False) as held:
            found = {ALIASES.get(k, k): held[k] for k in held.files}
    except (ValueError, BadZipFile) as e:
        raise NoRun(f"{file.name} cannot be read: {e}") from e
    known = {k: v for k, v in found.items() if k in COLUMNS}
    rows, *_ = known["logp"].shape if "logp" in known else (0,)
    for i in range(rows):
        own = {k: v[i].tolist() if v.ndim and len(v) == rows else v.tolist() for k, v in known.items()}
        yield {"step": step_in(file), **{k: v if known["logp"].ndim > 1 else [v] for k, v in own.items()}}


READER = Reader(
    "npz",
    "NumPy archives with arrays of shape (responses, tokens)",
    lambda files: all(f.suffix == ".npz" for f in files),
    lambda files, lost: streamed(files, _responses, lost),
)
