"""Pickles, as SkyRL's training inputs and verl's DataProto are: refused, for to read one is to run its code."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from kltheory.runs.files import Lost
from kltheory.runs.reader import Reader
from kltheory.runs.schema import NoRun


def _refused(files: Sequence[Path], lost: Lost) -> pl.LazyFrame:
    raise NoRun(
        f"{files[0].name} is a pickle: to read it is to run its code, so it is not read. Where you trust it, save its "
        "arrays: numpy.savez('step_1.npz', logp=…, logp_ref=…, mask=…), shape (responses, tokens)"
    )


READER = Reader(
    "pickles", "SkyRL, verl's DataProto", lambda files: any(f.suffix in (".pkl", ".pickle") for f in files), _refused
)
