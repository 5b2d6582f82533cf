"""The oracle of ``identify``: every line of an answer against the text itself, at many actions and settings."""

import re
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, Final

import mpmath
from fuzz import divergences
from fuzz.cells import Cell, Unclear, at, cells, holds
from fuzz.complaint import KINK, Complaint, always_fails, close, rounding
from fuzz.dual import ONE, ZERO, Dual, NoValue, total
from fuzz.evaluate import Context, compiled
from fuzz.loss import Loss, special, value_or_none
from fuzz.settings import (
    CONSTANTS,
    Point,
    Setting,
    log_probabilities,
    moving,
    named,
    points,
    random_setting,
    short,
    shown,
)
from fuzz.shape import Row, shape

FAR: Final = 400
"""How far out log-probabilities are looked at: exponentials of more cancel too many digits."""


def check(loss: Loss, answer: Mapping[str, Any], r: Random, count: int = 24, settings: int = 6) -> Iterator[Complaint]:
    """What is wrong with the JSON of an answer."""
    rows = {row["sampler"]: row for row in answer["rows"]}
    texts = [row[k] for row in rows.values() for k in ("coefficient", "f", "obstacle")]
    numbers = special(loss.typed, *texts, *answer["undefined"].values())
    places = [p for p in points(r, numbers[:40], count) if max(abs(p.logp), abs(p.l), abs(p.log_w)) < FAR]
    drawn = [random_setting(r) for _ in range(settings)]
    misread = list(_each(places, "read_as", lambda p: _read_as(loss.typed, answer["read_as"], p)))
    yield from misread
    if misread:
        return
    for sampler in ("policy", "old"):
        on_policy = sampler == "policy"
        if sampler in answer["undefined"]:
            yield from _undefined(loss, answer["undefined"][sampler], places, on_policy)
        else:
            yield from check_row(loss, rows[sampler], on_policy, places, drawn, r)


def check_row(
    loss: Loss, row: Row, on_policy: bool, places: list[Point], drawn: list[Setting], r: Random
) -> Iterator[Complaint]:
    """What is wrong with one row."""
    yield from _each(places, "coefficient", lambda p: _coefficient(loss, row["coefficient"], p, on_policy))
    for name in ("gradient_of", "f", "objective"):
        if row[name] not in (None, "none"):
            yield from _each(drawn, name, lambda s, name=name: _gradient(loss, row, name, s, on_policy))
    if row["gradient_of"] != "none" and (want := divergences.title(row["gradient_of"])) != row["title"]:
        yield Complaint("title", row["title"], want)
    if row["title"].startswith("in pieces"):
        yield from _pieces(loss, row, on_policy, places)
    if row["f"] and not row["f"].startswith("Integral"):
        yield from _generator(row["f"])
    yield from shape(loss, row, on_policy, places, r)


def _each(items: list[Any], kind: str, test: Callable[[Any], str]) -> Iterator[Complaint]:
    """The first item at which a test has something to say, at every precision."""
    for item in items:
        try:
            said = always_fails(lambda item=item: test(item))
        except (Unclear, NoValue):
            continue
        except KeyError as e:
            said = f"unknown name | {e}"
        if said:
            said, _, right = said.partition(" | ")
            yield Complaint(kind, said, f"{right} at {shown(item)}")
            return


# --- at one action ----------------------------------------------------------------------------------------------------
def _read_as(typed: str, read: str, p: Point) -> str:
    a, b = (Context(p.names(False)) for _ in "ab")
    mine = value_or_none(lambda: compiled(typed)(a))
    other = value_or_none(lambda: compiled(read)(b))
    if min(a.gap, b.gap) < KINK:
        raise Unclear
    if mine is None:  # what has none is said by ``undefined``; the text that is read may have lost it
        return ""
    if other is None:
        return f"{read} has no value | {short(mine.v)}"
    return "" if close(mine.v, other.v) else f"{read} = {short(other.v)} | {short(mine.v)}"


def _coefficient(loss: Loss, text: str, p: Point, on_policy: bool) -> str:
    names = p.names(on_policy)
    want = value_or_none(lambda: loss.coefficient(p, on_policy))
    if want is None:
        return f"{text} | the formula has no value"
    found = value_or_none(lambda: at(text, names))
    if found is None:
        return f"{text} has no value | C = {short(want)}"
    if not found:
        return f"{text} has no cell | C = {short(want)}"
    wrong = next((x for x in found if not close(x.v, want)), None)
    return "" if wrong is None else f"{text} = {short(wrong.v)} | C = {short(want)}"


def _undefined(loss: Loss, where: str, places: list[Point], on_policy: bool) -> Iterator[Complaint]:
    """Wherever it is said to have no value it has none, and it has one elsewhere."""

    def test(p: Point) -> str:
        names = p.names(on_policy)
        said = any(holds(part, names) for part in where.split(" or "))
        found = value_or_none(lambda: loss.coefficient(p, on_policy))
        if said == (found is None):
            return ""
        return f"undefined where {where} | {'no value elsewhere' if found is None else f'C = {short(found)} there'}"

    yield from _each(places, "undefined", test)


# --- expected gradients -----------------------------------------------------------------------------------------------
def _gradient(loss: Loss, row: Row, name: str, s: Setting, on_policy: bool) -> str:
    want = value_or_none(lambda: loss.expected_gradient(s, on_policy))
    if want is None:
        return f"{row[name]} | the formula has no value"
    found = said(row, name, s.on_policy() if on_policy else s)
    return "" if close(found, want) else f"{name} {row[name]} has gradient {short(found)} | {short(want)}"


def said(row: Row, name: str, s: Setting) -> Any:
    """The derivative, along the setting's direction, of what a row says is descended."""
    moved = moving(s.policy, s.direction)
    ref, old = ([Dual(x) for x in log_probabilities(z)] for z in (s.reference, s.old))
    policy, reference, sampler = ([Dual(mpmath.exp(x.v), mpmath.exp(x.v) * x.d) for x in z] for z in (moved, ref, old))
    if name == "gradient_of":
        return divergences.value(row[name], policy, reference, sampler, s.advantage).d
    if name == "f":
        base = sampler if row["base"] == "old" else reference
        return mpmath.fsum(q.v * _f(row["f"], p / q).d for p, q in zip(policy, base, strict=True))
    text = row["objective"]
    old_mean = text.startswith("E_old[")
    body = text[6:-1] if old_mean else text.removeprefix("Σ ")
    terms = []
    for p, a, b, c, x, y, z in zip(moved, ref, old, s.advantage, policy, reference, sampler, strict=True):
        context = Context(named(p, a, b, Dual(mpmath.mpf(c)), {"π": x, "π_ref": y, "π_old": z}))
        terms.append((z if old_mean else Dual(ONE)) * compiled(body)(context))
        if context.gap < KINK:
            raise Unclear
    return total(terms).d


def _f(text: str, u: Dual) -> Dual:
    if text.startswith("Integral("):
        inner = text.removeprefix("Integral(").rpartition(", (t, 1, u))")[0]
        at_u = compiled(inner)(Context({**CONSTANTS, "t": u.held()}))
        return Dual(ZERO, at_u.v * u.d)
    c = Context({**CONSTANTS, "u": u})
    found = compiled(text)(c)
    if c.gap < KINK:
        raise Unclear
    return found


def _generator(text: str) -> Iterator[Complaint]:
    """f(1) = 0, and f does not jump."""

    def value(u: Any) -> Any:
        return compiled(text)(Context({**CONSTANTS, "u": Dual(u)})).v

    with mpmath.workdps(60):
        if abs(at_one := value(mpmath.mpf(1))) > 1e-40:
            yield Complaint("f", f"{text} at 1", short(at_one))
        for cut in re.findall(r"u < ([^,]+),", text):
            edge = compiled(cut)(Context({})).v
            left, right = value(edge * (1 - mpmath.mpf(10) ** -45)), value(edge * (1 + mpmath.mpf(10) ** -45))
            if abs(left - right) > mpmath.mpf(10) ** -30 * max(1, abs(left)):
                yield Complaint("f", f"{text} jumps at {cut}", f"{short(left)} to {short(right)}")


def _pieces(loss: Loss, row: Row, on_policy: bool, places: list[Point]) -> Iterator[Complaint]:
    """In every piece C is the named coefficient plus a constant of its own."""
    body = row["title"].removeprefix("in pieces, up to a constant in each: ")
    first: dict[str, Point] = {}
    for p in places:
        for cell in cells(body):
            name = divergences.named_of(cell.text)
            if name is None:
                continue

            def test(p: Point = p, cell: Cell = cell, name: str = name) -> str:
                if not holds(cell.where, p.names(on_policy)):
                    return ""
                q = first.setdefault(cell.where, p)
                values = [loss.coefficient(x, on_policy) for x in (p, q)]
                known = [divergences.coefficient(name, x.l, x.log_w) for x in (p, q)]
                gap = abs((values[0] - known[0]) - (values[1] - known[1]))
                if gap <= rounding() * max(1, *map(abs, (*values, *known))):
                    return ""
                return f"{cell.text} where {cell.where} | offsets differ from {shown(q)}"

            if found := list(_each([p], "title", lambda _: test())):
                yield found[0]
                return
