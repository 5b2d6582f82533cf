"""Experiments: settings on which the running function's expected gradient is summed exactly over the vocabulary."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import cycle
from typing import Final

import numpy as np

from kltheory.audit.pointwise import Samples, by_action, pointwise
from kltheory.audit.reading import Entries, Reading
from kltheory.audit.roles import Role
from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.placement import Placement
from kltheory.calculus.surrogate import Sampler
from kltheory.numerics.enumeration import values
from kltheory.numerics.settings import Array, Settings, standard_settings
from kltheory.tracing.trace import Floats

USES_OLD: Final = {Role.LOGP_OLD, Role.LOGP_SAMPLER, Role.WEIGHT_SAMPLER, Role.LOG_WEIGHT, Role.WEIGHT, Role.LOGITS_OLD}
SHRINKS: Final = (1.0, 0.3, 0.04)
"""Policy and old policy are drawn towards the reference by these factors: clamps are left behind one by one."""


def shrinks(few: bool) -> tuple[float, ...]:
    """The factors: the farthest and the nearest where settings are few."""
    return (SHRINKS[0], SHRINKS[-1]) if few else SHRINKS


@lru_cache(maxsize=2)
def settings_for(few: bool) -> tuple[Settings, ...]:
    """Small settings of every family, as they are and drawn towards the reference."""
    out = []
    for batch in standard_settings()[: 1 if few else 2]:
        step = 14 if few else 5
        rows = np.arange(0, len(batch.family), step)
        for shrink in shrinks(few):
            policy, old = (batch.reference + shrink * (x - batch.reference) for x in (batch.policy, batch.old))
            family = tuple(batch.family[i] for i in rows)
            out.append(Settings(policy[rows], batch.reference[rows], old[rows], batch.advantage[rows], family))
    return tuple(out)


@dataclass(frozen=True, eq=False)
class Placed:
    """The running function in one placement: what multiplies each score."""

    settings: Settings
    shrink: float
    multiplier: Floats
    sampler: Sampler
    is_gradient: bool = False

    @cached_property
    def expected(self) -> Array:
        """E[multiplier · ∇_logits log π] for each setting, shape (N, V): the exact sum."""
        if self.is_gradient:
            return self.multiplier - np.exp(self.settings.logp) * self.multiplier.sum(axis=-1, keepdims=True)
        drew = self.settings.logp if self.sampler is Sampler.POLICY else self.settings.logp_old
        weighted = np.exp(drew) * self.multiplier
        return weighted - np.exp(self.settings.logp) * weighted.sum(axis=-1, keepdims=True)

    @property
    def coefficient(self) -> Floats:
        """C at every action, shape (N, V)."""
        if self.is_gradient:
            return self.multiplier * np.exp(-self.settings.logp)
        return self.multiplier * (np.exp(-self.settings.log_weight) if self.sampler is Sampler.OLD else 1.0)

    @property
    def scale(self) -> Array:
        """Σ_a of the sizes that are summed, shape (N,)."""
        return np.abs(np.exp(self.settings.logp) * self.coefficient).sum(axis=-1)


@dataclass(frozen=True, eq=False)
class Experiment:
    """The running function on every setting, under each sampler."""

    found: Reading
    shrinks: tuple[float, ...]
    settings: tuple[Settings, ...]
    samples: Mapping[Sampler, tuple[Samples, ...]]

    def placed(self, placement: Placement) -> list[Placed]:
        """What each score is multiplied by, batch by batch."""
        batches = zip(self.settings, self.samples[placement.who], cycle(self.shrinks), strict=False)
        return [placed(self.found, *batch, placement) for batch in batches]


@lru_cache(maxsize=8)
def experiment(found: Reading, few: bool | None = None) -> Experiment:
    """Run the function; on few settings, unless told otherwise, when it has to be called token by token.

    Raises:
        Raised: the function raises.
    """
    few = not found.takes_many if few is None else few
    settings = settings_for(few)
    on = tuple(drawn(found, s, Sampler.POLICY) for s in settings)
    blind = not found.subject.roles & USES_OLD
    off = on if blind else tuple(drawn(found, s, Sampler.OLD) for s in settings)
    return Experiment(found, shrinks(few), settings, {Sampler.POLICY: on, Sampler.OLD: off})


def drawn(found: Reading, s: Settings, who: Sampler) -> Samples:
    """The function on every action of these settings; on-policy the old policy is the policy. Raises Raised."""
    run = by_action if found.entries is Entries.ACTION else pointwise
    return run(found, s.logp, s.logp_ref, s.logp if who is Sampler.POLICY else s.logp_old)


def placed(found: Reading, s: Settings, sample: Samples, shrink: float, placement: Placement) -> Placed:
    """What each score is multiplied by."""
    who = placement.who
    w = np.exp(s.log_weight) if who is Sampler.OLD else np.ones(s.logp.shape)
    if found.entries is Entries.SAMPLE:
        return Placed(s, shrink, multiplier(sample, w, placement), who)
    drew = np.exp(s.logp) / w
    if found.entries is Entries.ACTION:
        by_logit = _by_logit(sample, drew, w, placement)
    else:  # in the reward one number for all actions
        by_logit = sample.slope if placement.where == "loss" else drew * sample.value[:, None]
    return Placed(s, shrink, by_logit, who, True)


def multiplier(sample: Samples, w: Floats, placement: Placement) -> Floats:
    """What the score of a sample is multiplied by: in the reward the value, in the loss the derivative."""
    if placement.where == "reward":
        return sample.value if placement.weight == "none" else w * sample.value
    if placement.weight == "live":
        return w * (sample.slope + sample.value)  # the weight has a derivative of its own: w
    return sample.slope if placement.weight == "none" else w * sample.slope


def _by_logit(sample: Samples, drew: Floats, w: Floats, placement: Placement) -> Floats:
    """Σ_a of what action a contributes to the derivative by each logit, up to a multiple of the policy."""
    share = drew if placement.weight == "none" else drew * w
    if placement.where == "reward":
        return share * sample.value
    live = share * sample.value if placement.weight == "live" else 0.0  # w has a derivative of its own: w times a score
    return np.asarray((share[..., None] * sample.slope).sum(axis=1) + live)


def predicted(coefficient: Coefficient, s: Settings) -> tuple[Array, Array]:
    """The expected gradient that a coefficient gives, and the coefficient, shape (N, V); NaN outside its cells."""
    with np.errstate(all="ignore"):
        c, p = values(coefficient, s), np.exp(s.logp)
        return p * (c - (p * c).sum(axis=-1, keepdims=True)), c


def residual(coefficient: Coefficient, runs: list[Placed]) -> float | None:
    """The largest difference between a coefficient's expected gradient and the running function's.

    It is relative to the size of what is summed. Where no setting lies in the coefficient's cells it is taken sample by
    sample, up to a constant; ``None`` when no sample does either.
    """
    worst: list[float] = []
    loose: list[Floats] = []
    for run in runs:
        expected, c = predicted(coefficient, run.settings)
        inside = np.isfinite(expected).all(axis=-1)
        if inside.any():
            size = np.maximum(1.0, np.maximum(run.scale, np.abs(np.exp(run.settings.logp) * c).sum(axis=-1)))
            gap = np.abs(expected - run.expected)[inside] / size[inside, None]
            worst.append(float(np.where(np.isfinite(gap), gap, np.inf).max()))
        here = np.isfinite(c)
        loose.append(((run.coefficient - c) / np.maximum(1.0, np.abs(c)))[here])
    if worst:
        return max(worst)
    gaps = np.concatenate(loose)
    return float(np.abs(gaps - gaps[0]).max()) if gaps.size > 1 else None


@dataclass(frozen=True)
class Distance:
    """How far the running expected gradient is from a multiple of the reverse KL's, at worst."""

    relative_error: float
    cosine: float


@np.errstate(all="ignore")  # of what overflows the error is infinite
def distances(runs: list[Placed], target: Coefficient, multiple: float = 1.0) -> dict[str, Distance]:
    """The largest error and the smallest cosine over the settings near the reference, and over those as they are."""
    out = {}
    for name, shrink in (("near", SHRINKS[-1]), ("far", SHRINKS[0])):
        errors, cosines = [0.0], [1.0]
        for run in runs:
            if run.shrink != shrink:
                continue
            goal = multiple * predicted(target, run.settings)[0]
            size, own = np.linalg.norm(goal, axis=-1), np.linalg.norm(run.expected, axis=-1)
            gaps = np.linalg.norm(run.expected - goal, axis=-1) / size
            errors.append(float(np.where(np.isfinite(gaps), gaps, np.inf).max()))
            dots = (run.expected * goal).sum(axis=-1)
            cosines.append(float(np.divide(dots, size * own, out=np.zeros_like(own), where=own > 1e-14 * size).min()))
        out[name] = Distance(max(errors), min(cosines))
    return out
