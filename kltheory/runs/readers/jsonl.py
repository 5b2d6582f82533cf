"""JSON lines in the names of the schema or of the aliases: a token a line, or a response a line with lists."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kltheory.runs.dumps import without_logps
from kltheory.runs.files import Lost, json_lines, step_in, streamed
from kltheory.runs.reader import ALIASES, Reader
from kltheory.runs.schema import COLUMNS, NoRun


def _responses(file: Path, lost: Lost) -> Iterator[dict[str, Any]]:
    for row in json_lines(file, lost):
        if said := without_logps(row):
            raise NoRun(said)
        named = {ALIASES.get(k, k): v for k, v in row.items()}
        known = {k: v for k, v in named.items() if k in COLUMNS}
        known.setdefault("step", step_in(file))
        is_token = not any(isinstance(v, list) for v in known.values())
        yield {k: [v] for k, v in known.items()} if is_token else known


READER = Reader(
    "jsonl",
    "JSON lines, a token or a response each",
    lambda files: all(f.suffix in (".jsonl", ".ndjson") for f in files),
    lambda files, lost: streamed(files, _responses, lost),
    is_general=True,
)
