"""Alarms that must not ring. Those that must, and their twins, are on the page of codes."""

from typing import Any

import jax.numpy as jnp
import pytest
from findings_page import functions
from jax.lax import stop_gradient as sg

from kltheory.audit.audit import audit
from kltheory.audit.codes import Code
from kltheory.audit.target import of_function


def k3(d: Any) -> Any:
    return jnp.exp(-d) - 1 + d


def kinds(function: Any, placements: tuple[str, ...] = ("loss", "reward")) -> set[str]:
    (found,) = audit(of_function(function, framework="jax"), placements=placements, responses=False).variants
    assert not found.failure
    return {f.name for f in found.alarms}


def test_a_difference_of_divergences_ascends_none() -> None:
    """Minus k3 in the reward: its name, -KL(π‖π_ref) + KL(π_ref‖π), begins with a minus, and it is convex nowhere."""

    def minus_k3_in_reward(logp: Any, ref_logp: Any) -> Any:
        return sg(-k3(logp - ref_logp)) * logp

    (found,) = audit(of_function(minus_k3_in_reward, framework="jax"), placements=("loss",)).variants
    assert found.rows[0].gradient_of.startswith("-")
    assert not found.of(Code.SIGN_REVERSED)


LACKS = [Code.NO_GRADIENT, Code.REFERENCE_NOT_IN_GRADIENT, Code.VALUE_AND_GRADIENT_DIFFER]


@pytest.mark.parametrize("code", LACKS, ids=lambda c: c.label)
def test_what_a_loss_lacks_is_no_alarm_of_a_reward(code: Code) -> None:
    example, _ = functions(code)
    assert code.label not in kinds(example, ("reward",))


def test_a_penalty_towards_the_old_policy_has_no_reference_to_miss() -> None:
    assert kinds(lambda logp, old_logp: k3(logp - old_logp) + 0 * jnp.exp(old_logp)) <= {"value_and_gradient_differ"}
