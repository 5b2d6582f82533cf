"""Numbers of a position, the same for all its actions: as a baseline, and in front of a divergence's gradient."""

from dataclasses import replace
from typing import Final

import numpy as np

from kltheory.audit.experiments import Placed, distances, predicted
from kltheory.audit.row import Row
from kltheory.calculus.divergence import DIVERGENCES, Divergence, reverse_kl
from kltheory.calculus.placement import Placement
from kltheory.calculus.surrogate import Sampler
from kltheory.numerics.settings import Array

MEASURED_TOLERANCE: Final = 1e-3
"""What a fit may leave, relative to the coefficient."""
BASELINE: Final = "X·(π_old - π) by the logits, X the number of the position: a baseline only for who drew"


def one_number(placement: Placement, runs: list[Placed]) -> Row:
    """One number X for all actions of a position, times the score: E_old[X ∇log π] is X·(π_old − π) by the logits."""
    gaps, on_policy = [], placement.who is Sampler.POLICY
    for run in runs:
        drew = run.settings.logp if on_policy else run.settings.logp_old
        d = np.exp(drew) - np.exp(run.settings.logp)
        gaps.append(float((_beside(run, d) / np.maximum(1.0, run.scale)).max()))
    name, title = ("zero", "zero") if on_policy else ("none", BASELINE)
    near = distances(runs, reverse_kl.coefficient)
    return Row(placement, name, "everywhere", "derived", max(gaps), title=title, distances=near)


def by_position(row: Row, runs: list[Placed]) -> Row:
    """The row of what is another multiple of one divergence at each position: no objective, and what it looks like."""
    for divergence in DIVERGENCES:
        if all(_is_aligned(run, divergence) for run in runs):
            title = f"at each position a number of its own times {divergence.title}"
            return replace(row, title=title, reason="")
    return row


def _is_aligned(run: Placed, divergence: Divergence) -> bool:
    """Whether the expected gradient of every setting is a multiple of a divergence's."""
    goal, _ = predicted(divergence.coefficient, run.settings)
    return bool((_beside(run, goal) <= MEASURED_TOLERANCE * np.abs(run.expected).max(axis=-1)).all())


def _beside(run: Placed, goal: Array) -> Array:
    """The largest entry of what is left of each setting's expected gradient beside a multiple of ``goal``."""
    size = (goal * goal).sum(axis=-1, keepdims=True)
    share = np.divide((run.expected * goal).sum(axis=-1, keepdims=True), size, out=np.zeros_like(size), where=size > 0)
    return np.asarray(np.abs(run.expected - share * goal).max(axis=-1))
