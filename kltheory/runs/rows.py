"""The rows that count: what is finite, masked in and in nats; the others are counted by what is wrong with them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Final

import numpy as np
import polars as pl

from kltheory.runs.schema import COLUMNS, NoRun

ABOVE_ZERO: Final = 1e-3
"""A log-probability above this is none; rounding in bfloat16 stays below."""
OTHER_UNITS: Final = {"log10": np.log(10.0), "log2": np.log(2.0)}
"""What a natural logarithm divided by one to another base is."""
CLOSE: Final = 0.05

LOGS: Final = tuple(c.name for c in COLUMNS.values() if c.is_log)
NUMBERS: Final = tuple(c.name for c in COLUMNS.values() if c.kind == "number")


@dataclass(frozen=True)
class Fault:
    """What can be wrong with a row: for people, and an expression that says which rows it is."""

    text: str
    of_row: pl.Expr


def faults(columns: list[str]) -> Iterator[Fault]:
    """What is wrong with rows, in the order in which it is looked for; of rows that count alone."""
    for name in NUMBERS:
        if name in columns:
            is_number = pl.col(name).is_finite().fill_null(False)
            yield Fault(f"{name} is no finite number", pl.col("mask") & ~is_number)
    for name in LOGS:
        if name in columns:
            yield Fault(
                f"{name} is positive, and no logarithm of a probability", pl.col("mask") & (pl.col(name) > ABOVE_ZERO)
            )


@dataclass(frozen=True)
class Checked:
    """A run whose good rows are marked.

    Attributes:
        frame: the rows, with ``counts``: masked in and without a fault.
        columns: of the schema that are there.
        faults: text to number of rows.
        total: rows in all.
        masked: rows that the mask leaves out.
    """

    frame: pl.LazyFrame
    columns: frozenset[str]
    faults: dict[str, int]
    total: int
    masked: int

    @property
    def good(self) -> int:
        """Rows that count."""
        return self.total - self.masked - sum(self.faults.values())


def checked(frame: pl.LazyFrame) -> Checked:
    """Count what is wrong with rows, and mark the others. One pass.

    Raises:
        NoRun: there are no rows, none that count, or the logarithms are not natural.
    """
    columns = frame.collect_schema().names()
    listed = list(faults(columns))
    seen = pl.lit(False)
    first: list[pl.Expr] = []
    for fault in listed:  # a row counts under the first fault that it has
        first.append((fault.of_row & ~seen).sum().alias(fault.text))
        seen = seen | fault.of_row
    counts = (
        frame.select(pl.len().alias("rows"), (~pl.col("mask").fill_null(False)).sum().alias("left out"), *first)
        .collect(engine="streaming")
        .row(0, named=True)
    )
    total, masked = counts.pop("rows"), counts.pop("left out")
    marked = frame.with_columns((pl.col("mask").fill_null(False) & ~seen).fill_null(False).alias("counts"))
    found = Checked(marked, frozenset(columns), {k: v for k, v in counts.items() if v}, total, masked)
    if not total:
        raise NoRun("there are no rows")
    if not found.good:
        why = "; ".join(f"{n} rows: {text}" for text, n in found.faults.items()) or "the mask leaves out every token"
        raise NoRun(f"no row of {total} counts: {why}")
    _confirm_units(found)
    return found


SAMPLE: Final = 100_000
"""Rows that units are told from."""
QUARTILES: Final = (0.25, 0.5, 0.75)


def _confirm_units(found: Checked) -> None:
    """Raise NoRun where one column is another to another base: their quotient is nearly one number, and that one."""
    logs = [name for name in LOGS if name in found.columns]
    if len(logs) < 2:
        return
    sample = found.frame.filter("counts").select(logs).head(SAMPLE).collect()
    for a, b in permutations(logs, 2):
        ratio = (sample[a] / sample[b]).filter(sample[b] < -CLOSE)
        quartiles = [ratio.quantile(q) for q in QUARTILES]
        for name, factor in OTHER_UNITS.items():
            if all(q is not None and abs(q / factor - 1) < CLOSE for q in quartiles):
                raise NoRun(f"{b} is {a} in {name}: natural logarithms are needed, multiply it by {factor:.10g}")
