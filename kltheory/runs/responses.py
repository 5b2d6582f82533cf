"""Measures of whole responses: weights of responses, lengths, rewards, and groups of one mind."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from kltheory.runs.ratios import LOG_W
from kltheory.runs.rows import Checked

QUARTERS: Final = 4
"""Classes of length, each with as many responses, in which effective sample sizes are told."""


@dataclass(frozen=True)
class Responses:
    """What is known of whole responses.

    Attributes:
        count: how many have a token that counts.
        tokens: of a response, on average, and the most.
        finished: the share that ended by itself; ``None`` where that is not known.
        sample_size: (Σρ)²/(R Σρ²), ρ the product of the weights of a response; ``None`` without an old policy.
        by_length: the same in each class of length: the most tokens in it, and the share.
        groups: how many groups there are.
        of_one_mind: the share of groups of several whose rewards are all equal; ``None`` without rewards and groups.
        length_and_reward: the correlation of tokens and reward over responses; ``None`` without rewards.
    """

    count: int
    tokens: tuple[float, int]
    finished: float | None
    sample_size: float | None
    by_length: tuple[tuple[int, float], ...]
    groups: int | None
    of_one_mind: float | None
    length_and_reward: float | None


def responses(run: Checked) -> Responses | None:
    """What is known of whole responses; ``None`` where rows are not told apart by one. One pass, a row for each."""
    if "response" not in run.columns:
        return None
    known = run.columns
    parts = [pl.len().alias("tokens")]
    parts += [LOG_W.sum().alias("log_rho")] if "logp_old" in known else []
    parts += [pl.col(c).first() for c in ("reward", "finished", "group") if c in known]
    table = run.frame.filter("counts").group_by("step", "response").agg(*parts).collect(engine="streaming")
    tokens = table["tokens"].to_numpy()
    rho = table["log_rho"].to_numpy() if "logp_old" in known else None
    return Responses(
        table.height,
        (float(tokens.mean()), int(tokens.max())),
        float(table["finished"].to_numpy().mean()) if "finished" in known else None,
        None if rho is None else effective(rho),
        () if rho is None else tuple(_by_length(tokens, rho)),
        table.select(pl.struct("step", "group").n_unique()).item() if "group" in known else None,
        _of_one_mind(table) if {"group", "reward"} <= known else None,
        _correlation(tokens, table["reward"].to_numpy()) if "reward" in known else None,
    )


def effective(log_weights: Any) -> float:
    """(Σρ)²/(n Σρ²) of the exponentials: 1 where all weigh the same, 1/n where one weighs all."""
    rho = np.exp(log_weights - log_weights.max())
    return float(rho.sum() ** 2 / (len(rho) * (rho**2).sum()))


def _by_length(tokens: Any, log_rho: Any) -> Iterator[tuple[int, float]]:
    """In quarters of the responses by length; those of one length are in one class."""
    before = 0
    for most in dict.fromkeys(int(part[-1]) for part in np.array_split(np.sort(tokens), QUARTERS) if len(part)):
        part = log_rho[(before < tokens) & (tokens <= most)]
        if len(part) > 1:
            yield most, effective(part)
        before = most


def _of_one_mind(table: pl.DataFrame) -> float | None:
    spread = table.group_by("step", "group").agg(
        pl.len().alias("n"), (pl.col("reward").max() - pl.col("reward").min()).alias("gap")
    )
    several = spread.filter(pl.col("n") > 1)
    return float((several["gap"].to_numpy() == 0).mean()) if several.height else None


def _correlation(x: Any, y: Any) -> float | None:
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1])
