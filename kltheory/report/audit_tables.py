"""The tables of an audit: what one token descends, and whole responses."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from kltheory.audit.audited import Audited
from kltheory.audit.experiments import Distance
from kltheory.audit.on_trees import CREDITS
from kltheory.audit.probes import WITHIN
from kltheory.audit.row import ResponseRow, Row, Verdict
from kltheory.audit.window import around
from kltheory.calculus.exact import Undecidable

HEADER: Final = ("placed", "weight", "sampled by", "gradient of", "where", "how", "residual", "order", "near", "far")

SHORT: Final = ("placed", "weight", "on-policy", "off-policy", "where")
RESPONSES: Final = ("whole responses", "sampled by", "of one length", "how", "of random length", "how", "near", "far")
SHORT_RESPONSES: Final = ("whole responses of one length", "on-policy", "off-policy")

Table = list[tuple[str, ...]]
"""Rows of cells; the first is the head."""


def tables(v: Audited) -> Iterator[Table]:
    """All there is: what one token descends in each region, and whole responses."""
    if v.rows:
        yield [HEADER, *map(_cells, _told_apart(v.rows))]
    if v.responses:
        yield [RESPONSES, *map(_response_cells, v.responses)]


def short_tables(v: Audited) -> Iterator[Table]:
    """The names alone, on-policy beside off-policy, in every region that is not far from the reference."""
    if v.rows:
        on, off = ([r for r in _told_apart(v.rows) if r.sampler == who] for who in ("policy", "old"))
        yield [SHORT, *(_short_cells(r, off) for r in on if _is_near(r))]
    if v.responses:
        said = {(_placed(r), r.sampler): _verdict(r.verdicts["fixed"]) for r in v.responses}
        places = dict.fromkeys(map(_placed, v.responses))
        yield [SHORT_RESPONSES, *((place, said[place, "policy"], said[place, "old"]) for place in places)]


def _is_near(r: Row) -> bool:
    """Whether its region has a point that is not far; also where that is not decided."""
    try:
        return r.region & around(WITHIN) is not None
    except Undecidable:
        return True


def _short_cells(on: Row, off: Sequence[Row]) -> tuple[str, ...]:
    """One region on-policy; off-policy the same, or that of the reference where regions are others."""
    same = [r for r in off if (r.placement, r.weight) == (on.placement, on.weight)]
    there = next((r for r in same if r.where == on.where), None)
    elsewhere = _named(there) if there is not None else f"{_named(same[0])} where {same[0].where}"
    return (on.placement, on.weight, _named(on), elsewhere, on.where)


def footnotes(v: Audited) -> Iterator[str]:
    """What there is to say of rows without a name, and what near and far are measured against."""
    unnamed: dict[str, dict[str, None]] = {}
    for r in _told_apart(v.rows):
        if r.gradient_of == "none" and r.title:
            unnamed.setdefault(r.title, {})[f"{r.placement} {r.weight} {r.sampler}"] = None
    yield from (f"none: {title} ({', '.join(where)})" for title, where in unnamed.items())
    multiples = {r.multiple for r in v.rows if r.distances}
    if multiples - {1.0}:
        shown = ", ".join(f"{m:.6g}" for m in sorted(multiples))
        yield f"near, far, of tokens: the largest error against a·KL(π‖π_ref), a = {shown}: what C is to first order"


def _told_apart(rows: Iterable[Row]) -> list[Row]:
    """All rows but those of a live weight on the score, which is the detached one."""
    return [r for r in rows if not r.placed.is_repeated]


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
