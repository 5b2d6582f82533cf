"""Measures of a loss at a run's tokens: where it pulls, what of it is the penalty, and how far from a target."""

from collections.abc import Iterator
from typing import Final

import polars as pl

from kltheory.runs.loss import ON_POLICY_TARGET, TARGET, Loss
from kltheory.runs.ratios import REF, L, Ratio

PULL, PENALTY, REWARDED = map(pl.col, ("pull", "penalty", "rewarded"))
"""Columns that a loss adds to a run, computed once."""
A: Final = pl.col("advantage")


def with_loss(frame: pl.LazyFrame, loss: Loss) -> pl.LazyFrame:
    """The rows, with what the loss does at each; a pull that is no finite number makes a row count no more."""
    added = frame.with_columns(loss.pull.alias("pull"), loss.penalty.alias("penalty"), loss.rewarded.alias("rewarded"))
    finite = PULL.is_finite() & PENALTY.is_finite()
    return added.with_columns(
        (pl.col("counts") & finite).alias("counts"), (pl.col("counts") & ~finite).alias("endless")
    )


def _share(condition: pl.Expr) -> pl.Expr:
    return condition.cast(pl.Float64)


def measures(columns: frozenset[str], has_penalty: bool, has_advantage: bool) -> Iterator[Ratio]:
    """Those of a loss that apply: to its penalty, to the part with the advantage, to both."""
    own = ("logp",)
    yield Ratio("pull", "mean pull on log π", own, PULL)
    yield Ratio("pull_abs", "mean size of the pull", own, PULL.abs())
    yield Ratio("dead", "share of tokens that it does not pull", own, _share(PULL == 0))
    if has_advantage and "advantage" in columns:
        for name, sign, of in (("good", "A > 0", A > 0), ("bad", "A < 0", A < 0)):
            yield Ratio(
                f"dead_{name}",
                f"of tokens with {sign}, the share whose advantage does nothing",
                own,
                _share(of & (REWARDED == 0)),
                _share(of),
            )
    if has_penalty and has_advantage:
        yield Ratio(
            "penalty_share",
            "the penalty's share of all that is pulled, |penalty| against |advantage|",
            own,
            PENALTY.abs(),
            PENALTY.abs() + REWARDED.abs(),
        )
    if has_penalty and columns >= set(REF):
        yield from _penalty(TARGET if "logp_old" in columns else ON_POLICY_TARGET)


def _penalty(target: pl.Expr) -> Iterator[Ratio]:
    away = L != 0
    dead = away & (PENALTY == 0)
    yield Ratio(
        "penalty_dead",
        "share of tokens away from the reference that the penalty does not pull",
        REF,
        _share(dead),
        _share(away),
    )
    yield Ratio("distance_dead", "their share of all |l|", REF, L.abs() * _share(dead), L.abs())
    wrong = away & (PENALTY * L < 0)
    yield Ratio(
        "penalty_reversed",
        "share of tokens that the penalty pushes away from the reference",
        REF,
        _share(wrong),
        _share(away),
    )
    yield Ratio("penalty_mean", "mean of the penalty's pull", REF, PENALTY)
    yield Ratio("target_mean", "mean of the pull of KL(π‖π_ref), w l", REF, target)
    yield Ratio("penalty_square", "mean square of the penalty's pull", REF, PENALTY * PENALTY)
    yield Ratio("target_square", "mean square of w l", REF, target * target)
    yield Ratio("penalty_target", "mean product of both", REF, PENALTY * target)
