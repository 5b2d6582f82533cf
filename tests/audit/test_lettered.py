"""Letters: a number that nobody gave is one in formulas and names, where the code computes with it and asks nothing."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import pytest
from sympy import Symbol

from kltheory.audit.audit import audit
from kltheory.audit.audited import Audited
from kltheory.audit.target import of_function
from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.symbols import log_ratio
from kltheory.testing import assert_gradient_of


def scaled(xp: Any) -> Callable[..., Any]:
    def scaled(logp, ref_logp, beta):
        return beta * (xp.exp(ref_logp - logp) - 1 + logp - ref_logp)

    return scaled


def two_letters(xp: Any) -> Callable[..., Any]:
    def two_letters(logp, ref_logp, beta, gamma):
        l = logp - ref_logp
        return beta * beta * l * l / 2 + gamma * (xp.exp(-l) - 1 + l)

    return two_letters


def mean(xp: Any) -> Callable[..., Any]:
    def mean(logp, ref_logp, mask, kl_coef):
        return (kl_coef * (logp - ref_logp) ** 2 / 2 * mask).sum() / mask.sum()

    return mean


def asks(xp: Any) -> Callable[..., Any]:
    def asks(logp, ref_logp, beta):
        return beta * (logp - ref_logp) ** 2 / 2 if beta > 0.3 else logp - ref_logp

    return asks


def bounds(xp: Any) -> Callable[..., Any]:
    def bounds(logp, ref_logp, beta, cap):
        return beta * xp.clip(logp - ref_logp, -cap, cap) ** 2 / 2

    return bounds


def to_a_number(xp: Any) -> Callable[..., Any]:
    def to_a_number(logp, ref_logp, beta):
        return float(beta) * (logp - ref_logp) ** 2 / 2

    return to_a_number


def difference(xp: Any) -> Callable[..., Any]:
    def difference(logp, ref_logp, alpha, beta):
        return (alpha - beta) * (logp - ref_logp) ** 2 / 2

    return difference


def given(xp: Any) -> Callable[..., Any]:
    def given(logp, ref_logp, beta=0.25):
        return beta * (logp - ref_logp) ** 2 / 2

    return given


CASES = {
    # formula, on-policy gradient as a loss, and what may be any number
    scaled: ("beta*(l - 1 + exp(-l))", "beta*forward_kl", ["beta"]),
    two_letters: (
        "beta**2*l**2/2 + gamma*(l - 1 + exp(-l))",
        "(beta**2)*reverse_kl + gamma*forward_kl",
        ["beta", "gamma"],
    ),
    mean: ("kl_coef*l**2/2", "kl_coef*reverse_kl", ["kl_coef"]),
    asks: ("l**2/4", "1/2*reverse_kl", []),
    bounds: ("beta*min(2, max(-2, l))**2/2", "beta*reverse_kl", ["beta"]),
    to_a_number: ("l**2/4", "1/2*reverse_kl", []),
    difference: ("l**2*(alpha - beta)/2", "(alpha - beta)*reverse_kl", ["alpha", "beta"]),
    given: ("l**2/8", "1/4*reverse_kl", []),
}


def module(name: str) -> Any:
    return jnp if name == "jax" else pytest.importorskip("torch")


def audited(make: Callable[[Any], Callable[..., Any]], framework: str) -> Audited:
    (one,) = audit(of_function(make(module(framework)), None, framework), responses=False).variants
    return one


@pytest.mark.parametrize("framework", ["jax", pytest.param("torch", marks=pytest.mark.torch)])
@pytest.mark.parametrize("make", CASES)
def test_what_a_letter_stands_for(make: Any, framework: str) -> None:
    formula, named, letters = CASES[make]
    one = audited(make, framework)
    assert one.found is not None
    assert one.found.formula == formula
    row = next(r for r in one.rows if (r.placement, r.weight, r.sampler) == ("loss", "none", "policy"))
    assert row.gradient_of == named
    assert row.residual is not None
    assert row.residual < 1e-12
    assert list(one.found.letters) == letters
    assert any(f.data.get("letters") == letters for f in one.notes) == bool(letters)


def test_generic_values_that_cancel_are_taken_to_be_others() -> None:
    (one,) = audit(of_function(difference(jnp), None, "jax")).variants
    assert not one.alarms
    assert "zero" not in {v.gradient_of for r in one.responses if r.placement == "loss" for v in r.verdicts.values()}
    assert any("alpha = 0.375, beta = 0.3125: generic values" in f.text for f in one.notes)
    assert not any("alpha = 0.5" in f.text for f in one.notes)


def test_whole_responses_are_told_in_the_letter() -> None:
    (one,) = audit(of_function(scaled(jnp), None, "jax")).variants
    told = {v.gradient_of for r in one.responses if r.placement == "loss" for v in r.verdicts.values()}
    assert "beta*frozen_forward_kl" in told
    assert not any(name.startswith("1/2*") for name in told)


def test_the_value_is_told_in_the_letter() -> None:
    (alarm,) = (f for f in audited(scaled, "jax").alarms if f.name == "value_and_gradient_differ")
    assert (
        "the value estimates beta KL(π‖π_ref), and as a loss its expected gradient is that of beta KL(π_ref‖π)"
        in alarm.text
    )


HOLD = ["beta*forward_kl", "1/2*forward_kl"]
FAIL = {
    "2*beta*forward_kl": "it is beta\\*forward_kl",
    "beta*reverse_kl": "it is beta\\*forward_kl",
    "delta*forward_kl": "it is beta\\*forward_kl",
    "forward_kl": "it is beta\\*forward_kl",
}


@pytest.mark.parametrize("expected", HOLD)
def test_assertions_take_letters(expected: str) -> None:
    assert_gradient_of(scaled(jnp), expected, framework="jax")


@pytest.mark.parametrize("expected", FAIL)
def test_another_multiple_is_another_gradient(expected: str) -> None:
    with pytest.raises(AssertionError, match=FAIL[expected]):
        assert_gradient_of(scaled(jnp), expected, framework="jax")


@pytest.mark.parametrize("expected", ["beta", "beta*revers_kl", "beta*gamma"])
def test_a_letter_alone_is_no_divergence(expected: str) -> None:
    with pytest.raises(ValueError, match="there is no divergence"):
        assert_gradient_of(scaled(jnp), expected, framework="jax")


class Trainer:
    def loss(self, logp, ref_logp):
        self.logger.info("a stand-in is no number")
        return self.beta * (logp - ref_logp) ** 2 / 2


def test_what_stands_in_for_an_object_is_no_letter() -> None:
    target = of_function(Trainer.loss, owner=Trainer, framework="jax")
    (one,) = audit(target, responses=False).variants
    assert one.found is not None
    assert one.found.letters == ("beta",)
    assert str(one.found.in_numbers(Coefficient.of(Symbol("beta", positive=True) * log_ratio))) == "l/2"
