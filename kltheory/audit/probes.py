"""Probes of the running function: dead zones, overflow, cancellation, masks, padding."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from kltheory.audit.codes import Code
from kltheory.audit.finding import Finding
from kltheory.audit.masks import masked_junk, padding
from kltheory.audit.measure import POINTS, Probe
from kltheory.audit.pointwise import pointwise
from kltheory.audit.recovered import Reading, Recovered
from kltheory.audit.subject import Raised
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import VARIABLES, log_ratio
from kltheory.tracing.trace import CannotTrace, Floats

WITHIN: Final = 5.0
"""Dead zones that begin closer to the reference than this, in nats, are alarms: there π/π_ref is below 150."""
FINITE_WITHIN: Final = 20.0
"""Overflow at |ℓ| up to this is an alarm."""
FARTHEST: Final = 700.0
"""No two float64 probabilities are further apart, in nats."""
DISTANCES: Final = (1.0, 5.0, 20.0, 100.0, np.inf)
LOG_RATIOS: Final = np.array([s * d for d in DISTANCES for s in (-1, 1)])
"""Where probes look; a function is compiled for each shape, so they share this one."""
DTYPES: Final = ("float64", "float32", "bfloat16", "float16")


def probes(found: Recovered, placements: tuple[str, ...]) -> Iterator[Finding]:
    """All findings of all probes."""
    for probe in PROBES:
        try:
            yield from probe(found, placements)
        except (Raised, CannotTrace) as e:
            yield _not_probed(probe.__name__, str(e))


def _not_probed(probe: str, why: str) -> Finding:
    return Finding(Code.NOT_PROBED, f"could not be probed: {why}", {"probe": probe})


# --- dead zones -------------------------------------------------------------------------------------------------------
def dead_zones(found: Recovered, placements: tuple[str, ...]) -> Iterator[Finding]:
    """Where the derivative by log π vanishes, in ℓ and as a ratio π_ref/π."""
    if found.reading is Reading.VOCABULARY or "loss" not in placements:
        return
    for lo, hi, how in zones(found):
        starts = 0.0 if lo < 0 < hi else min(abs(lo), abs(hi))
        if starts > FARTHEST:
            continue
        lo, hi = (x if abs(x) <= FARTHEST else np.copysign(np.inf, x) for x in (lo, hi))
        text = f"the gradient vanishes for {_interval(lo, hi)}, where π_ref/π {_ratio_text(lo, hi)} ({how})"
        data = {"l": [_finite(lo), _finite(hi)], "ratio": [_finite(np.exp(-hi)), _finite(np.exp(-lo))], "how": how}
        yield Finding(Code.DEAD_ZONE if starts < WITHIN else Code.DEAD_ZONE_FAR, text, data)


def zones(found: Recovered) -> Iterator[tuple[float, float, str]]:
    """The dead intervals of ℓ; none when there is no gradient at all, which is an alarm of its own."""
    if found.surrogate is None:
        yield from _measured_zones(found)
        return
    try:
        cells = found.coefficient(lambda s: s, Sampler.POLICY).merged
        dead = [r for r, e in cells if is_zero(e)]
    except Undecidable:
        yield from _measured_zones(found)
        return
    for region in dead if len(dead) < len(cells) else ():
        if any(region.is_cut(v) for v in VARIABLES if v != log_ratio) or region.conditions:
            continue  # it depends on more than l; the coefficient's cells show where
        lo, hi = region.bounds(log_ratio)
        yield (-np.inf if lo is None else float(lo)), (np.inf if hi is None else float(hi)), "derived"


def _measured_zones(found: Recovered) -> Iterator[tuple[float, float, str]]:
    points = np.array(sorted(s * p for p in POINTS for s in (-1, 1)))
    dead = Probe(found, "loss", "none", Sampler.POLICY).grid(points, np.zeros(points.shape)).value == 0
    if dead.all():
        return
    edges = np.flatnonzero(np.diff(np.concatenate([[0], dead.astype(int), [0]])))
    for a, b in zip(edges[::2], edges[1::2], strict=True):
        lo, hi = points[a], points[b - 1]
        yield (-np.inf if a == 0 else lo), (np.inf if b == len(points) else hi), "measured"


def _interval(lo: float, hi: float) -> str:
    return (f"{lo:.4g} < " if np.isfinite(lo) else "") + "l" + (f" < {hi:.4g}" if np.isfinite(hi) else "")


def _ratio_text(lo: float, hi: float) -> str:
    if np.isfinite(lo) and np.isfinite(hi):
        return f"lies between {np.exp(-hi):.4g} and {np.exp(-lo):.4g}"
    return f"> {np.exp(-hi):.4g}" if np.isfinite(hi) else f"< {np.exp(-lo):.4g}"


def _finite(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None


# --- overflow ---------------------------------------------------------------------------------------------------------
def not_finite(found: Recovered, placements: tuple[str, ...]) -> Iterator[Finding]:
    """Overflow and NaN in value and gradient for |ℓ| up to infinity, in each floating type."""
    seen: dict[tuple[str, tuple[float, ...]], list[str]] = {}
    several, _ = found.subject.run(found.layout.arrays())
    if np.isfinite(several).all() and _broken(found, LOG_RATIOS, DTYPES[0])["value"].all():
        yield _not_probed("not_finite", "a batch of one token has no finite value")
        return
    for dtype in DTYPES:
        for what, bad in _broken(found, LOG_RATIOS, dtype).items():
            if bad.any() and (what == "value" or "loss" in placements):
                seen.setdefault((what, tuple(sorted(LOG_RATIOS[bad]))), []).append(dtype)
    for (what, where), dtypes in seen.items():
        points = ", ".join(f"{x:+g}" for x in where)
        near = min(map(abs, where)) <= FINITE_WITHIN and dtypes != ["float16"]
        yield Finding(
            Code.NOT_FINITE if near else Code.NOT_FINITE_FAR,
            f"the {what} is inf or NaN at l = {points} in {', '.join(dtypes)}",
            {"dtypes": dtypes, "of": what, "l": [_json_float(x) for x in where]},
        )


def _json_float(x: float) -> float | str:
    return x if np.isfinite(x) else ("inf" if x > 0 else "-inf")


def _broken(found: Recovered, at: Floats, dtype: str) -> dict[str, Any]:
    policy, ref = -1.0 + np.minimum(at, 0.0), -1.0 - np.maximum(at, 0.0)
    if found.reading is Reading.VOCABULARY:
        policy, ref = (np.stack([x, np.full(at.shape, -0.5), np.full(at.shape, -1.5)], axis=-1) for x in (policy, ref))
    with np.errstate(all="ignore"):
        sample = pointwise(found, policy, ref, policy, dtype)
    slopes = sample.slope.reshape(len(at), -1)
    return {"value": ~np.isfinite(sample.value), "gradient": ~np.isfinite(slopes).all(axis=1)}


# --- cancellation -----------------------------------------------------------------------------------------------------
def cancellation(found: Recovered, _: tuple[str, ...]) -> Iterator[Finding]:
    """The relative error of the value near ℓ = 0, against float64 on the same numbers."""
    if found.reading is Reading.VOCABULARY:
        return
    for dtype, step in (("float32", 2.0**-10), ("bfloat16", 2.0**-5)):
        shape = LOG_RATIOS.shape if found.takes_many else (1,)
        policy, ref = np.full(shape, -1.0), np.full(shape, -1.0 - step)  # both are numbers of either type
        exact = pointwise(found, policy, ref, policy).value[0]
        value = pointwise(found, policy, ref, policy, dtype).value[0]
        if exact != 0 and np.isfinite(exact):
            error = abs(value - exact) / abs(exact)
            if error > 1e-3:
                yield Finding(
                    Code.CANCELLATION,
                    f"at l = {step:.3g} the value in {dtype} is off by {error:.1%}",
                    {"dtype": dtype, "l": step, "relative_error": float(error)},
                )


# --- vocabulary -------------------------------------------------------------------------------------------------------
def vocabulary_mean(found: Recovered, _: tuple[str, ...]) -> Iterator[Finding]:
    """Whether one more action, of no probability, changes the output: then it is averaged over the vocabulary."""
    if found.reading is not Reading.VOCABULARY:
        return
    policy, ref = np.log([[0.5, 0.3, 0.2]]), np.log([[0.25, 0.15, 0.6]])
    wider = [np.concatenate([x, [[NO_PROBABILITY]]], axis=-1) for x in (policy, ref)]
    value, wide = (pointwise(found, p, q, p).value.sum() for p, q in ((policy, ref), wider))
    factor = float(wide / value) if value else float("nan")
    if np.isfinite(factor) and abs(factor - 1) > 1e-6:
        text = (
            f"one more action of no probability multiplies the output by {factor:.4g}: it averages over the vocabulary"
        )
        yield Finding(Code.VOCABULARY_MEAN, text, {"factor": factor})


NO_PROBABILITY: Final = -60.0

PROBES: Final[tuple[Callable[[Recovered, tuple[str, ...]], Iterator[Finding]], ...]] = (
    dead_zones,
    not_finite,
    cancellation,
    masked_junk,
    padding,
    vocabulary_mean,
)
"""A new probe is a new row."""
