"""The report of an audit: for people, as Markdown, as JSON."""

from collections.abc import Iterator, Mapping
from itertools import chain, repeat
from typing import Any, Final

import numpy as np

from kltheory.__about__ import __version__
from kltheory.audit.advantage import at_once, sentences
from kltheory.audit.audited import Audit, Audited
from kltheory.audit.codes import Code, Level
from kltheory.audit.experiments import Distance
from kltheory.audit.on_trees import CREDITS
from kltheory.audit.reading import Reading
from kltheory.audit.responses import ResponseRow, ResponseVerdict
from kltheory.audit.row import Row
from kltheory.report.columns import columns, markdown_table

SCHEMA: Final = 1
STATUS: Final = {0: "nothing to report", 1: "alarms", 2: "undecided", 3: "could not run"}


def to_json(audit: Audit) -> dict[str, Any]:
    """Plain data; the keys are documented in the README. Numbers that are not finite are ``null``."""
    t = audit.target
    data = {
        "schema": SCHEMA,
        "version": __version__,
        "target": t.name,
        "library": t.version or None,
        "file": t.file,
        "line": t.line,
        "framework": t.framework,
        "placements": list(audit.placements),
        "status": STATUS[audit.status],
        "hints": list(audit.hints),
        "variants": [_variant(v) for v in audit.variants],
    }
    cleaned = _clean(data)
    assert isinstance(cleaned, dict)
    return cleaned


def _variant(v: Audited) -> dict[str, Any]:
    found = v.found
    return {
        "name": v.name,
        "settings": {
            k: x if isinstance(x, (bool, int, float, str, type(None))) else repr(x) for k, x in v.settings.items()
        },
        "arguments": {} if v.subject is None else _arguments(v.subject.paths),
        "answer": answer(v),
        "formula": None if found is None else found.formula,
        "coefficient": coefficient(v),
        "how": None if found is None else found.how,
        "reading": None if found is None else found.entries.value,
        "dtype": None if found is None else found.dtype,
        "residual": None if found is None else found.residual,
        "aggregation": None if found is None or found.weights is None or found.per_token else aggregation(found),
        "advantage": [push.to_json() for push in v.pushes],
        "rows": [r.to_json() for r in v.rows],
        "responses": [r.to_json() for r in v.responses],
        "findings": [f.to_json() for f in v.findings],
        **_by_kind(v),
    }


STOPPED: Final = (Code.RANDOM, Code.SHAPE, Code.RAISES)
"""What ends an audit because of the function itself: the keys of schema 1 list it among the alarms as well."""


def _by_kind(v: Audited) -> dict[str, Any]:
    """The findings under the keys of schema 1."""
    alarms = [f for f in v.findings if f.level is Level.ALARM or f.code in STOPPED]
    probes = [f for f in v.findings if f.code.probe]
    return {
        "alarms": [{"kind": f.code.probe or f.name, "text": f.text} for f in alarms],
        "probes": [{"probe": f.code.probe, "text": f.text, "alarm": f.level is Level.ALARM, **f.data} for f in probes],
        "undecided": [f.text for f in v.undecided],
        "failure": v.failure or None,
        "notes": [f.text for f in v.notes if f not in probes],
    }


def _arguments(paths: Mapping[str, Any]) -> dict[str, str]:
    """Role to what holds it; several with commas, such as two masks."""
    return {r.value: ", ".join(p for p, other in paths.items() if other is r) for r in paths.values()}


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _clean(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value


def coefficient(v: Audited) -> str | None:
    """The coefficient as a loss, on-policy: all its cells."""
    parts = [r for r in v.rows if (r.placement, r.weight, r.sampler) == ("loss", "none", "policy")]
    parts = parts or [r for r in v.rows if (r.weight, r.sampler) == ("none", "policy")]
    if not parts or not parts[0].coefficient:
        return None
    pieces = len(parts) > 1
    return "; ".join(r.coefficient + f" where {r.where}" * (pieces and " where " not in r.coefficient) for r in parts)


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


# --- for people -------------------------------------------------------------------------------------------------------
def plain(audit: Audit) -> str:
    """The report in the terminal."""
    return "\n".join([*_head(audit), *(line for v in audit.variants for line in _plain_variant(v)), *_tail(audit)])


def _head(audit: Audit) -> Iterator[str]:
    t = audit.target
    yield " · ".join(filter(None, (t.name, t.version, t.place, "PyTorch" if t.framework == "torch" else "JAX")))


def _tail(audit: Audit) -> Iterator[str]:
    yield ""
    for hint in audit.hints:
        yield f"hint: {hint}"
    count = sum(len(v.alarms) for v in audit.variants)
    what = f"{count} alarm{'s' * (count != 1)}" if audit.status == 1 else STATUS[audit.status]
    yield f"{len(audit.variants)} variant{'s' * (len(audit.variants) != 1)}: {what}"


def _plain_variant(v: Audited) -> Iterator[str]:
    yield ""
    yield v.name or "as it is"
    if v.subject is not None:
        yield "  arguments    " + ", ".join(f"{path} = {role.value}" for path, role in v.subject.paths.items())
    if v.failure:
        yield f"  COULD NOT RUN  {v.failure}"
        return
    yield from (f"  {line}" for line in _facts(v))
    yield from (f"  {line}" for table in _tables(v) for line in columns(table))
    yield from (f"  {line}" for line in _footnotes(v))
    yield from (f"  ALARM        {f.text}" for f in v.alarms)
    yield from (f"  probe        {f.text}" for f in v.notes if f.code.probe)
    yield from (f"  UNDECIDED    {f.text}" for f in v.undecided)
    yield from (f"  note         {f.text}" for f in v.notes if not f.code.probe)


def answer(v: Audited) -> str:
    """The sentence to read first: what is descended, what becomes of the advantage, and how many alarms there are."""
    parts = [said for placement in ("loss", "reward") if (said := _descends(v, placement))]
    if v.pushes:
        said = at_once(v.pushes) or "no one multiple of the policy gradient"
        parts.append(f"where w = 1, the part with the advantage is {said}")
    parts += [f"{n} alarm{'s' * (n != 1)}"] if (n := len(v.alarms)) else []
    parts += ["UNDECIDED in part"] if v.undecided else []
    return "; ".join(parts)


def _descends(v: Audited, placement: str) -> str:
    """What a placement without a weight descends, on-policy and off-policy."""
    rows = {r.sampler: r for r in reversed(v.rows) if (r.placement, r.weight) == (placement, "none")}
    if not rows:
        return ""
    on, off = (_said(rows[sampler]) for sampler in ("policy", "old"))
    where = "as a loss" if placement == "loss" else "in the reward"
    return f"{where} it descends {on}" + ("" if on == off else f" on-policy, {off} where the old policy sampled")


def _said(r: Row) -> str:
    named = {"zero": "nothing", "none": "what has no name", "undecided": "what is not decided"}
    if r.gradient_of == "none" and r.how == "measured" and r.title:
        return r.title
    near = "" if r.where in ("everywhere", "-100 < l < 100") or r.gradient_of == "none" else f" where {r.where}"
    return named.get(r.gradient_of, r.title) + near


def _facts(v: Audited) -> Iterator[str]:
    found = v.found
    if found is None or not (v.rows or v.pushes):
        return
    yield f"answer       {answer(v)}"
    over = " (summed over the vocabulary)" if found.sums_vocabulary else ""
    if found.formula is not None:
        check = f"value and derivative within {found.residual:.0e} of the running function, {found.dtype}"
        yield f"computes     {found.formula}{over}"
        yield f"             derived; {check}"
    else:
        yield f"computes     no formula{over}: measured on |l| <= 100"
    if (c := coefficient(v)) is not None:
        yield f"coefficient  {c}"
    if found.weights is not None and not found.per_token:
        yield f"aggregation  {aggregation(found)['name']}"
    said = [*(["of a token alone:"] if found.coupled and v.pushes else []), *sentences(v.pushes)]
    for name, line in zip(chain(["advantage"], repeat("")), said, strict=False):
        yield f"{name:<13}{line}"


HEADER: Final = ("placed", "weight", "sampled by", "gradient of", "where", "how", "residual", "order", "near", "far")


def _tables(v: Audited) -> Iterator[list[tuple[str, ...]]]:
    if v.rows:
        yield [HEADER, *map(_cells, _main_rows(v.rows))]
    if v.responses:
        yield [RESPONSES, *map(_response_cells, v.responses)]


def _footnotes(v: Audited) -> Iterator[str]:
    """What there is to say of rows without a name, and what near and far are measured against."""
    unnamed: dict[str, list[str]] = {}
    for r in _main_rows(v.rows):
        if r.gradient_of == "none" and r.title:
            unnamed.setdefault(r.title, []).append(f"{r.placement} {r.weight} {r.sampler}")
    yield from (f"none: {title} ({', '.join(where)})" for title, where in unnamed.items())
    multiples = {r.multiple for r in v.rows if r.distances}
    if multiples - {1.0}:
        shown = ", ".join(f"{m:.6g}" for m in sorted(multiples))
        yield f"near, far, of tokens: the largest error against a·KL(π‖π_ref), a = {shown}: what C is to first order"


def _main_rows(rows: tuple[Row, ...]) -> list[Row]:
    """The row at the reference of each placement; a live weight on the score is the detached one."""
    first: dict[tuple[str, str, str], Row] = {}
    for r in rows:
        if (r.placement, r.weight) != ("reward", "live"):
            first.setdefault((r.placement, r.weight, r.sampler), r)
    return list(first.values())


def _cells(r: Row) -> tuple[str, ...]:
    near = _distances(r.distances)
    named = r.gradient_of if "f_divergence" not in r.gradient_of else f"{r.gradient_of}: {r.title}"
    order = "" if r.order is None else str(r.order)
    residual = "" if r.residual is None else f"{r.residual:.0e}"
    return (r.placement, r.weight, r.sampler, named, r.where, r.how, residual, order, *near)


def _distances(found: Mapping[str, Distance] | None) -> list[str]:
    return [f"{d.relative_error:.1%} {d.cosine:+.2f}" for d in (found or {}).values()] or ["", ""]


RESPONSES: Final = ("whole responses", "sampled by", "of one length", "how", "of random length", "how", "near", "far")


def _response_cells(r: ResponseRow) -> tuple[str, ...]:
    """One row; the residual is in the JSON."""
    placed = r.placement if not r.credit else f"{r.placement}, {CREDITS[r.credit].title}"
    verdicts = (x for v in r.verdicts.values() for x in (_verdict(v), v.how))
    return (placed, r.sampler, *verdicts, *_distances(r.distances))


def _verdict(v: ResponseVerdict) -> str:
    return v.title if v.where == "everywhere" else f"{v.title}, {v.where}"


def markdown(audit: Audit) -> str:
    """The report as Markdown, for an issue or a pull request."""
    lines = [f"### {next(iter(_head(audit)))}"]
    for v in audit.variants:
        lines += ["", f"#### {v.name or 'as it is'}", ""]
        if v.failure:
            lines.append(f"Could not run: {v.failure}")
            continue
        lines += [f"- {_spaced(line)}" for line in _facts(v)]
        for head, *body in _tables(v):
            lines += ["", *markdown_table(head, body)]
        lines += ["", *(f"- {line}" for line in _footnotes(v))]
        lines += ["", *(f"- **alarm** {f.text}" for f in v.alarms)]
        lines += [f"- **undecided** {f.text}" for f in v.undecided]
        lines += [f"- {f.text}" for f in v.notes]
    return "\n".join([*lines, *_tail(audit)])


def _spaced(line: str) -> str:
    name, _, rest = line.partition(" ")
    return f"{name}: `{rest.strip()}`" if name in ("computes", "coefficient") else line.strip()
