"""A run on disk, measured."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from kltheory.calculus.formula.parse import read_formula
from kltheory.runs.loss import Loss
from kltheory.runs.measured import Measured, measure

Measure = Callable[..., Measured]


@pytest.fixture
def measured(tmp_path: Path) -> Measure:
    """Rows written as Parquet and measured, with the formula of a loss where one is given."""

    def run(rows: pl.DataFrame, formula: str | None = None) -> Measured:
        file = tmp_path / "run.parquet"
        rows.write_parquet(file)
        return measure([file], None if formula is None else Loss.typed(read_formula(formula)))

    return run
