"""Functions to audit, as people write them: some right, some wrong on purpose."""

import time

import jax
import jax.numpy as jnp


def k1(logp, ref_logp):
    return logp - ref_logp


def k2(logp, ref_logp):
    return 0.5 * jnp.square(logp - ref_logp)


def k3(logp, ref_logp):
    return jnp.exp(ref_logp - logp) - 1 + (logp - ref_logp)


def absolute(logp, ref_logp):
    return jnp.abs(logp - ref_logp)


def selected(log_probs, ref_log_probs, kind):
    if kind == "k1":
        return k1(log_probs, ref_log_probs)
    if kind == "k3":
        return k3(log_probs, ref_log_probs)
    raise ValueError(f"no estimator is called {kind}")


def numbered(logp, ref_logp, kind):
    if kind == 1:
        return k1(logp, ref_logp)
    return k2(logp, ref_logp) if kind == 2 else k3(logp, ref_logp)


def first_token_apart(logp, ref_logp):
    return k1(logp, ref_logp)[..., 0].sum() + k2(logp, ref_logp)[..., 1:].sum()


def centred(logp, ref_logp):
    log_ratio = logp - ref_logp
    return jnp.square(log_ratio - log_ratio.mean())


def k3_exchanged(logp, ref_logp):
    return k3(ref_logp, logp)


def k2_negated(logp, ref_logp):
    return -k2(logp, ref_logp)


def k1_detached(logp, ref_logp):
    return jax.lax.stop_gradient(k1(logp, ref_logp))


def k2_weighted(logp, ref_logp, old_logp):
    return jax.lax.stop_gradient(jnp.exp(logp - old_logp)) * k2(logp, ref_logp)


def k2_weighted_twice(logp, ref_logp, old_logp):
    return jax.lax.stop_gradient(jnp.exp(logp - old_logp)) * k2_weighted(logp, ref_logp, old_logp)


def k3_clamped(logp, ref_logp):
    return jnp.clip(k3(logp, ref_logp), -10, 10)


def k2_wide(logp, ref_logp):
    return jnp.clip(k2(logp, ref_logp), 0, 1000)


def token_mean(logp, ref_logp, mask):
    return (k2(logp, ref_logp) * mask).sum() / mask.sum()


def sequence_mean(logp, ref_logp, mask):
    return ((k2(logp, ref_logp) * mask).sum(-1) / mask.sum(-1)).mean()


def token_sum(logp, ref_logp, mask):
    return (k2(logp, ref_logp) * mask).sum()


def fixed_budget(logp, ref_logp, mask):
    return (k2(logp, ref_logp) * mask).sum() / 1000


def padded_mean(logp, ref_logp, mask):
    return (k2(logp, ref_logp) * mask).mean()


def masked_safely(logp, ref_logp, mask):
    log_ratio = jnp.where(mask > 0, logp - ref_logp, 0)
    return jnp.square(log_ratio).sum() / (2 * mask.sum())


def whole_vocabulary(logits, ref_logits):
    log_pi, log_ref = jax.nn.log_softmax(logits), jax.nn.log_softmax(ref_logits)
    return (jnp.exp(log_pi) * (log_pi - log_ref)).sum(-1)


def whole_vocabulary_forward(logits, ref_logits):
    log_pi, log_ref = jax.nn.log_softmax(logits), jax.nn.log_softmax(ref_logits)
    return (jnp.exp(log_ref) * (log_ref - log_pi)).sum(-1)


def prints(logp, ref_logp):
    print("inside the function")  # noqa: T201
    return k2(logp, ref_logp)


def gives_text(logp, ref_logp):
    return "0.5"


def gives_seven(logp, ref_logp):
    return jnp.zeros(7) * logp.sum()


def unnamed(x, y):
    return x - y


def sleeps(logp, ref_logp):
    while True:
        try:
            time.sleep(1)
        except Exception:
            continue


class Penalty:
    """An object with a method."""

    def __init__(self, kind="k2"):
        self.kind = kind

    def value(self, logprob, ref_logprob):
        return {"k2": k2, "k3": k3}[self.kind](logprob, ref_logprob)


class Trainer:
    """A trainer that cannot be made here; its loss reads all it needs from objects."""

    def __init__(self, model):
        raise RuntimeError("it wants a model")

    def compute_loss(self, model, inputs):
        logps = self._per_token_logps(model, inputs["input_ids"])
        penalty = k3(logps, inputs["ref_per_token_logps"])
        ratio = jnp.exp(logps - inputs["old_per_token_logps"])
        per_token = self.args.beta * penalty - ratio * inputs["advantages"]
        return (per_token * inputs["completion_mask"]).sum() / inputs["completion_mask"].sum()
