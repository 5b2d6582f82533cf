"""The reading of a function without a formula: answers come from running it, and nothing here is a proof."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from sympy import Rational

from kltheory.audit.advantage import Pushed
from kltheory.audit.experiments import Placed, distances, experiment, residual
from kltheory.audit.measure import POINTS, Fit, Probe, fit, measured_zones
from kltheory.audit.pieces import first_order
from kltheory.audit.positions import MEASURED_TOLERANCE, by_position
from kltheory.audit.reading import Reading
from kltheory.audit.row import Row
from kltheory.audit.window import around
from kltheory.audit.zones import Zone
from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import reverse_kl
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.placement import AS_LOSS, Placement
from kltheory.calculus.regions import Region
from kltheory.calculus.symbols import log_ratio, log_weight

NO_FORMULA: Final = "the part with the advantage is not looked at: there is no formula"
UNKNOWN: Final = "no known divergence, nor a sum of two, fits the measured coefficient near the reference"
RATIOS: Final = np.array([-2.0, -0.5, 0.3, 1.1])
"""Where a derivative that does not know the reference is the same."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Measured(Reading):
    """A function that was not traced, or in which tokens meet so that none has a formula of its own."""

    how = "measured"

    @property
    def is_of_one_token(self) -> bool:
        """Whether it can be run on one: what was traced, and is of several, is known to be of no single one."""
        return bool(self.reason)

    def pushes(self) -> tuple[Pushed, ...]:
        """Nothing where it takes no advantages; else it is not known."""
        if self.has_advantage:
            found = f"only the penalty is looked at: {self.meeting}" if self.meeting else NO_FORMULA
            raise Undecidable(found)
        return ()

    def rows(self, placement: Placement, runs: list[Placed]) -> Iterator[Row]:
        """The known class that the running coefficient fits near the reference, and how far from it that holds."""
        row, _ = self._fitted(placement, runs)
        yield row

    def _fitted(self, placement: Placement, runs: list[Placed]) -> tuple[Row, Fit | None]:
        """The row, and the fit that it rests on, if it has one."""
        match = fit(self, runs, placement)
        if match is None:
            near = distances(runs, reverse_kl.coefficient)
            row = Row(placement, "none", "-100 < l < 100", self.how, None, distances=near, reason=UNKNOWN)
            return by_position(row, runs), None
        named = match.identification
        multiple = first_order(named.coefficient)
        near = distances(runs, reverse_kl.coefficient, multiple)
        cells = tuple((r, e) for cell, e in named.coefficient.cells if (r := cell & match.region) is not None)
        gap = residual(Coefficient(cells), runs)
        found = (named.name, match.where, self.how, gap, match.region, "", named.title, named.slope, None)
        row = Row(placement, *found, multiple, near)
        if gap is None or gap <= MEASURED_TOLERANCE:
            return row, match
        reason = f"{named.name} fits near the reference only"
        return replace(row, gradient_of="none", title="", slope=None, reason=reason), None

    def agrees(self, placement: Placement, target: Coefficient, within: float | None) -> bool:
        """Whether the fit is the target, and was seen to hold throughout the window."""
        _, match = self._fitted(placement, experiment(self).placed(placement))
        if match is None:
            return False
        if within is not None and within > POINTS[-1]:
            raise Undecidable(f"it was measured for |l| <= {POINTS[-1]:g} only")
        same = _exact(match.identification.coefficient).equals(target)
        return same and _covers(match.region, around(within, placement.who))

    def zones(self) -> list[Zone]:
        """Intervals of a grid."""
        return measured_zones(self)

    def moves_with_reference(self) -> tuple[bool, str]:
        """Whether it takes several values; of a sum over the vocabulary the residual of each row says it."""
        if self.sums_vocabulary:
            return True, ""
        values = [Probe(self, AS_LOSS).grid(np.full(1, x), np.zeros(1)).value[0] for x in RATIOS]
        return bool(np.ptp(values) > 1e-9 * max(1.0, np.abs(values).max())), ""


def _exact(c: Coefficient) -> Coefficient:
    """Scales that were measured to six digits, as the decimals they are printed as."""
    return c.map(lambda e: e.replace(lambda x: x.is_Float, lambda x: Rational(str(x))))


def _covers(region: Region, other: Region) -> bool:
    """Whether an interval that was measured holds a window; an infinite end was measured as far as one can look."""
    for variable in (log_ratio, log_weight):
        lo, hi = region.bounds(variable)
        a, b = other.bounds(variable)
        if (lo is not None and (a is None or float(a) < float(lo))) or (
            hi is not None and (b is None or float(b) > float(hi))
        ):
            return False
    return True
