"""Measurement: where there is no formula, the running coefficient on a grid, fitted against the known classes.

The fit is made near the reference and checked everywhere else, up to |ℓ| = 100; the interval in which it holds is found
by bisection of the running function. Nothing here is a proof, and rows say so: ``how`` is ``measured``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from typing import Any, Final

import numpy as np
from sympy import Expr, Float, Rational, S, Symbol, exp

from kltheory.audit.experiments import Placed, multiplier
from kltheory.audit.pointwise import Samples, pointwise
from kltheory.audit.reading import Entries, Reading
from kltheory.audit.window import window
from kltheory.audit.zones import Zone
from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import DIVERGENCES, Divergence
from kltheory.calculus.divergence import u as generator_argument
from kltheory.calculus.identify import Identification
from kltheory.calculus.naming import Term
from kltheory.calculus.placement import AS_LOSS, Placement
from kltheory.calculus.regions import Region
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import log_ratio, log_weight
from kltheory.numerics.bridge import NUMPY
from kltheory.tracing.trace import Floats

POINTS: Final = (
    *(0.02, 0.1, 0.2, 0.3, 0.5, 0.8, 1.1, 1.5, 2, 2.5, 3, 4, 5, 7, 9, 10.5, 12, 15, 19, 21, 30, 50, 75, 100),
)
"""Distances |ℓ| from the reference that are looked at."""
LOG_WEIGHTS: Final = (0.0, -1.7, -0.4, 0.3, 0.9, -0.15, -0.06, 0.05, 0.13)
FAR_LOG_WEIGHTS: Final = (0.0, *(s * x for x in (1.5, 2, 2.5, 3, 4, 6, 10) for s in (-1, 1)))
"""The fit uses the former; up to where it holds is asked along the latter, at a few ℓ."""
WINDOWS: Final = tuple(product((2.0, 0.2), (3.0, 1.2, 0.35)))
"""Half-widths in log w and ℓ on which a fit is tried, widest first: a clamp may be near."""

TOLERANCES: Final = {"float64": 1e-9, "float32": 2e-4}
"""What a fit may leave, relative to the larger of 1 and the coefficient, by the type that is supposed to be inside."""

PAIRS_FROM: Final = 1.2
SIMPLE: Final = 20
"""Two terms bend to anything in a narrow window: they are fitted in wider ones, and their scales are simple numbers."""
SMALLEST: Final = 1e-6
"""Coefficients below this are rounding: 1e-15 at the finest tolerance."""

BISECTIONS: Final = 20

Extent = tuple[float, float]
EVERYWHERE: Final[Extent] = (-np.inf, np.inf)

Match = tuple[tuple[Term, ...], float]
"""Terms, and the constant beside them."""


@dataclass(frozen=True, eq=False)
class Grid:
    """The running coefficient of one placement at points (ℓ, log w), with a label for what shares a constant."""

    log_ratio: Floats
    log_weight: Floats
    value: Floats
    group: Any

    def within(self, log_w: float) -> "Grid":
        """The points with |log w| up to this."""
        keep = np.abs(self.log_weight) <= log_w
        return Grid(self.log_ratio[keep], self.log_weight[keep], self.value[keep], self.group[keep])


@dataclass(frozen=True)
class Fit:
    """Terms that fit near the reference, and the intervals of ℓ and log w in which they go on to fit."""

    terms: tuple[Term, ...]
    extents: tuple[Extent, Extent]

    @property
    def identification(self) -> Identification:
        """The fit as an identification."""
        c = Coefficient.of(S.Zero)
        for a, d in self.terms:
            c = c + a * d.coefficient
        f = sum((a * d.f for a, d in self.terms), S.Zero)
        return Identification(c, self.terms, f, slope=c.slope() if self.terms else 0)

    @property
    def region(self) -> Region:
        """The intervals, as a region of the calculus."""
        return window(dict(zip((log_ratio, log_weight), self.extents, strict=True)), ".4g")

    @property
    def where(self) -> str:
        """The intervals, for people: to four digits, and no further than was looked."""
        (lo, hi), (w_lo, w_hi) = self.extents
        text = f"{max(lo, -POINTS[-1]):.4g} < l < {min(hi, POINTS[-1]):.4g}"
        if np.isfinite(w_lo) or np.isfinite(w_hi):
            lower = f"{np.exp(w_lo):.4g} < " if np.isfinite(w_lo) else ""
            text += f" and {lower}w" + (f" < {np.exp(w_hi):.4g}" if np.isfinite(w_hi) else "")
        return text


@dataclass(frozen=True)
class Probe:
    """The running function in one placement."""

    found: Reading
    placement: Placement

    def grid(self, log_u: Floats, log_w: Floats) -> Grid:
        """The coefficient at these points, all in one group."""
        sample = _samples(self.found, tuple(log_u), tuple(log_w))
        with np.errstate(all="ignore"):
            c = multiplier(sample, np.exp(log_w), self.placement)
            c = c * np.exp(-log_w) if self.placement.who is Sampler.OLD else c
        return Grid(log_u, log_w, c, np.zeros(log_u.shape, int))


@lru_cache(maxsize=2048)
def _samples(found: Reading, log_u: tuple[float, ...], log_w: tuple[float, ...]) -> Samples:
    """The function at log-ratios and log-weights; all three are log-probabilities, below zero."""
    u, w = np.array(log_u), np.array(log_w)
    policy = np.minimum(0.0, np.minimum(u, w)) - np.resize([0.7, 2.3, 1.1], u.shape)
    return pointwise(found, policy, policy - u, policy - w)


def fit(found: Reading, runs: Sequence[Placed], placement: Placement) -> Fit | None:
    """The first known class that the running coefficient belongs to near the reference. Raises Raised."""
    probe, off_policy = Probe(found, placement), placement.who is Sampler.OLD
    ratios = np.array([s * p for p in POINTS for s in (-1, 1)])
    off = LOG_WEIGHTS if off_policy else LOG_WEIGHTS[:1]
    vocabulary = found.entries is not Entries.SAMPLE
    whole = _from_runs(runs) if vocabulary else probe.grid(*_mesh(ratios, off))
    for reach_w, reach_u in WINDOWS if off_policy and not vocabulary else WINDOWS[: len(WINDOWS) // 2]:
        grid = whole if vocabulary else whole.within(reach_w)
        near = np.abs(grid.log_ratio) <= reach_u
        for tolerance in TOLERANCES.values():
            for candidate in _candidates(reach_u >= PAIRS_FROM) if near.sum() >= 8 else ():
                if (matched := _matched(grid, near, candidate, tolerance)) is None:
                    continue
                if vocabulary:  # all actions of all settings were in the window, or are compared by the residual
                    return Fit(matched[0], (EVERYWHERE, EVERYWHERE))
                along_u = _extent(probe, grid, log_ratio, matched, tolerance)
                reach = np.array([x for x in (-0.3, 0.2) if along_u[0] < x < along_u[1]])
                far = probe.grid(*_mesh(reach, FAR_LOG_WEIGHTS if off_policy else (0.0,)))
                return Fit(matched[0], (along_u, _extent(probe, far, log_weight, matched, tolerance)))
    return None


def _mesh(log_u: Floats, log_w: Sequence[float]) -> tuple[Floats, Floats]:
    u, w = np.meshgrid(log_u, log_w, indexing="ij")
    return u.ravel(), w.ravel()


def _candidates(pairs: bool) -> Iterator[tuple[Divergence, ...]]:
    both = (*DIVERGENCES, *(d.from_old() for d in DIVERGENCES))
    yield ()
    yield from ((d,) for d in both)
    if pairs:
        yield from combinations(DIVERGENCES, 2)


def _curve(d: Divergence, grid: Grid) -> Floats:
    variable, at = (log_ratio, grid.log_ratio) if d.base == "ref" else (log_weight, grid.log_weight)
    with np.errstate(all="ignore"):
        slope = NUMPY(d.f.diff(generator_argument).xreplace({generator_argument: exp(variable)}), {variable: at})
    return np.broadcast_to(slope, at.shape)


def _matched(grid: Grid, near: Any, candidate: tuple[Divergence, ...], tolerance: float) -> Match | None:
    value = grid.value[near]
    curves = np.array([_curve(d, grid)[near] for d in candidate]).reshape(len(candidate), len(value))
    if not (np.isfinite(curves).all() and np.isfinite(value).all()):
        return None
    size, (_, group) = _sizes(value, value), np.unique(grid.group[near], return_inverse=True)
    centred = np.array([(x - _constants(x, group, size)[group]) / size for x in (*curves, value)])
    solution, *_ = np.linalg.lstsq(centred[:-1].T, centred[-1], rcond=None)
    scales = [_nice(a, tolerance) for a in solution]
    if any(a == 0 for a in scales) or (len(scales) > 1 and not all(a.is_Rational and a.q <= SIMPLE for a in scales)):
        return None
    left = value - np.array([float(a) for a in scales]) @ curves
    constants = _constants(left, group, size)
    if np.abs((left - constants[group]) / size).max() > tolerance:
        return None
    return tuple(zip(scales, candidate, strict=True)), float(constants[0])


def _constants(x: Floats, group: Any, size: Floats) -> Floats:
    """The constant of each group that comes closest to x: hundreds of them are no columns of a matrix."""
    weight = size**-2.0
    return np.divide(np.bincount(group, x * weight), np.bincount(group, weight))


def _sizes(values: Floats, near: Floats) -> Floats:
    """What a difference is compared with: the number, or the usual one near the reference: a penalty may be small."""
    return np.maximum(np.maximum(np.abs(values), float(np.median(np.abs(near)))), SMALLEST)


def _nice(a: float, tolerance: float) -> Expr:
    for simple in (Rational(a).limit_denominator(100), Rational(f"{a:.6g}")):
        if abs(float(simple) - a) <= 10 * tolerance * abs(a):
            return simple
    return Float(a, 6)


def _from_runs(runs: Sequence[Placed]) -> Grid:
    parts = [(r.settings.log_ratio, r.settings.log_weight, r.coefficient) for r in runs]
    sizes = [len(r.settings.family) for r in runs]
    starts = np.cumsum([0, *sizes])
    groups = [np.broadcast_to((starts[i] + np.arange(n))[:, None], parts[i][0].shape) for i, n in enumerate(sizes)]
    log_u, log_w, c = (np.concatenate([p[k].ravel() for p in parts]) for k in range(3))
    return Grid(log_u, log_w, c, np.concatenate([g.ravel() for g in groups]))


def _extent(probe: Probe, grid: Grid, along: Symbol, matched: Match, tolerance: float) -> Extent:
    """The interval around 0 in which the fit holds, its ends by bisection; infinite when it holds to the last point."""
    terms, constant = matched
    usual = grid.value[np.abs(grid.log_ratio) <= PAIRS_FROM]

    def fits(g: Grid) -> Any:
        with np.errstate(all="ignore"):
            model = sum((float(a) * _curve(d, g) for a, d in terms), np.zeros(g.value.shape)) + constant
            return np.abs(g.value - model) <= tolerance * _sizes(model, usual)

    good, ends = fits(grid), []
    moved, fixed = (grid.log_ratio, grid.log_weight) if along == log_ratio else (grid.log_weight, grid.log_ratio)
    for side in (-1, 1):
        failing = np.flatnonzero((moved * side > 0) & ~good)
        if not len(failing):
            ends.append(side * np.inf)
            continue
        nearest = failing[np.argmin(np.abs(moved[failing]))]
        outer, other = abs(moved[nearest]), fixed[[nearest]]
        inner = max((x for x in np.abs(moved) if x < outer), default=0.0)
        for _ in range(BISECTIONS):
            middle = np.array([side * (inner + outer) / 2])
            holds = fits(probe.grid(*((middle, other) if along == log_ratio else (other, middle))))[0]
            inner, outer = (abs(middle[0]), outer) if holds else (inner, abs(middle[0]))
        ends.append(side * inner)
    return ends[0], ends[1]


# --- dead zones -------------------------------------------------------------------------------------------------------
def measured_zones(found: Reading) -> list[Zone]:
    """The intervals of the points at which the derivative is zero; none where it is zero at all of them."""
    points = np.array(sorted(s * p for p in POINTS for s in (-1, 1)))
    dead = Probe(found, AS_LOSS).grid(points, np.zeros(points.shape)).value == 0
    if dead.all():
        return []
    edges = np.flatnonzero(np.diff(np.concatenate([[0], dead.astype(int), [0]])))
    ends = ((points[a], points[b - 1], a == 0, b == len(points)) for a, b in zip(edges[::2], edges[1::2], strict=True))
    return [Zone(-np.inf if first else lo, np.inf if last else hi) for lo, hi, first, last in ends]
