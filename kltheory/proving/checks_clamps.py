"""The engines' view of claims about zeros: a change of sign, certified in balls, around W as Arb computes it."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

import flint
from sympy import Dummy, Expr, LambertW, Rational, Symbol

from kltheory.calculus.symbols import log_ratio
from kltheory.numerics.balls import certain_sign, enclose, number, precision
from kltheory.proving.thresholds import Zero, Zeros
from kltheory.proving.verdict import Finding, Status

Numbers = dict[Symbol, Any]
SCAN: Final = tuple(Rational(k, 8) + Rational(1, 64) for k in range(-320, 321))
"""Where the sign of a formula is looked at, to count its zeros."""
BITS: Final = 128


def closed_form(at: Expr, numbers: Numbers) -> Any:
    """An ``arb`` around a closed form, W by Arb."""
    known = {w: Dummy(real=True) for w in at.atoms(LambertW)}
    values = {
        d: enclose(w.args[0], numbers).lambertw(int(w.args[1]) if len(w.args) > 1 else 0) for w, d in known.items()
    }
    return enclose(at.xreplace(known), {**numbers, **values})


def _changes_sign(left: Expr, at: Expr, numbers: Numbers) -> bool:
    """Whether the formula has opposite signs 2^-60 to the left and to the right of the closed form."""
    here, step = closed_form(at, numbers), number(flint.arb(2) ** -60)
    below, above = (certain_sign(enclose(left, {**numbers, log_ratio: x})) for x in (here - step, here + step))
    return below != above


def zero(claim: Zero, at: Numbers) -> Iterator[Finding]:
    """A simple zero changes the sign."""
    with precision(BITS):
        crosses = _changes_sign(claim.left, claim.at, at)
        shown = f"at l = {closed_form(claim.at, at).str(9, radius=False)}"
    yield Finding("points", Status.HOLDS if crosses else Status.FAILS, None, shown)


def zeros(claim: Zeros, at: Numbers) -> Iterator[Finding]:
    """The closed forms rise, each is a change of sign, and a scan of the line has no more of them."""
    with precision(BITS):
        crossed = all(_changes_sign(claim.left, x, at) for x in claim.right)
        signs = [certain_sign(enclose(claim.left, {**at, log_ratio: number(x)})) for x in SCAN]
        forms = [closed_form(x, at) for x in claim.right]
        rising = all(bool(a < b) for a, b in pairwise(forms))  # for certain, or not at all
        shown = ", ".join(x.str(9, radius=False) for x in forms)
    found = sum(a != b for a, b in pairwise(signs))
    holds = crossed and rising and found == len(claim.right)
    yield Finding("points", Status.HOLDS if holds else Status.FAILS, None, f"{found} changes of sign; l = {shown}")
