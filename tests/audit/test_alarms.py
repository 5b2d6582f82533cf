"""Alarms: each with a function that raises it, and a twin that differs in what the alarm is about and raises it not."""

from typing import Any

import jax.numpy as jnp
import pytest
from jax.lax import stop_gradient as sg

from kltheory.audit.audit import audit
from kltheory.audit.codes import Code
from kltheory.audit.target import of_function


def k3(d: Any) -> Any:
    return jnp.exp(-d) - 1 + d


ROWS: dict[str, tuple[Any, Any]] = {
    "no_gradient": (
        lambda logp, ref_logp: sg(logp - ref_logp) ** 2,
        lambda logp, ref_logp: (logp - ref_logp) ** 2,
    ),
    "advantage_without_gradient": (
        lambda logp, old_logp, advantages: (
            -jnp.maximum(jnp.exp(logp - old_logp), 0.0 * logp) * jnp.minimum(advantages, 0)
        ),
        lambda logp, old_logp, advantages: -jnp.exp(logp - old_logp) * advantages,
    ),
    "advantage_reversed": (
        lambda logp, advantages: advantages * logp,
        lambda logp, advantages: -advantages * logp,
    ),
    "no_expected_gradient": (
        lambda logps: 0.01 * logps,
        lambda logps: 0.01 * logps * sg(logps),
    ),
    "reference_not_in_gradient": (
        lambda logp, ref_logp: logp - ref_logp,
        lambda logp, ref_logp: sg(logp - ref_logp) * logp,
    ),
    "sign_reversed": (
        lambda logp, ref_logp: -((logp - ref_logp) ** 2),
        lambda logp, ref_logp: (logp - ref_logp) ** 2,
    ),
    "arguments_swapped": (
        lambda logp, ref_logp: k3(ref_logp - logp),
        lambda logp, ref_logp: k3(logp - ref_logp),
    ),
    "weight_counted_twice": (
        lambda logp, ref_logp, old_logp: sg(jnp.exp(logp - old_logp)) * jnp.exp(logp - old_logp) * (logp - ref_logp),
        lambda logp, ref_logp, old_logp: jnp.exp(logp - old_logp) * (logp - ref_logp),
    ),
    "value_and_gradient_differ": (
        lambda logp, ref_logp: k3(logp - ref_logp),
        lambda logp, ref_logp: sg(k3(logp - ref_logp)) - sg((logp - ref_logp) ** 2 / 2) + (logp - ref_logp) ** 2 / 2,
    ),
}


def kinds(function: Any, placements: tuple[str, ...] = ("loss", "reward")) -> set[str]:
    (found,) = audit(of_function(function, framework="jax"), placements=placements, responses=False).variants
    assert not found.failure
    return {f.name for f in found.alarms}


@pytest.mark.parametrize("kind", ROWS)
def test_an_alarm_and_its_twin(kind: str) -> None:
    wrong, right = ROWS[kind]
    assert kind in kinds(wrong)
    assert kind not in kinds(right)


def test_a_difference_of_divergences_ascends_none() -> None:
    """Minus k3 in the reward: its name, -KL(π‖π_ref) + KL(π_ref‖π), begins with a minus, and it is convex nowhere."""

    def minus_k3_in_reward(logp: Any, ref_logp: Any) -> Any:
        return sg(-k3(logp - ref_logp)) * logp

    (found,) = audit(of_function(minus_k3_in_reward, framework="jax"), placements=("loss",)).variants
    assert found.rows[0].gradient_of.startswith("-")
    assert not found.of(Code.SIGN_REVERSED)


def test_every_alarm_has_a_row() -> None:
    from kltheory.audit.alarms import CHECKS

    assert {check.__name__ for check in CHECKS} == set(ROWS)


@pytest.mark.parametrize("kind", ["no_gradient", "reference_not_in_gradient", "value_and_gradient_differ"])
def test_what_a_loss_lacks_is_no_alarm_of_a_reward(kind: str) -> None:
    assert kind not in kinds(ROWS[kind][0], ("reward",))


def test_a_penalty_towards_the_old_policy_has_no_reference_to_miss() -> None:
    assert kinds(lambda logp, old_logp: k3(logp - old_logp) + 0 * jnp.exp(old_logp)) <= {"value_and_gradient_differ"}
