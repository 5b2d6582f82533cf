"""Readers: how what a library dumps becomes rows of the schema. One is a file of :mod:`.readers`; nothing lists it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Final

import polars as pl

from kltheory.runs.dumps import without_logps
from kltheory.runs.files import Lost
from kltheory.runs.schema import COLUMNS, FILLED, NoRun, confirm_columns

ALIASES: Final[dict[str, str]] = {
    "logprob": "logp",
    "logprobs": "logp",
    "log_probs": "logp",
    "log_prob": "logp",
    "logps": "logp",
    "ref_logp": "logp_ref",
    "ref_logps": "logp_ref",
    "ref_log_prob": "logp_ref",
    "ref_log_probs": "logp_ref",
    "old_logp": "logp_old",
    "old_logps": "logp_old",
    "old_log_prob": "logp_old",
    "old_log_probs": "logp_old",
    "rollout_logp": "logp_sampler",
    "rollout_log_probs": "logp_sampler",
    "inference_logprobs": "logp_sampler",
    "advantages": "advantage",
    "rewards": "reward",
    "loss_mask": "mask",
    "response_mask": "mask",
    "response_id": "response",
    "sample": "response",
    "token_id": "token",
    "group_id": "group",
    "prompt": "group",
    "uid": "group",
}
"""What columns are called elsewhere."""


@dataclass(frozen=True)
class Reader:
    """One format.

    Attributes:
        name: what ``--reader`` calls it.
        source: whose it is, and the names in their code.
        suits: whether these files look like it.
        scan: the rows, lazily, in the schema's names as far as the format has them.
        says: what a reader of it should know.
        is_general: whether any other that suits goes before it.
    """

    name: str
    source: str
    suits: Callable[[Sequence[Path]], bool]
    scan: Callable[[Sequence[Path], Lost], pl.LazyFrame]
    says: str = ""
    is_general: bool = False


def readers() -> dict[str, Reader]:
    """Every reader by its name."""
    package = import_module("kltheory.runs.readers")
    names = sorted(m.name for m in iter_modules(package.__path__) if not m.name.startswith("_"))
    found: list[Reader] = [import_module(f"{package.__name__}.{name}").READER for name in names]
    return {r.name: r for r in found}


def files_of(places: Sequence[Path]) -> list[Path]:
    """The files that are meant; of a folder all in it. Raises NoRun."""
    found: list[Path] = []
    for place in places:
        if not place.exists():
            raise NoRun(f"there is no file {place}")
        found += sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
    if not found:
        raise NoRun(f"there is no file in {', '.join(map(str, places))}")
    return found


def reader_for(files: Sequence[Path], name: str | None = None) -> Reader:
    """The reader of that name, or the first that suits. Raises NoRun."""
    known = readers()
    if name is not None:
        if name not in known:
            raise NoRun(f"there is no reader {name!r}: {', '.join(known)}")
        return known[name]
    inner = sorted(known.values(), key=lambda r: r.is_general)
    found = next((r for r in inner if r.suits(files)), None)
    if found is None:
        raise NoRun(f"no reader knows {files[0].name}: --reader one of {', '.join(known)}")
    return found


def in_schema(frame: pl.LazyFrame, renamed: Mapping[str, str]) -> pl.LazyFrame:
    """The columns of the schema alone, of its types; of rows that hold lists, one a response, a row for each token.

    Args:
        frame: rows as they were read.
        renamed: schema name to the column that holds it, where names do not tell.

    Raises:
        NoRun: a column that is named does not exist, or too little is there.
    """
    types = frame.collect_schema()
    names = types.names()
    if gone := [c for c in renamed.values() if c not in names]:
        raise NoRun(f"there is no column {gone[0]}: there are {', '.join(names)}")
    if wrong := [c for c in renamed if c not in COLUMNS]:
        raise NoRun(f"{wrong[0]} is no column of the schema: {', '.join(COLUMNS)}")
    if said := "" if "logp" in renamed else without_logps(names):
        raise NoRun(said)
    found = {c: c for c in COLUMNS if c in names}
    found |= {schema: c for c, schema in ALIASES.items() if c in names and schema not in found}
    found |= renamed
    confirm_columns(found)
    lists = [held for held in found.values() if types[held].is_nested()]
    if lists:  # a row for each response
        if "response" not in found:
            frame, found = frame.with_row_index("response"), {**found, "response": "response"}
        frame = frame.explode(lists)
    columns = [_typed(pl.col(held), name) for name, held in found.items()]
    missing = [pl.lit(value).alias(name) for name, value in FILLED.items() if name not in found]
    return frame.select(*columns, *missing)


def _typed(held: pl.Expr, name: str) -> pl.Expr:
    match COLUMNS[name].kind:
        case "number":
            return held.cast(pl.Float64, strict=False).alias(name)
        case "flag":
            return (held.cast(pl.Float64, strict=False).fill_nan(None) != 0).alias(name)
    return held.alias(name)
