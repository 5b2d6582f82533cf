"""Rows: what the expected gradient is the gradient of, for each placement, weight and sampler, and where."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from sympy import Expr, Rational, S, log

from kltheory.audit.confirm import EPSILON
from kltheory.audit.experiments import Placed, distances, experiment, residual
from kltheory.audit.measure import fit
from kltheory.audit.positions import MEASURED_TOLERANCE, by_position, one_number
from kltheory.audit.recovered import Reading, Recovered
from kltheory.audit.row import Row
from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import reverse_kl
from kltheory.calculus.estimators import w
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.identify import Identification, identify
from kltheory.calculus.notation import text
from kltheory.calculus.regions import Region
from kltheory.calculus.roots import ZERO, compare
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import erase_sg, log_ratio, log_weight, logp, sg

PLACEMENTS: Final = ("loss", "reward")
WEIGHTS: Final[dict[str, Expr]] = {"none": S.One, "detached": sg(w), "live": w}
Piece = tuple[Region, Coefficient, Identification]
"""A region, the coefficient there, and what that is the gradient of."""
MAX_ORDER: Final = 8

TOLERANCE: Final = {"float64": 1e-12, **{d: 256 * e for d, e in EPSILON.items() if d != "float64"}}
"""What the running expected gradient may differ by, relative to the size of its terms: rounding, by type."""


def limit(found: Recovered) -> float:
    """The same for one function, whose formula may leave out a small constant."""
    return max(TOLERANCE.get(found.dtype, TOLERANCE["float32"]), 4 * found.left_out)


def rows(found: Recovered, placements: tuple[str, ...] = PLACEMENTS) -> Iterator[Row]:
    """All rows of one subject; the region that holds ℓ = 0 comes first."""
    ran, seen = experiment(found), Seen()
    for placement in placements:
        for weight in WEIGHTS:
            if found.reading is Reading.VOCABULARY and weight != "none":
                continue
            for sampler in Sampler:
                runs = ran.placed(placement, weight, sampler)
                if found.reading is Reading.VOCABULARY and placement == "reward":
                    yield one_number(runs, sampler)
                elif found.surrogate is None:
                    yield _measured(found, runs, placement, weight, sampler)
                else:
                    yield from _derived(found, runs, placement, weight, sampler, seen)


def place(found: Recovered, placement: str, weight: str) -> Callable[[Surrogate], Surrogate]:
    """What a placement and a weight make of a surrogate."""
    factor = WEIGHTS[weight]
    if placement == "loss":
        return lambda s: Surrogate(factor * s.expr)
    return lambda s: Surrogate(sg(erase_sg(factor * s.expr)) * logp)


class Seen:
    """The pieces of coefficients, each identified once: placements share most of them."""

    def __init__(self) -> None:
        self._known: list[tuple[Coefficient, list[Piece]]] = []

    def pieces(self, c: Coefficient) -> list[Piece]:
        """The whole, where it has a name or one formula; else region by region. Raises Undecidable."""
        for known, pieces in self._known:
            if known == c:
                return pieces
        whole = identify(c)
        pieces = [(Region(), c, whole)] if whole.terms is not None or len(c.cells) == 1 else list(_pieces(c))
        self._known.append((c, pieces))
        return pieces


def _derived(
    found: Recovered, runs: list[Placed], placement: str, weight: str, sampler: Sampler, seen: Seen
) -> Iterator[Row]:
    who = (placement, weight, sampler.value)
    try:
        c = Coefficient(found.coefficient(place(found, placement, weight), sampler).merged)
        pieces = seen.pieces(c)
    except Undecidable as e:
        yield Row(*who, "undecided", "everywhere", "derived", None, reason=str(e))
        return
    try:
        order = agreement_order(c)
    except Undecidable:
        order = None
    multiple = _first_order(c)
    near = distances(runs, reverse_kl.coefficient, multiple)
    for k, (region, piece, named) in enumerate(pieces):
        yield Row(
            *who,
            _name(named),
            str(region),
            "derived",
            residual(piece, runs),
            str(piece if len(piece.cells) > 1 else named.coefficient),
            title(named),
            named.slope if k == 0 or named.terms else None,
            order if k == 0 else None,
            multiple,
            near if k == 0 else None,
        )


def _first_order(c: Coefficient) -> float:
    """The multiple a of a coefficient a·ℓ + constant + O(ℓ²) on-policy near the reference; 1 where there is none."""
    central = [e for r, e in c.cells if is_central(r) or _touches_reference(r)]
    if not central:
        return 1.0
    slope = central[-1].diff(log_ratio).xreplace({log_ratio: S.Zero, log_weight: S.Zero})
    usable = slope.is_number and slope.is_finite and slope.is_real and slope != 0
    return float(slope) if usable else 1.0


def _measured(found: Recovered, runs: list[Placed], placement: str, weight: str, sampler: Sampler) -> Row:
    who = (placement, weight, sampler.value)
    match = fit(found, runs, placement, weight, sampler)
    if match is None:
        near = distances(runs, reverse_kl.coefficient)
        return by_position(Row(*who, "none", "-100 < l < 100", "measured", None, distances=near, reason=UNKNOWN), runs)
    named = match.identification
    multiple = _first_order(named.coefficient)
    near = distances(runs, reverse_kl.coefficient, multiple)
    pieces = tuple((r, e) for cell, e in named.coefficient.cells if (r := cell & match.region) is not None)
    gap = residual(Coefficient(pieces), runs)
    row = Row(*who, named.name, match.where, "measured", gap, "", named.title, named.slope, None, multiple, near)
    if gap is not None and gap > MEASURED_TOLERANCE:
        return replace(
            row, gradient_of="none", title="", slope=None, reason=f"{named.name} fits near the reference only"
        )
    return row


UNKNOWN: Final = "no known divergence, nor a sum of two, fits the measured coefficient near the reference"


def _pieces(c: Coefficient) -> Iterator[Piece]:
    """Regions with the cells in them, and what those are the gradient of if they go on as they are.

    First where the reference is: inside one cell, or on the kink between two, which are then taken together.
    """
    near = [(r, e) for r, e in c.cells if _touches_reference(r)]
    whole = near[0][0].union(near[1][0]) if len(near) == 2 else None
    if whole is not None:
        yield whole, Coefficient(tuple(near)), identify(Coefficient(tuple((_half_line(r), e) for r, e in near)))
    rest = [(r, e) for r, e in c.cells if whole is None or not _touches_reference(r)]
    for region, e in sorted(rest, key=lambda cell: (not is_central(cell[0]), not _is_usual(cell[0]))):
        yield region, Coefficient(((region, e),)), identify(Coefficient(((Region(), e),)))


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


def is_central(region: Region) -> bool:
    """Whether it is a box that has ℓ = 0 and w = 1 inside."""
    for v in (log_ratio, log_weight):
        lo, hi = region.bounds(v)
        if (lo is not None and compare(lo, ZERO) >= 0) or (hi is not None and compare(hi, ZERO) <= 0):
            return False
    return not region.conditions


def _name(found: Identification) -> str:
    """The name; an f-divergence without one of its own is ``f_divergence``, its title says which."""
    if found.terms is None and found.f is not None and found.slope in (1, -1):
        return "f_divergence" if found.slope == 1 else "-f_divergence"
    return found.name


def title(found: Identification) -> str:
    """What is descended, for people: its name, else f or the summand."""
    if found.terms is not None:
        return found.title
    if found.f is not None:
        return f"Σ {found.measured_from} f(π/{found.measured_from}), f(u) = {text(found.f)}"
    if found.reason:
        return f"whether it is an f-divergence is not decided: {found.reason}"
    if found.base is None:
        return "no f-divergence: the coefficient is no function of one quotient alone"
    return f"no f-divergence: {found.obstacle}" if found.obstacle else ""


def agreement_order(c: Coefficient) -> int | None:
    """The largest n with C = ℓ + const + O(ℓ^(n+1)); ``None`` when they agree altogether.

    Raises:
        Undecidable: C is not analytic at ℓ = 0, or depends on more.
    """
    if c.sole_variable != log_ratio:
        raise Undecidable("the coefficient is no function of l alone")
    central = [e for r, e in c.cells if is_central(r)]
    if len(central) != 1:
        raise Undecidable("the coefficient has a kink at l = 0")
    difference = (central[0] - log_ratio).diff(log_ratio)
    for n in range(MAX_ORDER):
        if is_zero(difference):
            return None
        if not is_zero(difference.xreplace({log_ratio: S.Zero})):
            return n
        difference = difference.diff(log_ratio)
    raise Undecidable(f"the coefficients agree beyond order {MAX_ORDER}")
