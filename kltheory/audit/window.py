"""Windows around the reference, as regions of the calculus."""

from collections.abc import Mapping

import numpy as np
from sympy import Rational, Symbol

from kltheory.calculus.line import roots
from kltheory.calculus.regions import Region

Ends = tuple[float, float]
"""Of an interval; infinite where it has none."""


def window(intervals: Mapping[Symbol, Ends], digits: str = "") -> Region:
    """The box of these intervals, its ends the decimals that they are printed as: all, or as a format says."""
    box = dict(Region().box)
    for variable, ends in intervals.items():
        lo, hi = (None if np.isinf(e) else roots(variable - Rational(format(e, digits)), variable)[0] for e in ends)
        if lo is not None or hi is not None:
            box[variable] = (lo, hi)
    return Region(box)


def around(within: float | None, *variables: Symbol) -> Region:
    """Where these variables are within so many nats of 0; everywhere without a limit."""
    return window({} if within is None else dict.fromkeys(variables, (-within, within)))


def covers(region: Region, other: Region, *variables: Symbol) -> bool:
    """Whether the intervals of one box hold those of another; what has no end goes on without one."""
    for variable in variables:
        lo, hi = region.bounds(variable)
        a, b = other.bounds(variable)
        if (lo is not None and (a is None or float(a) < float(lo))) or (
            hi is not None and (b is None or float(b) > float(hi))
        ):
            return False
    return True
