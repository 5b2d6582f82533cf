"""Where reward and penalty balance, against β, for each divergence."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from kltheory.calculus.divergence import DIVERGENCES, reverse_kl
from kltheory.numerics.optimum import policies
from kltheory.numerics.settings import Array
from kltheory.report.figures.style import Picture, line, panels, styled

REWARD: Final = (1.0, 0.6, 0.0, 0.0)
REFERENCE: Final = (0.02, 0.18, 0.5, 0.3)
BETAS: Final = np.geomspace(0.02, 10.0, 100)


def optima(reward: Sequence[float] = REWARD, reference: Sequence[float] = REFERENCE) -> Picture:
    """The optimal policy's best action, entropy and reverse KL, for every divergence that has a name.

    Raises:
        ValueError: rewards and reference have different lengths.
    """
    a, q = (np.asarray(x, dtype=np.float64) for x in (reward, reference))
    if a.shape != q.shape:
        raise ValueError(f"{len(a)} rewards and {len(q)} probabilities: expected one of each for every action")
    with styled():
        figure, axes = panels(1, 3, 11.0, 4.2, sharex=True)
        for n, d in enumerate(DIVERGENCES):
            found = policies(d.coefficient, a, q, BETAS)
            shown = found[:, int(a.argmax())], entropy(found), divergence_from(found, q)
            for axis, y, what in zip(axes[0], shown, ("best", "entropy", "kl"), strict=True):
                axis.plot(BETAS, y, label=d.title, gid=f"{what}-{n}", **line(n))
        titles = "probability of the best action", "entropy, nats", f"{reverse_kl.title}, nats"
        for axis, title in zip(axes[0], titles, strict=True):
            axis.set(title=title, xlabel="β", xscale="log")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return Picture(
        "optimum",
        "The optimum of E[A] - β D against β",
        f"Rewards {', '.join(f'{x:g}' for x in a)}; reference {', '.join(f'{x:g}' for x in q)}. The divergences order "
        "policies differently: for the same β they keep different entropies, and some give actions up altogether.",
        figure,
    )


def entropy(rows: Array) -> Array:
    """Of each row, nats; an action given up adds nothing."""
    return np.asarray(-(rows * np.log(np.where(rows > 0, rows, 1.0))).sum(axis=-1))


def divergence_from(rows: Array, reference: Array) -> Array:
    """KL(π‖π_ref) of each row, nats."""
    return np.asarray((rows * np.log(np.where(rows > 0, rows / reference, 1.0))).sum(axis=-1))
