"""Parquet, the home format: ``kltheory measure --convert`` writes it."""

import polars as pl

from kltheory.runs.reader import Reader

READER = Reader(
    "parquet",
    "Parquet files in the names of the schema",
    lambda files: all(f.suffix in (".parquet", ".pq") for f in files),
    lambda files, lost: pl.scan_parquet(
        [str(f) for f in files],
        missing_columns="insert",
        extra_columns="ignore",
        cast_options=pl.ScanCastOptions(integer_cast="upcast", float_cast=["upcast", "downcast"]),
    ),
)
