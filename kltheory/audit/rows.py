"""Rows: what the expected gradient is the gradient of, for each placement, weight and sampler, and where."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from sympy import Expr, Rational, S, log

from kltheory.audit.confirm import EPSILON
from kltheory.audit.experiments import Distance, Placed, distances, experiment, predicted, residual
from kltheory.audit.measure import fit
from kltheory.audit.recovered import Reading, Recovered
from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import DIVERGENCES, Divergence, reverse_kl
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
DIRECTIONS: Final = {1: "descends", -1: "ascends", 0: "none"}

TOLERANCE: Final = {"float64": 1e-12, **{d: 256 * e for d, e in EPSILON.items() if d != "float64"}}
"""What the running expected gradient may differ by, relative to the size of its terms: rounding, by type."""


@dataclass(frozen=True)
class Row:
    """One answer.

    Attributes:
        placement: ``loss``, or ``reward``: detached and times the score.
        weight: the importance weight put in front: ``none``, ``detached``, ``live``.
        sampler: who drew the samples, ``policy`` or ``old``.
        gradient_of: the name of what is descended, ``zero`` or ``none``; ``undecided``.
        where: the region in which it holds.
        how: ``derived`` or ``measured``.
        residual: largest relative difference to the running function's expected gradient; ``None``: no sample there.
        coefficient: C, as text; empty when measured.
        title: the same for people.
        slope: 1 for a convex f (descends a divergence), -1 for a concave one (ascends), 0 for none.
        order: up to which power of ℓ C agrees with the reverse KL's near ℓ = 0; ``None`` if in all, or undecided.
        multiple: of the reverse KL, what C is near the reference to first order; 1 where that is not known, or zero.
        distances: error and cosine against that multiple of the reverse KL's gradient at worst, near and far.
    """

    placement: str
    weight: str
    sampler: str
    gradient_of: str
    where: str
    how: str
    residual: float | None
    coefficient: str = ""
    title: str = ""
    slope: int | None = None
    order: int | None = None
    multiple: float = 1.0
    distances: dict[str, Distance] | None = None
    reason: str = ""

    def is_multiple_of(self, name: str) -> bool:
        """Whether it is the gradient of a multiple of this divergence."""
        return self.gradient_of.rpartition("*")[2].removeprefix("-") == name

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        data = {k: v for k, v in vars(self).items() if k not in ("distances", "slope")}
        for name, d in (self.distances or {}).items():
            data[name] = {"relative_error": d.relative_error, "cosine": d.cosine}
        return {**data, "direction": None if self.slope is None else DIRECTIONS[self.slope]}


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
                    yield _one_number(runs, sampler)
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


BASELINE: Final = "X·(π_old - π) by the logits, X the number of the position: a baseline only for who drew"


def _one_number(runs: list[Placed], sampler: Sampler) -> Row:
    """One number X for all actions of a position, times the score: E_old[X ∇log π] is X·(π_old − π) by the logits."""
    gaps = []
    for run in runs:
        drew = run.settings.logp if sampler is Sampler.POLICY else run.settings.logp_old
        d = np.exp(drew) - np.exp(run.settings.logp)
        size = (d * d).sum(axis=-1, keepdims=True)
        x = np.divide((run.expected * d).sum(axis=-1, keepdims=True), size, out=np.zeros_like(size), where=size > 0)
        gaps.append(float((np.abs(run.expected - x * d).max(axis=-1) / np.maximum(1.0, run.scale)).max()))
    name, title = ("zero", "zero") if sampler is Sampler.POLICY else ("none", BASELINE)
    near = distances(runs, reverse_kl.coefficient)
    return Row("reward", "none", sampler.value, name, "everywhere", "derived", max(gaps), title=title, distances=near)


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
        return _by_position(Row(*who, "none", "-100 < l < 100", "measured", None, distances=near, reason=UNKNOWN), runs)
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


def _by_position(row: Row, runs: list[Placed]) -> Row:
    """The row of what is another multiple of one divergence at each position: no objective, and what it looks like."""
    for divergence in DIVERGENCES:
        if all(_is_aligned(run, divergence) for run in runs):
            title = f"at each position a number of its own times {divergence.title}"
            return replace(row, title=title, reason="")
    return row


def _is_aligned(run: Placed, divergence: Divergence) -> bool:
    """Whether the expected gradient of every setting is a multiple of a divergence's."""
    goal, _ = predicted(divergence.coefficient, run.settings)
    size = (goal * goal).sum(axis=-1, keepdims=True)
    share = np.divide((run.expected * goal).sum(axis=-1, keepdims=True), size, out=np.zeros_like(size), where=size > 0)
    gap = np.abs(run.expected - share * goal).max(axis=-1)
    return bool((gap <= MEASURED_TOLERANCE * np.abs(run.expected).max(axis=-1)).all())


MEASURED_TOLERANCE: Final = 1e-3
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
