"""The length N of a response as a sum over its tokens, N = total(1), and what is left of other functions of it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product

from sympy import Add, Expr, Mul, S, exp, expand_log, log

from kltheory.calculus.sequence.language import SUMS, Total, length, total
from kltheory.calculus.sequence.loss import is_of_the_token
from kltheory.calculus.sequence.terms import Span, Term, take_apart

Factor = tuple[int, Expr, Expr, Expr]
"""The powers N^k and c^N in front (k and c), another function of N, and what is free of it or does not come apart."""


def counted(expr: Expr) -> Expr:
    """Numbers summed over all tokens as that number times N."""
    return expr.replace(Total, lambda f: Total(f) if is_of_the_token(f) or f.has(*SUMS) else f * length)


def by_length(terms: Iterable[Term], one_length: bool) -> dict[Expr, list[Term]]:
    """Functions of the length that are no sums over tokens, each with the terms behind it.

    Where all responses have one length, powers of 1/N are multiplied away.
    """
    apart = [found for t in terms for found in _apart(t)]
    lowest = min((power for power, _, _ in apart), default=0) if one_length else 0
    out: dict[Expr, list[Term]] = {}
    for power, function, term in apart:
        above = power - min(lowest, 0)
        key = function * length ** min(above, 0)
        out.setdefault(key, []).extend(take_apart(total(1) ** max(above, 0), None, term))
    return out


def _apart(term: Term) -> Iterator[tuple[int, Expr, Term]]:
    """The term as a sum of such without N in front and, if that can be, at its marks; c^N is a product over tokens."""
    for parts in product(*(list(_factors(f)) for f in (term.factor, *term.marks))):
        powers, ratios, functions, rest = zip(*parts, strict=True)
        span = Span(None, None, Mul(*ratios))
        spans = term.spans if span.factor == 1 else (*term.spans, span)
        yield sum(powers), Mul(*functions), replace(term, factor=rest[0], marks=rest[1:], spans=spans)


def _factors(function: Expr) -> Iterator[Factor]:
    """The addends of a function, each apart."""
    if not function.has(length):
        yield 0, S.One, S.One, function
        return
    for addend in Add.make_args(function.expand()):
        power, ratio, others, rest = 0, S.One, S.One, S.One
        for factor in Mul.make_args(addend):
            base, exponent = factor.as_base_exp()
            if base == length and exponent.is_Integer:
                power += int(exponent)
            elif factor.free_symbols == {length}:
                rate = expand_log(log(factor), force=True) / length
                ratio, others = (ratio * exp(rate), others) if rate.is_number else (ratio, others * factor)
            else:
                rest *= factor
        yield power, ratio, others, rest
