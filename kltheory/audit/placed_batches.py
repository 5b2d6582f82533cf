"""Expected gradients of whole batches: every choice of actions is run, in every placement, under every sampler."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from kltheory.audit.batches import Batch, Outcome, enumerated, run
from kltheory.audit.reading import Reading
from kltheory.calculus.placement import WEIGHTS, Placement, placements
from kltheory.calculus.surrogate import Sampler
from kltheory.tracing.trace import Floats

SPREADS: Final = (0.3, 1.0, 2.5)

Expectations = Mapping[Placement, list[Floats]]
"""For each setting the expected gradient by the logits, shape (B, T, V)."""


def expectations(found: Reading, rank: int, per_response: bool, kind: str) -> Expectations:
    """The exact expected gradients of a function; weights in front only where each token has an output.

    ``kind`` is that of the batches: ``masked``, ``whole`` or ``alone``.

    Raises:
        Raised: the function raises.
    """
    out: dict[Placement, list[Floats]] = defaultdict(list)
    for seed, spread in enumerate(SPREADS):
        for sampler in Sampler:
            sums: dict[Placement, Floats] = {}
            for batch in enumerated(seed, spread, per_response, kind):
                drew = batch.logp if sampler is Sampler.POLICY else batch.old
                here = replace(batch, old=batch.logp, sampler=batch.logp) if sampler is Sampler.POLICY else batch
                chance = float(np.exp((batch.of_action(drew) * batch.mask).sum()))
                for key, each in _placed(run(found.subject, here, rank), here, sampler).items():
                    sums[key] = sums.get(key, 0.0) + chance * each
            for key, total in sums.items():
                out[key].append(total)
    return out


def _placed(outcome: Outcome, batch: Batch, who: Sampler) -> dict[Placement, Floats]:
    """What one sample contributes to each expected gradient."""
    score = -np.exp(batch.logp)
    np.put_along_axis(score, batch.taken, 1 + batch.of_action(score)[..., None], axis=-1)
    shape = batch.mask.shape
    per_token = outcome.value.size == batch.mask.size
    value = outcome.value.reshape(shape) if per_token else outcome.value.sum() * np.ones(shape)
    value = value * batch.mask
    w = np.exp(batch.of_action(batch.logp) - batch.of_action(batch.old)) if per_token else np.ones(shape)
    found = {}
    for placement in placements(weights=tuple(WEIGHTS) if per_token else ("none",), who=(who,)):
        factor = np.ones(shape) if placement.weight == "none" else w
        scored = (factor * value)[..., None] * score
        live = scored if placement.weight == "live" else 0.0
        found[placement] = scored if placement.where == "reward" else factor[..., None] * outcome.slope + live
    return found
