"""Comparisons of two implementations: the same, different, and where they part."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.lax import stop_gradient as sg

from kltheory.audit.compare import Comparison, compare_targets
from kltheory.audit.target import CannotRun, of_function


def k3(logp: Any, ref_logp: Any) -> Any:
    return jnp.exp(ref_logp - logp) - 1 - (ref_logp - logp)


def k3_again(reference_logprobs: Any, policy_logprobs: Any) -> Any:
    d = reference_logprobs - policy_logprobs
    return jnp.expm1(d) - d


def clamped(logp: Any, ref_logp: Any) -> Any:
    return jnp.clip(k3(logp, ref_logp), -10, 10)


def k3_less_one(logp: Any, ref_logp: Any) -> Any:
    return k3(logp, ref_logp) - 1


def k2(logp: Any, ref_logp: Any) -> Any:
    return (logp - ref_logp) ** 2 / 2


def score(logp: Any, ref_logp: Any) -> Any:
    return sg(logp - ref_logp) * (logp - ref_logp) - sg((logp - ref_logp) ** 2 / 2)


def mean(logp: Any, ref_logp: Any) -> Any:
    return k3(logp, ref_logp).mean()


def in_float32(logp: Any, ref_logp: Any) -> Any:
    return k3(logp.astype("float32"), ref_logp.astype("float32"))


def nan_far_away(logp: Any, ref_logp: Any) -> Any:
    return jnp.where(jnp.abs(logp - ref_logp) < 8, k2(logp, ref_logp), jnp.nan)


def of_logits(logits: Any, ref_logits: Any) -> Any:
    p, q = jax.nn.log_softmax(logits), jax.nn.log_softmax(ref_logits)
    return (jnp.exp(p) * (p - q)).sum(-1)


def of_raw_logits(logits: Any, ref_logits: Any) -> Any:
    return (jnp.exp(logits) * (logits - ref_logits)).sum(-1)


def over_tokens(logp: Any, ref_logp: Any, mask: Any) -> Any:
    return (k2(logp, ref_logp) * mask).sum() / mask.sum()


def over_responses(logp: Any, ref_logp: Any, mask: Any) -> Any:
    return ((k2(logp, ref_logp) * mask).sum(-1) / mask.sum(-1)).mean()


def over_padding(logp: Any, ref_logp: Any, mask: Any) -> Any:
    return k2(logp, ref_logp).mean()


def masked(logp: Any, ref_logp: Any, mask: Any) -> Any:
    return k2(logp, ref_logp) * mask


def unmasked(logp: Any, ref_logp: Any, mask: Any) -> Any:
    return k2(logp, ref_logp)


def centred(logp: Any, ref_logp: Any) -> Any:
    d = logp - ref_logp
    return sg(d - d.mean()) * logp


def centred_twice(logp: Any, ref_logp: Any) -> Any:
    return 2 * centred(logp, ref_logp)


def without_zeros(logp: Any, advantages: Any, mask: Any) -> Any:
    return (-advantages * logp * mask).sum() / (mask * (advantages != 0)).sum()


def with_zeros(logp: Any, advantages: Any, mask: Any) -> Any:
    return (-advantages * logp * mask).sum() / mask.sum()


def of_first_eight(logp: Any, ref_logp: Any) -> Any:
    return (k2(logp, ref_logp) * (jnp.arange(logp.shape[-1]) < 8)).sum()


def first_forty(x: Any) -> Any:
    return x * (jnp.arange(x.shape[-1]) < 40)


def of_first_forty_in_a_helper(logp: Any, ref_logp: Any) -> Any:
    return first_forty(k2(logp, ref_logp)).sum()


def of_all(logp: Any, ref_logp: Any) -> Any:
    return k2(logp, ref_logp).sum()


def bound_by_its_logarithm(logp: Any, ref_logp: Any, old_logp: Any) -> Any:
    return jnp.exp(jnp.clip(logp - old_logp, np.log(0.8), np.log(1.2))) * (logp - ref_logp)


def bound(logp: Any, ref_logp: Any, old_logp: Any) -> Any:
    return jnp.clip(jnp.exp(logp - old_logp), 0.8, 1.2) * (logp - ref_logp)


def policy_gradient(logp: Any, advantages: Any) -> Any:
    return -advantages * logp


def without_small_advantages(logp: Any, advantages: Any) -> Any:
    return jnp.where(jnp.abs(advantages) < 1e-5, 0.0 * logp, -advantages * logp)


def scaled(logp: Any, ref_logp: Any, beta: Any) -> Any:
    return beta * k2(logp, ref_logp)


def scaled_by_another_name(logp: Any, ref_logp: Any, kl_coef: Any) -> Any:
    return kl_coef * k2(logp, ref_logp)


def scaled_by_the_rest(logp: Any, ref_logp: Any, beta: Any) -> Any:
    return (1 - beta) * k2(logp, ref_logp)


def half(logp: Any, ref_logp: Any) -> Any:
    return 0.5 * k2(logp, ref_logp)


def of_two(logp: Any, ref_logp: Any, alpha: Any, beta: Any) -> Any:
    return alpha * k2(logp, ref_logp) + beta * k3(logp, ref_logp)


def of_two_exchanged(logp: Any, ref_logp: Any, alpha: Any, beta: Any) -> Any:
    return beta * k2(logp, ref_logp) + alpha * k3(logp, ref_logp)


def weighted(logp: Any, old_logp: Any, advantages: Any) -> Any:
    return -jnp.exp(logp - old_logp) * advantages


def with_a_sampler(logp: Any, old_logp: Any, rollout_logp: Any, advantages: Any) -> Any:
    return weighted(logp, old_logp, advantages)


def truncated(logp: Any, old_logp: Any, rollout_logp: Any, advantages: Any) -> Any:
    return jnp.minimum(jnp.exp(old_logp - rollout_logp), 2.0) * weighted(logp, old_logp, advantages)


def truncated_further_out(logp: Any, old_logp: Any, rollout_logp: Any, advantages: Any) -> Any:
    return jnp.minimum(jnp.exp(old_logp - rollout_logp), 3.0) * weighted(logp, old_logp, advantages)


def compared(a: Any, b: Any) -> Comparison:
    return compare_targets((of_function(a, framework="jax"), {}, {}), (of_function(b, framework="jax"), {}, {}))


SAME = {"value": True, "derivative": True}
ROWS: list[tuple[Any, Any, int, dict[str, bool | None]]] = [
    (k3, k3, 0, SAME),
    (k3, k3_again, 0, SAME),
    (k3, clamped, 1, {"value": False, "derivative": False}),
    (k3, k3_less_one, 1, {"value": False, "derivative": True, "loss, weight none": True, "loss, weight live": True}),
    (k2, score, 0, SAME),
    (k2, k3, 1, {"value": False, "derivative": False, "loss, weight none": False}),
    (k3, mean, 1, {"value": False, "derivative": False, "loss, weight none": False}),
    (k3, in_float32, 0, SAME),
    (k2, nan_far_away, 1, {"value": False}),
    (k2, of_all, 1, {"value": False, "derivative": True}),
    (with_zeros, without_zeros, 1, dict.fromkeys(SAME, False)),
    (of_all, of_first_eight, 1, dict.fromkeys(SAME, False)),
    (of_all, of_first_forty_in_a_helper, 1, dict.fromkeys(SAME, False)),
    (bound, bound_by_its_logarithm, 0, SAME),
    (of_logits, of_raw_logits, 1, dict.fromkeys(SAME, False)),
    (over_tokens, over_tokens, 0, SAME),
    (over_tokens, over_responses, 1, dict.fromkeys(SAME, False)),
    (over_tokens, over_padding, 1, dict.fromkeys(SAME, False)),
    (masked, unmasked, 1, dict.fromkeys(SAME, False)),  # padding is counted
    (centred, centred, 0, SAME),
    (scaled, scaled_by_another_name, 0, SAME),  # a number that nobody gave is no 1/2
    (scaled, scaled_by_the_rest, 1, dict.fromkeys(SAME, False)),
    (scaled, half, 1, dict.fromkeys(SAME, False)),
    (of_two, of_two, 0, SAME),
    (of_two, of_two_exchanged, 1, dict.fromkeys(SAME, False)),
    (weighted, with_a_sampler, 0, SAME),  # two old policies are two
    (truncated, truncated, 0, SAME),
    (truncated, with_a_sampler, 1, dict.fromkeys(SAME, False)),
    (truncated, truncated_further_out, 1, dict.fromkeys(SAME, False)),
    (policy_gradient, without_small_advantages, 1, dict.fromkeys(SAME, False)),  # no batch has so small a one
    (centred, centred_twice, 1, dict.fromkeys(SAME, False)),
]


@pytest.mark.parametrize(("a", "b", "status", "answers"), ROWS, ids=[f"{a.__name__}-{b.__name__}" for a, b, *_ in ROWS])
def test_two_implementations(a: Any, b: Any, status: int, answers: dict[str, bool | None]) -> None:
    found = compared(a, b)
    assert found.status == status
    for what, same in answers.items():
        asked = [q for q in found.questions if what in (q.what, q.what.partition(": ")[2].rpartition(",")[0])]
        assert asked
        assert {q.same for q in asked} == {same}, what


def test_where_they_part_is_told_with_a_witness() -> None:
    value, *_ = compared(k3, clamped).questions
    assert any("l < -2.61" in part for part in value.parts)
    assert value.witness["l"] < -2.61
    assert value.witness["b"] == 10
    assert value.gap > 0.1


def test_where_they_agree_is_told() -> None:
    found = compared(scaled, half)
    assert "the same where beta = 0.5" in found.verdict
    assert found.multiple is None
    assert "derivative by the sampler" in compared(truncated, with_a_sampler).verdict


def test_a_mean_is_told_as_a_multiple() -> None:
    found = compared(lambda logp, ref_logp: k3(logp, ref_logp).sum(), mean)
    assert str(found.multiple) == "b = a divided by the number of all tokens"
    assert str(compared(k2, lambda logp, ref_logp: 4 * k2(logp, ref_logp)).multiple) == "b = 4·a"


def test_a_sum_over_the_vocabulary_and_its_estimate_have_one_expected_gradient() -> None:
    """k2 as a loss on-policy has the gradient of the reverse KL, and no sample of it has."""
    found = {q.what: q.same for q in compared(k2, of_logits).questions}
    assert found["derivative"] is False
    assert found["expected gradient: loss, weight none, sampler policy"] is True
    assert found["expected gradient: loss, weight none, sampler old"] is False


def raising(logp: Any, ref_logp: Any) -> Any:
    raise ValueError("not today")


def unnamed(x: Any, y: Any) -> Any:
    return 1.0


def of_one_number(logp: Any, ref_logp: Any) -> Any:
    if jnp.ndim(logp):
        raise ValueError("one number at a time")
    return (logp - ref_logp) ** 2 / 2


def test_what_was_not_looked_at_is_said_and_is_no_sameness() -> None:
    found = compared(of_one_number, k2)
    assert found.status == 2
    assert "masks and lengths were not looked at" in found.limits[0]
    assert compared(of_one_number, of_one_number).status == 0


@pytest.mark.parametrize(
    ("other", "message"),
    [(raising, "raising raises ValueError: not today"), (unnamed, "no argument of unnamed is known")],
)
def test_what_cannot_be_compared(other: Any, message: str) -> None:
    with pytest.raises(CannotRun, match=message):
        compared(k3, other)


def corrected(logps: Any, old_logps: Any, rollout_logps: Any, advantages: Any, cap: float = 2.0) -> Any:
    weight = sg(jnp.minimum(jnp.exp(old_logps - rollout_logps), cap))
    return -advantages * jnp.exp(logps - old_logps) * weight


def corrected_live(logps: Any, old_logps: Any, rollout_logps: Any, advantages: Any, cap: float = 2.0) -> Any:
    weight = sg(jnp.minimum(jnp.exp(logps - rollout_logps), cap))
    return -advantages * jnp.exp(logps - old_logps) * weight


def uncorrected(logps: Any, old_logps: Any, rollout_logps: Any, advantages: Any) -> Any:
    return -advantages * jnp.exp(logps - old_logps) + 0 * rollout_logps


@pytest.mark.parametrize("other", [corrected_live, uncorrected])
def test_a_sampler_beside_the_old_policy_is_another_policy(other: Any) -> None:
    assert compared(corrected, corrected).status == 0
    found = compared(corrected, other)
    assert {q.same for q in found.questions if q.what in ("value", "derivative")} == {False}
    assert {q.how for q in found.questions} == {"measured"}, "a formula takes the two for one policy"


@pytest.mark.torch
def test_two_frameworks() -> None:
    torch = pytest.importorskip("torch")

    def eager(logp: Any, ref_logp: Any) -> Any:
        return torch.exp(ref_logp - logp) - 1 - (ref_logp - logp)

    def negated(logp: Any, ref_logp: Any) -> Any:
        return -eager(logp, ref_logp)

    here = (of_function(k3), {}, {})
    assert compare_targets(here, (of_function(eager, framework="torch"), {}, {})).status == 0
    assert compare_targets(here, (of_function(negated, framework="torch"), {}, {})).status == 1
