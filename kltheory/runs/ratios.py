"""Measures that are means over tokens: Σ numerator / Σ denominator, with the standard error of whole responses.

Tokens of one response, and responses of one prompt, are no independent draws: the error is that of the ratio of sums of
clusters (W. Cochran 1977, section 6.3), the clusters being groups where there are groups, else responses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

L: Final = pl.col("logp") - pl.col("logp_ref")
LOG_W: Final = pl.col("logp") - pl.col("logp_old")
DRIFT: Final = pl.col("logp_old") - pl.col("logp_sampler")
W: Final = LOG_W.exp()
ONE: Final = pl.lit(1.0)


def expm1(x: pl.Expr) -> pl.Expr:
    """e^x - 1, to the last digit near 0 and however far from it: tanh(x/2) (e^x + 1)."""
    return (x / 2.0).tanh() * (x.exp() + 1.0)


@dataclass(frozen=True)
class Ratio:
    """One mean.

    Attributes:
        name: for programs.
        title: for people.
        needs: the columns it takes.
        numerator: of a token.
        denominator: of a token; 1 for a plain mean.
        null: what its expectation is where all is as it should be; ``None`` where that says nothing.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    numerator: pl.Expr
    denominator: pl.Expr = ONE
    null: float | None = None


REF, OLD, SAMPLER = ("logp", "logp_ref"), ("logp", "logp_old"), ("logp_old", "logp_sampler")
BOTH: Final = ("logp", "logp_ref", "logp_old")

RATIOS: Final = (
    Ratio("k1", "mean of k1 = l, over the samples as they are", REF, L),
    Ratio("k2", "mean of k2 = l²/2", REF, L * L / 2.0),
    Ratio("k3", "mean of k3 = e^-l - 1 + l", REF, expm1(-L) + L),
    Ratio("abs_l", "mean of |l|", REF, L.abs()),
    Ratio("k1_weighted", "w l: KL(π‖π_ref), whoever sampled", BOTH, W * L),
    Ratio("k3_weighted", "w k3: the same", BOTH, W * (expm1(-L) + L)),
    Ratio(
        "reference_mass", "e^-l - 1: zero where the policy drew and reaches all that the reference does", REF, expm1(-L)
    ),
    Ratio("reference_mass_weighted", "w (e^-l - 1), whoever sampled", BOTH, W * expm1(-L), null=0.0),
    Ratio("chi2_reference", "e^-2l - 1: χ²(π_ref‖π), what makes k3 noisy", REF, expm1(-2.0 * L)),
    Ratio("weight_excess", "w - 1: zero where the old policy drew", OLD, expm1(LOG_W), null=0.0),
    Ratio("log_weight", "mean of log w: minus KL(π_old‖π)", OLD, LOG_W),
    Ratio("weight_squared", "w²: 1 + χ²(π‖π_old)", OLD, W * W),
    Ratio("moved", "share of tokens with w ≠ 1", OLD, (LOG_W.abs() > 1e-6).cast(pl.Float64)),
    Ratio("drift", "log π_old - log π_sampler: minus KL(π_sampler‖π_old)", SAMPLER, DRIFT),
    Ratio("drift_abs", "|log π_old - log π_sampler|", SAMPLER, DRIFT.abs()),
    Ratio("drift_excess", "π_old/π_sampler - 1: zero where that engine drew", SAMPLER, expm1(DRIFT), null=0.0),
    Ratio("surprise", "-log π: the entropy, where the policy drew", ("logp",), -pl.col("logp")),
    Ratio("advantage", "mean of the advantages", ("advantage",), pl.col("advantage")),
    Ratio("positive", "share of tokens with A > 0", ("advantage",), (pl.col("advantage") > 0).cast(pl.Float64)),
    Ratio("no_advantage", "share of tokens with A = 0", ("advantage",), (pl.col("advantage") == 0).cast(pl.Float64)),
)
"""A new mean is a new row."""


def applicable(columns: frozenset[str], ratios: Sequence[Ratio] = RATIOS) -> list[Ratio]:
    """Those whose columns are there."""
    return [r for r in ratios if columns >= set(r.needs)]
