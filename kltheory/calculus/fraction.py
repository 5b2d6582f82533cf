"""Rational expressions in independent generators: in lowest terms, or only over one denominator."""

from collections.abc import Iterable
from functools import lru_cache
from math import comb, prod
from typing import Any, Final

from sympy import QQ, Dummy, Expr, Mul, Pow
from sympy.polys.fields import FracElement
from sympy.polys.rings import PolyElement, PolyRing, ring

MAX_PRODUCTS: Final = 300_000
"""Most products of terms in one multiplication of polynomials: about a third of a second."""
MAX_TERMS: Final = 20_000
"""Most terms of a power that is multiplied out."""
MAX_DENSE: Final = 512
"""Degree up to which polynomials are factored and fractions cancelled: both write down every power in between."""


class Undecidable(Exception):
    """The calculus cannot decide; the message says why."""


def fraction(rational: Expr) -> FracElement:
    """The expression in QQ(its symbols), in lowest terms (:data:`MAX_DENSE`). Raises Undecidable for 1/0.

    Common factors are looked for once, at the end: SymPy's own way to it looks for them after every operation.
    """
    field = QQ.frac_field(*(sorted(rational.free_symbols, key=str) or [Dummy("_")])).field
    if rational.is_Rational:
        return field.from_expr(rational)
    numer, powers = over_one_denominator(rational, field.ring)
    denom = _product((f**k for f, k in powers.items()), field.ring.one)
    return field.raw_new(numer, denom) if _is_sparse(rational) else field.new(numer, denom)


def _is_sparse(rational: Expr) -> bool:
    """Whether it is a quotient with powers beyond :data:`MAX_DENSE`."""
    powers = rational.atoms(Pow)
    return any(abs(p.exp) > MAX_DENSE for p in powers) and any(p.exp < 0 and not p.base.is_Symbol for p in powers)


Pair = tuple[PolyElement, dict[PolyElement, int]]


def over_one_denominator(e: Expr, r: PolyRing) -> Pair:
    """Numerator and factored denominator of a rational expression; factors are kept as they occur."""
    if e.is_Rational:
        return r.ground_new(QQ(e.p, e.q)), {}
    if e.is_Symbol:
        return r(e), {}
    if isinstance(e, Pow):
        (numer, denom), n = over_one_denominator(e.base, r), int(e.exp)
        if n >= 0:
            return _power(numer, n), {f: k * n for f, k in denom.items()}
        if numer == 0:
            raise Undecidable("a division by an expression that is identically zero")
        content, factors = factored(numer)
        shared = {f: min(k, denom.get(f, 0)) for f, k in factors}
        top = _product((f ** ((k - shared.get(f, 0)) * -n) for f, k in denom.items()), r.one)
        return top * r.ground_new(1 / content) ** -n, {f: (k - shared[f]) * -n for f, k in factors if k > shared[f]}
    pairs = [over_one_denominator(a, r) for a in e.args]
    if isinstance(e, Mul):
        powers: dict[PolyElement, int] = {}
        for _, denom in pairs:
            for f, k in denom.items():
                powers[f] = powers.get(f, 0) + k
        return _product((numer for numer, _ in pairs), r.one), powers
    common = {f: max(d.get(f, 0) for _, d in pairs) for _, denom in pairs for f in denom}
    total = r.zero
    for numer, denom in pairs:
        total += _product((f ** (k - denom.get(f, 0)) for f, k in common.items()), numer)
    return total, common


def _power(p: PolyElement, n: int) -> PolyElement:
    terms = min(comb(n + len(p) - 1, n), prod(d * n + 1 for d in p.degrees())) if p else 0
    if terms > MAX_TERMS:
        raise Undecidable(f"a power of {n} is too large to multiply out")
    return p**n


def _product(factors: Iterable[PolyElement], start: PolyElement) -> PolyElement:
    for f in factors:
        if len(start) * len(f) > MAX_PRODUCTS:
            raise Undecidable("the formula is too large to put over one denominator")
        start *= f
    return start


def factored(p: PolyElement) -> tuple[Any, list[tuple[PolyElement, int]]]:
    """The content and the irreducible factors with multiplicities; beyond :data:`MAX_DENSE`, powers of generators."""
    content, rest = p.primitive()
    if max(p.degrees(), default=0) <= MAX_DENSE:
        sign = -1 if rest and rest.LC < 0 else 1
        number, factors = _factored(len(p.ring.gens), tuple((sign * rest).terms()))
        return sign * content * number, [(p.ring.from_dict(dict(terms)), k) for terms, k in factors]
    common = tuple(map(min, zip(*p.monoms(), strict=True)))
    out = [(g, k) for g, k in zip(p.ring.gens, common, strict=True) if k]
    rest = p.ring.from_dict({tuple(a - b for a, b in zip(m, common, strict=True)): c for m, c in rest.terms()})
    return content, out if rest.is_ground else [*out, (rest, 1)]


Terms = tuple[tuple[tuple[int, ...], Any], ...]
"""Powers of the generators, and the number in front."""


@lru_cache(maxsize=4096)
def _factored(generators: int, terms: Terms) -> tuple[Any, list[tuple[Terms, int]]]:
    """Of a primitive polynomial over QQ, whatever its generators are called: each field has names of its own."""
    number, factors = _ring(generators).from_dict(dict(terms)).factor_list()
    return number, [(tuple(f.terms()), k) for f, k in factors]


@lru_cache(maxsize=64)
def _ring(generators: int) -> PolyRing:
    """Polynomials in so many generators."""
    return ring([Dummy() for _ in range(generators)], QQ)[0]
