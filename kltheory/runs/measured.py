"""What was measured of a run: rows, means with errors, quantiles, whole responses, what a loss did at its tokens."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

import polars as pl
from polars.exceptions import PolarsError

from kltheory.runs.files import Lost
from kltheory.runs.loss import Loss
from kltheory.runs.moments import Mean, mean_of, overall, sums
from kltheory.runs.pulls import PULL, measures, with_loss
from kltheory.runs.quantiles import quantiles
from kltheory.runs.ratios import LOG_W, OLD, REF, L, Ratio, applicable
from kltheory.runs.reader import Reader, files_of, in_schema, reader_for
from kltheory.runs.responses import Responses, responses
from kltheory.runs.rows import Checked, checked
from kltheory.runs.schema import COLUMNS, FILLED, NoRun

SHARES: Final = (0.001, 0.01, 0.5, 0.99, 0.999)
TOP: Final = 0.001
"""The share of tokens whose part in all that is pulled is told."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Pulled:
    """What a loss did.

    Attributes:
        name: of the loss.
        ratios: its measures.
        table: their sums, a row for each step.
        top: the share of all |pull| that the top 0.1 % of tokens have.
        endless: tokens at which it is not finite.
    """

    name: str
    ratios: tuple[Ratio, ...]
    table: pl.DataFrame
    top: float
    endless: int


@dataclass(frozen=True)
class Measured:
    """One run.

    Attributes:
        files: how many were read, by which reader.
        reader: it.
        run: its rows, and what is wrong with some.
        lost: what could not be read at all.
        ratios: the means that its columns allow.
        table: their sums, a row for each step.
        spread: quantiles by name of what is asked, ``l`` and ``log_w``; in the order of :data:`SHARES`.
        responses: what is known of whole responses.
        pulled: what a loss did at its tokens; ``None`` without a loss.
        notes: what was assumed of that loss.
    """

    files: int
    reader: Reader
    run: Checked
    lost: tuple[str, ...]
    ratios: tuple[Ratio, ...]
    table: pl.DataFrame
    spread: Mapping[str, tuple[float, ...]]
    responses: Responses | None
    pulled: Pulled | None = None
    notes: tuple[str, ...] = field(default=())

    @cached_property
    def means(self) -> dict[str, Mean]:
        """Of all steps together, by name; those of the loss too."""
        found = {r.name: mean_of(overall(self.table), r) for r in self.ratios}
        if self.pulled is not None:
            found |= {r.name: mean_of(overall(self.pulled.table), r) for r in self.pulled.ratios}
        return found

    def by_step(self, name: str) -> list[tuple[object, Mean]]:
        """One mean, step by step."""
        table = self.table
        known = {r.name: r for r in self.ratios}
        if name not in known and self.pulled is not None:
            known, table = {r.name: r for r in self.pulled.ratios}, self.pulled.table
        return [(row["step"], mean_of(row, known[name])) for row in table.iter_rows(named=True)]

    @property
    def missing(self) -> list[str]:
        """Columns of the schema that the run has not, and nothing stands for."""
        return [name for name in COLUMNS if name not in self.run.columns and name not in FILLED]


def measure(
    places: Sequence[Path],
    loss: Loss | None = None,
    reader: str | None = None,
    columns: Mapping[str, str] | None = None,
    progress: Progress = lambda stage: None,
) -> Measured:
    """Measure a run.

    Args:
        places: files or folders.
        loss: what was minimised, if its effect is asked for.
        reader: the name of a reader, where the files do not tell.
        columns: schema name to column, where names do not tell.
        progress: called with what comes next.

    Raises:
        NoRun: it cannot be read, or no row counts; the message says what to do.
    """
    files, lost = files_of(places), Lost()
    chosen = reader_for(files, reader)
    progress("reading rows")
    try:
        run = checked(in_schema(chosen.scan(files, lost), columns or {}))
    except PolarsError as e:
        raise NoRun(f"{files[0].name} cannot be read: {str(e).partition(chr(10))[0]}") from e
    progress("means")
    ratios = tuple(applicable(run.columns))
    table = sums(run, ratios)
    progress("quantiles")
    asked = {name: value for name, value, needs in ASKED if run.columns >= set(needs)}
    good = run.frame.filter("counts")
    spread = {name: tuple(quantiles(good, value, SHARES)) for name, value in asked.items()}
    progress("whole responses")
    whole = responses(run)
    pulled = None if loss is None else _pulled(run, loss, progress)
    return Measured(len(files), chosen, run, tuple(lost.lines()), ratios, table, spread, whole, pulled)


ASKED: Final[tuple[tuple[str, pl.Expr, tuple[str, ...]], ...]] = (("l", L, REF), ("log_w", LOG_W, OLD))


def _pulled(run: Checked, loss: Loss, progress: Progress) -> Pulled:
    progress("the loss at each token")
    loss.confirm(run.columns)
    joined = Checked(with_loss(run.frame, loss), run.columns, run.faults, run.total, run.masked)
    ratios = tuple(measures(run.columns, loss.has_penalty, loss.has_advantage))
    table = sums(joined, ratios)
    counts, size = pl.col("counts"), PULL.abs()
    (edge,) = quantiles(joined.frame.filter(counts), size, (1 - TOP,))
    shares = (size.filter(counts & (size >= edge)).sum(), size.filter(counts).sum(), pl.col("endless").sum())
    named = (e.alias(name) for e, name in zip(shares, ("strong", "all", "endless"), strict=True))
    strong, all_of, endless = joined.frame.select(*named).collect(engine="streaming").row(0)
    return Pulled(loss.name, ratios, table, strong / all_of if all_of else 0.0, int(endless))
