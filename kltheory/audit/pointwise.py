"""The running function sample by sample: its value and its derivative by log π at any log-probabilities."""

from dataclasses import dataclass

import numpy as np

from kltheory.audit.layout import arrays, slope
from kltheory.audit.recovered import Reading, Recovered
from kltheory.audit.roles import Role
from kltheory.tracing.trace import Floats


@dataclass(frozen=True, eq=False)
class Samples:
    """What the function gave.

    Attributes:
        value: s, nats, the shape asked for; for a sum over the vocabulary one number for each token.
        slope: ∂s/∂logp, the shape asked for; for logits the derivative by the logits.
    """

    value: Floats
    slope: Floats


def pointwise(found: Recovered, logp: Floats, ref: Floats, old: Floats, dtype: str = "float64") -> Samples:
    """Run the function on these samples; a function that aggregates is called once for each token.

    Args:
        found: the subject, with its layout and its reading.
        logp: log π; the last axis is the vocabulary if the function sums over it.
        ref: log π_ref, the same shape.
        old: log π_old, the same shape.
        dtype: what they are cast to.

    Raises:
        Raised: the function raises.
    """
    tail = logp.shape[-1:] if found.reading is Reading.VOCABULARY else ()
    rows = [a.reshape((-1, *tail)) for a in (logp, ref, old)]
    batches = [slice(0, len(rows[0]))] if found.takes_many else [slice(i, i + 1) for i in range(len(rows[0]))]
    values, slopes = zip(*(_batch(found, [r[b] for r in rows], dtype) for b in batches), strict=True)
    shape = logp.shape[:-1] if found.reading is Reading.VOCABULARY else logp.shape
    return Samples(np.concatenate(values).reshape(shape), np.concatenate(slopes).reshape(logp.shape))


def _batch(found: Recovered, columns: list[Floats], dtype: str) -> tuple[Floats, Floats]:
    tokens = len(columns[0])
    rank = len(found.layout.tokens)
    lead = (1,) * (rank - 1) + (tokens,) if rank else ()
    tail = columns[0].shape[1:]
    if found.subject.is_over_vocabulary and not tail:
        return _gathered(found, columns, lead, dtype)
    policy, ref, old = (c.reshape(lead + tail) for c in columns)
    at = arrays(policy, ref, old, np.ones(lead))
    value, slopes = found.subject.run(at, dtype)
    value = value.sum(axis=-1) if tail and value.shape == lead + tail else value
    whole = np.broadcast_to(value.reshape(-1) if value.size > 1 else value.reshape(()), (tokens,))
    return whole, slope(slopes, at).reshape(columns[0].shape)


def _gathered(found: Recovered, columns: list[Floats], lead: tuple[int, ...], dtype: str) -> tuple[Floats, Floats]:
    """Logits of two actions, of which the first was sampled and has the log-probabilities asked for.

    The derivative by its log-probability is that by its logit over 1 - π, since ∂logp_0/∂logit_0 = 1 - π_0.
    """
    policy, ref, old = (np.stack([c, np.log(-np.expm1(c))], axis=-1).reshape((*lead, 2)) for c in columns)
    at = arrays(policy, ref, old, np.ones(lead))
    value, slopes = found.subject.run(at, dtype)
    by_logit = slopes[Role.LOGITS].reshape(-1, 2)[:, 0]
    return np.broadcast_to(value.reshape(-1), columns[0].shape), by_logit / -np.expm1(columns[0])
