"""The vector field of expected gradients on the 3-simplex: where each penalty drives a policy, and where it rests."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import forward_kl, reverse_kl
from kltheory.calculus.estimators import k1, k2, k3
from kltheory.calculus.placement import WHERE, detached, differentiated
from kltheory.calculus.surrogate import Sampler
from kltheory.numerics import enumeration
from kltheory.numerics.settings import Array, Settings, log_softmax
from kltheory.report.figures.style import COLOURS, Picture, panels, styled

REFERENCE: Final = (0.5, 0.3, 0.2)
CORNERS: Final = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])
"""Where the three actions are drawn."""
LATTICE: Final = 14
STARTS: Final = ((0.05, 0.05, 0.9), (0.9, 0.05, 0.05), (0.05, 0.9, 0.05), (0.34, 0.32, 0.34), (0.52, 0.29, 0.19))
STEP: Final = 0.2
STEPS: Final = 800
NEWTON: Final = 60
FLAT: Final = 1e-13
"""A gradient below this is zero."""
CLOSE: Final = 1e-4

LOSS, REWARD = (
    {k.name: (f"{k.name} {words}", place(k.expr).coefficient(Sampler.POLICY)) for k in (k1, k2, k3)}
    for words, place in zip(WHERE.values(), (differentiated, detached), strict=True)
)
FIELDS: Final = (
    ("∇KL(π‖π_ref)", reverse_kl.objective.coefficient()),
    *(REWARD["k1"], LOSS["k2"], LOSS["k1"]),
    ("∇KL(π_ref‖π)", forward_kl.objective.coefficient()),
    *(LOSS["k3"], REWARD["k2"], REWARD["k3"]),
)
"""Titles and coefficients: a divergence, the estimators that descend it, and those that descend none."""


def field(reference: Sequence[float] = REFERENCE) -> Picture:
    """Descent in logits under each penalty alone, on three actions.

    Raises:
        ValueError: the reference is no distribution over three actions.
    """
    q = np.asarray(reference, dtype=np.float64)
    if q.shape != (3,) or (q <= 0).any() or abs(q.sum() - 1) > 1e-9:
        raise ValueError(f"the reference is {reference}: expected three positive probabilities that sum to 1")
    with styled():
        figure, axes = panels(2, 4, 11.0, 5.6)
        for axis, (title, c) in zip(axes.flat, FIELDS, strict=True):
            _panel(axis, title, c, q)
    return Picture(
        "field",
        "Where each penalty drives a policy of three actions",
        "Arrows: the direction in which the expected gradient, descended in logits, moves the policy; lines: the paths "
        "it takes; star: the reference. Full dots are other points of rest that attract, open ones those that do not. "
        "k1 as a loss moves nothing.",
        figure,
    )


def descent(c: Coefficient, logits: Array, reference: Array) -> Array:
    """Minus the expected gradient in the logits, shape (N, 3): the velocity of descent."""
    n = len(logits)
    wide = np.broadcast_to(np.log(reference), logits.shape)
    rows = Settings(logits, wide, logits, np.zeros(logits.shape), ("",) * n)
    return -enumeration.expected_gradient(c, (rows,))[0]


def probabilities(logits: Array) -> Array:
    """The softmax."""
    return np.exp(log_softmax(logits))


def velocity(c: Coefficient, policy: Array, reference: Array) -> Array:
    """How the probabilities move under descent in logits, shape (N, 3)."""
    moved = descent(c, np.log(policy), reference)
    return policy * (moved - (policy * moved).sum(axis=-1, keepdims=True))


def paths(c: Coefficient, starts: Array, reference: Array) -> Array:
    """Descent from each start, shape (steps, N, 3), by the classical Runge-Kutta method in logits."""
    logits = np.log(starts)
    out = [probabilities(logits)]
    for _ in range(STEPS):
        a = descent(c, logits, reference)
        b = descent(c, logits + STEP / 2 * a, reference)
        d = descent(c, logits + STEP / 2 * b, reference)
        e = descent(c, logits + STEP * d, reference)
        step = STEP / 6 * (a + 2 * b + 2 * d + e)
        size = np.abs(step).max(axis=-1, keepdims=True)
        logits = logits + step * np.minimum(1.0, 0.3 / np.maximum(size, 1e-300))
        logits = np.clip(logits - logits.max(axis=-1, keepdims=True), -30.0, 0.0)
        out.append(probabilities(logits))
    return np.array(out)


def rests(c: Coefficient, reference: Array) -> list[tuple[Array, bool]]:
    """Points of rest inside the simplex, by Newton's method from a lattice, and whether each attracts.

    The last logit is held at zero: the others are coordinates of the simplex.
    """
    x = np.log(_lattice(9))
    x = (x - x[:, 2:])[:, :2]
    with np.errstate(all="ignore"):
        for _ in range(NEWTON):
            value, jacobian = _linearised(c, x, reference)
            step = np.linalg.solve(jacobian + 1e-14 * np.eye(2), -value[..., None])[..., 0]
            x = x + np.clip(np.nan_to_num(step), -0.5, 0.5)
        value, jacobian = _linearised(c, x, reference)
    found: list[tuple[Array, bool]] = []
    for point, v, j in zip(x, value, jacobian, strict=True):
        p = probabilities(np.append(point, 0.0))
        if np.abs(v).max() > FLAT or p.min() < 1e-3 or any(np.abs(p - q).max() < CLOSE for q, _ in found):
            continue
        found.append((p, bool((np.linalg.eigvals(j).real < 0).all())))
    return found


def _linearised(c: Coefficient, x: Array, reference: Array, h: float = 1e-6) -> tuple[Array, Array]:
    def value(y: Array) -> Array:
        moved = descent(c, np.concatenate([y, np.zeros((len(y), 1))], axis=1), reference)
        return moved[:, :2] - moved[:, 2:]

    columns = [(value(x + h * e) - value(x - h * e)) / (2 * h) for e in np.eye(2)]
    return value(x), np.stack(columns, axis=-1)


def _lattice(n: int) -> Array:
    """Points inside the simplex."""
    grid = [(i, j, n - i - j) for i in range(1, n) for j in range(1, n - i)]
    return np.array(grid, dtype=np.float64) / n


def _panel(axis: Any, title: str, c: Coefficient, reference: Array) -> None:
    outline = CORNERS[[0, 1, 2, 0]]
    axis.plot(*outline.T, color="#444444", lw=0.8)
    axis.set_aspect("equal")
    axis.axis("off")
    axis.set_title(title, pad=14)
    for corner, name, (dx, dy) in zip(CORNERS, "123", ((-0.05, -0.05), (0.05, -0.05), (0, 0.06)), strict=True):
        axis.text(corner[0] + dx, corner[1] + dy, name, ha="center", va="center", fontsize=8, color="#444444")
    axis.plot(*(reference @ CORNERS), marker="*", ms=11, color="black", mec="white", mew=0.6, zorder=5, gid="reference")
    policy = _lattice(LATTICE)
    moved = velocity(c, policy, reference)
    if np.abs(moved).max() < FLAT:
        axis.text(
            *(CORNERS.mean(axis=0) + np.array([0, 0.1])), "no gradient", ha="center", va="center", color="#444444"
        )
        return
    arrows = moved @ CORNERS
    length = np.linalg.norm(arrows, axis=1, keepdims=True)
    shown = arrows / np.maximum(length, FLAT) * np.minimum(1.0, (length / length.max()) ** 0.35)
    axis.quiver(
        *(policy @ CORNERS).T, *shown.T, angles="xy", scale=24, width=0.006, color="#8A8A8A", zorder=2, gid="arrows"
    )
    lines = paths(c, np.array(STARTS), reference) @ CORNERS
    for n in range(lines.shape[1]):
        axis.plot(*lines[:, n].T, color=COLOURS[0], lw=1.3, zorder=3, gid=f"path-{n}")
        axis.plot(*lines[0, n], marker="o", ms=2.5, color=COLOURS[0], zorder=3)
    for p, attracts in rests(c, reference):
        if np.abs(p - reference).max() > CLOSE:
            face = COLOURS[1] if attracts else "white"
            axis.plot(*(p @ CORNERS), marker="o", ms=5, mfc=face, mec=COLOURS[1], zorder=4, gid="rest")
