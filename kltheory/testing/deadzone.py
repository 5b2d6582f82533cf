"""What ``assert_no_dead_zone`` checks, and what it prints."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from kltheory.audit.audited import Audited
from kltheory.audit.codes import Code
from kltheory.audit.pointwise import pointwise
from kltheory.audit.reading import Reading
from kltheory.audit.subject import Raised
from kltheory.report.columns import Fact
from kltheory.report.findings import said
from kltheory.testing.judged import judge
from kltheory.testing.records import Outcome
from kltheory.testing.subject import Call
from kltheory.testing.words import below, positive


def check(call: Call, within: float) -> Outcome:
    """The outcome; the first variant with a dead zone is shown."""
    positive("within", within)
    return judge(call, f"have a gradient everywhere where |l| < {within:g}", partial(_against, within))


def _against(within: float, one: Audited) -> Iterator[Fact]:
    assert one.found is not None
    if one.found.sums_vocabulary:
        yield "found", "undecided: it sums over the vocabulary, and has no derivative by one sample's l"
        return
    if none := one.of(Code.NO_GRADIENT):
        yield from said(none)
        return
    dead = sorted((z for z in one.found.zones() if z.meets(within)), key=lambda z: z.begins)
    if not dead:
        return
    yield from (("found", f"the gradient vanishes where {z.where}, {z.how}") for z in dead)
    yield "witness", _witness(one.found, dead[0].sample(within))
    begins = dead[0].begins
    nearer = f"; as it is, within={below(begins)} asks for no more" if begins else ""
    yield "to change", f"whatever holds it constant there may begin at |l| = {within:g}, no nearer{nearer}"


def _witness(found: Reading, sample: tuple[float, float] | None) -> str:
    """The running derivative at the sample, and as far on the other side of the reference."""
    if sample is None:
        return ""
    policy, l = sample
    said = []
    try:
        for p, r in ((policy, l), (policy - l, -l)):
            slope = pointwise(found, np.full(1, p), np.full(1, p - r), np.full(1, p)).slope[0]
            said.append(f"at l = {r:.4g} (log π = {p:.4g}, π_ref/π = {np.exp(-r):.4g}) {slope:.4g}")
    except Raised as e:
        return f"the function raises {e}"
    return f"the derivative by log π is, {', and '.join(said)}"
