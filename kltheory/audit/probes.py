"""Probes of the running function: dead zones, overflow, cancellation, masks, padding."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from kltheory.audit.codes import Code
from kltheory.audit.finding import Finding
from kltheory.audit.masks import masked_junk, padding
from kltheory.audit.pointwise import at_log_ratios, pointwise
from kltheory.audit.reading import Reading
from kltheory.audit.subject import Raised
from kltheory.audit.zones import interval
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


def probes(found: Reading, placements: tuple[str, ...]) -> Iterator[Finding]:
    """All findings of all probes."""
    for probe in PROBES:
        try:
            yield from probe(found, placements)
        except (Raised, CannotTrace) as e:
            yield _not_probed(probe.__name__, str(e))


def _not_probed(probe: str, why: str) -> Finding:
    return Finding(Code.NOT_PROBED, f"could not be probed: {why}", {"probe": probe})


# --- dead zones -------------------------------------------------------------------------------------------------------
def dead_zones(found: Reading, placements: tuple[str, ...]) -> Iterator[Finding]:
    """Where the derivative by log π vanishes, in ℓ and as a ratio π_ref/π."""
    if found.sums_vocabulary or "loss" not in placements:
        return
    for zone in found.zones():
        if not zone.is_interval or zone.begins > FARTHEST:
            continue
        lo, hi = (x if abs(x) <= FARTHEST else np.copysign(np.inf, x) for x in (zone.lo, zone.hi))
        text = f"the gradient vanishes for {interval(lo, hi)}, where π_ref/π {_ratio_text(lo, hi)} ({zone.how})"
        ratio = [_finite(np.exp(-hi)), _finite(np.exp(-lo))]
        data = {"l": [_finite(lo), _finite(hi)], "ratio": ratio, "how": zone.how}
        yield Finding(Code.DEAD_ZONE if zone.begins < WITHIN else Code.DEAD_ZONE_FAR, text, data)


def _ratio_text(lo: float, hi: float) -> str:
    if np.isfinite(lo) and np.isfinite(hi):
        return f"lies between {np.exp(-hi):.4g} and {np.exp(-lo):.4g}"
    return f"> {np.exp(-hi):.4g}" if np.isfinite(hi) else f"< {np.exp(-lo):.4g}"


def _finite(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None


# --- overflow ---------------------------------------------------------------------------------------------------------
def not_finite(found: Reading, placements: tuple[str, ...]) -> Iterator[Finding]:
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


def _broken(found: Reading, at: Floats, dtype: str) -> dict[str, Any]:
    sample = at_log_ratios(found, at, dtype)
    slopes = sample.slope.reshape(len(at), -1)
    return {"value": ~np.isfinite(sample.value), "gradient": ~np.isfinite(slopes).all(axis=1)}


# --- cancellation -----------------------------------------------------------------------------------------------------
def cancellation(found: Reading, _: tuple[str, ...]) -> Iterator[Finding]:
    """The relative error of the value near ℓ = 0, against float64 on the same numbers."""
    if found.sums_vocabulary:
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
def vocabulary_mean(found: Reading, _: tuple[str, ...]) -> Iterator[Finding]:
    """Whether one more action, of no probability, changes the output: then it is averaged over the vocabulary."""
    if not found.sums_vocabulary:
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

PROBES: Final[tuple[Callable[[Reading, tuple[str, ...]], Iterator[Finding]], ...]] = (
    dead_zones,
    not_finite,
    cancellation,
    masked_junk,
    padding,
    vocabulary_mean,
)
"""A new probe is a new row."""
