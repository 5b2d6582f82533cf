"""What settings reach: whether a region of per-sample variables holds an action of some setting at all.

An action's three probabilities are below one, and any three are those of an action of some setting. So logp < min(0, l,
log w), and a region is met by settings iff it has a point there. *Empty* is shown by enclosing guards over boxes, *not
empty* by a rational point; where neither is found, nothing is known.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import product
from random import Random
from typing import Any, Final, Protocol

from sympy import Derivative, Expr, Rational, S, Subs, Symbol
from sympy.core.function import AppliedUndef

from kltheory.calculus.enclosure import LINE, CannotEnclose, enclose, iv, sign_of
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.line import signs
from kltheory.calculus.moments import Mean
from kltheory.calculus.roots import Root, between, compare
from kltheory.calculus.symbols import VARIABLES, inside, log_ratio, log_weight, logp, logp_old, logp_ref

Bounds = tuple[Root | None, Root | None]
Point = dict[Symbol, Rational]

_QUOTIENTS: Final = ((log_ratio, logp_ref), (log_weight, logp_old))

TRIES: Final = 60
"""Random points that are tried, and then as many lines through random points."""
BITS: Final = 48


class Part(Protocol):
    """A box of open intervals with signs of further guards."""

    @property
    def box(self) -> Mapping[Symbol, Bounds]:
        """The interval of each variable that is cut."""
        ...

    @property
    def conditions(self) -> Mapping[Expr, int]:
        """The sign of each guard."""
        ...

    def bounds(self, variable: Symbol) -> Bounds:
        """The interval of any variable."""
        ...


def is_out_of_reach(part: Part) -> bool:
    """Whether no action of any setting is in it, as far as boxes show."""
    lowest = part.bounds(logp)[0]
    tops = (part.bounds(v)[1] for v in (log_ratio, log_weight))
    if lowest is not None and any(top is not None and compare(lowest, top) >= 0 for top in tops):
        return True
    return any(sign_on(guard, part) == -s for guard, s in part.conditions.items())


def sign_on(guard: Expr, part: Part) -> int | None:
    """The sign that a guard has on all of a part, if boxes or the signs of the other guards show one."""
    for known, s in part.conditions.items():
        if known != guard and (offset := _offset(guard, known)) is not None and offset * s >= 0:
            return s
    for form in _forms(guard):
        value = _range(form, part)
        if value.a >= 0 or value.b <= 0:
            return 1 if value.a >= 0 else -1
    return None


_WRITINGS: Final = tuple(
    {logp: p, **{q: p - other if short else q for (q, other), short in zip(_QUOTIENTS, choice, strict=True)}}
    for p in (logp, *(other + q for q, other in _QUOTIENTS))
    for choice in product((False, True), repeat=2)
)
"""log π, l and log w in other coordinates: by two log-probabilities, which are negative."""


@lru_cache(maxsize=4096)
def _forms(guard: Expr) -> tuple[Expr, ...]:
    """The guard in each of them; an unknown function has no enclosure in any."""
    if guard.has(AppliedUndef, Derivative, Subs):
        return ()
    return tuple(dict.fromkeys(guard.xreplace(writing).expand() for writing in _WRITINGS))


_SETTING: Final = dict.fromkeys(VARIABLES, LINE) | {logp: iv.mpf(["-inf", 0]), inside: iv.mpf([0, 1])}
"""Where the variables of an action can be."""


@lru_cache(maxsize=4096)
def _offset(guard: Expr, known: Expr) -> Expr | None:
    """c where guard = k known + c with numbers k > 0 and c; ``None`` if there are none."""
    mine, other = (e.as_coefficients_dict() for e in (guard, known))
    shared = next((t for t in mine if t.free_symbols and t in other), None)
    if shared is None:
        return None
    k = mine[shared] / other[shared]
    rest = {t: mine[t] - k * other[t] for t in {*mine, *other}}
    return rest.get(S.One, S.Zero) if k > 0 and all(c == 0 for t, c in rest.items() if t != 1) else None


def _range(expr: Expr, part: Part) -> Any:
    """An enclosure of an expression over a part's box, and over what settings reach of it."""
    at: dict[Symbol, Any] = {v: _interval(part.bounds(v)) for v in VARIABLES}
    at[logp] = _below(at[logp], at[log_ratio].b, at[log_weight].b)
    at[log_ratio], at[log_weight] = (_above(at[v], at[logp].a) for v in (log_ratio, log_weight))
    at[logp_ref] = at[logp_old] = iv.mpf(["-inf", 0])
    at[inside] = iv.mpf([0, 1])
    return _value(expr, at)


def _value(expr: Expr, at: Mapping[Symbol, Any]) -> Any:
    """An enclosure of what an expression can be; a mean lies where its integrand can be for some action."""
    known = dict(at)
    for s in expr.free_symbols - at.keys():
        known[s] = (
            _value(s.integrand, _SETTING) if isinstance(s, Mean) else iv.mpf([0, "inf"]) if s.is_positive else LINE
        )
    try:
        return enclose(expr, known, BITS)
    except CannotEnclose:
        return LINE


def _interval(bounds: Bounds) -> Any:
    lo, hi = bounds
    return iv.mpf([lo.interval(BITS).a if lo else "-inf", hi.interval(BITS).b if hi else "inf"])


def _below(x: Any, *tops: Any) -> Any:
    return iv.mpf([x.a, max(x.a, min(x.b, *tops))])


def _above(x: Any, bottom: Any) -> Any:
    return iv.mpf([min(x.b, max(x.a, bottom)), x.b])


# --- points -----------------------------------------------------------------------------------------------------------
def sample(part: Part) -> Point | None:
    """A rational point of the part at which all three policies are probabilities, if one is found."""
    symbols = {*VARIABLES[1:], *part.box, *(s for g in part.conditions for s in g.free_symbols)} - {logp}
    choices = {v: _choices(v, part.bounds(v)) for v in sorted(symbols, key=str)}
    random = Random(0)
    drawn = [{v: random.choice(c) for v, c in choices.items()} for _ in range(TRIES)]
    for at in drawn:
        at[logp] = _low(at, part.bounds(logp))
        if holds(part, at):
            return at
    guarded = sorted({s for g in part.conditions for s in g.free_symbols}, key=str)
    lines = (found for at in drawn for v in guarded for found in _on_line(part, at, v))
    return next((at for at in lines if holds(part, at)), None) if guarded else None


def _on_line(part: Part, at: Point, free: Symbol) -> Iterator[Point]:
    """Points at which the guards have their signs, on the line through a point along one variable."""
    fixed = {v: x for v, x in at.items() if v != free}
    pieces: list[Bounds] = [part.bounds(free)]
    for guard, wanted in part.conditions.items():
        restricted = guard.xreplace(fixed)
        if free not in restricted.free_symbols:
            continue
        try:
            rows = signs(restricted, free)
        except (Undecidable, CannotEnclose):
            return
        kept = [(a, b) for a, b, s in rows if s == wanted]
        pieces = [c for p in pieces for k in kept if (c := clip(p, k)) is not None]
    for piece in pieces:
        found = {**fixed, free: Rational(between(*piece))}
        yield found if free == logp else {**found, logp: min(found[logp], _low(found, part.bounds(logp)))}


def _low(at: Point, bounds: Bounds) -> Rational:
    """A log-probability below what the other two leave of it."""
    edge = Root(None, min(Rational(0), at[log_ratio], at[log_weight]))
    return Rational(between(*(clip(bounds, (None, edge)) or bounds)))


def holds(part: Part, at: Point) -> bool:
    """Whether a point is one of the part, and its three probabilities are below one."""
    within = at[logp] < min(Rational(0), at[log_ratio], at[log_weight])
    boxed = all(_is_between(at[v], *part.bounds(v)) for v in part.box)
    return within and boxed and all(_sign(g, at) == s for g, s in part.conditions.items())


def _is_between(x: Rational, lo: Root | None, hi: Root | None) -> bool:
    here = Root(None, x)
    return (lo is None or compare(lo, here) < 0) and (hi is None or compare(here, hi) < 0)


def _sign(guard: Expr, at: Point) -> int | None:
    try:
        return sign_of(guard, at)
    except CannotEnclose:
        return None


def _choices(v: Symbol, bounds: Bounds) -> list[Rational]:
    lo, hi = bounds
    steps = [*range(25), *(8 * k for k in (5, 8, 12, 20, 40))]
    grid = [Rational(s * k, 8) for k in steps for s in ((1,) if v.is_positive else (-1, 1)) if k or not v.is_positive]
    inner = [q for q in grid if (lo is None or float(lo) < q) and (hi is None or q < float(hi))]
    return [*inner, Rational(between(lo, hi))] if lo or hi else inner


def clip(a: Bounds, b: Bounds) -> Bounds | None:
    """The intersection of two open intervals, ``None`` where it is empty."""
    lo = b[0] if a[0] is None or (b[0] is not None and compare(a[0], b[0]) < 0) else a[0]
    hi = b[1] if a[1] is None or (b[1] is not None and compare(b[1], a[1]) < 0) else a[1]
    return None if lo is not None and hi is not None and compare(lo, hi) >= 0 else (lo, hi)
