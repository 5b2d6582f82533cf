"""One pass over a run: sums of clusters and of their products, step by step. Those of parts are added."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from kltheory.runs.ratios import ONE, Ratio
from kltheory.runs.rows import Checked

PARTS: Final = ("n", "d", "nn", "nd", "dd")
"""Σ numerators, Σ denominators, and the sums over clusters of their products."""


def cluster_of(columns: frozenset[str]) -> list[str]:
    """What independent draws are told apart by: prompts, else responses."""
    return ["step", "group" if "group" in columns else "response"] if columns & {"group", "response"} else ["step"]


def sums(run: Checked, ratios: Sequence[Ratio]) -> pl.DataFrame:
    """A row for each step: ``tokens``, ``clusters``, and the parts of each ratio as ``name.part``. Streams."""
    here = pl.col("counts")
    of_token = [pl.when(here).then(r.numerator).otherwise(0.0).alias(f"{r.name}.n") for r in ratios]
    of_token += [
        pl.when(here).then(r.denominator).otherwise(0.0).alias(f"{r.name}.d")
        for r in ratios
        if r.denominator is not ONE
    ]
    keys = cluster_of(run.columns)
    names = [e.meta.output_name() for e in of_token]
    clusters = (
        run.frame.select(*keys, here.cast(pl.Float64).alias("tokens"), *of_token)
        .group_by(keys)
        .agg(pl.col("tokens").sum(), *(pl.col(n).sum() for n in names))
        .filter(pl.col("tokens") > 0)
    )
    return clusters.group_by("step").agg(*_parts(ratios)).sort("step").collect(engine="streaming")


def _parts(ratios: Sequence[Ratio]) -> Iterable[pl.Expr]:
    yield pl.col("tokens").sum()
    yield pl.len().cast(pl.Float64).alias("clusters")
    for r in ratios:
        n = pl.col(f"{r.name}.n")
        d = pl.col("tokens") if r.denominator is ONE else pl.col(f"{r.name}.d")
        products = {"n": n, "d": d, "nn": n * n, "nd": n * d, "dd": d * d}
        yield from (e.sum().alias(f"{r.name}.{part}") for part, e in products.items())


def merged(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The sums of several parts of a run, none of which shares a cluster with another."""
    return pl.concat(list(parts), how="diagonal").group_by("step").agg(pl.all().sum()).sort("step")


@dataclass(frozen=True)
class Mean:
    """A measured mean: its value, its standard error, and of how many independent draws."""

    value: float
    error: float
    clusters: int

    @property
    def z(self) -> float:
        """How many standard errors it is from 0."""
        return self.value / self.error if self.error > 0 else (0.0 if self.value == 0 else float("inf"))


def mean_of(row: dict[str, float], ratio: Ratio) -> Mean:
    """The mean of one row of sums; not a number where nothing counts."""
    n, d, nn, nd, dd = (row[f"{ratio.name}.{part}"] for part in PARTS)
    k = int(row["clusters"])
    with np.errstate(all="ignore"):
        value = np.float64(n) / d
        spread = max(0.0, nn - 2 * value * nd + value * value * dd)
        error = np.sqrt(spread * k / (k - 1)) / abs(d) if k > 1 else float("nan")
    return Mean(float(value), float(error), k)


def overall(table: pl.DataFrame) -> dict[str, float]:
    """All steps together."""
    return table.drop("step").sum().row(0, named=True)
