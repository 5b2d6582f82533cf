"""What ``assert_no_dead_zone`` checks, and the finding that it prints."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sympy import Rational

from kltheory.audit.audited import Audited
from kltheory.audit.codes import Code
from kltheory.audit.pointwise import pointwise
from kltheory.audit.probes import zones
from kltheory.audit.recovered import Recovered
from kltheory.audit.subject import Raised
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.line import roots
from kltheory.calculus.regions import Region
from kltheory.calculus.roots import ZERO
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import log_ratio, logp
from kltheory.testing.claim import sums_vocabulary
from kltheory.testing.records import Outcome
from kltheory.testing.subject import Call, NothingToAudit, heading, problem
from kltheory.testing.words import below, block, positive


@dataclass(frozen=True)
class Zone:
    """Where the derivative vanishes, how that is known, how far from the reference it begins; a sample in it."""

    where: str
    how: str
    begins: float
    sample: tuple[float, float] | None


def check(call: Call, within: float) -> Outcome:
    """The outcome; the first variant with a dead zone is shown."""
    positive("within", within)
    try:
        audit = call.audit()
    except NothingToAudit as e:
        return Outcome(str(e))
    for one in audit.variants:
        if facts := _facts(one, within):
            title = f"{audit.target.name} is not shown to have a gradient everywhere where |l| < {within:g}"
            return Outcome(block(title, [*heading(audit.target, one), *facts]), audit)
    return Outcome("", audit)


def _facts(one: Audited, within: float) -> list[tuple[str, str]]:
    if found := problem(one):
        return [("found", found)]
    if sums_vocabulary(one):
        return [("found", "undecided: it sums over the vocabulary, and has no derivative by one sample's l")]
    if none := one.of(Code.NO_GRADIENT):
        return [("found", none[0].text)]
    assert one.found is not None
    try:
        dead = sorted(_derived(one.found, within), key=lambda z: z.begins)
    except Undecidable:
        dead = sorted(_measured(one.found, within), key=lambda z: z.begins)
    if not dead:
        return []
    begins = dead[0].begins
    nearer = f"; as it is, within={below(begins)} asks for no more" if begins else ""
    return [
        *(("found", f"the gradient vanishes where {z.where}, {z.how}") for z in dead),
        ("witness", _witness(one.found, dead[0])),
        ("to change", f"whatever holds it constant there may begin at |l| = {within:g}, no nearer{nearer}"),
    ]


def _derived(found: Recovered, within: float) -> Iterator[Zone]:
    """The dead cells of the formula that meet the window. Raises Undecidable."""
    if found.surrogate is None:
        raise Undecidable("there is no formula")
    lo, hi = (roots(log_ratio - Rational(str(s * within)), log_ratio)[0] for s in (-1, 1))
    window = Region({logp: (None, ZERO), log_ratio: (lo, hi)})
    for region, e in found.coefficient(lambda s: s, Sampler.POLICY).merged:
        if (met := region & window) is not None and is_zero(e):
            a, b = (None if end is None else float(end) for end in region.bounds(log_ratio))
            at = met.sample()
            yield Zone(str(region), "derived", _distance(a, b), (float(at[logp]), float(at[log_ratio])) if at else None)


def _measured(found: Recovered, within: float) -> Iterator[Zone]:
    """The dead intervals of l on a grid."""
    for lo, hi, how in zones(found):
        if lo < within and hi > -within:
            l = (max(lo, -within) + min(hi, within)) / 2
            where = (f"{lo:.4g} < " if np.isfinite(lo) else "") + "l" + (f" < {hi:.4g}" if np.isfinite(hi) else "")
            yield Zone(where, how, _distance(lo, hi), (min(l, 0.0) - 1, l))


def _distance(lo: float | None, hi: float | None) -> float:
    return max(lo if lo is not None else 0.0, -hi if hi is not None else 0.0, 0.0)


def _witness(found: Recovered, zone: Zone) -> str:
    """The running derivative at the sample, and as far on the other side of the reference."""
    if zone.sample is None:
        return ""
    policy, l = zone.sample
    said = []
    try:
        for p, r in ((policy, l), (policy - l, -l)):
            slope = pointwise(found, np.full(1, p), np.full(1, p - r), np.full(1, p)).slope[0]
            said.append(f"at l = {r:.4g} (log π = {p:.4g}, π_ref/π = {np.exp(-r):.4g}) {slope:.4g}")
    except Raised as e:
        return f"the function raises {e}"
    return f"the derivative by log π is, {', and '.join(said)}"
