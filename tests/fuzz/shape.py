"""The shape of C: whether it rises, falls, is infinite, is a constant, or moves with w, as it is said."""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from random import Random
from typing import Any, Final

import mpmath
from fuzz.cells import Unclear, holds
from fuzz.complaint import Complaint, close
from fuzz.dual import Dual, NoValue, TooFar
from fuzz.evaluate import Context, compiled
from fuzz.loss import Loss, special
from fuzz.settings import Point, point, short, shown

OTHER: Final = mpmath.mpf("0.37")
Row = Mapping[str, Any]


def shape(loss: Loss, row: Row, on_policy: bool, places: list[Point], r: Random) -> Iterator[Complaint]:
    """Whether C rises, falls, is infinite, is a constant, or moves with w, as it is said."""
    with mpmath.workdps(500):
        known = [(p, c) for p in places if (c := _quietly(loss, p, on_policy)) is not None]
        if row["gradient_of"] == "none" and known and all(close(c, known[0][1]) for _, c in known):
            yield Complaint("gradient_of", "none", f"C = {short(known[0][1])} at all of {len(known)} points")
        if row["is_divergence"] is True:
            yield from _rises(row, known)
        elif row["obstacle"]:
            yield from _obstacle(loss, row, on_policy, r)
        elif row["is_divergence"] is False and row["base"] is None and row["gradient_of"] != "zero":
            yield from _several(loss, known, on_policy, r)
        if not on_policy:
            moved = _moves(loss, known, on_policy, r, of_l=False)
            if moved and row["depends_on_sampler"] is False:
                yield Complaint("depends_on_sampler", "False", moved)
            if not moved and row["depends_on_sampler"]:
                yield Complaint("depends_on_sampler", "True", f"no two of {len(known)} points show it")


def _quietly(loss: Loss, p: Point, on_policy: bool) -> Any:
    try:
        return loss.coefficient(p, on_policy)
    except (NoValue, Unclear, TooFar):
        return None


def _rises(row: Row, known: list[tuple[Point, Any]]) -> Iterator[Complaint]:
    def along(p: Point) -> Any:
        return p.log_w if row["base"] == "old" else p.l

    ordered = sorted(known, key=lambda pair: along(pair[0]))
    for (p, a), (q, b) in pairwise(ordered):
        if b < a and not close(a, b):
            right = f"C falls from {short(a)} at {shown(p)} to {short(b)} at {shown(q)}"
            yield Complaint("is_divergence", "True", right)
            return
    if ordered and close(ordered[0][1], ordered[-1][1]):
        yield Complaint("is_divergence", "True", "C does not rise")


def _several(loss: Loss, known: list[tuple[Point, Any]], on_policy: bool, r: Random) -> Iterator[Complaint]:
    if not _moves(loss, known, on_policy, r, of_l=True):
        yield Complaint("base", "C is no function of l alone", f"no two of {len(known)} points show it")


def _obstacle(loss: Loss, row: Row, on_policy: bool, r: Random) -> Iterator[Complaint]:
    """C falls where it is said to, or is infinite there."""
    text, of_weight = row["obstacle"], row["base"] == "old"

    def c(x: Any) -> Any:
        return _quietly(loss, point(r, *((OTHER, x) if of_weight else (x, OTHER))), on_policy)

    if place := re.fullmatch(r"C (falls|is infinite) at (?:l|log w) = (.*)", text):
        x = compiled(place.group(2))(Context({})).v
        step = max(1, abs(x)) * mpmath.mpf("1e-5") if "." in place.group(2) else mpmath.mpf("1e-8")
        if place.group(1) == "falls":
            left, right = c(x - step), c(x + step)
            if left is not None and right is not None and not right < left:
                yield Complaint("obstacle", text, f"C = {short(left)} before, {short(right)} after")
        elif not any(_grows([c(x + side * step * s) for s in (100, 10, 1)]) for side in (-1, 1)):
            yield Complaint("obstacle", text, f"C = {short(c(x + step))} beside it")
        return
    if not text.startswith("C falls"):
        yield Complaint("obstacle", text, "a form that is not known")
        return
    where = text.removeprefix("C falls ").removeprefix("where ")
    name = "w" if of_weight else "l"
    inside = []
    for x in sorted(z for y in (*special(where), 0) for z in _around(y, of_weight, r)):
        names = {name: Dual(mpmath.exp(x) if of_weight else mpmath.mpf(x))}
        try:
            if holds(where, names) and (value := c(x)) is not None:
                inside.append((x, value))
        except Unclear:
            continue
    if len(inside) < 2:
        yield Complaint("obstacle", text, "no two points in it were found")
    for (x, a), (y, b) in pairwise(inside):
        if b > a and not close(a, b):
            yield Complaint("obstacle", text, f"C rises from {short(a)} at {short(x)} to {short(b)} at {short(y)}")
            return
    if len(inside) > 1 and close(inside[0][1], inside[-1][1]):
        yield Complaint("obstacle", text, "C does not fall")


def _around(y: Any, of_weight: bool, r: Random) -> list[Any]:
    """Numbers near one, and near its logarithm: thresholds are written as either."""
    centres = [mpmath.log(y)] if y > 0 else []
    centres += [mpmath.mpf(0) if of_weight else y]
    return [x + s * mpmath.mpf(10) ** k * (1 + r.random()) for x in centres for s in (-1, 1) for k in range(-4, 2)]


def _grows(values: list[Any]) -> bool:
    """Whether each of three numbers, ten times as near, is larger by as much again: no smooth function is."""
    if None in values:
        return False
    near, nearer, nearest = map(abs, values)
    return near < nearer and nearest - nearer > (nearer - near) / 2


def _moves(loss: Loss, known: list[tuple[Point, Any]], on_policy: bool, r: Random, of_l: bool) -> str:
    """Two actions with different C, and the same l (``of_l``) or the same everything but w."""
    for p, c in known:
        for _ in range(2):
            if of_l:
                q = point(r, p.l, p.log_w if r.random() < 0.3 else mpmath.mpf(r.gauss(0, 3)))
            else:
                other, _ = r.choice(known)
                log_w = r.choice((other.log_w, other.l, mpmath.mpf(r.gauss(0, 3))))
                if log_w <= p.logp:
                    continue
                q = Point(p.logp, p.l, log_w, p.advantage)
            d = _quietly(loss, q, on_policy)
            if d is not None and not close(c, d):
                return f"C = {short(c)} at {shown(p)}, {short(d)} at {shown(q)}"
    return ""
