"""Runs whose truth is known: tokens drawn from softmax policies, with at most one thing wrong.

Every position has a table of actions of its own; the old policy is the policy before a small step, the reference is
further away, the inference engine computes the old policy's log-probabilities with little noise, and draws.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from kltheory.numerics.settings import log_softmax


@dataclass(frozen=True)
class Plan:
    """How a run is drawn.

    Attributes:
        steps, groups, size: of how many steps, groups a step, responses a group.
        length: the most tokens of a response.
        actions: of a position.
        step: how far the policy is from the old one, nats.
        far: how far from the reference.
        noise: of the inference engine.
        reached: of how many actions the policy and the old policy have; the reference has all.
        one_mind: whether all rewards are equal.
        spoiled: what is done to the rows in the end.
    """

    steps: int = 4
    groups: int = 12
    size: int = 4
    length: int = 24
    actions: int = 12
    step: float = 0.05
    far: float = 0.3
    noise: float = 0.002
    reached: int = 12
    one_mind: bool = False
    spoiled: Callable[[pl.DataFrame], pl.DataFrame] = lambda rows: rows


def drawn(seed: int, plan: Plan = Plan()) -> pl.DataFrame:
    """The tokens of one run, in the names of the schema."""
    random = np.random.default_rng([17, seed])
    count = plan.steps * plan.groups * plan.size
    lengths = random.integers(plan.length // 3, plan.length + 1, count)
    total = int(lengths.sum())
    base = random.normal(0, 1, (total, plan.actions))
    own = base - 60.0 * (np.arange(plan.actions) >= plan.reached)
    old = log_softmax(own)
    policy = log_softmax(own + random.normal(0, plan.step, base.shape))
    reference = log_softmax(base + random.normal(0, plan.far, base.shape))
    sampler = log_softmax(old + random.normal(0, plan.noise, base.shape))
    chances = np.exp(sampler)
    action = (chances.cumsum(axis=-1) < random.random((total, 1))).sum(axis=-1).clip(0, plan.actions - 1)
    at = np.arange(total)
    response = np.repeat(np.arange(count), lengths)
    group = response // plan.size
    ability = random.uniform(0.2, 0.8, plan.steps * plan.groups)
    reward = (random.random(count) < np.repeat(ability, plan.size)).astype(float)
    reward = np.ones(count) if plan.one_mind else reward
    centred = reward - np.repeat(reward.reshape(-1, plan.size).mean(axis=1), plan.size)
    return plan.spoiled(
        pl.DataFrame(
            {
                "step": group // plan.groups,
                "response": response,
                "position": np.concatenate([np.arange(n) for n in lengths]),
                "token": action,
                "logp": policy[at, action],
                "logp_ref": reference[at, action],
                "logp_old": old[at, action],
                "logp_sampler": sampler[at, action],
                "advantage": centred[response],
                "mask": random.random(total) < 0.95,
                "reward": reward[response],
                "group": group,
                "finished": (lengths < plan.length)[response],
            }
        )
    )


CLEAN = Plan()


PLANTED: dict[str, Plan] = {
    "KL601": replace(CLEAN, spoiled=lambda rows: rows.with_columns(logp_old=pl.col("logp_old") - 0.02)),
    "KL602": replace(CLEAN, spoiled=lambda rows: rows.with_columns(logp_sampler=pl.col("logp_sampler") - 0.015)),
    "KL603": replace(CLEAN, noise=0.1),
    "KL604": replace(CLEAN, reached=10),
    "KL605": replace(CLEAN, step=0.6),
    "KL606": replace(CLEAN, one_mind=True),
    "KL612": replace(CLEAN, far=1.6),
    "KL614": replace(
        CLEAN,
        steps=12,
        spoiled=lambda rows: rows.with_columns(
            logp_ref=pl.when(pl.col("step") == 7).then(pl.col("logp_ref") - 2.5).otherwise(pl.col("logp_ref"))
        ),
    ),
    "KL616": replace(
        CLEAN,
        spoiled=lambda rows: rows.with_columns(
            logp=pl.when(pl.col("position") == 3).then(float("nan")).otherwise("logp")
        ),
    ),
    "KL617": replace(CLEAN, spoiled=lambda rows: rows.drop("logp_ref")),
}
"""One thing wrong each, by the code that says so."""

LOSSES: dict[str, tuple[str, Plan]] = {
    "KL607": ("min(k3, 0.2)", replace(CLEAN, far=1.0)),
    "KL608": ("-w*A - 0.1*sg(w)*k2", CLEAN),
    "KL609": ("-min(w*A, clamp(w, 0.99, 1.01)*A)", CLEAN),
    "KL610": ("-w*A + 20*k2", CLEAN),
    "KL611": ("-w*A + exp(9*l)/1000", replace(CLEAN, far=0.5)),
    "KL613": ("sg(w)*where(l > 0, 0, l**2/2)", replace(CLEAN, far=1.0)),
    "KL615": ("-w*A + where(l > 1, sqrt(1 - l), 0)", replace(CLEAN, far=1.0)),
}
"""A loss each that does at these tokens what the code says."""
