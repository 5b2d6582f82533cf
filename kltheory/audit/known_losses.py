"""Losses in which tokens of a response meet, told by what the code writes down on responses of two and three tokens.

A traced function of one response is an expression in every token's symbols. The forms that libraries write are spelled
out in the same symbols, and compared slope by slope: first at a point, then exactly.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from sympy import Expr, Integer, Rational, S, Symbol, exp

from kltheory.audit.layout import Layout
from kltheory.audit.recover import traced
from kltheory.audit.recovered import Recovered
from kltheory.audit.subject import Raised
from kltheory.calculus.estimators import k1, k2, k3, w
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.sequence.language import Future, Past, Total, length, to_go, total
from kltheory.calculus.sequence.loss import SequenceLoss
from kltheory.calculus.sequence.placements import earlier_weight, prefix_weight, response_weight
from kltheory.calculus.symbols import erase_sg, log_ratio, log_weight, logp, logp_old, logp_ref, sg
from kltheory.numerics.bridge import NUMPY, NotNumeric
from kltheory.tracing.trace import CannotTrace

LENGTHS: Final = (2, 3)
"""Responses on which a function and a form have to agree."""
OF_TOKENS: Final = {
    "token weight": w,
    "prefix weight": prefix_weight,
    "weight of earlier tokens": earlier_weight,
    "suffix weight": exp(to_go(log_weight)),
}
OF_RESPONSES: Final = {"response weight": response_weight, "geometric weight": exp(total(log_weight) / length)}
AGGREGATIONS: Final[dict[str, Expr]] = {"": S.One, ", mean over tokens": 1 / length}


@dataclass(frozen=True)
class Form:
    """A name, and the loss of one response."""

    name: str
    loss: SequenceLoss


def forms() -> Iterator[Form]:
    """What libraries write: an estimator of each token or of the response, a weight, an aggregation."""
    for k in (k1, k2, k3):
        of_response = k.expr.xreplace({log_ratio: total(log_ratio)})
        for words, weight in _weights(OF_RESPONSES):
            yield Form(f"{k.name} of the response{words}", SequenceLoss(weight * of_response))
        for words, weight in _weights(OF_TOKENS | OF_RESPONSES):
            for end, share in AGGREGATIONS.items():
                yield Form(f"{k.name} per token{words}{end}", SequenceLoss(share * total(weight * k.expr)))


def _weights(known: Mapping[str, Expr]) -> Iterator[tuple[str, Expr]]:
    yield "", S.One
    for name, weight in known.items():
        yield f", {name}", weight
        yield f", detached {name}", sg(weight)


def recognised(found: Recovered) -> Form | None:
    """The form that a function of one response is a multiple of, multiple and all; ``None`` where it is none."""
    try:
        mine = [_slopes(_of_function(found, n), n) for n in LENGTHS]
        at = [_point(n) for n in LENGTHS]
        here = [np.array([float(NUMPY(e, p)) for e in slopes]) for slopes, p in zip(mine, at, strict=True)]
    except (CannotTrace, Raised, NotNumeric, TypeError):
        return None
    for form, spelled, there in _spelled():
        scale = here[0] @ there[0] / (there[0] @ there[0])
        multiple = Rational(float(scale)).limit_denominator(10_000)
        gaps = [np.abs(a - float(multiple) * b).max() for a, b in zip(here, there, strict=True)]
        if multiple and max(gaps) < NEAR and _equal(mine, spelled, multiple):
            scale_words = {1: "", -1: "minus "}.get(multiple, f"{multiple} times ")
            return Form(scale_words + form.name, multiple * form.loss)
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
def _spelled() -> list[tuple[Form, list[list[Expr]], list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]]]:
    """Every form, its slopes at each length, and their numbers at a point; of two with the same, the first."""
    out, seen = [], set()
    for form in forms():
        slopes = [_slopes(written(form.loss.expr, n), n) for n in LENGTHS]
        numbers = [np.array([float(NUMPY(e, _point(n))) for e in s]) for s, n in zip(slopes, LENGTHS, strict=True)]
        key = tuple(np.concatenate(numbers).round(9))
        if key not in seen:
            seen.add(key)
            out.append((form, slopes, numbers))
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


def _of_function(found: Recovered, n: int) -> Expr:
    exprs = traced(found.subject, Layout((1, n)))
    return sum(exprs.ravel().tolist(), S.Zero)


def _slopes(expr: Expr, n: int) -> list[Expr]:
    """The derivative by each token's log π, stop-gradients held fixed and then erased."""
    return [erase_sg(expr.diff(p)) for p, _, _ in _symbols(n)]


def _point(n: int) -> Mapping[Symbol, float]:
    """Numbers for all symbols."""
    return {s: -0.3 - 0.17 * k - 0.05 * k * k % 1 for k, s in enumerate(x for row in _symbols(n) for x in row)}
