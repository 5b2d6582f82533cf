"""CSV, a row for each token."""

import polars as pl

from kltheory.runs.reader import Reader

READER = Reader(
    "csv",
    "CSV files in the names of the schema",
    lambda files: all(f.suffix in (".csv", ".tsv") for f in files),
    lambda files, lost: pl.scan_csv([str(f) for f in files], separator="\t" if files[0].suffix == ".tsv" else ","),
)
