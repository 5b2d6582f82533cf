"""Coefficient curves: by what each score is multiplied, as a function of the log-ratio; dead zones shaded."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from sympy import Expr

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.estimators import Estimator, k1, k2, k3
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.formula.parse import NONE, parse_formula
from kltheory.calculus.identify import identify
from kltheory.calculus.placement import WHERE, Placement
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import log_ratio
from kltheory.numerics.bridge import NUMPY
from kltheory.numerics.settings import Array
from kltheory.report.figures.style import Picture, line, panels, styled
from kltheory.report.typed import numeric

REACH: Final = 4.0
"""Log-ratios shown, in nats."""
TALLEST: Final = 6.0
JUMP: Final = 0.2
"""From one point to the next."""
CAPPED: Final = "min(exp(-l) - 1 + l, 2)"
"""A cap as code writes it: where it holds, no gradient is left."""


def coefficients(formulas: Sequence[str] = (), declared: Mapping[str, Expr] = NONE) -> Picture:
    """C(l), on-policy, of the usual estimators or of formulas as ``kltheory identify`` reads them.

    Raises:
        FormulaError: one is not a formula.
        NoNumber: a constant in one has no value.
        Undecidable: a coefficient depends on more than the log-ratio.
    """
    estimators = [Estimator(f, numeric(f, declared)) for f in formulas]
    estimators = estimators or [k1, k2, k3, Estimator("k3 capped at 2", parse_formula(CAPPED))]
    with styled():
        figure, axes = panels(1, 2, 9.4, 4.0, sharey=True)
        for axis, (where, words) in zip(axes[0], WHERE.items(), strict=True):
            _panel(axis, [(k.name, Placement(where).of(Surrogate(k.expr))) for k in estimators], words)
        axes[0, 0].set_ylabel("C(l) - C(0), nats")
    return Picture(
        "coefficient",
        "What multiplies the score",
        "The expected gradient is E[C(l) ∇log π]. Only C up to a constant counts, so each curve passes through zero at "
        "l = 0. The legend says what is descended. In the shaded bands a curve is flat: nothing pulls there.",
        figure,
    )


def _panel(axis: Any, surrogates: Sequence[tuple[str, Surrogate]], words: str) -> None:
    l = np.linspace(-REACH, REACH, 801)
    for n, (name, s) in enumerate(surrogates):
        c = s.coefficient(Sampler.POLICY)
        if others := {str(v) for _, e in c.cells for v in e.free_symbols - {log_ratio}}:
            raise Undecidable(f"the coefficient of {name}, {c}, depends on {', '.join(sorted(others))} too: no curve")
        axis.plot(l, _broken(c, l), label=f"{name}: {title(c)}", gid=f"curve-{n}", **line(n))
        for low, high in dead_zones(c):
            axis.axvspan(max(low, -REACH), min(high, REACH), color="#000000", alpha=0.08, lw=0, gid=f"dead-{n}")
    axis.axhline(0, color="#888888", lw=0.8)
    axis.axvline(0, color="#888888", lw=0.8)
    axis.set(title=words, xlabel="l = log π/π_ref, nats", xlim=(-REACH, REACH), ylim=(-TALLEST, TALLEST))
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), alignment="left")


def curve(c: Coefficient, l: Array) -> Array:
    """C at log-ratios, cell by cell."""
    out = np.full(l.shape, np.nan)
    for (lo, hi), e in c.along(log_ratio):
        here = (l >= (-np.inf if lo is None else float(lo))) & (l <= (np.inf if hi is None else float(hi)))
        with np.errstate(all="ignore"):
            out[here] = np.broadcast_to(np.asarray(NUMPY(e, {log_ratio: l[here]}), dtype=np.float64), l[here].shape)
    return out


def centred(c: Coefficient, l: Any) -> Any:
    """C(l) - C(0), with the mean of both sides where C jumps at 0."""
    return curve(c, l) - curve(c, np.array([-1e-9, 1e-9])).mean()


def _broken(c: Coefficient, l: Any) -> Any:
    """The curve, not drawn across a jump."""
    shown = centred(c, l)
    edges = [high for (_, high), _e in c.along(log_ratio) if high is not None]
    for high in edges:
        edge = int(np.searchsorted(l, float(high)))
        if 0 < edge < len(l) and abs(shown[edge] - shown[edge - 1]) > JUMP:
            shown[edge] = np.nan
    return shown


def title(c: Coefficient) -> str:
    """What is descended, after the name of a curve."""
    found = identify(c)
    if found.terms is not None:
        return found.title if found.terms else "nothing"
    if found.reason:
        return "not decided"
    return "an f-divergence with no name" if found.is_divergence else "no f-divergence"


def dead_zones(c: Coefficient) -> list[tuple[float, float]]:
    """The intervals of l on which C is constant, where it is not constant everywhere."""
    pieces = c.along(log_ratio)
    found = []
    for (low, high), e in pieces if len(pieces) > 1 else ():
        if is_zero(e.diff(log_ratio)):
            found.append((-np.inf if low is None else float(low), np.inf if high is None else float(high)))
    return found
