"""The answer of ``kltheory variance`` as text and as JSON."""

from typing import Any, Final

from kltheory.calculus.surrogate import Sampler
from kltheory.report.columns import columns
from kltheory.report.setting import probabilities
from kltheory.report.variance import GRID, Comparison, Line, names

SHOWN: Final = 8
"""Distributions with more actions than this are not written out."""
WIDE: Final = 40
KINDS: Final = {"variance": "least variance of the unbiased", "mean_square_error": "least mean square error"}


def to_json(found: Comparison) -> dict[str, Any]:
    """Plain data; the keys are documented in the README."""
    return {
        "setting": probabilities(found.setting),
        "sampler": found.sampler.value,
        "target": found.target.name,
        "target_value": found.target_value,
        "target_norm": found.target_norm,
        "samples": found.samples,
        "estimators": [_entry(found, line) for line in found.lines],
        "best": {
            "variance": _members(min(found.unbiased, key=lambda g: g[0].variance, default=())),
            "mean_square_error": [{"from_samples": n, "names": _members(g)} for n, g in found.by_samples()],
        },
        "path": {kind: [{"from_t": t, "names": _members(g)} for t, g in found.path(kind)] for kind in KINDS},
    }


def _members(group: tuple[Line, ...]) -> list[str]:
    return [line.candidate.name for line in group]


def _entry(found: Comparison, line: Line) -> dict[str, Any]:
    return {
        "name": line.candidate.name,
        "factor": str(line.score),
        "unbiased": line.unbiased,
        "bias": line.bias,
        "relative_bias": line.bias / found.target_norm if found.target_norm else None,
        "variance": line.variance,
        "baseline": line.baseline,
        "variance_with_baseline": line.least,
        "mean_square_error": line.error(found.samples),
        "value": {
            "mean": line.mean,
            "bias": line.mean - found.target_value,
            "std": line.std,
            "unbiased": line.unbiased_value,
        },
    }


# --- text -------------------------------------------------------------------------------------------------------------
def plain(found: Comparison) -> str:
    """For people."""
    parts = [*_setting(found), "", *columns(_gradients(found)), "", *columns(_values(found)), "", *_best(found)]
    return "\n".join(parts)


def _setting(found: Comparison) -> list[str]:
    size, off = found.setting.size, found.sampler is Sampler.OLD
    rows = {n: p for n, p in probabilities(found.setting).items() if off or n != "old"}
    written = [f"{n:<9}  {' '.join(f'{x:.6g}' for x in p)}" for n, p in rows.items() if size <= SHOWN]
    drew = "the old policy" if off else "the policy"
    return [
        f"{size} actions; samples from {drew}; target {found.target.title} = {_number(found.target_value)}, "
        f"with a gradient of length {_number(found.target_norm)} in logits",
        *(written or [f"{size} probabilities each, in --json"]),
    ]


def _number(x: float) -> str:
    return "0" if x == 0 else f"{x:.5g}"


def _unbiased(line: Line) -> str:
    return "0 always" if line.unbiased else _number(line.bias) + ("" if line.unbiased is False else " ?")


def _factor(line: Line) -> str:
    text = str(line.score)
    return text if len(text) <= WIDE else text[: WIDE - 1] + "…"


def _gradients(found: Comparison) -> list[tuple[str, ...]]:
    w = " w" if found.sampler is Sampler.OLD else ""
    error = f"MSE, N = {found.samples}"
    head = ("gradient of", "factor c", "bias", "relative", "tr Var[c s]", "best b", f"tr Var[(c - b{w}) s]", error)
    rows: list[tuple[str, ...]] = [head]
    for line in found.lines:
        relative = line.bias / found.target_norm if found.target_norm else 0.0
        middle = (_unbiased(line), _number(relative) if found.target_norm else "-")
        numbers = (line.variance, line.baseline, line.least, line.error(found.samples))
        rows.append((line.candidate.name, _factor(line), *middle, *map(_number, numbers)))
    return rows


def _values(found: Comparison) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("value of", "mean", "bias", "std of one sample")]
    for line in found.lines:
        bias = "0 always" if line.unbiased_value else _number(line.mean - found.target_value)
        rows.append((line.candidate.name, _number(line.mean), bias, _number(line.std)))
    return rows


def _best(found: Comparison) -> list[str]:
    unbiased = min(found.unbiased, key=lambda g: g[0].variance, default=None)
    lines = [f"{KINDS['variance']}: {names(unbiased) if unbiased else 'none here is unbiased'}"]
    lines += _changes(f"{KINDS['mean_square_error']}, mean of N samples", "N", [*found.by_samples()])
    lines += ["", f"along π_t ∝ π_ref^(1-t) π^t, t from 0 to {GRID[-1]:g}; this setting is t = 1" + _held(found)]
    for kind, words in KINDS.items():
        n = f" (N = {found.samples})" if kind == "mean_square_error" else ""
        lines += _changes(f"  {words}{n}", "t", found.path(kind))
    return lines


def _held(found: Comparison) -> str:
    return ", the old policy held" if found.sampler is Sampler.OLD else ""


def _changes(words: str, name: str, rows: list[Any]) -> list[str]:
    """Who is best, and from where on somebody else is."""
    if not rows:
        return [f"{words}: none here is unbiased"]
    (_, first), *rest = rows
    out = [f"{words}: {names(first)}" + ("" if rest else " throughout")]
    indent = " " * (len(words) - len(words.lstrip()) + 2)
    return out + [f"{indent}from {name} = {start:.6g} on: {names(group)}" for start, group in rest]
