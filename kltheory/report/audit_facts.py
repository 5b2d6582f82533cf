"""What there is to say of one variant, in a line each: the answer, the formula, the coefficient, the aggregation."""

from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import Any

import numpy as np

from kltheory.audit.advantage import Pushed, at_once, sentences
from kltheory.audit.audited import Audited
from kltheory.audit.reading import Reading
from kltheory.audit.row import Row
from kltheory.calculus.placement import PLACED, WHERE
from kltheory.report.columns import Fact


def answer(v: Audited) -> str:
    """The sentence to read first: what is descended, what becomes of the advantage, and how many alarms there are."""
    parts = [said for placement in PLACED if (said := _descends(v, placement))]
    if v.pushes:
        parts.append(_at_once(v.pushes))
    parts += [f"{n} alarm{'s' * (n != 1)}"] if (n := len(v.alarms)) else []
    parts += ["UNDECIDED in part"] if v.undecided else []
    return "; ".join(parts)


def _at_once(every: tuple[Pushed, ...]) -> str:
    """What the part with the advantage is where w = 1."""
    if all(push.at_once == 0 for push in every):
        return "where w = 1, the part with the advantage does nothing"
    return f"where w = 1, the part with the advantage is {at_once(every) or 'no one multiple of the policy gradient'}"


def _descends(v: Audited, placement: str) -> str:
    """What a placement without a weight descends, on-policy and off-policy."""
    rows = {r.sampler: r for r in reversed(v.rows) if (r.placement, r.weight) == (placement, "none")}
    if not rows:
        return ""
    on, off = (_said(rows[sampler]) for sampler in ("policy", "old"))
    apart = "" if on == off else f" on-policy, {off} where the old policy sampled"
    return f"{WHERE[placement]} it descends {on}{apart}"


def _said(r: Row) -> str:
    named = {"zero": "nothing", "none": "what has no name", "undecided": "what is not decided"}
    if r.gradient_of == "none" and r.how == "measured" and r.title:
        return r.title
    near = "" if r.where in ("everywhere", "-100 < l < 100") or r.gradient_of == "none" else f" where {r.where}"
    return named.get(r.gradient_of, r.title) + near


def coefficient(v: Audited) -> str | None:
    """The coefficient as a loss, on-policy: all its cells."""
    parts = [r for r in v.rows if (r.placement, r.weight, r.sampler) == ("loss", "none", "policy")]
    parts = parts or [r for r in v.rows if (r.weight, r.sampler) == ("none", "policy")]
    if not parts or not parts[0].coefficient:
        return None
    return cells_of(parts)


def cells_of(rows: Sequence[Row]) -> str:
    """The coefficient of rows that are the cells of one placement; empty where it was measured."""
    pieces = len(rows) > 1
    parts = (r.coefficient + f" where {r.where}" * (pieces and " where " not in r.coefficient) for r in rows)
    return "; ".join(parts) if rows[0].coefficient else ""


def aggregation(found: Reading) -> dict[str, Any]:
    """What each token of a full batch weighs, and the name that such weights have."""
    weights = found.weights
    assert weights is not None
    return {"name": _aggregation_name(weights), "weights": weights.tolist(), "shape": list(weights.shape)}


def _aggregation_name(weights: Any) -> str:
    if np.isnan(weights).any():
        return "tokens have different formulas"
    if not np.ptp(weights) < 1e-9:
        return "tokens have different weights"
    w, rows = float(weights.flat[0]), weights.shape[0] if weights.ndim > 1 else 1
    names = {1.0: "sum over tokens", 1 / weights.size: "mean over tokens"}
    names.setdefault(rows / weights.size, "mean over the tokens of each sequence")
    names.setdefault(1 / rows, "sum over the tokens, mean over sequences")
    return next((name for value, name in names.items() if abs(value - w) < 1e-9), f"each token times {w:.6g}")


def read(v: Audited) -> Iterator[Fact]:
    """How the function was read: label and text."""
    found = v.found
    if found is None or not (v.rows or v.pushes):
        return
    over = " (summed over the vocabulary)" if found.sums_vocabulary else ""
    if found.formula is not None:
        check = f"value and derivative within {found.residual:.0e} of the running function, {found.dtype}"
        yield "computes", f"{found.formula}{over}"
        yield "", f"derived; {check}"
    else:
        yield "computes", f"no formula{over}: measured on |l| <= 100"
    if found.weights is not None and not found.per_token:
        yield "aggregation", aggregation(found)["name"]
    said = [*(["of a token alone:"] if found.coupled and v.pushes else []), *sentences(v.pushes)]
    yield from zip(chain(["advantage"], repeat("")), said, strict=False)


def arguments(v: Audited) -> str:
    """Which argument holds what."""
    paths = {} if v.subject is None else v.subject.paths
    return ", ".join(f"{path} = {role.value}" for path, role in paths.items())
