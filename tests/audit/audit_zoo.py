"""JAX functions to audit, as public code writes them, and what an independent sum through them takes to call them."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient as sg


@dataclass(frozen=True)
class Case:
    """A function; how the oracle calls it on (logp, ref, old); settings; roles given by hand."""

    function: Callable[..., Any]
    call: Callable[..., Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    summed: bool = False
    gradient_of: str = ""


ZOO: dict[str, Case] = {}


def row(call: Callable[..., Any], gradient_of: str, **kw: Any) -> Callable[[Any], Any]:
    """A new case; ``gradient_of`` as a loss, on-policy, at the reference."""

    def enter(function: Any) -> Any:
        name = getattr(function, "__name__", "partial")
        ZOO[name] = Case(function, functools.partial(call, function), gradient_of=gradient_of, **kw)
        return function

    return enter


def two(f: Any, p: Any, r: Any, o: Any) -> Any:
    return f(p, r)


def three(f: Any, p: Any, r: Any, o: Any) -> Any:
    return f(p, r, o)


def one_by_one(f: Any, p: Any, r: Any, o: Any) -> Any:
    return jax.vmap(f)(p, r)


# --- estimators, in every spelling ------------------------------------------------------------------------------------
@row(two, "zero")
def k1(logp, ref_logp):
    return logp - ref_logp


@row(two, "reverse_kl")
def k2(log_probs, ref_log_probs):
    return (log_probs - ref_log_probs) ** 2 / 2


@row(two, "1/10000*reverse_kl")
def small_k2(log_probs, ref_log_probs):
    return 1e-4 * (log_probs - ref_log_probs) ** 2 / 2


@row(lambda f, p, r, o: f(r, p), "forward_kl")
def k3(ref_logp, logp):
    return jnp.exp(ref_logp - logp) - 1 - (ref_logp - logp)


@row(two, "2*total_variation")
def absolute(logp, logp_ref):
    return jnp.abs(logp - logp_ref)


@row(two, "1/2*pearson_chi2")
def k3_of_the_inverse_ratio(logprobs, ref_logprobs):
    log_ratio = logprobs - ref_logprobs
    return jnp.exp(log_ratio) - 1 - log_ratio


@row(two, "-squared_hellinger")
def hellinger(logp, ref_logp):
    return 2 * (1 - jnp.exp(0.5 * (ref_logp - logp)))


@row(two, "f_divergence")
def softplus(logp, ref_logp):
    return jax.nn.softplus(logp - ref_logp)


@row(two, "reverse_kl")
def huber(logp, ref_logp):
    d = logp - ref_logp
    return jnp.where(jnp.abs(d) < 1.0, 0.5 * d * d, jnp.abs(d) - 0.5)


@row(two, "forward_kl")
def clamped_k3(logp, ref_logp):
    d = jnp.clip(ref_logp - logp, -20, 20)
    return jnp.clip(jnp.exp(d) - d - 1, -10, 10)


@row(lambda f, p, r, o: f(p - r), "2*reverse_kl", arguments={"log_ratio": "x"})
def of_the_log_ratio(x):
    return x**2


@row(lambda f, p, r, o: f(p - r, jnp.exp(p - o)), "forward_kl")
def of_log_ratio_and_weight(log_ratio, is_weight):
    return sg(is_weight) * (jnp.exp(-log_ratio) - 1 + log_ratio)


# --- callables that weight or detach by themselves --------------------------------------------------------------------
@row(three, "reverse_kl")
def ppo_ratio(logp, ref_logp, old_logp):
    d = ref_logp - logp
    return jnp.exp(logp - old_logp) * (jnp.exp(d) - d - 1)


@row(three, "reverse_kl")
def truncated_weight(logp, ref_logp, old_logp):
    return jnp.minimum(sg(jnp.exp(logp - old_logp)), 2.0) * 0.5 * (logp - ref_logp) ** 2


@row(three, "reverse_kl")
def clipped_maximum(logp, ref_logp, old_logp):
    w, kl = jnp.exp(logp - old_logp), sg(logp - ref_logp)
    return jnp.maximum(w * kl, jnp.clip(w, 0.8, 1.2) * kl)


@row(two, "reverse_kl")
def score_function(logp, ref_logp):
    return sg(logp - ref_logp) * logp


@row(two, "reverse_kl")
def straight_through(logp, ref_logp):
    d = logp - ref_logp
    return sg(jnp.exp(-d) - 1 + d) - sg(d**2 / 2) + d**2 / 2


@row(lambda f, p, r, o: f(p, o), "zero")
def towards_the_old_policy(new_logp, old_logp):
    return old_logp - new_logp


# --- shapes, decorators, containers -----------------------------------------------------------------------------------
@row(two, "none")
@jax.jit
def jitted(logp, ref_logp):
    return jnp.exp(logp - ref_logp) * (logp - ref_logp)


@row(one_by_one, "reverse_kl")
def of_scalars(logp, ref_logp):
    assert logp.ndim == 0
    return (logp - ref_logp) ** 2 / 2


@row(lambda f, p, r, o: f(policy_logprobs=p, reference_logprobs=r), "reverse_kl")
def by_keyword(*, policy_logprobs, reference_logprobs):
    return (policy_logprobs - reference_logprobs) ** 2 / 2


@row(two, "reverse_kl")
def by_position(logp, ref, /):
    return (logp - ref) ** 2 / 2


@row(lambda f, p, r, o: f(lp=p, lq=r), "reverse_kl", arguments={"logp": "lp", "logp_ref": "lq"})
def by_any_keyword(**given):
    return (given["lp"] - given["lq"]) ** 2 / 2


@row(lambda f, p, r, o: f(p, r)["loss"], "reverse_kl")
def a_dict(logp, ref_logp):
    return {"loss": (logp - ref_logp) ** 2 / 2, "kl": sg(logp - ref_logp)}


@row(lambda f, p, r, o: f(p, r)[0], "reverse_kl")
def a_tuple(logp, ref_logp):
    return (logp - ref_logp) ** 2 / 2, {"kl": logp - ref_logp}


# --- sums over the vocabulary -----------------------------------------------------------------------------------------
@row(two, "reverse_kl", summed=True)
def of_logits(logits, ref_logits):
    lp, lq = jax.nn.log_softmax(logits), jax.nn.log_softmax(ref_logits)
    return (jnp.exp(lp) * (lp - lq)).sum(-1)


@row(two, "zero", summed=True)
def of_logits_with_detached_weights(logits, ref_logits):
    lp, lq = jax.nn.log_softmax(logits), jax.nn.log_softmax(ref_logits)
    return (sg(jnp.exp(lp)) * (lp - lq)).sum(-1)


@row(two, "jensen_shannon", summed=True)
def jensen_shannon(student_logits, teacher_logits):
    lp, lq = jax.nn.log_softmax(student_logits), jax.nn.log_softmax(teacher_logits)
    m = jnp.logaddexp(lp + jnp.log(0.5), lq + jnp.log(0.5))
    return 0.5 * (jnp.exp(lp) * (lp - m)).sum(-1) + 0.5 * (jnp.exp(lq) * (lq - m)).sum(-1)


@row(two, "reverse_kl", summed=True)
def of_log_probabilities(logp, logq):
    return jnp.sum(jnp.exp(logp) * (logp - logq), axis=-1)


@row(two, "forward_kl", summed=True)
def the_other_order(policy_logps, ref_logps):
    return (jnp.exp(ref_logps) * (ref_logps - policy_logps)).sum(-1)


@row(two, "none", summed=True)
def with_a_temperature(logits, ref_logits, temperature=2.0):
    lp, lq = jax.nn.log_softmax(logits / temperature), jax.nn.log_softmax(ref_logits / temperature)
    return (jnp.exp(lp) * (lp - lq)).sum(-1)
