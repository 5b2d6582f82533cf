"""Who has the least cost: along a path, and of so many samples.

Costs are balls, and one is less than another only where that is certain: so ties do not flicker, and rounding is never
taken for a difference.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from flint import arb

from kltheory.numerics.balls import precision
from kltheory.numerics.enclosed import PRECISIONS, Balls, each

Costs = Callable[[Sequence[float]], Balls]
"""From K values of t to the costs of M candidates, shape (M, K); not finite where one has none."""

RESOLUTION: Final = 1e-10
"""How closely a change is located, in t."""


@dataclass(frozen=True)
class Flip:
    """At t the candidate with the least cost changes; ``None`` is nobody, where no candidate has a cost."""

    t: float
    before: int | None
    after: int | None


def flips(costs: Costs, grid: Sequence[float]) -> tuple[int | None, list[Flip]]:
    """Who is least at the start of the grid, and where somebody else takes the place, by bisection.

    What happens twice between two points of the grid is not seen.
    """
    table = _mended(costs(grid))
    current = first = _least(table[:, 0], None)
    found: list[Flip] = []
    for k in range(1, len(grid)):
        low, high = float(grid[k - 1]), float(grid[k])
        for _ in range(len(table) + 1):
            if _least(table[:, k], current) == current:
                break
            low, after = _bisect(costs, low, high, current)
            found.append(Flip(low, current, after))
            current = after
    return first, found


def _mended(table: Balls) -> Balls:
    """Where a candidate has no cost at one point alone, as on a kink, nothing certain is said of it there."""
    out = table.copy()
    for i, k in np.argwhere(~each(arb.is_finite)(table).astype(bool)):
        if 0 < k < table.shape[1] - 1:
            out[i, k] = table[i, k - 1].union(table[i, k + 1])
    return out


def _least(column: Sequence[Any], current: int | None) -> int | None:
    """Who has no cost that another is certainly below: the current one if it may be, else the first."""
    defined = [i for i, x in enumerate(column) if x.is_finite()]
    good = [i for i in defined if not any(column[j] < column[i] for j in defined)]
    return current if current in good else good[0] if good else None


def _bisect(costs: Costs, low: float, high: float, current: int | None) -> tuple[float, int | None]:
    """Where ``current`` stops being the least, and who is least there."""
    while high - low > RESOLUTION:
        middle = (low + high) / 2
        if _least(costs([middle])[:, 0], current) == current:
            low = middle
        else:
            high = middle
    return high, _least(costs([high])[:, 0], current)


def leader(costs: Sequence[Any]) -> int:
    """The first that no other is certainly below. Raises ValueError where none is finite."""
    found = _least(costs, None)
    if found is None:
        raise ValueError("there is nothing to compare: no finite cost")
    return found


def _floor(x: Any) -> int:
    return int(x.floor().unique_fmpz())


def by_samples(bias: Sequence[Any], variance: Sequence[Any]) -> list[tuple[int, int]]:
    """Who has the least mean square error bias² + variance/N: pairs (from N samples on, candidate), N rising."""
    with precision(PRECISIONS[0]):
        square = [arb(b) ** 2 for b in bias]
        noise = [arb(v) for v in variance]
        current = leader([b + v for b, v in zip(square, noise, strict=True)])
        out = {1: current}
        while better := [i for i, b in enumerate(square) if b < square[current]]:
            crossing = {i: (noise[i] - noise[current]) / (square[current] - square[i]) for i in better}
            nearest = min(crossing.values(), key=arb.mid)
            current = min((i for i in better if crossing[i].overlaps(nearest)), key=lambda i: square[i].mid())
            out[max(0, _floor(crossing[current].mid())) + 1] = current
        return sorted(out.items())
