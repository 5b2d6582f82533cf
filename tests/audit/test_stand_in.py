"""Stand-ins: trainers, inputs and configurations that a function reads."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import pytest

from kltheory.audit.audit import audit_subject
from kltheory.audit.audited import Audited
from kltheory.audit.binding import bind
from kltheory.audit.rows import PLACES
from kltheory.audit.target import CannotRun, of_function


@dataclass
class Args:
    beta: float


class Trainer:
    """Reads everything the ways that trainers do."""

    kind = "k2"

    def __init__(self, args: Args) -> None:
        self.args = args
        self.beta = args.beta

    def get_logps(self, model: Any, ids: Any) -> Any:
        raise NotImplementedError

    def half(self, x: Any) -> Any:
        return x / 2

    def by_key(self, inputs: Any) -> Any:
        return self.half((inputs["policy_logps"] - inputs["ref_logps"]) ** 2)

    def by_get(self, batch: Any) -> Any:
        kl = (batch.get("logprobs") - batch.get("ref_logprobs")) ** 2 / 2
        old = batch.get("old_logprobs", None)
        return kl if old is None else kl * jnp.exp(batch.get("logprobs") - old)

    def by_membership(self, inputs: Any) -> Any:
        logps = inputs["logps"]
        ref = inputs["ref_logps"] if "ref_logps" in inputs else 0.0  # noqa: SIM401
        return (logps - ref) ** 2 / 2

    def by_attribute(self, data: Any) -> Any:
        return (data.logps - data.ref_logps) ** 2 / 2 * self.args.scale

    def of_a_model(self, model: Any, inputs: Any) -> Any:
        logps = self.get_logps(model, inputs["input_ids"])
        mask = inputs["completion_mask"]
        loss = jnp.abs(logps - inputs["ref_logps"]) - logps * inputs["advantages"][:, None]
        return self.beta * (loss * mask).sum() / mask.sum()

    def of_the_class(self, logps: Any, ref_logps: Any) -> Any:
        return (logps - ref_logps) ** 2 / 2 if self.kind == "k2" else jnp.abs(logps)

    def caught(self, inputs: Any) -> Any:
        try:
            ref = inputs["ref_logps"]
        except Exception:
            ref = jnp.zeros(())
        return (inputs["logps"] - ref) ** 2 / 2


def with_config(logp: Any, ref_logp: Any, config: Any) -> Any:
    return (logp - ref_logp) ** 2 / 2 * (config.level_of_it if config["on"] else jnp.nan)


def of(method: Any, settings: dict[str, Any], owner: type | None = Trainer) -> Audited:
    target = of_function(method, framework="jax", owner=owner)
    return audit_subject("", bind(target, {}, settings), PLACES)


@pytest.mark.parametrize(
    ("method", "settings", "paths", "gradient_of"),
    [
        ("by_key", {}, "inputs.policy_logps inputs.ref_logps", "reverse_kl"),
        ("by_get", {}, "batch.logprobs batch.ref_logprobs batch.old_logprobs", "none"),
        ("by_membership", {}, "inputs.logps inputs.ref_logps", "reverse_kl"),
        ("by_attribute", {"self.args.scale": 2}, "data.logps data.ref_logps", "2*reverse_kl"),
        (
            "of_a_model",
            {"self.beta": 0.5},
            "self.get_logps() inputs.input_ids inputs.completion_mask inputs.ref_logps inputs.advantages",
            "total_variation",
        ),
        ("of_the_class", {}, "logps ref_logps", "reverse_kl"),
        ("caught", {}, "inputs.ref_logps inputs.logps", "reverse_kl"),
    ],
)
def test_a_method_finds_its_arrays(method: str, settings: Any, paths: str, gradient_of: str) -> None:
    found = of(getattr(Trainer, method), settings)
    assert not found.failure
    assert found.subject is not None
    assert set(found.subject.paths) == set(paths.split())
    assert found.rows[0].gradient_of == gradient_of


def test_a_configuration_is_read_by_key_and_attribute() -> None:
    found = of(with_config, {"config.level_of_it": 3, "config.on": True}, None)
    assert found.rows[0].gradient_of == "3*reverse_kl"
    assert of(with_config, {"config": {"on": True}}, None).failure.startswith("AttributeError")


@pytest.mark.parametrize(
    ("settings", "missing"),
    [({}, "config.on"), ({"config.on": True}, "config.level_of_it")],
)
def test_what_is_not_given_is_asked_for(settings: Any, missing: str) -> None:
    failure = of(with_config, settings, None).failure
    assert f"it reads {missing}: give it with --set {missing}=VALUE" in failure


def chosen(logp: Any, ref_logp: Any, index: Any) -> Any:
    return [logp - ref_logp, jnp.abs(logp - ref_logp)][index]


def unnamed(x: Any, y: Any) -> Any:
    return jnp.abs(x - y)


def test_a_parameter_of_which_nothing_is_known_is_named() -> None:
    assert of(chosen, {}, None).failure.endswith("nothing is given for index: --set index=VALUE")


def test_a_function_whose_names_tell_nothing_asks_for_them() -> None:
    failure = of(unnamed, {}, None).failure
    assert failure.startswith("no argument of unnamed is known to be the policy's log-probabilities (it has x, y)")
    assert "--args logp=x,logp_ref=y" in failure


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        ({"logp": "z"}, {}, "unnamed has no parameter z; it has x, y"),
        ({}, {"z": 1}, "unnamed has no parameter z; it has x, y"),
        ({"policy": "x"}, {}, "there is no role policy; the roles are logp, logp_ref"),
    ],
)
def test_arguments_that_do_not_fit(arguments: Any, settings: Any, message: str) -> None:
    with pytest.raises(CannotRun, match=message):
        bind(of_function(unnamed), arguments, settings)
