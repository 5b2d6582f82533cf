"""Measurement: with the formula taken away, the running function alone leads to the same names."""

from typing import Any

import audit_zoo
import jax.numpy as jnp
import numpy as np
import pytest
from readings import forgotten

from kltheory.audit.binding import bind
from kltheory.audit.experiments import experiment
from kltheory.audit.measure import fit
from kltheory.audit.measured import Measured
from kltheory.audit.recover import recover
from kltheory.audit.rows import rows
from kltheory.audit.target import of_function
from kltheory.calculus.placement import AS_LOSS, Placement
from kltheory.calculus.surrogate import Sampler


def without_formula(function: Any, arguments: Any = ()) -> Measured:
    return forgotten(recover(bind(of_function(function), dict(arguments), {})))


NAMES = (
    "k1",
    "k2",
    "k3",
    "absolute",
    "hellinger",
    "ppo_ratio",
    "score_function",
    "of_logits",
    "jensen_shannon",
    "of_the_log_ratio",
    "small_k2",
)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_measured_has_the_name_that_is_derived(name: str) -> None:
    found = recover(bind(of_function(audit_zoo.ZOO[name].function), audit_zoo.ZOO[name].arguments, {}))
    derived = {(r.placement, r.weight, r.sampler): r.gradient_of for r in rows(found)}
    measured = {(r.placement, r.weight, r.sampler): r for r in rows(forgotten(found))}
    assert set(measured) == set(derived)
    for who, row in measured.items():
        one_number = found.sums_vocabulary and row.placement == "reward"  # for all actions: no fit
        assert row.how == ("derived" if one_number else "measured")
        # Two terms of the same kind are never taken apart, and a sum of three is not looked for.
        assert row.gradient_of in (derived[who], "none"), who
        assert row.residual is None or row.gradient_of == "none" or row.residual < 1e-3
    assert measured["loss", "none", "policy"].gradient_of == derived["loss", "none", "policy"]


def clamped(low: float, high: float) -> Any:
    def function(logp: Any, ref_logp: Any) -> Any:
        d = logp - ref_logp
        return jnp.where((d > low) & (d < high), d**2 / 2, 0.0)

    return function


@pytest.mark.parametrize(("low", "high"), [(-2.5, 7.25), (-60.0, 0.9), (-1.3, 1.3)])
def test_ends_are_found_by_bisection(low: float, high: float) -> None:
    found = without_formula(clamped(low, high))
    match = fit(found, experiment(found).placed(AS_LOSS), AS_LOSS)
    assert match is not None
    assert match.identification.name == "reverse_kl"
    np.testing.assert_allclose(match.extents[0], (low, high), rtol=1e-4)


def weight_clamped(logp: Any, ref_logp: Any, old_logp: Any) -> Any:
    return jnp.minimum(jnp.exp(logp - old_logp), 2.0) * (logp - ref_logp)


def test_the_end_of_a_weight_is_found_by_bisection() -> None:
    found = without_formula(weight_clamped)
    off_policy = Placement("loss", who=Sampler.OLD)
    match = fit(found, experiment(found).placed(off_policy), off_policy)
    assert match is not None
    assert match.identification.name == "reverse_kl"
    np.testing.assert_allclose(np.exp(match.extents[1][1]), 2.0, rtol=1e-4)
    assert match.where.endswith("w < 2")


def sine(logp: Any, ref_logp: Any) -> Any:
    return jnp.sin(3 * (logp - ref_logp))


def test_what_nothing_fits_has_no_name() -> None:
    found = without_formula(sine)
    assert {r.gradient_of for r in rows(found, ("loss",)) if r.weight == "none"} == {"none"}
