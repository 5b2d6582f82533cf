"""Conversion: any readable run as one Parquet file in the names of the schema, streaming."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from kltheory.runs.files import Lost
from kltheory.runs.reader import files_of, in_schema, reader_for
from kltheory.runs.schema import NoRun


def convert(
    places: Sequence[Path], to: Path, reader: str | None = None, columns: Mapping[str, str] | None = None
) -> Lost:
    """Write the rows, and say what could not be read. The file appears when it is whole.

    Raises:
        NoRun: it cannot be read, or the file is there already: nothing is overwritten.
    """
    if to.exists():
        raise NoRun(f"{to} is there already, and is not overwritten")
    files, lost = files_of(places), Lost()
    frame = in_schema(reader_for(files, reader).scan(files, lost), columns or {})
    part = to.with_name(f".{to.name}.part")
    try:
        frame.sink_parquet(part)
        part.rename(to)
    finally:
        part.unlink(missing_ok=True)
    return lost
