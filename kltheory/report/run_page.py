"""The report on a run as one HTML page: what was found, and how each mean moves over the steps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from kltheory.report.atlas.page import environment
from kltheory.report.run import head, notes, tables
from kltheory.runs.findings import findings
from kltheory.runs.measured import Measured

WIDTH, HEIGHT, EDGE = 300.0, 96.0, 6.0
"""Of a small picture, and what is left free above and below, in its own units."""
SHOWN: Final = (
    "k1", "k3", "k3_weighted", "reference_mass_weighted", "chi2_reference", "weight_excess", "weight_squared",
    "drift_abs", "surprise", "advantage", "pull_abs", "penalty_share", "penalty_dead", "dead_good", "dead_bad",
)  # fmt: skip
"""Means that are drawn over the steps, where they were measured."""


@dataclass(frozen=True)
class Small:
    """A small picture: a line over the steps, a band of two standard errors, and its ends in words."""

    name: str
    title: str
    line: str
    band: str
    lowest: str
    highest: str
    first: str
    last: str
    zero: float | None


def html(m: Measured) -> str:
    """One page: no network, no script. Raises NoTemplates where Jinja2 is not installed."""
    every = findings(m)
    shown = {"head": head(m), "findings": every, "notes": notes(m), "tables": [*tables(m)], "smalls": [*smalls(m)]}
    return str(environment(autoescape=True).get_template("run.html.j2").render(**shown, width=WIDTH, height=HEIGHT))


def smalls(m: Measured) -> Iterator[Small]:
    """The small pictures; none of a run of one step."""
    titles = {r.name: r.title for r in (*m.ratios, *(() if m.pulled is None else m.pulled.ratios))}
    for name in SHOWN if m.table.height > 1 else ():
        if name in titles:
            series = [(step, mean.value, mean.error) for step, mean in m.by_step(name) if np.isfinite(mean.value)]
            if len(series) > 1:
                yield _small(name, titles[name], series)


def _small(name: str, title: str, series: Sequence[tuple[object, float, float]]) -> Small:
    value = np.array([v for _, v, _ in series])
    error = 2 * np.nan_to_num([e for *_, e in series])
    low, high = float((value - error).min()), float((value + error).max())
    span = high - low or 1.0
    x = np.linspace(0, WIDTH, len(series))

    def y(
        numbers: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return EDGE + (HEIGHT - 2 * EDGE) * (high - numbers) / span

    top, bottom = zip(x, y(value + error), strict=True), zip(x[::-1], y(value - error)[::-1], strict=True)
    zero = float(y(np.zeros(1))[0]) if low < 0 < high else None
    ends = (f"{low:.3g}", f"{high:.3g}", str(series[0][0]), str(series[-1][0]))
    return Small(name, title, _points(zip(x, y(value), strict=True)), _points([*top, *bottom]), *ends, zero)


def _points(pairs: Iterator[tuple[float, float]] | Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in pairs)
