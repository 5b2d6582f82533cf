"""The running function sample by sample: its value and its derivative by log π at any log-probabilities."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from kltheory.audit.layout import arrays, slope
from kltheory.audit.reading import Entries, Reading
from kltheory.audit.roles import Role
from kltheory.tracing.trace import Floats

TOGETHER: Final = 72
"""Samples are passed in multiples of so many, the first ones again after the last: one shape, compiled once."""


@dataclass(frozen=True, eq=False)
class Samples:
    """What the function gave.

    Attributes:
        value: s, nats, the shape asked for; for a sum over the vocabulary one number for each token.
        slope: ∂s/∂logp, the shape asked for; for logits the derivative by the logits.
    """

    value: Floats
    slope: Floats


def pointwise(found: Reading, logp: Floats, ref: Floats, old: Floats, dtype: str = "float64") -> Samples:
    """Run the function on these samples; a function that aggregates is called once for each token.

    Args:
        found: the subject, with its layout.
        logp: log π; the last axis is the vocabulary if the function sums over it.
        ref: log π_ref, the same shape.
        old: log π_old, the same shape.
        dtype: what they are cast to.

    Raises:
        Raised: the function raises.
    """
    tail = logp.shape[-1:] if found.sums_vocabulary else ()
    rows = [a.reshape((-1, *tail)) for a in (logp, ref, old)]
    count = len(rows[0])
    if found.takes_many:
        whole = -(-count // TOGETHER) * TOGETHER
        rows = [np.resize(a, (whole, *tail)) for a in rows]
    batches = [slice(0, len(rows[0]))] if found.takes_many else [slice(i, i + 1) for i in range(count)]
    values, slopes = zip(*(_batch(found, [r[b] for r in rows], dtype) for b in batches), strict=True)
    shape = logp.shape[:-1] if found.sums_vocabulary else logp.shape
    value, by_logp = (np.concatenate(parts)[:count] for parts in (values, slopes))
    return Samples(value.reshape(shape), by_logp.reshape(logp.shape))


def apart(l: Floats) -> tuple[Floats, Floats]:
    """log π and log π_ref with these log-ratios: the larger is -1."""
    return -1.0 + np.minimum(l, 0.0), -1.0 - np.maximum(l, 0.0)


def at_log_ratios(found: Reading, l: Floats, dtype: str) -> Samples:
    """The function at these log-ratios, shape (N,), w = 1; of a sum over the vocabulary beside two more actions.

    Raises:
        Raised: the function raises.
    """
    policy, ref = apart(l)
    if found.sums_vocabulary:
        policy, ref = (np.stack([x, np.full(l.shape, -0.5), np.full(l.shape, -1.5)], axis=-1) for x in (policy, ref))
    with np.errstate(all="ignore"):
        return pointwise(found, policy, ref, policy, dtype)


def _batch(found: Reading, columns: list[Floats], dtype: str) -> tuple[Floats, Floats]:
    tokens = len(columns[0])
    rank = len(found.layout.tokens)
    lead = (1,) * (rank - 1) + (tokens,) if rank else ()
    tail = columns[0].shape[1:]
    if found.entries is Entries.ACTION:
        return _gathered(found, columns, dtype)
    policy, ref, old = (c.reshape(lead + tail) for c in columns)
    at = arrays(policy, ref, old, np.ones(lead))
    value, slopes = found.subject.run(at, dtype)
    value = value.sum(axis=-1) if tail and value.shape == lead + tail else value
    whole = np.broadcast_to(value.reshape(-1) if value.size > 1 else value.reshape(()), (tokens,))
    return whole, slope(slopes, at).reshape(columns[0].shape)


def by_action(found: Reading, logp: Floats, ref: Floats, old: Floats, dtype: str = "float64") -> Samples:
    """A function of logits and a sampled action, on every action of every setting, shape (N, V).

    The value has an entry for each action, the slope one more axis: the derivative by all the logits.

    Raises:
        Raised: the function raises.
    """
    n, v = logp.shape
    rows = [np.repeat(a, v, axis=0) for a in (logp, ref, old)]
    taken = np.tile(np.arange(v, dtype=float), n)
    batches = [slice(0, n * v)] if found.takes_many else [slice(i, i + 1) for i in range(n * v)]
    values, slopes = zip(*(_taken(found, [r[b] for r in rows], taken[b], dtype) for b in batches), strict=True)
    return Samples(np.concatenate(values).reshape(n, v), np.concatenate(slopes).reshape(n, v, v))


def _taken(found: Reading, columns: list[Floats], taken: Floats, dtype: str) -> tuple[Floats, Floats]:
    """Value and derivative by the logits where these actions were taken, one a token."""
    tokens, rank = len(taken), len(found.layout.tokens)
    lead = (1,) * (rank - 1) + (tokens,) if rank else ()
    policy, ref, old = (c.reshape((*lead, c.shape[-1])) for c in columns)
    at = arrays(policy, ref, old, np.ones(lead))
    at[Role.ACTIONS] = taken.reshape(lead)
    value, slopes = found.subject.run(at, dtype)
    by_logits = slope(slopes, at).reshape(columns[0].shape)
    return np.broadcast_to(value.reshape(-1) if value.size > 1 else value.reshape(()), (tokens,)), by_logits


REST: Final = np.log([0.6, 0.4])
"""How the probability of the actions that were not sampled falls to two of them."""


def _gathered(found: Reading, columns: list[Floats], dtype: str) -> tuple[Floats, Floats]:
    """Logits of three actions, of which the first was sampled and has the log-probabilities asked for.

    The derivative by its log-probability is that by its logit over 1 - π, since ∂logp_0/∂logit_0 = 1 - π_0.
    """
    three = [np.concatenate([c[:, None], np.log(-np.expm1(c))[:, None] + REST], axis=1) for c in columns]
    value, slopes = _taken(found, three, np.zeros(len(columns[0])), dtype)
    return value, slopes[:, 0] / -np.expm1(columns[0])
