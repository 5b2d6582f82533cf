"""Where a formula can be over a box of per-sample variables, by enclosures.

Over a box enclosures lose what its variables share. So a formula is written in each pair of coordinates, divided by one
of its exponentials, and in the end the sum of its terms in one variable is bounded as the function of that variable it
is: between the values where its derivative vanishes, and at the ends.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from itertools import chain, product, zip_longest
from typing import Any, Final

from sympy import Add, Derivative, Dummy, Expr, Mul, Rational, S, Subs, Symbol, exp
from sympy.core.function import AppliedUndef

from kltheory.calculus.enclosure import LINE, CannotEnclose, enclose, iv
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.line import limit, roots
from kltheory.calculus.moments import Mean
from kltheory.calculus.roots import to_fraction
from kltheory.calculus.symbols import VARIABLES, inside, log_ratio, log_weight, logp, logp_old, logp_ref

BITS: Final = 48
MAX_SCALES: Final = 4
"""Exponentials that a formula is divided by, each of which may leave constants that an enclosure sees."""

UNKNOWN: Final = (AppliedUndef, Derivative, Subs)
"""Functions that have no values."""

Box = Mapping[Symbol, Any]
"""Intervals of variables."""

_QUOTIENTS: Final = ((log_ratio, logp_ref), (log_weight, logp_old))

_WRITINGS: Final = tuple(
    {logp: p, **{q: p - other if short else q for (q, other), short in zip(_QUOTIENTS, choice, strict=True)}}
    for p in (logp, *(other + q for q, other in _QUOTIENTS))
    for choice in product((False, True), repeat=2)
)
"""log π, l and log w in other coordinates: by two log-probabilities, which are negative."""

SETTING: Final[Box] = dict.fromkeys(VARIABLES, LINE) | {logp: iv.mpf(["-inf", 0]), inside: iv.mpf([0, 1])}
"""Where the variables of an action can be."""


def signed(guard: Expr, box: Box) -> Iterator[Any]:
    """Enclosures, over a box, of what has the guard's sign; sharper and slower ones last.

    A function of one variable is left to :func:`.line.signs`.
    """
    forms = _forms(guard)
    yield from (_value(form, box) for scales in forms for form in scales)
    every = chain.from_iterable(zip_longest(*forms)) if len(guard.free_symbols) > 1 else ()
    for form in filter(None, every):
        ranges: dict[Symbol, Any] = {}
        grouped = _by_variable(form, box, ranges)
        if ranges:
            yield _value(grouped, {**box, **ranges})


@lru_cache(maxsize=4096)
def _forms(guard: Expr) -> tuple[tuple[Expr, ...], ...]:
    """What has the guard's sign: in each of the coordinates, itself, and divided by one of its exponentials."""
    if guard.has(*UNKNOWN):
        return ()
    written = dict.fromkeys(guard.xreplace(writing).expand(power_exp=False) for writing in _WRITINGS)
    scales = {form: dict.fromkeys(map(_exponential, Add.make_args(form))) for form in written}
    return tuple((form, *((form / e).expand() for e in [*es][:MAX_SCALES] if e != 1)) for form, es in scales.items())


def _exponential(term: Expr) -> Expr:
    """The exponentials of a product."""
    return Mul(*(f for f in Mul.make_args(term) if f.func is exp))


def _value(expr: Expr, box: Box) -> Any:
    """An enclosure of what an expression can be; a mean lies where its integrand can be for some action."""
    known = dict(box)
    for s in expr.free_symbols - box.keys():
        known[s] = (
            _value(s.integrand, SETTING) if isinstance(s, Mean) else iv.mpf([0, "inf"]) if s.is_positive else LINE
        )
    try:
        return enclose(expr, known, BITS)
    except CannotEnclose:
        return LINE


def _by_variable(expr: Expr, box: Box, ranges: dict[Symbol, Any]) -> Expr:
    """The expression with each sum of terms in one variable as a symbol of its own, whose range is added."""
    if not expr.is_Add:
        return expr.func(*(_by_variable(a, box, ranges) for a in expr.args)) if expr.args else expr
    groups: dict[frozenset[Symbol], list[Expr]] = {}
    for term in expr.args:
        groups.setdefault(frozenset(term.free_symbols), []).append(term)
    total = S.Zero
    for symbols, terms in groups.items():
        if len(terms) > 1 and len(symbols) == 1 and (values := _range(Add(*terms), box)) is not None:
            of_one = Dummy(real=True)
            ranges[of_one] = values
            total += of_one
        else:
            total += Add(*(_by_variable(t, box, ranges) for t in terms))
    return total


def _range(f: Expr, box: Box) -> Any | None:
    """The range of a function of one variable over its interval; ``None`` where it is not found."""
    (t,) = f.free_symbols
    return _between(f, t, *(_end(x) for x in (box[t].a, box[t].b))) if t in box else None


def _end(x: Any) -> Fraction | None:
    return to_fraction(x) if -iv.inf < x < iv.inf else None


@lru_cache(maxsize=4096)
def _between(f: Expr, t: Symbol, lo: Fraction | None, hi: Fraction | None) -> Any | None:
    try:
        turns = [r.interval(BITS) for r in roots(f.diff(t), t)]
        inner = [x for x in turns if (lo is None or to_fraction(x.b) >= lo) and (hi is None or to_fraction(x.a) <= hi)]
        values = [enclose(f, {t: x}, BITS) for x in (*inner, *(Rational(x) for x in (lo, hi) if x is not None))]
        values += [_infinite(limit(f, t, side)) for x, side in ((lo, -1), (hi, 1)) if x is None]
    except (Undecidable, CannotEnclose):
        return None
    return iv.mpf([min(x.a for x in values), max(x.b for x in values)])


def _infinite(value: Expr) -> Any:
    """An enclosure of a limit."""
    return enclose(value, {}, BITS) if value.is_finite else iv.mpf("inf" if value.is_extended_positive else "-inf")
