"""The tables of an audit: what one token descends, and whole responses."""

from collections.abc import Iterator, Mapping
from typing import Final

from kltheory.audit.audited import Audited
from kltheory.audit.experiments import Distance
from kltheory.audit.on_trees import CREDITS
from kltheory.audit.row import ResponseRow, Row, Verdict

HEADER: Final = ("placed", "weight", "sampled by", "gradient of", "where", "how", "residual", "order", "near", "far")

SHORT: Final = ("placed", "weight", "on-policy", "off-policy", "where")
RESPONSES: Final = ("whole responses", "sampled by", "of one length", "how", "of random length", "how", "near", "far")
SHORT_RESPONSES: Final = ("whole responses of one length", "on-policy", "off-policy")

Table = list[tuple[str, ...]]
"""Rows of cells; the first is the head."""


def tables(v: Audited) -> Iterator[Table]:
    """All there is: what one token descends, and whole responses."""
    if v.rows:
        yield [HEADER, *map(_cells, _main_rows(v.rows))]
    if v.responses:
        yield [RESPONSES, *map(_response_cells, v.responses)]


def short_tables(v: Audited) -> Iterator[Table]:
    """The names alone, on-policy beside off-policy."""
    if v.rows:
        off = {(r.placement, r.weight): r for r in _main_rows(v.rows) if r.sampler == "old"}
        on = [r for r in _main_rows(v.rows) if r.sampler == "policy"]
        yield [SHORT, *(_short_cells(r, off[r.placement, r.weight]) for r in on)]
    if v.responses:
        said = {(_placed(r), r.sampler): _verdict(r.verdicts["fixed"]) for r in v.responses}
        places = dict.fromkeys(map(_placed, v.responses))
        yield [SHORT_RESPONSES, *((place, said[place, "policy"], said[place, "old"]) for place in places)]


def _short_cells(on: Row, off: Row) -> tuple[str, ...]:
    elsewhere = "" if off.where == on.where else f" where {off.where}"
    return (on.placement, on.weight, _named(on), _named(off) + elsewhere, on.where)


def footnotes(v: Audited) -> Iterator[str]:
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
    order = "" if r.order is None else str(r.order)
    residual = "" if r.residual is None else f"{r.residual:.0e}"
    return (r.placement, r.weight, r.sampler, _named(r), r.where, r.how, residual, order, *near)


def _named(r: Row) -> str:
    return f"{r.gradient_of}: {r.title}" if "f_divergence" in r.gradient_of else r.gradient_of


def _distances(found: Mapping[str, Distance] | None) -> list[str]:
    return [f"{d.relative_error:.1%} {d.cosine:+.2f}" for d in (found or {}).values()] or ["", ""]


def _response_cells(r: ResponseRow) -> tuple[str, ...]:
    """One row; the residual is in the JSON."""
    verdicts = (x for v in r.verdicts.values() for x in (_verdict(v), v.how))
    return (_placed(r), r.sampler, *verdicts, *_distances(r.distances))


def _placed(r: ResponseRow) -> str:
    return f"{r.placement}, {CREDITS[r.credit].title}" if r.credit else r.placement


def _verdict(v: Verdict) -> str:
    return v.title if v.where == "everywhere" else f"{v.title}, {v.where}"
