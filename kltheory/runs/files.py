"""Files of nested or of broken rows: read one after the other, never all at once; what cannot be read is counted."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl
from polars.io.plugins import register_io_source

from kltheory.runs.schema import COLUMNS, NoRun

TYPES: Final = {"number": pl.Float64, "flag": pl.Float64}
"""What is read as numbers; keys keep what they are."""


@dataclass
class Lost:
    """What could not be read, by file and reason; saying it twice counts once, as a file may be read twice."""

    counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def note(self, file: Path, reason: str, count: int) -> None:
        """So many rows of a file were left out."""
        if count:
            self.counts[str(file), reason] = count

    def lines(self) -> Iterator[str]:
        """A line for each file and reason."""
        for (file, reason), count in sorted(self.counts.items()):
            yield f"{file}: {count} left out: {reason}"


Rows = Mapping[str, Any]
Read = Callable[[Path, Lost], Iterator[Rows]]
"""A file, as one mapping for each response: schema names to lists, or to one value for all its tokens."""

AT_ONCE: Final = 200_000
"""Tokens of one piece."""


def streamed(files: Sequence[Path], read: Read, lost: Lost) -> pl.LazyFrame:
    """The tokens of responses, file by file.

    Raises:
        NoRun: no file has a response that can be read.
    """
    pieces = (piece for file in files for piece in _pieces(file, read, lost))
    first = next(pieces, None)
    if first is None:
        raise NoRun("; ".join(lost.lines()) or f"there is no response in {files[0].name}")

    def source(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        for file in files:
            for piece in _pieces(file, read, lost):
                frame = _like(piece, first)
                frame = frame if predicate is None else frame.filter(predicate)
                yield frame if with_columns is None else frame.select(with_columns)

    return register_io_source(source, schema=first.schema)


def _like(piece: pl.DataFrame, first: pl.DataFrame) -> pl.DataFrame:
    """A piece with the columns of the first: others are dropped, missing ones are null."""
    columns = [
        (pl.col(n) if n in piece.columns else pl.lit(None)).cast(t, strict=False).alias(n)
        for n, t in first.schema.items()
    ]
    return piece.select(columns)


def _pieces(file: Path, read: Read, lost: Lost) -> Iterator[pl.DataFrame]:
    held: list[pl.DataFrame] = []
    ragged = tokens = 0
    for number, row in enumerate(read(file, lost)):
        lengths = {len(x) for x in row.values() if isinstance(x, list)}
        if len(lengths) != 1:
            ragged += 1
            continue
        frame = _tokens({"response": f"{file.stem}:{number}", **row}, lengths.pop())
        held.append(frame)
        tokens += frame.height
        if tokens > AT_ONCE:
            yield pl.concat(held, how="diagonal_relaxed")
            held, tokens = [], 0
    lost.note(file, "responses whose columns have several lengths", ragged)
    if held:
        yield pl.concat(held, how="diagonal_relaxed")


def _tokens(row: Rows, length: int) -> pl.DataFrame:
    """A row for each token of one response."""
    columns = []
    for name, x in row.items():
        if x is None:
            continue
        listed = x if isinstance(x, list) else [x] * length
        kind = COLUMNS[name].kind
        columns.append(pl.Series(name, listed, TYPES.get(kind), strict=False))
    columns += [] if "position" in row else [pl.Series("position", range(length), pl.Int64)]
    return pl.DataFrame(columns)


def json_lines(file: Path, lost: Lost) -> Iterator[dict[str, Any]]:
    """The objects of a file, one a line; lines that are no JSON are counted."""
    bad = 0
    with file.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            if not line.strip():
                continue
            try:
                found = json.loads(line)
            except ValueError:
                bad += 1
                continue
            if isinstance(found, dict):
                yield found
            else:
                bad += 1
    lost.note(file, "lines that are no JSON object", bad)


def renamed_lines(names: Mapping[str, str]) -> Read:
    """JSON lines of a response each, read by the key of each column; the step is in the path where no key has it."""

    def read(file: Path, lost: Lost) -> Iterator[Rows]:
        for row in json_lines(file, lost):
            yield {"step": step_in(file), **{column: row[key] for column, key in names.items() if key in row}}

    return read


def step_in(file: Path) -> int:
    """The number in ``step_12`` or ``global_step_12``, in the file's name or a folder's; 0 where there is none."""
    for part in reversed(file.parts):
        _, found, tail = part.rpartition("step")
        digits = tail.lstrip("_-").split(".")[0].split("_")[0]
        if found and digits.isdigit():
            return int(digits)
    return 0
