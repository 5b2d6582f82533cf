"""What ``assert_finite`` checks, and what it prints."""

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np

from kltheory.audit.audited import Audited
from kltheory.audit.pointwise import apart, at_log_ratios
from kltheory.audit.probes import DTYPES
from kltheory.audit.reading import Reading
from kltheory.audit.subject import Raised
from kltheory.report.columns import Fact
from kltheory.testing.judged import judge
from kltheory.testing.records import Outcome
from kltheory.testing.subject import Call
from kltheory.testing.words import known, positive
from kltheory.tracing.trace import CannotTrace, Floats

FRACTIONS: Final = (0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Where between the reference and the end it is looked; both signs of l."""


def check(call: Call, dtype: str, within: float) -> Outcome:
    """The outcome; the first variant that overflows is shown."""
    known("dtype", dtype, DTYPES)
    positive("within", within)
    return judge(call, f"be finite in {dtype} for |l| <= {within:g}", partial(_against, dtype, within))


def _against(dtype: str, within: float, one: Audited) -> Iterator[Fact]:
    assert one.found is not None
    at = np.array([s * x * within for x in FRACTIONS for s in (-1, 1)])
    try:
        bad = _broken(one.found, at, dtype)
        if not any(bad.values()):
            return
        fine = [d for d in DTYPES if d != dtype and not any(_broken(one.found, at, d).values())]
    except (Raised, CannotTrace) as e:
        yield "found", f"in {dtype} the function raises {e}"
        return
    yield from (("found", f"the {what} is {_points(points)}") for what, points in bad.items() if points)
    nearest = min((x for points in bad.values() for x, _ in points), key=abs)
    yield "witness", _witness(one.found, nearest, dtype)
    held = max((abs(x) for x in at if abs(x) < abs(nearest)), default=None)
    if held is not None:
        yield "to change", f"it is finite for |l| <= {held:g} in {dtype}"
    if fine:
        yield "to change", f"it is finite for |l| <= {within:g} in {', '.join(fine)}"


Points = list[tuple[float, float]]
"""l, and the number that is not finite."""


def _broken(found: Reading, at: Floats, dtype: str) -> dict[str, Points]:
    """Where value and gradient are not finite, nearest first."""
    sample = at_log_ratios(found, at, dtype)
    numbers = {"value": sample.value.reshape(len(at), -1), "gradient": sample.slope.reshape(len(at), -1)}
    out: dict[str, Points] = {}
    for what, rows in numbers.items():
        bad = [(float(l), float(row[~np.isfinite(row)][0])) for l, row in zip(at, rows, strict=True) if _is_bad(row)]
        out[what] = sorted(bad, key=lambda point: abs(point[0]))
    return out


def _is_bad(row: Floats) -> bool:
    return not bool(np.isfinite(row).all())


def _points(points: Points) -> str:
    shown = [f"{x} at l = {l:.4g}" for l, x in points[:3]]
    return ", ".join(shown) + (f" and {len(points) - 3} other points" if len(points) > 3 else "")


def _witness(found: Reading, l: float, dtype: str) -> str:
    policy, ref = apart(np.array([l]))
    sample = at_log_ratios(found, np.array([l]), dtype)
    slopes = ", ".join(f"{x:.4g}" for x in sample.slope.ravel())
    value = f"{sample.value.ravel()[0]:.4g}"
    return f"log π = {policy[0]:.4g}, log π_ref = {ref[0]:.4g}: value {value}, derivative {slopes}"
