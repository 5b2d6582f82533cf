"""Confirmation: a recovered expression against the running function, in value and derivative, at many points."""

from typing import Any, Final

import numpy as np
from sympy import Expr, S, Symbol, exp

from kltheory.audit.layout import Layout, slope
from kltheory.audit.roles import Role
from kltheory.audit.subject import Subject
from kltheory.calculus.symbols import erase_sg, logp, off_jumps
from kltheory.numerics.bridge import NUMPY
from kltheory.numerics.rounding import rounding_scale

SPREADS: Final = (0.01, 0.1, 0.6, 0.6, 1.5, 1.5, 3.0, 5.0)
"""How far apart the policies are, draw by draw: log-probabilities down to -20 nats."""

ROUNDINGS: Final = 64
"""Value and derivative may differ by this many roundings of their scale in the type computed in: 1.4e-14 in float64."""

EPSILON: Final = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
"""Distance from 1 to the next number."""


class Disagreement(Exception):
    """The running function is not what was traced; the message shows the point."""


def differentiate(expr: Expr, symbol: Symbol) -> Expr:
    """The derivative almost everywhere, stop-gradients held fixed, then erased; steps have derivative 0."""
    return off_jumps(expr.diff(symbol))


def confirm(subject: Subject, layout: Layout, exprs: Any, dtype: str) -> float:
    """The largest difference, relative to the rounding scale.

    Args:
        subject: the function.
        layout: the shapes it is called on.
        exprs: its output, entry by entry, in the layout's symbols.
        dtype: the type it computes in.

    Raises:
        Disagreement: a value or a derivative differs by more than :data:`ROUNDINGS` roundings.
        Raised: the function raises at one of the points.
        NotNumeric: an expression has no number.
    """
    eps = EPSILON.get(dtype, EPSILON["float32"])
    draws = [layout.arrays(seed, spread) for seed, spread in enumerate(SPREADS, 1)]
    runs = [subject.run(at) for at in draws]
    columns = [layout.value(at) for at in draws]
    at = {symbol: np.array([c[symbol] for c in columns]) for symbol in columns[0]}
    worst = 0.0
    least = 1.0 if subject.is_over_vocabulary else 0.0  # a logarithm of a sum of probabilities is rounded as that is
    total = sum(exprs.flat, S.Zero)
    for index in np.ndindex(exprs.shape):
        expr = erase_sg(exprs[index])
        worst = max(worst, _gap("value", expr, at, [value[index] for value, _ in runs], eps, str(index), least))
    if Role.LOGITS in subject.roles:
        return worst  # the derivative by logits is compared where expectations are
    for index in layout.entries:
        by = next(s for s, v in layout.symbols(index).items() if v == logp)
        running = [slope(slopes, a)[index] for (_, slopes), a in zip(runs, draws, strict=True)]
        worst = max(worst, _gap("derivative", differentiate(total, by), at, running, eps, str(index)))
    return worst


def _as_computed(expr: Expr) -> Expr:
    """The size of what is rounded in the derivative of a sigmoid y: that of y, as frameworks compute y·(1 - y)."""

    def is_squared(e: Expr) -> bool:
        return e.is_Pow and e.exp.is_Integer and e.exp <= -2 and _exponential(e.base) is not None

    return expr.replace(is_squared, lambda e: e.base ** (e.exp + 1) / _exponential(e.base))


def _exponential(base: Expr) -> Expr | None:
    """exp(u) of 1 + exp(u)."""
    rest = base - 1
    return rest if isinstance(rest, exp) else None


def _gap(what: str, expr: Expr, at: Any, running: Any, eps: float, place: str, least: float = 0.0) -> float:
    with np.errstate(all="ignore"):
        expected = np.broadcast_to(np.asarray(NUMPY(expr, at), dtype=np.float64), np.shape(running))
        scale = rounding_scale(expr, at, eps)
        if (computed := _as_computed(expr)) != expr:
            size = rounding_scale(computed, at, eps)
            scale = np.where(np.isfinite(size), np.maximum(scale, size), scale)
        scale = np.broadcast_to(scale, np.shape(running))
        gap = np.abs(expected - np.asarray(running)) / np.maximum(scale, max(least, 1e-30))
    gap = np.where(np.isinf(scale), 0.0, gap)
    gap[np.isnan(gap)] = np.inf
    worst = int(np.argmax(gap))
    if gap[worst] > ROUNDINGS * eps:
        raise Disagreement(
            f"the {what} of entry {place} was traced as {expected[worst]:.9g}, and the running function gives "
            f"{np.asarray(running)[worst]:.9g}"
        )
    return float(gap[worst])
