"""What settings reach: whether a region of per-sample variables holds an action of some setting at all.

An action's three probabilities are below one, and any three are those of an action of some setting. So logp < min(0, l,
log w), and a region is met by settings iff it has a point there. *Empty* is shown by enclosing guards over boxes, *not
empty* by a rational point (:mod:`.points`); where neither is found, nothing is known.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Protocol

from sympy import Expr, S, Symbol

from kltheory.calculus.enclosure import iv
from kltheory.calculus.ranges import BITS, signed
from kltheory.calculus.roots import Root, compare
from kltheory.calculus.symbols import VARIABLES, inside, log_ratio, log_weight, logp, logp_old, logp_ref

Bounds = tuple[Root | None, Root | None]


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
        if known != guard and (found := _from_known(guard, known)) is not None:
            k, c = found
            if c * k * s >= 0:
                return s if k > 0 else -s
    return _sign_over(guard, tuple(_box(part).items()))


@lru_cache(maxsize=4096)
def _sign_over(guard: Expr, box: tuple[tuple[Symbol, Any], ...]) -> int | None:
    """The sign that enclosures over a box show; claims that differ elsewhere share their guards."""
    for value in signed(guard, dict(box)):
        if value.a >= 0 or value.b <= 0:
            return 1 if value.a >= 0 else -1
    return None


@lru_cache(maxsize=4096)
def _from_known(guard: Expr, known: Expr) -> tuple[Expr, Expr] | None:
    """Numbers k and c where guard = k known + c; ``None`` if there are none."""
    mine, other = (e.as_coefficients_dict() for e in (guard, known))
    shared = next((t for t in mine if t.free_symbols and t in other), None)
    if shared is None:
        return None
    k = mine[shared] / other[shared]
    rest = {t: mine[t] - k * other[t] for t in {*mine, *other}}
    return (k, rest.get(S.One, S.Zero)) if all(c == 0 for t, c in rest.items() if t != 1) else None


def _box(part: Part) -> dict[Symbol, Any]:
    """Where the variables are in what settings reach of a part's box."""
    at: dict[Symbol, Any] = {v: _interval(part.bounds(v)) for v in VARIABLES}
    at[logp] = _below(at[logp], at[log_ratio].b, at[log_weight].b)
    at[log_ratio], at[log_weight] = (_above(at[v], at[logp].a) for v in (log_ratio, log_weight))
    at[logp_ref] = at[logp_old] = iv.mpf(["-inf", 0])
    at[inside] = iv.mpf([0, 1])
    return at


def _interval(bounds: Bounds) -> Any:
    lo, hi = bounds
    return iv.mpf([lo.interval(BITS).a if lo else "-inf", hi.interval(BITS).b if hi else "inf"])


def _below(x: Any, *tops: Any) -> Any:
    return iv.mpf([x.a, max(x.a, min(x.b, *tops))])


def _above(x: Any, bottom: Any) -> Any:
    return iv.mpf([min(x.b, max(x.a, bottom)), x.b])


def clip(a: Bounds, b: Bounds) -> Bounds | None:
    """The intersection of two open intervals, ``None`` where it is empty."""
    lo = b[0] if a[0] is None or (b[0] is not None and compare(a[0], b[0]) < 0) else a[0]
    hi = b[1] if a[1] is None or (b[1] is not None and compare(b[1], a[1]) < 0) else a[1]
    return None if lo is not None and hi is not None and compare(lo, hi) >= 0 else (lo, hi)
