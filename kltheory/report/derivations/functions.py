"""Derivations about one function of l, w and logp: identities, signs, limits, expansions, ranges; and the lemmas."""

from collections.abc import Iterator, Mapping
from math import factorial
from typing import Final

from sympy import Expr, S

from kltheory.calculus.coefficient import Coefficient, tidy
from kltheory.calculus.exact import is_zero, normal_form
from kltheory.calculus.line import limit
from kltheory.calculus.notation import in_probabilities, text
from kltheory.calculus.symbols import log_ratio, to_quotients
from kltheory.proving.claims import Lemma
from kltheory.proving.scalars import Expansion, HasSign, Identity, Limit, Range, linear_weights
from kltheory.report.derivations.step import Derivation, Step, confirm, equation

SIGNS: Final = {1: "positive", -1: "negative", 0: "zero"}


def _identity(claim: Identity) -> Iterator[Step]:
    difference = Coefficient.of(claim.left) - Coefficient.of(claim.right)
    holds = all(is_zero(e) for _, e in difference.cells)
    confirm(holds == claim.decide(), "the identity")
    if holds:
        where = "" if len(difference.cells) == 1 else f" on each of the {len(difference.cells)} cells"
        yield Step(f"The difference of the sides is formally zero{where}: it holds")
    else:
        yield Step("The difference of the sides is not zero, so it fails", "L - R", difference.merged)


def _has_sign(claim: HasSign) -> Iterator[Step]:
    parts = [(str(region), sign) for region, sign in claim.parts()]
    holds = all(sign in (0, claim.sign) for _, sign in parts)
    confirm(holds == claim.decide(), "the sign")
    yield Step("Its roots, isolated exactly, cut the line into intervals without a root; the sign on each is exact")
    for region, sign in parts:
        yield Step(f"It is {SIGNS[sign]} {region if region == 'everywhere' else f'where {region}'}")
    yield Step("No part has the other sign: it holds" if holds else "A part has the other sign: it fails")


def _limit(claim: Limit) -> Iterator[Step]:
    side = 1 if claim.at is S.Infinity else -1
    found = limit(claim.left, log_ratio, side)
    confirm((found == claim.right) == claim.decide(), "the limit")
    yield equation("As a quotient of polynomials in l and exponentials", "L", normal_form(claim.left).as_expr())
    growth = "e^l" if side == 1 else "e^(-l)"
    yield Step(
        f"As l → {claim.at} the highest power of {growth} above and below decides, then that of l: the limit is {found}"
    )


def _expansion(claim: Expansion) -> Iterator[Step]:
    left, right, holds = claim.left, claim.right, True
    for n in range(claim.order + 1):
        a, b = (e.xreplace({log_ratio: S.Zero}) for e in (left, right))
        holds = holds and is_zero(a - b)
        same = "on both sides" if is_zero(a - b) else f"on the left, {text(b / factorial(n))} on the right"
        yield Step(f"The coefficient of l^{n} is {text(a / factorial(n))} {same}")
        left, right = left.diff(log_ratio), right.diff(log_ratio)
    confirm(holds == claim.decide(), "the expansion")
    yield Step("They agree up to the order: it holds" if holds else "They do not all agree: it fails")


def _range(claim: Range) -> Iterator[Step]:
    constant, *weights = linear_weights(claim.left)
    low, high = (constant + sum(chosen, S.Zero) for chosen in _extremes(weights))
    confirm((is_zero(low - claim.lower) and is_zero(high - claim.upper)) == claim.decide(), "the range")
    yield equation("It is linear in the probabilities of one action", "L", in_probabilities(to_quotients(claim.left)))
    yield Step("With three actions π, π_ref and π_old come as close as one likes to every corner of the cube (0, 1)³")
    yield Step(f"At the corners its least value is {text(tidy(low))} and its greatest {text(tidy(high))}")


def _extremes(weights: list[Expr]) -> tuple[list[Expr], list[Expr]]:
    return [w for w in weights if w < 0], [w for w in weights if w > 0]


def _lemma(claim: Lemma) -> Iterator[Step]:
    difference = (claim.left - claim.right).expand()
    confirm((difference == 0) == claim.decide(), "the lemma")
    yield Step("The left side is what the chain rule gives for symbolic V, sums over the vocabulary as sums")
    yield Step(
        "Both sides expand to the same sums over the vocabulary, for every V"
        if difference == 0
        else "The sides do not expand to the same sums"
    )


STEPS: Final[Mapping[type, Derivation]] = {
    Identity: _identity,
    HasSign: _has_sign,
    Limit: _limit,
    Expansion: _expansion,
    Range: _range,
    Lemma: _lemma,
}
"""Kind of claim to its derivation."""
