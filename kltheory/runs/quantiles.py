"""Exact quantiles of any number of values in little memory: histograms, each inside one bin of the last.

A quantile q is the order statistic of rank ⌈q N⌉, as ``inverted_cdf`` in NumPy. Each pass counts the values in bins
between the least and the greatest; what falls into the bin of the rank is looked at again, until few are left to sort.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
import polars as pl

BINS: Final = 4096
FEW: Final = 100_000
"""Values that are sorted at once."""

X: Final = pl.col("x")


@dataclass(frozen=True)
class _Rest:
    """Values between ``lo`` and ``hi`` among which order statistics are looked for; lazily, ``count`` of them."""

    values: pl.LazyFrame
    count: int
    lo: float
    hi: float

    @property
    def bins(self) -> pl.Expr:
        share = (X - self.lo) * (BINS / (self.hi - self.lo))
        return share.floor().clip(0, BINS - 1).cast(pl.Int32)

    @property
    def counted(self) -> pl.LazyFrame:
        found = self.values.group_by(self.bins.alias("bin")).agg(
            pl.len().alias("n"), X.min().alias("lo"), X.max().alias("hi")
        )
        return found.sort("bin")

    def inside(self, row: dict[str, float]) -> "_Rest":
        return _Rest(self.values.filter(self.bins == int(row["bin"])), int(row["n"]), row["lo"], row["hi"])


def quantiles(frame: pl.LazyFrame, value: pl.Expr, shares: Sequence[float]) -> list[float]:
    """The quantiles of an expression over rows, all of which have finite values.

    Args:
        frame: the rows that count, at least one.
        value: what is asked of each.
        shares: between 0 and 1.
    """
    values = frame.select(value.alias("x"))
    ends = values.select(pl.len().alias("n"), X.min().alias("lo"), X.max().alias("hi")).collect(engine="streaming")
    count, lo, hi = ends.row(0)
    whole = _Rest(values, count, lo, hi)
    ranks = [min(count, max(1, int(np.ceil(q * count)))) for q in shares]
    found = _statistics(whole, sorted(set(ranks)))
    return [found[rank] for rank in ranks]


def _statistics(rest: _Rest, ranks: Sequence[int]) -> dict[int, float]:
    """The order statistics of these ranks, in order, from 1."""
    if rest.lo == rest.hi:
        return dict.fromkeys(ranks, rest.lo)
    if rest.count <= FEW:
        held = rest.values.collect(engine="streaming")["x"].sort()
        return {rank: float(held[rank - 1]) for rank in ranks}
    table = rest.counted.collect(engine="streaming")
    above = np.cumsum(table["n"].to_numpy())
    out: dict[int, float] = {}
    for at, own in groupby(ranks, key=lambda rank: int(np.searchsorted(above, rank))):
        before = int(above[at - 1]) if at else 0
        listed = list(own)
        below = _statistics(rest.inside(table.row(at, named=True)), [rank - before for rank in listed])
        out |= {rank: below[rank - before] for rank in listed}
    return out
