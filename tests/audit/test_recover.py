"""Recovery: the formula of one token, the weight that each token gets, and what couples them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kltheory.audit.binding import bind
from kltheory.audit.reading import Entries, Reading
from kltheory.audit.recover import recover
from kltheory.audit.target import of_function
from kltheory.report.audit_facts import aggregation


def recovered(function: Any) -> Reading:
    return recover(bind(of_function(function, framework="jax"), {}, {}))


def k2(logp: Any, ref_logp: Any) -> Any:
    return (logp - ref_logp) ** 2 / 2


AGGREGATIONS: dict[str, tuple[Any, str, Any]] = {
    "per token": (lambda logp, ref_logp, mask: k2(logp, ref_logp), "", 1),
    "sum": (lambda logp, ref_logp, mask: (k2(logp, ref_logp) * mask).sum(), "sum over tokens", 1),
    "sum of each sequence": (lambda logp, ref_logp, mask: (k2(logp, ref_logp) * mask).sum(-1), "sum over tokens", 1),
    "token mean": (
        lambda logp, ref_logp, mask: (k2(logp, ref_logp) * mask).sum() / mask.sum(),
        "mean over tokens",
        1 / 6,
    ),
    "mean that counts padding": (
        lambda logp, ref_logp, mask: (k2(logp, ref_logp) * mask).mean(),
        "mean over tokens",
        1 / 6,
    ),
    "mean of each sequence": (
        lambda logp, ref_logp, mask: (k2(logp, ref_logp) * mask).sum(-1) / mask.sum(-1),
        "mean over the tokens of each sequence",
        1 / 3,
    ),
    "sequence sums, mean": (
        lambda logp, ref_logp, mask: (k2(logp, ref_logp) * mask).sum(-1).mean(),
        "sum over the tokens, mean over sequences",
        1 / 2,
    ),
    "positions": (
        lambda logp, ref_logp, mask: (k2(logp, ref_logp) * jnp.arange(1.0, 1 + logp.shape[-1])).sum(),
        "tokens have different weights",
        [[1, 2, 3], [1, 2, 3]],
    ),
    "first token only": (
        lambda logp, ref_logp, mask: k2(logp, ref_logp)[..., :1].sum(),
        "tokens have different weights",
        [[1, 0, 0], [1, 0, 0]],
    ),
    "detached": (
        lambda logp, ref_logp, mask: jax.lax.stop_gradient(k2(logp, ref_logp) * mask).sum() / mask.sum(),
        "mean over tokens",
        1 / 6,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", AGGREGATIONS, ids=lambda n: n.replace(" ", "-"))
def test_the_weight_of_each_token(name: str) -> None:
    function, title, weights = AGGREGATIONS[name]
    found = recovered(function)
    assert found.formula in ("l**2/2", "sg(l**2/2)")
    assert not found.coupled
    assert found.per_token is (title == "")
    assert found.weights is not None
    np.testing.assert_allclose(found.weights, np.broadcast_to(weights, (2, 3)), rtol=1e-12)
    assert title in ("", aggregation(found)["name"])


def advantage_per_sequence(logp: Any, ref_logp: Any, advantages: Any, mask: Any) -> Any:
    return ((k2(logp, ref_logp) - logp * advantages[:, None]) * mask).sum() / mask.sum()


def advantage_per_token(logp: Any, ref_logp: Any, advantages: Any, mask: Any) -> Any:
    return ((k2(logp, ref_logp) - logp * advantages) * mask).sum() / mask.sum()


@pytest.mark.parametrize("function", [advantage_per_sequence, advantage_per_token], ids=["sequence", "token"])
def test_an_advantage_is_given_the_shape_that_the_function_means(function: Any) -> None:
    found = recovered(function)
    assert found.subject.per_sequence is (function is advantage_per_sequence)
    np.testing.assert_allclose(found.weights, 1 / 6, rtol=1e-12)


# --- coupled tokens ---------------------------------------------------------------------------------------------------
def squared_sum(logp: Any, ref_logp: Any) -> Any:
    return (logp - ref_logp).sum(-1) ** 2 / 2


def sequence_weight(logp: Any, ref_logp: Any, old_logp: Any) -> Any:
    return jnp.exp((logp - old_logp).mean(-1, keepdims=True)) * (logp - ref_logp)


def centred(logp: Any, ref_logp: Any) -> Any:
    return (logp - ref_logp) - (logp - ref_logp).mean()


def to_go(logp: Any, ref_logp: Any) -> Any:
    return jnp.cumsum(logp - ref_logp, -1)


def softmax_over_tokens(logp: Any, ref_logp: Any) -> Any:
    return jax.nn.softmax(logp) * (logp - ref_logp)


def running_maximum(logp: Any, ref_logp: Any) -> Any:
    return jnp.sort(logp - ref_logp, -1)


@pytest.mark.parametrize(
    "function", [squared_sum, sequence_weight, centred, to_go, softmax_over_tokens, running_maximum]
)
def test_coupled_tokens_are_told(function: Any) -> None:
    assert recovered(function).coupled


def test_a_batch_of_one_token_says_nothing_where_its_mean_is_taken_away() -> None:
    found = recovered(centred)
    assert found.how == "measured"
    assert "holds entries of other tokens" in found.coupled


# --- readings ---------------------------------------------------------------------------------------------------------
def picked(logits: Any, ref_logits: Any, actions: Any) -> Any:
    lp, lq = (jnp.take_along_axis(jax.nn.log_softmax(x), actions[..., None], -1)[..., 0] for x in (logits, ref_logits))
    return (lp - lq) ** 2 / 2


def summed(logits: Any, ref_logits: Any) -> Any:
    lp, lq = jax.nn.log_softmax(logits), jax.nn.log_softmax(ref_logits)
    return (jnp.exp(lp) * (lp - lq)).sum(-1)


@pytest.mark.parametrize(
    ("function", "reading", "expected"),
    [(picked, Entries.ACTION, "l**2/2"), (summed, Entries.VOCABULARY, "l*exp(logp)")],
)
def test_logits_of_what_was_sampled_and_sums_over_the_vocabulary(function: Any, reading: Any, expected: str) -> None:
    found = recovered(function)
    assert (found.entries, found.formula) == (reading, expected)


# --- the trace is not trusted alone -----------------------------------------------------------------------------------
@jax.custom_vjp
def disagreeing(d: Any) -> Any:
    return d**2 / 2


disagreeing.defvjp(lambda d: (d**2 / 2, d), lambda d, g: (3 * g * d,))


def other_rule(logp: Any, ref_logp: Any) -> Any:
    return disagreeing(logp - ref_logp)


def opaque(logp: Any, ref_logp: Any) -> Any:
    return jax.lax.erf_inv(jnp.tanh(logp - ref_logp) / 2)


@pytest.mark.parametrize(
    ("function", "reason"),
    [(other_rule, "the derivative of entry (0, 0) was traced as"), (opaque, "erf_inv")],
)
def test_what_cannot_be_traced_or_disagrees_is_measured(function: Any, reason: str) -> None:
    found = recovered(function)
    assert found.how == "measured"
    assert reason in found.reason


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_cast_inside_is_found(dtype: str) -> None:
    def function(logp: Any, ref_logp: Any) -> Any:
        return ((logp - ref_logp).astype(dtype) ** 2 / 2).astype("float32")

    found = recovered(function)
    assert (found.dtype, found.formula) == (dtype, "l**2/2")
