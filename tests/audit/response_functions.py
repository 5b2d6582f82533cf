"""Losses of whole responses, arrays of shape (B, T), as trainers write them: some right, some wrong on purpose."""

import jax
import jax.numpy as jnp


def k1(logp, ref_logp):
    return logp - ref_logp


def k2(logp, ref_logp):
    return 0.5 * (logp - ref_logp) ** 2


def k3(logp, ref_logp):
    return jnp.exp(ref_logp - logp) - 1 + (logp - ref_logp)


def k3_capped(logp, ref_logp):
    return jnp.clip(k3(logp, ref_logp), max=0.5)


def k2_sum(logp, ref_logp, mask):
    return 0.2 * (k2(logp, ref_logp) * mask).sum()


def k2_with_a_small_weight(logp, ref_logp, mask):
    return 1e-5 * (k2(logp, ref_logp) * mask).sum()


def k2_token_mean(logp, ref_logp, mask):
    return (k2(logp, ref_logp) * mask).sum() / mask.sum()


def k2_fixed_budget(logp, ref_logp, mask):
    return (k2(logp, ref_logp) * mask).sum() / mask.shape[-1]


def k2_of_the_response(logp, ref_logp, mask):
    return 0.5 * ((logp - ref_logp) * mask).sum(-1) ** 2


def k3_prefix_weight(logp, ref_logp, old_logp, mask):
    weight = jnp.exp(jnp.cumsum((logp - old_logp) * mask, axis=-1))
    return weight * k3(logp, ref_logp) * mask


def k3_suffix_weight(logp, ref_logp, old_logp, mask):
    weight = jnp.exp(jnp.cumsum(((logp - old_logp) * mask)[:, ::-1], axis=-1)[:, ::-1])
    return weight * k3(logp, ref_logp) * mask


def k3_negated_prefix_weight(logp, ref_logp, old_logp, mask):
    return -k3_prefix_weight(logp, ref_logp, old_logp, mask)


def geometric_weight(logp, ref_logp, old_logp, mask):
    weight = jnp.exp(((logp - old_logp) * mask).sum(-1) / mask.sum(-1))
    return weight * (k3(logp, ref_logp) * mask).sum(-1)


def clipped_geometric_weight(logp, ref_logp, old_logp, mask):
    weight = jnp.exp(((logp - old_logp) * mask).sum(-1) / mask.sum(-1))
    return jnp.clip(weight, 0.5, 1.5) * (k3(logp, ref_logp) * mask).sum(-1)


def exact_kl(logits, ref_logits):
    p, q = jax.nn.log_softmax(logits), jax.nn.log_softmax(ref_logits)
    return (jnp.exp(p) * (p - q)).sum(-1)


def k2_of_logits(logits, ref_logits, labels):
    p, q = (jnp.take_along_axis(jax.nn.log_softmax(x), labels[..., None], -1)[..., 0] for x in (logits, ref_logits))
    return k2(p, q)


def centred(logp, ref_logp):
    log_ratio = logp - ref_logp
    return (log_ratio - log_ratio.mean()) ** 2


def standardised(logp, ref_logp, mask):
    """Of a response of one token the spread is zero."""
    n = mask.sum(-1, keepdims=True)
    gap = (logp - ref_logp) * mask
    centred = (gap - gap.sum(-1, keepdims=True) / n) * mask
    return centred / jnp.sqrt((centred**2).sum(-1, keepdims=True) / n) * logp


def flat(logp, ref_logp):
    (tokens,) = logp.shape
    return k2(logp, ref_logp).reshape(tokens)
