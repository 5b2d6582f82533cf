"""Losses in which tokens of a response meet, told by what the code writes down on responses of two and three tokens.

A traced function of one response is an expression in every token's symbols. The losses that libraries write are
spelled out in the same symbols, and compared slope by slope: first at a point, then exactly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from sympy import Expr, Integer, S, Symbol

from kltheory.audit.layout import Layout
from kltheory.audit.recover import traced, without_advantages
from kltheory.audit.simple import simple
from kltheory.audit.subject import Raised, Subject
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.sequence.language import Future, Past, Total, length
from kltheory.calculus.sequence.loss import SequenceLoss
from kltheory.calculus.sequence.placements import NAMED
from kltheory.calculus.symbols import erase_sg, log_ratio, log_weight, logp, logp_old, logp_ref
from kltheory.numerics.bridge import NUMPY, NotNumeric
from kltheory.numerics.responses import pseudorandom
from kltheory.tracing.trace import CannotTrace, Floats

LENGTHS: Final = (2, 3)
"""Responses on which a function and a known loss have to agree."""


@dataclass(frozen=True)
class KnownLoss:
    """A name, and the loss of one response."""

    name: str
    loss: SequenceLoss


def recognised(subject: Subject) -> KnownLoss | None:
    """The known loss that a function of one response is a multiple of, multiple and all; ``None`` if it is none."""
    try:
        mine = [_slopes(_of_function(subject, n), n) for n in LENGTHS]
        at = [_point(n) for n in LENGTHS]
        here = [np.array([float(NUMPY(e, p)) for e in slopes]) for slopes, p in zip(mine, at, strict=True)]
    except (CannotTrace, Raised, NotNumeric):
        return None
    for known, spelled, there in _spelled():
        scale = here[0] @ there[0] / (there[0] @ there[0])
        multiple = simple(float(scale))
        gaps = [np.abs(a - float(multiple) * b).max() for a, b in zip(here, there, strict=True)]
        if multiple and max(gaps) < NEAR and _equal(mine, spelled, multiple):
            words = {1: "", -1: "minus "}.get(multiple, f"{multiple} times ")
            return KnownLoss(words + known.name, multiple * known.loss)
    return None


NEAR: Final = 1e-9
"""At a point; what is this near is then compared exactly."""


def _equal(mine: list[list[Expr]], spelled: list[list[Expr]], multiple: Expr) -> bool:
    pairs = [(a, b) for left, right in zip(mine, spelled, strict=True) for a, b in zip(left, right, strict=True)]
    try:
        return all(is_zero(a - multiple * b) for a, b in pairs)
    except Undecidable:
        return False


@lru_cache(maxsize=1)
def _spelled() -> list[tuple[KnownLoss, list[list[Expr]], list[Floats]]]:
    """Every known loss, its slopes at each length, and their numbers at a point; of two with the same, the first."""
    out, seen = [], set()
    for known in (KnownLoss(*named) for named in NAMED.items()):
        slopes = [_slopes(written(known.loss.expr, n), n) for n in LENGTHS]
        numbers = [np.array([float(NUMPY(e, _point(n))) for e in s]) for s, n in zip(slopes, LENGTHS, strict=True)]
        key = tuple(np.concatenate(numbers).round(9))
        if key not in seen:
            seen.add(key)
            out.append((known, slopes, numbers))
    return out


# --- in the symbols of each token -------------------------------------------------------------------------------------
def written(expr: Expr, n: int, t: int | None = None) -> Expr:
    """A formula of one response of n tokens, or of its token at t, in the symbols of a layout of shape (1, n)."""
    if isinstance(expr, Total):
        return sum((written(expr.summand, n, i) for i in range(n)), S.Zero)
    if isinstance(expr, Past) and t is not None:
        return sum((written(expr.summand, n, i) for i in range(t)), S.Zero)
    if isinstance(expr, Future) and t is not None:
        return sum((expr.discount ** (i - t) * written(expr.summand, n, i) for i in range(t + 1, n)), S.Zero)
    if expr == length:
        return Integer(n)
    if expr in (logp, log_ratio, log_weight) and t is not None:
        p, ref, old = _symbols(n)[t]
        return {logp: p, log_ratio: p - ref, log_weight: p - old}[expr]
    return expr.func(*(written(a, n, t) for a in expr.args)) if expr.args else expr


def _symbols(n: int) -> list[tuple[Symbol, Symbol, Symbol]]:
    """log π, log π_ref, log π_old of each token."""
    out = []
    for t in range(n):
        of = {v: s for s, v in Layout((1, n)).symbols((0, t)).items()}
        out.append((of[logp], of[logp_ref], of[logp_old]))
    return out


def _of_function(subject: Subject, n: int) -> Expr:
    layout = Layout.of(subject, (1, n))
    exprs = without_advantages(traced(subject, layout), layout)
    return sum(exprs.ravel().tolist(), S.Zero)


def _slopes(expr: Expr, n: int) -> list[Expr]:
    """The derivative by each token's log π, stop-gradients held fixed and then erased."""
    return [erase_sg(expr.diff(p)) for p, _, _ in _symbols(n)]


def _point(n: int) -> Mapping[Symbol, float]:
    """Numbers for all symbols."""
    return {s: float(pseudorandom((k,))) for k, s in enumerate(x for row in _symbols(n) for x in row)}
