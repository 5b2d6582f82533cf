"""Windows around the reference, as regions of the calculus."""

from collections.abc import Mapping

import numpy as np
from sympy import Rational, Symbol

from kltheory.calculus.line import roots
from kltheory.calculus.regions import Region
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import log_ratio, log_weight

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


def around(within: float | None, who: Sampler = Sampler.POLICY) -> Region:
    """Where |l|, and |log w| of samples of the old policy, is below so many nats; everywhere without a limit."""
    variables = (log_ratio, log_weight) if who is Sampler.OLD else (log_ratio,)
    return window({} if within is None else dict.fromkeys(variables, (-within, within)))
