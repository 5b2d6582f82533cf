"""Rows: what the expected gradient is the gradient of, for each placement, and where."""

from collections.abc import Iterator, Sequence
from typing import Final

from kltheory.audit.experiments import experiment
from kltheory.audit.positions import one_number
from kltheory.audit.reading import Reading
from kltheory.audit.row import Row
from kltheory.calculus.placement import PLACED

PLACES: Final = tuple(PLACED)
"""Where a function may stand: ``loss``, ``reward``."""
FINEST: Final = 1e-12
"""What the running expected gradient may differ by in float64, relative to the size of its terms."""


def rows(reading: Reading, where: Sequence[str] = PLACES) -> Iterator[Row]:
    """All rows of one function; the region that holds ℓ = 0 comes first. Raises Raised, Undecidable, CannotTrace."""
    ran = experiment(reading)
    for placement in reading.placements(where):
        runs = ran.placed(placement)
        if reading.sums_vocabulary and placement.where == "reward":
            yield one_number(placement, runs)  # for all actions
        else:
            yield from reading.rows(placement, runs)
