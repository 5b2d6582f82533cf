"""Pieces of a coefficient: where it has a name of its own, and what that is; the piece of the reference comes first."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from sympy import Expr, Rational, S, log

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.identify import Identification, identify
from kltheory.calculus.regions import Region
from kltheory.calculus.roots import ZERO, compare
from kltheory.calculus.symbols import log_ratio, log_weight, logp

MAX_ORDER: Final = 8


class Piece(NamedTuple):
    """A region, the coefficient there, and what that is the gradient of."""

    region: Region
    coefficient: Coefficient
    found: Identification

    @property
    def name(self) -> str:
        """The name; an f-divergence without one of its own is ``f_divergence``, its title says which."""
        found = self.found
        if found.terms is None and found.f is not None and found.slope in (1, -1):
            return "f_divergence" if found.slope == 1 else "-f_divergence"
        return found.name

    @property
    def title(self) -> str:
        """What is descended, for people: its name, else f or the summand."""
        found = self.found
        if found.terms is not None:
            return found.title
        if found.f is not None:
            return found.of_generator
        if found.reason:
            return f"whether it is an f-divergence is not decided: {found.reason}"
        if found.base is None:
            return "no f-divergence: the coefficient is no function of one quotient alone"
        return f"no f-divergence: {found.obstacle}" if found.obstacle else ""

    @property
    def formula(self) -> str:
        """C, as text."""
        return str(self.coefficient if len(self.coefficient.cells) > 1 else self.found.coefficient)


def pieces(c: Coefficient) -> tuple[Piece, ...]:
    """The whole, where it has a name or one formula; else region by region. Raises Undecidable."""
    whole = identify(c)
    return (Piece(Region(), c, whole),) if whole.terms is not None or len(c.cells) == 1 else tuple(_parts(c))


def _parts(c: Coefficient) -> Iterator[Piece]:
    """Regions with the cells in them, and what those are the gradient of if they go on as they are.

    First where the reference is: inside one cell, or on the kink between two, which are then taken together.
    """
    near = [(r, e) for r, e in c.cells if _touches_reference(r)]
    whole = near[0][0].union(near[1][0]) if len(near) == 2 else None
    if whole is not None:
        halves = tuple((_half_line(r), e) for r, e in near)
        yield Piece(whole, Coefficient(tuple(near)), identify(Coefficient(halves)))
    rest = [(r, e) for r, e in c.cells if whole is None or not _touches_reference(r)]
    for region, e in sorted(rest, key=lambda cell: (not is_central(cell[0]), not _is_usual(cell[0]))):
        yield Piece(region, Coefficient(((region, e),)), identify(Coefficient(((Region(), e),))))


# --- where the reference is -------------------------------------------------------------------------------------------
def is_central(region: Region) -> bool:
    """Whether it is a box that has ℓ = 0 and w = 1 inside."""
    for v in (log_ratio, log_weight):
        lo, hi = region.bounds(v)
        if (lo is not None and compare(lo, ZERO) >= 0) or (hi is not None and compare(hi, ZERO) <= 0):
            return False
    return not region.conditions


def central(cells: Coefficient) -> list[tuple[Region, Expr]]:
    """The cells that have the reference inside: one at most."""
    return [(r, e) for r, e in cells.cells if is_central(r)]


def _touches_reference(region: Region) -> bool:
    lo, hi = region.bounds(log_ratio)
    inside = (lo is None or compare(lo, ZERO) <= 0) and (hi is None or compare(hi, ZERO) >= 0)
    cut = region.is_cut(logp)  # two halves of logp are no two sides of l = 0
    return inside and not cut and is_central(Region({**region.box, log_ratio: (None, None)}, region.conditions))


USUAL: Final = {log_ratio: S.Zero, log_weight: S.Zero, logp: log(Rational(1, 3))}
"""An action of three, at the reference."""


def _is_usual(region: Region) -> bool:
    """Whether an action of some probability is in it at the reference, where a region is cut by more than l and w."""
    ends = [(v, x, *region.bounds(v)) for v, x in USUAL.items()]
    inside = all((lo is None or float(lo) < x) and (hi is None or float(hi) > x) for _, x, lo, hi in ends)
    return inside and all((g.xreplace(USUAL) * side).is_positive for g, side in region.conditions.items())


def _half_line(region: Region) -> Region:
    """The side of ℓ = 0 that a region is on."""
    lo, _ = region.bounds(log_ratio)
    right = lo is not None and compare(lo, ZERO) == 0
    return Region({**Region().box, log_ratio: (ZERO, None) if right else (None, ZERO)})


# --- how near it comes to the reverse KL ------------------------------------------------------------------------------
def first_order(c: Coefficient) -> float:
    """The multiple a of a coefficient a·ℓ + constant + O(ℓ²) on-policy near the reference; 1 where there is none."""
    near = [e for r, e in c.cells if is_central(r) or _touches_reference(r)]
    if not near:
        return 1.0
    slope = near[-1].diff(log_ratio).xreplace({log_ratio: S.Zero, log_weight: S.Zero})
    usable = slope.is_number and slope.is_finite and slope.is_real and slope != 0
    return float(slope) if usable else 1.0


def agreement_order(c: Coefficient) -> int | None:
    """The largest n with C = ℓ + const + O(ℓ^(n+1)); ``None`` when they agree altogether.

    Raises:
        Undecidable: C is not analytic at ℓ = 0, or depends on more.
    """
    if c.sole_variable != log_ratio:
        raise Undecidable("the coefficient is no function of l alone")
    near = central(c)
    if len(near) != 1:
        raise Undecidable("the coefficient has a kink at l = 0")
    difference = (near[0][1] - log_ratio).diff(log_ratio)
    for n in range(MAX_ORDER):
        if is_zero(difference):
            return None
        if not is_zero(difference.xreplace({log_ratio: S.Zero})):
            return n
        difference = difference.diff(log_ratio)
    raise Undecidable(f"the coefficients agree beyond order {MAX_ORDER}")
