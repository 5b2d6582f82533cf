"""Bias and noise of the estimators on the way from the reference to a policy, and off-policy drift."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from sympy import Expr, S, exp

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import reverse_kl
from kltheory.calculus.estimators import Estimator, as_loss, in_reward, k1, k2, k3, w
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import log_weight, logp, sg
from kltheory.numerics import enumeration, variance
from kltheory.numerics.enclosed import floats
from kltheory.numerics.settings import Array, Settings
from kltheory.report.figures.style import Picture, line, panels, styled

POLICY: Final = (0.55, 0.25, 0.12, 0.06, 0.02)
REFERENCE: Final = (0.1, 0.3, 0.2, 0.15, 0.25)
POINTS: Final = 60
FARTHEST: Final = 1.5
"""How far along the path from reference (0) through policy (1): a geometric mixture of the two."""

VALUES: Final = (k1, k2, k3)
GRADIENTS: Final = (
    ("k1 in the reward", in_reward(k1)),
    ("k2 as a loss", as_loss(k2)),
    ("k3 as a loss", as_loss(k3)),
    ("k3 in the reward", in_reward(k3)),
)
WEIGHTS: Final = (("no weight", S.One), ("detached weight", sg(w)), ("live weight", w))
DRIFTED: Final = (k2, k3)


def on_path(policy: Sequence[float], reference: Sequence[float], t: Array) -> Settings:
    """Policies on the geometric path from the reference, one a row."""
    p, q = (np.log(np.asarray([x], dtype=np.float64)) for x in (policy, reference))
    rows = (1 - t[:, None]) * q + t[:, None] * p
    one, other = (np.broadcast_to(x, rows.shape) for x in (q, p))
    return Settings(rows, one, other, np.zeros(rows.shape), ("path",) * len(t))


def distance(rows: Settings) -> Array:
    """KL(π‖π_ref) of each row, nats."""
    return value_of(reverse_kl.objective.summand * exp(-logp), rows)


def value_of(sample: Expr, rows: Settings) -> Array:
    """E_π of a per-sample formula."""
    return floats(variance.value_spread(sample, Sampler.POLICY, rows)[0])


def noise(policy: Sequence[float] = POLICY, reference: Sequence[float] = REFERENCE) -> Picture:
    """Bias and standard deviation of values and of gradients against the distance from the reference."""
    rows = on_path(policy, reference, np.linspace(0.02, FARTHEST, POINTS))
    x = distance(rows)
    with styled():
        figure, axes = panels(2, 2, 9.4, 6.4, sharex=True)
        for n, k in enumerate(VALUES):
            mean, spread = map(floats, variance.value_spread(k.expr, Sampler.POLICY, rows))
            axes[0, 0].plot(x, (mean - x) / x, label=k.name, gid=f"bias-{n}", **line(n))
            axes[0, 1].plot(x, spread / x, label=k.name, gid=f"std-{n}", **line(n))
        size = floats(variance.gradient_norm(reverse_kl.objective.coefficient(), rows))
        for n, (name, s) in enumerate(GRADIENTS):
            bias, spread = gradient_noise(s, rows)
            axes[1, 0].plot(x, bias / size, label=name, gid=f"gradient-bias-{n}", **line(n))
            axes[1, 1].plot(x, spread / size, label=name, gid=f"gradient-std-{n}", **line(n))
        titles = (("bias of the value / KL", "std of the value / KL"), ("bias of the gradient", "std of the gradient"))
        for axis, title in zip(axes.flat, np.array(titles).flat, strict=True):
            axis.set_title(title if "value" in title else f"{title} / ‖∇KL(π‖π_ref)‖")
            axis.set_xscale("log")
        for axis in axes[1]:
            axis.set_xlabel("KL(π‖π_ref), nats")
        for axis in axes[:, 1]:
            axis.set_yscale("log")
            axis.legend()
    return Picture(
        "variance",
        "Bias and noise against distance from the reference",
        "One sample of the policy, along the geometric path from the reference through the policy. Above: the number "
        "that is logged, relative to the KL; below: the gradient, relative to that of the reverse KL. k1 and k3 "
        "estimate the same number; as a loss k3 has a bias that grows with the distance, in the reward one that never "
        "vanishes.",
        figure,
    )


def gradient_noise(s: Surrogate, rows: Settings) -> tuple[Array, Array]:
    """Norm of the bias against ∇KL(π‖π_ref), and the square root of the trace variance, of each row."""
    difference = s.coefficient(Sampler.POLICY) - reverse_kl.objective.coefficient()
    spread = floats(variance.variance(s.score(Sampler.POLICY), Sampler.POLICY, rows))
    return floats(variance.gradient_norm(difference, rows)), np.sqrt(spread)


def drift(policy: Sequence[float] = POLICY, reference: Sequence[float] = REFERENCE) -> Picture:
    """Off-policy: how far k2 and k3 as losses turn away as the policy leaves the one that sampled."""
    t = np.linspace(0.0, 1.0, POINTS)
    rows = drifted(policy, reference, t)
    x = value_of(log_weight, rows)
    with styled():
        figure, axes = panels(1, 2, 9.4, 3.8, sharex=True)
        n = 0
        for k in DRIFTED:
            for words, weight in WEIGHTS:
                error, cosine = off_policy(k, weight, rows)
                for axis, y, what in zip(axes[0], (error, cosine), ("error", "cosine"), strict=True):
                    axis.plot(x, y, label=f"{k.name}, {words}", gid=f"{what}-{n}", **line(n))
                n += 1
        axes[0, 0].set(ylabel="relative error", title="error against what it descends on-policy")
        axes[0, 1].set(ylabel="cosine", title="direction against what it descends on-policy")
        for axis in axes[0]:
            axis.set_xlabel("KL(π‖π_old), nats")
        axes[0, 0].legend()
    return Picture(
        "drift",
        "Off-policy drift",
        "The policy moves away from the old one that drew the samples. Without an importance weight the expected "
        "gradient drifts from the divergence it descends on-policy; with a detached one it does not. A live weight "
        "descends something else from the start: with k3 the reverse KL.",
        figure,
    )


def drifted(policy: Sequence[float], reference: Sequence[float], t: Array) -> Settings:
    """One policy, and old policies on the geometric path from it to the reference, one a row."""
    old = on_path(reference, policy, t)
    return replace(old, policy=old.reference, reference=old.old, old=old.policy)


def off_policy(k: Estimator, weight: Expr, rows: Settings) -> tuple[Array, Array]:
    """Relative error and cosine against what the estimator descends as a loss on-policy, of each row."""
    goal = _gradients(as_loss(k).coefficient(Sampler.POLICY), rows)
    g = _gradients(as_loss(k, weight).coefficient(Sampler.OLD), rows)
    size = np.linalg.norm(goal, axis=-1)
    error = np.linalg.norm(g - goal, axis=-1) / size
    return error, (g * goal).sum(axis=-1) / (np.linalg.norm(g, axis=-1) * size)


def _gradients(c: Coefficient, rows: Settings) -> Any:
    return enumeration.expected_gradient(c, (rows,))[0]
