"""Taylor coefficients at the reference, l = 0, on either side of it."""

from typing import Final

from sympy import Expr, Rational, S

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.regions import Region
from kltheory.calculus.relations import is_free, is_null
from kltheory.calculus.roots import ZERO, Root, compare
from kltheory.calculus.symbols import log_ratio, logp

Series = tuple[Region, tuple[Expr, ...]]
"""A cell beside l = 0, and the value and the derivatives there."""


NEAR: Final = Region({logp: (None, ZERO), log_ratio: (Root(None, Rational(-1, 1000)), Root(None, Rational(1, 1000)))})
"""What a formula is at |l| >= 1/1000 does not matter here; it may have no value there."""


def series(c: Coefficient, order: int) -> list[Series]:
    """The derivatives by l at l = 0, up to an order, in every cell that reaches it from the left or from the right."""
    found: list[Series] = []
    for region, e in c.cells:
        lo, hi = region.bounds(log_ratio)
        if (lo is None or compare(lo, ZERO) <= 0) and (hi is None or compare(ZERO, hi) <= 0):
            derivatives = [e]
            for _ in range(order):
                derivatives.append(derivatives[-1].diff(log_ratio))
            found.append((region, tuple(d.xreplace({log_ratio: S.Zero}) for d in derivatives)))
    return found


def vanishes_to(c: Coefficient, order: int) -> bool:
    """Whether c = O(l^(order + 1)) at the reference.

    Raises:
        Undecidable: it has no Taylor series there, or fails in a cell of which it is not known whether it gets there.
    """
    return all(_holds(region, all(map(is_null, row))) for region, row in series(c, order))


def agrees_to(c: Coefficient, order: int) -> bool:
    """Whether c is a number but for O(l^(order + 1)), and not but for a higher power; raises as above."""
    rows = series(c, order + 1)
    _, first = rows[0]
    for region, row in rows:
        same = is_free(row[0]) and is_null(row[0] - first[0]) and all(map(is_null, row[1:-1]))
        if not _holds(region, same):
            return False
    return any(not is_null(row[-1]) for region, row in rows if region.is_reached)


def _holds(region: Region, decision: bool) -> bool:
    if not decision and region.conditions:
        raise Undecidable(f"it fails where {region}, and whether that comes near l = 0 is not known")
    return decision
