"""The answer of ``kltheory variance`` as text and as JSON."""

from fractions import Fraction
from typing import Any, Final

from kltheory.calculus.surrogate import Sampler
from kltheory.report.columns import columns
from kltheory.report.number import in_json, shown
from kltheory.report.setting import probabilities
from kltheory.report.variance import END, STEPS, Comparison, Line, names

SHOWN: Final = 8
"""Distributions with more actions than this are not written out."""
WIDE: Final = 40
NOBODY: Final = "none here is unbiased"
UNDEFINED: Final = "none has a value"
KINDS: Final = {"variance": "least variance of the unbiased", "mean_square_error": "least mean square error"}


def to_json(found: Comparison) -> dict[str, Any]:
    """Plain data; the keys are documented in docs/json.md."""
    return {
        "setting": {n: [in_json(x) for x in p] for n, p in probabilities(found.setting).items()},
        "sampler": found.sampler.value,
        "target": found.target.name,
        "target_value": in_json(found.target_value),
        "target_norm": in_json(found.target_norm),
        "samples": found.samples,
        "estimators": [_entry(found, line) for line in found.lines],
        "best": {
            "variance": _members(found.quietest),
            "mean_square_error": [{"from_samples": n, "names": _members(g)} for n, g in found.by_samples()],
        },
        "path": {kind: [{"from_t": t, "names": _members(g)} for t, g in found.path(kind)] for kind in KINDS},
    }


def _members(group: tuple[Line, ...]) -> list[str]:
    return [line.candidate.name for line in group]


def _entry(found: Comparison, line: Line) -> dict[str, Any]:
    relative = found.relative_bias(line)
    return {
        "name": line.candidate.name,
        "factor": str(line.score),
        "unbiased": line.unbiased,
        "bias": in_json(line.bias),
        "relative_bias": None if relative is None else in_json(relative),
        "variance": in_json(line.variance),
        "baseline": in_json(line.baseline),
        "variance_with_baseline": in_json(line.least),
        "mean_square_error": in_json(line.error(found.samples)),
        "value": {
            "mean": in_json(line.mean),
            "bias": in_json(line.value_bias),
            "std": in_json(line.std),
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
    written = [f"{n:<9}  {' '.join(map(_probability, p))}" for n, p in rows.items() if size <= SHOWN]
    drew = "the old policy" if off else "the policy"
    return [
        f"{size} actions; samples from {drew}; target {found.target.title} = {shown(found.target_value)}, "
        f"with a gradient of length {shown(found.target_norm)} in logits",
        *(written or [f"{size} probabilities each, in --json"]),
    ]


def _probability(p: Fraction) -> str:
    """Six digits, more where they would make it 1."""
    texts = (shown(p, digits) for digits in (6, 15))
    return next((t for t in texts if t != "1"), f"1-{shown(1 - p)}")


def _unbiased(line: Line) -> str:
    return "0 always" if line.unbiased else shown(line.bias) + ("" if line.unbiased is False else " ?")


def _factor(line: Line) -> str:
    text = str(line.score)
    return text if len(text) <= WIDE else text[: WIDE - 1] + "…"


def _gradients(found: Comparison) -> list[tuple[str, ...]]:
    w = " w" if found.sampler is Sampler.OLD else ""
    error = f"MSE, N = {found.samples}"
    head = ("gradient of", "factor c", "bias", "relative", "tr Var[c s]", "best b", f"tr Var[(c - b{w}) s]", error)
    rows: list[tuple[str, ...]] = [head]
    for line in found.lines:
        relative = found.relative_bias(line)
        middle = (_unbiased(line), "-" if relative is None else shown(relative))
        numbers = (line.variance, line.baseline, line.least, line.error(found.samples))
        rows.append((line.candidate.name, _factor(line), *middle, *map(shown, numbers)))
    return rows


def _values(found: Comparison) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("value of", "mean", "bias", "std of one sample")]
    for line in found.lines:
        bias = "0 always" if line.unbiased_value else shown(line.value_bias)
        rows.append((line.candidate.name, shown(line.mean), bias, shown(line.std)))
    return rows


def _best(found: Comparison) -> list[str]:
    lines = [f"{KINDS['variance']}: {names(found.quietest) or NOBODY}"]
    lines += _changes(f"{KINDS['mean_square_error']}, mean of N samples", "N", [*found.by_samples()])
    along = "along π_t ∝ π_ref^(1-t) π^t"
    if not found.steps:
        return [*lines, "", f"{along}: not looked at with so many actions"]
    held = ", the old policy held" if found.sampler is Sampler.OLD else ""
    steps = f", in {found.steps} steps" if found.steps < STEPS else ""
    lines += ["", f"{along}, t from 0 to {END}{steps}; this setting is t = 1{held}"]
    for kind, words in KINDS.items():
        n = f" (N = {found.samples})" if kind == "mean_square_error" else ""
        lines += _changes(f"  {words}{n}", "t", found.path(kind))
    return lines


def _changes(words: str, name: str, rows: list[Any]) -> list[str]:
    """Who is best, and from where on somebody else is."""
    if not rows:
        return [f"{words}: {NOBODY}"]
    (_, first), *rest = rows
    out = [f"{words}: {names(first) or UNDEFINED}" + ("" if rest else " throughout")]
    indent = " " * (len(words) - len(words.lstrip()) + 2)
    return out + [f"{indent}from {name} = {_start(x)} on: {names(group) or UNDEFINED}" for x, group in rest]


def _start(x: float) -> str:
    """A t, or a number of samples, which may be larger than any float."""
    return shown(x, 6)
