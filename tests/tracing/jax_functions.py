"""JAX functions of the shapes people have: each is a row of :data:`CASES`, and the tests find it by themselves."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.ad_checkpoint import checkpoint_name
from sympy import Symbol

from kltheory.tracing.trace import Input

stop = jax.lax.stop_gradient

NAMES = ("logp", "ref", "old")
POINTS = np.random.default_rng(7).uniform(-2.3, -0.1, (len(NAMES), 24))
"""Generic points: log-probabilities, no two alike."""


def inputs_of(*shape: int, mask: Any = None) -> dict[str, Input]:
    """The three arguments, entry by entry a symbol; and a mask, whose entries are numbers."""
    inputs = {}
    for name, row in zip(NAMES, POINTS, strict=True):
        exprs = np.empty(shape, dtype=object)
        for i in np.ndindex(*shape):
            exprs[i] = Symbol(name + "".join(map(str, i)), real=True)
        inputs[name] = Input(row[: exprs.size].reshape(shape), exprs)
    if mask is not None:
        inputs["mask"] = Input(np.array(mask, float), np.array(mask, dtype=object))
    return inputs


CASES: dict[str, tuple[Callable[..., Any], dict[str, Input], dict[str, Any]]] = {}


def case(*shape: int, mask: Any = None, **config: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A row: the function, the shape of its inputs, (3,) unless given, its constant mask, its configuration."""

    def add(fn: Callable[..., Any]) -> Callable[..., Any]:
        name = "-".join([fn.__name__, *(v for v in config.values() if isinstance(v, str))])
        CASES[name] = fn, inputs_of(*(shape or (3,)), mask=mask), config
        return fn

    return add


MASK = ((1, 1, 0), (1, 0, 0))


@case(kind="k1")
@case(kind="abs")
@case(kind="k2", clamp=0.3)
@case(kind="k3")
@case(kind="k3_expm1")
@case(kind="k3_clamped")
def estimator(logp, ref, old, kind, clamp=None):
    """The selector most libraries have."""
    ratio = logp - ref
    if clamp is not None:
        ratio = jnp.clip(ratio, -clamp, clamp)
    match kind:
        case "k1":
            return ratio
        case "abs":
            return jnp.abs(ratio)
        case "k2":
            return jnp.square(ratio) / 2
        case "k3":
            return jnp.exp(-ratio) - 1 + ratio
        case "k3_expm1":
            return jnp.expm1(-ratio) + ratio
        case "k3_clamped":
            return jnp.clip(jnp.exp(jnp.clip(-ratio, -20, 20)) - 1 + ratio, max=0.05, min=-10)
    raise ValueError(kind)


@case()
def straight_through(logp, ref, old):
    """The value of k3 with the gradient of k2."""
    k2, k3 = (logp - ref) ** 2 / 2, jnp.exp(ref - logp) - 1 - (ref - logp)
    return k2 + stop(k3 - k2)


@case()
def in_reward(logp, ref, old):
    """The detached penalty times the score, with a live weight."""
    return jnp.exp(logp - old) * stop(0.04 * (logp - ref)) * logp


@case(epsilon=0.2)
def ppo(logp, ref, old, epsilon):
    ratio, advantage = jnp.exp(logp - old), jnp.array([1.0, -0.5, 2.0])
    return -jnp.minimum(ratio * advantage, jnp.clip(ratio, 1 - epsilon, 1 + epsilon) * advantage)


@case(2, 3, mask=MASK)
def grpo(logp, ref, old, mask):
    ratio = jnp.exp(logp - stop(logp))
    per_token = -(ratio * 0.5 - 0.04 * (jnp.exp(ref - logp) - (ref - logp) - 1))
    return ((per_token * mask).sum(axis=1) / mask.sum(axis=1)).mean()


@case(2, 3, keep=np.array(MASK, bool))
def mean_where(logp, ref, old, keep):
    return jnp.mean(logp - ref, where=keep) + jnp.sum(jnp.where(keep, logp, 0)) / jnp.maximum(keep.sum(), 1)


@case(2, 3, mask=MASK)
def masked_mean(logp, ref, old, mask):
    """Masks as numbers: counted, compared, cast, looked up."""
    last = mask.sum(-1).astype(int) - 1
    ends = jnp.take_along_axis(ref, last[:, None], axis=1)[:, 0] * logp[jnp.arange(2), jnp.argmax(mask, -1)]
    safe = jnp.where(mask.astype(bool), logp - ref, 0.0)
    decayed = jnp.sum(jnp.exp(safe) * mask * 0.9 ** jnp.cumsum(mask, -1)) / jnp.maximum(mask.sum(), 1)
    return decayed + jnp.sum(ends) / jnp.count_nonzero(mask)


@case(2, 3, mode="token-mean")
@case(2, 3, mode="seq-mean-token-sum")
def aggregated(mode, **arrays):
    loss = jnp.expm1(arrays["ref"] - arrays["logp"])
    return loss.mean() if mode == "token-mean" else loss.sum(-1).mean()


@case()
def nested_jit(logp, ref, old):
    inner = jax.jit(lambda x, scale: jnp.tanh(x) * stop(x) * scale, static_argnames="scale")
    return jax.jit(lambda x: inner(x, scale=0.3) + inner(2 * x, scale=3))(logp - ref)


@case(2, 3)
def vmapped(logp, ref, old):
    return jax.vmap(jax.vmap(lambda a, b: jnp.where(a > b, stop(a) * b, a * a)))(logp, ref)


@case(1, 2, 3, tokens=np.array([[2, 0]]))
def log_probability_of_tokens(logp, ref, old, tokens):
    """Logits of shape (B, T, V) in, the log-probability of each token out."""
    taken = jnp.take_along_axis(jax.nn.log_softmax(logp / 0.7, axis=-1), tokens[..., None], axis=-1).squeeze(-1)
    chosen = (ref * jax.nn.one_hot(tokens, 3)).sum(-1) - jax.nn.logsumexp(ref, axis=-1)
    return (taken - stop(chosen)).mean(-1)


@case(2, 3)
def full_vocabulary_kl(logp, ref, old):
    p, q = jax.nn.log_softmax(logp), jax.nn.log_softmax(ref)
    entropy = jax.nn.logsumexp(old, axis=-1) - (jax.nn.softmax(old) * old).sum(-1)
    return (jnp.exp(p) * (p - q)).sum(-1) + entropy


@case(2, 3)
def own_log_softmax(logp, ref, old):
    """The maximum is subtracted without a stop-gradient, and divided out again."""
    e = jnp.exp(logp - logp.max(-1, keepdims=True))
    return jnp.log(e / e.sum(-1, keepdims=True)) * stop(jax.nn.softmax(ref))


@case(banned=np.array([False, True, False]))
def masked_logits(logp, ref, old, banned):
    """The entry that is -∞ has no derivative worth the name, and is not looked at."""
    return jnp.where(banned, 0, jax.nn.log_softmax(jnp.where(banned, -jnp.inf, logp)))


@case(2, 3)
def largest(logp, ref, old):
    """A maximum that is the result."""
    return jnp.max(logp - ref, axis=-1) - jnp.min(old, axis=0).sum()


@jax.custom_jvp
def guarded_exp(x):
    return jnp.exp(jnp.minimum(x, 30.0))


guarded_exp.defjvp(lambda primals, tangents: (guarded_exp(*primals), jnp.exp(primals[0]) * tangents[0]))


@jax.custom_vjp
def scaled(x):
    return 3 * x


scaled.defvjp(lambda x: (3 * x, None), lambda _, g: (3 * g,))


@case()
def custom_rules(logp, ref, old):
    return guarded_exp(logp - ref) * scaled(logp) + jax.nn.relu(logp + 1) + jax.nn.silu(ref)


@case()
def preference(logp, ref, old):
    """DPO's loss, and a reward model's."""
    return -jax.nn.log_sigmoid(0.1 * (logp - ref)) + jax.nn.softplus(old) + jnp.logaddexp(logp, ref)


@case()
def powers(logp, ref, old):
    far = 1 - ref
    roots = jnp.sqrt(logp**2 + 1) + jax.lax.rsqrt(far) + jax.nn.sigmoid(logp - ref) * jnp.log1p(jnp.exp(old))
    return roots + logp**3 + far**0.5 + (1 - old) ** -1.5 + jnp.exp2(logp) + jnp.log2(far) + far ** (logp - old)


@case()
def conditions(logp, ref, old):
    over = (logp > ref) & ~(old < -1.2)
    inner = jnp.where((logp >= ref) ^ (old <= -1), stop(logp) * ref, old)
    nested = jnp.where((inner > -1) != (ref > old), inner * logp, jnp.sign(logp - old) * ref)
    listed = jnp.select([logp < ref, logp < old, ref < -1], [logp, ref * logp, old], 0.5)
    return nested + listed + (logp > -1).astype(logp.dtype) * ref + over.astype(int) * old


@case()
def counted(logp, ref, old):
    """A mean over the entries that pass a test."""
    keep = logp - ref > 0.1
    return jnp.sum(jnp.where(keep, logp * ref, 0)) / jnp.maximum(keep.sum(), 1)


@case()
def control_flow(logp, ref, old):
    """A branch on a number, and rewards to go by a scan from the end."""
    _, returns = jax.lax.scan(lambda c, r: (0.9 * c + r,) * 2, 0.0, stop(logp - ref), reverse=True)
    squared = jax.lax.cond(logp[0] > ref[0], lambda x: x**2, lambda x: stop(x) * x, logp)
    return returns * logp + jax.lax.fori_loop(0, 2, lambda i, c: c + logp[i] * ref, squared)


@case()
def cumulative(logp, ref, old):
    later = jnp.cumsum((logp - ref)[::-1])[::-1]
    extremes = jnp.prod(ref) * jax.lax.cummax(logp) - jax.lax.cummin(old) + jax.lax.cumlogsumexp(ref)
    all_or_any = jnp.where(jnp.all(logp < 0) & jnp.any(old < -1), extremes, ref)
    return stop(later) * logp + jnp.cumprod(ref) + jnp.cumsum(old) / jnp.arange(1, 4) + all_or_any


@case()
def shifted(logp, ref, old):
    """Padding, slices, concatenation, updates: entries on the move."""
    moved = jnp.concatenate([logp[1:], ref[:1]]) * jnp.roll(old, 1) + jnp.pad(logp[:1], (1, 1), constant_values=0.5)
    updated = moved.at[0].set(ref[2]).at[jnp.array([1, 2])].add(old[:2])
    return jnp.stack([updated, jnp.tile(ref[:1], 3)]).T.reshape(2, 3).transpose()[:, ::-1]


@case()
def moved_about(logp, ref, old):
    """What a compiler or a data pipeline puts in between."""
    x, y = jax.lax.optimization_barrier((jnp.array(logp, copy=True), jax.device_put(ref)))
    first, rest = jnp.split(checkpoint_name(x, "kept"), [1])
    a, b, c = jnp.unstack(y * stop(y))
    window = jax.lax.dynamic_slice(old, (np.int32(1),), (2,)) * rest
    return jax.lax.dynamic_update_slice(jnp.stack([a * b, c, first[0]]), window, (np.int32(1),))


@case(2, 3)
def contracted(logp, ref, old):
    return jnp.einsum("bt,st->bs", logp, ref) @ old[:, 0] + jnp.dot(logp[0], old[1]) + jnp.vdot(logp, stop(ref))


@case(2, 3)
def normalised(logp, ref, old):
    """Advantages normalised over the batch, and detached."""
    r = logp - ref
    return stop((r - r.mean()) / (r.std() + 1e-4)) * logp + r / jnp.linalg.norm(old)


@case()
def derivative_inside(logp, ref, old):
    """A function that differentiates, and one that is rematerialised."""
    k3 = jax.grad(lambda x: (jnp.exp(-x) - 1 + x + stop(x) * x).sum())(logp - ref)
    return k3 * logp + jax.checkpoint(lambda x, y: jnp.sinh(x) * jnp.cosh(y) / (1 + jnp.abs(x)))(logp, ref)


@case()
def cleaned(logp, ref, old):
    x = jnp.nan_to_num(logp - ref, nan=0.0)
    return jnp.where(jnp.isfinite(x), jax.lax.clamp(-0.5, x, 0.5), 0) + jnp.where(jnp.isnan(x) | jnp.isinf(x), 9.0, x)


@case()
def single_precision(logp, ref, old):
    x = (logp - ref).astype(jnp.float32)
    return (jnp.exp(-x) - 1 + x) * jnp.float32(0.2)


@case()
def half_precision(logp, ref, old):
    return (logp.astype(jnp.bfloat16) * 0.2).astype(logp.dtype) * ref
