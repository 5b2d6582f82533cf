"""What an audit says of whole functions: a row for each kind, and its twin."""

from fractions import Fraction

import numpy as np
import pytest

from kltheory.audit.advantage import sentences
from kltheory.audit.audit import audit
from kltheory.audit.audited import Audited
from kltheory.audit.codes import Code
from kltheory.audit.simple import rounded, written
from kltheory.audit.target import of_function
from kltheory.report.audit_facts import answer
from kltheory.testing import assert_gradient_of

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def audited():
    pytest.importorskip("torch")
    from audit import whole_functions

    def run(name: str) -> Audited:
        one, *_ = audit(of_function(getattr(whole_functions, name), framework="torch"), responses=False).variants
        assert not one.failure
        return one

    return run


EXACT = "where the old policy is the policy (w = 1) that is the policy gradient"
SUM = "that descends E_old[A*Φ(w)], Φ(w) ="
ADVANTAGES = {
    "clip_higher": [
        "for A > 0 minimising it ascends A·∇log π where w < 32/25; does nothing where 32/25 < w",
        "for A < 0 minimising it ascends A·∇log π where 4/5 < w; does nothing where w < 4/5",
        f"{SUM} where(w < 32/25, -w, -32/25) for A > 0; where(w < 4/5, -4/5, -w) for A < 0",
        EXACT,
        "it depends on who sampled",
    ],
    "clip_higher_negated": [
        "for A > 0 minimising it descends A·∇log π where w < 32/25; does nothing where 32/25 < w",
        "for A < 0 minimising it descends A·∇log π where 4/5 < w; does nothing where w < 4/5",
        f"{SUM} where(w < 32/25, w, 32/25) for A > 0; where(w < 4/5, 4/5, w) for A < 0",
        "where the old policy is the policy (w = 1) that is -1 times the policy gradient",
        "it depends on who sampled",
    ],
    "clipped_for_all": [
        "for A > 0 minimising it does nothing",
        "for A < 0 minimising it ascends A·∇log π where 4/5 < w < 2; does nothing where w < 4/5; "
        "does nothing where 2 < w",
        f"{SUM} 0 for A > 0; where(w < 4/5, -4/5, where(w < 2, -w, -2)) for A < 0",
        "it depends on who sampled",
    ],
    "detached_weight": [
        "minimising it ascends A·∇log π where w < 2; ascends (2/w)·A·∇log π where 2 < w",
        f"{SUM} where(w < 2, -w, -2*log(w) - 2 + 2*log(2))",
        EXACT,
        "it depends on who sampled",
    ],
    "next_tokens": [
        "minimising it ascends A·∇log π",
        "that descends -E_π[A]",
        EXACT,
        "it does not depend on who sampled",
    ],
    "doubled": [
        "minimising it ascends (2)·A·∇log π",
        "that descends -2*E_π[A]",
        "where the old policy is the policy (w = 1) that is 2 times the policy gradient",
        "it does not depend on who sampled",
    ],
    "with_penalty": [
        "minimising it ascends A·∇log π",
        "that descends -E_π[A]",
        EXACT,
        "it does not depend on who sampled",
    ],
    "squared_entropy": [],
}
ROWS = {
    "with_penalty": ("1/25*forward_kl", "none"),
    "mean_of_means": ("forward_kl", "none"),
    "a_thousandth_more": ("1001/1000*forward_kl", "none"),
    "entropy_of_distribution": ("1/2*kl_uniform", "1/2*kl_uniform"),
    "entropy_up": ("-kl_uniform", "-kl_uniform"),
    "sampled_entropy": ("zero", "-1/100*kl_old_policy"),
    "squared_entropy": ("1/100*kl_uniform", "none"),
    "k2_of_actions": ("reverse_kl", "none"),
    "k3_of_two_logits": ("forward_kl", "none"),
    "scaled_by_the_mass_of_two": ("none", "none"),
    "number_of_the_position": ("zero", "none"),
    "top_two": ("none", "none"),
    "kept_labels": ("forward_kl", "forward_kl"),
    "towards_old": ("zero", "kl_old_policy"),
}
"""As a loss without a weight: on-policy, and sampled by the old policy."""
ALARMS = {
    "clip_higher": set(),
    "clip_higher_negated": {"advantage_reversed"},
    "clipped_for_all": {"advantage_without_gradient"},
    "detached_weight": set(),
    "raw_logits": {"unnormalised"},
    "entropy_up": {"sign_reversed"},
    "sampled_entropy": {"no_expected_gradient"},
    "squared_entropy": set(),
    "number_of_the_position": {"no_expected_gradient"},
    "towards_old": set(),
    "kept_labels": set(),
}


@pytest.mark.parametrize("name", ADVANTAGES)
def test_what_the_advantage_does(name, audited):
    assert list(sentences(audited(name).pushes)) == ADVANTAGES[name]


@pytest.mark.parametrize("name", ROWS)
def test_what_the_penalty_descends(name, audited):
    rows = {
        r.sampler: r.gradient_of for r in reversed(audited(name).rows) if (r.placement, r.weight) == ("loss", "none")
    }
    assert (rows["policy"], rows["old"]) == ROWS[name]


@pytest.mark.parametrize("name", ALARMS)
def test_alarms(name, audited):
    assert {f.name for f in audited(name).alarms if not f.code.probe} == ALARMS[name]


def test_without_a_penalty_there_is_no_table(audited):
    one = audited("clip_higher")
    assert one.rows == ()
    assert one.of(Code.NO_PENALTY)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("squared_advantage", "not proportional"),
        ("bounded_advantage", "depends on the size of the advantage"),
        ("whitened", "only the penalty"),
    ],
)
def test_what_is_not_looked_at_is_undecided(name, why, audited):
    assert any(why in f.text for f in audited(name).undecided)


def test_a_number_of_the_position_is_named_as_what_it_multiplies(audited):
    first = audited("scaled_by_the_mass_of_two").rows[0]
    assert first.title == "at each position a number of its own times KL(π‖π_ref)"


def test_one_number_for_all_actions_is_no_baseline_for_another_sampler(audited):
    rows = {r.sampler: r for r in audited("entropy_up").rows if r.placement == "reward"}
    assert rows["policy"].gradient_of == "zero"
    assert rows["old"].gradient_of == "none"
    assert rows["old"].residual is not None
    assert rows["old"].residual <= 1e-12


def test_a_batch_of_one_token_without_a_value_is_no_overflow(audited):
    (found,) = [f for f in audited("next_tokens").findings if "finite" in f.text]
    assert found.code is Code.NOT_PROBED


@pytest.mark.parametrize("name", ["squared_advantage", "bounded_advantage", "whitened"])
def test_what_was_not_looked_at_is_not_asserted(name):
    whole_functions = pytest.importorskip("audit.whole_functions")
    with pytest.raises(AssertionError, match="UNDECIDED KL405"):
        assert_gradient_of(getattr(whole_functions, name), "zero")


def test_a_small_constant_beside_a_count_is_left_out_and_said_so(audited):
    one, twin = audited("mean_of_means"), audited("a_thousandth_more")
    assert any("a small constant" in f.text for f in one.notes)
    assert not one.undecided
    assert not any("a small constant" in f.text for f in twin.notes)


def test_a_constant_that_is_no_fraction_is_none(audited):
    one = audited("in_bits")
    assert not any("a small constant" in f.text for f in one.notes)
    scale, _, name = one.rows[0].gradient_of.partition("*")
    assert name == "reverse_kl"
    np.testing.assert_allclose(float(Fraction(scale)), 1 / np.log(2), rtol=1e-14)


@pytest.mark.parametrize(("x", "shown"), [(1 / 3 + 1e-8, "1/3"), (1 / np.log(2), "1.4427"), (0.04, "1/25")])
def test_a_measured_multiple_is_a_fraction_by_no_accident(x, shown):
    assert written(rounded(x, 1e-6)) == shown


def test_what_counts_padding_alone_estimates_nothing(audited):
    assert {f.code for f in audited("of_the_padding").alarms} == {Code.NO_GRADIENT, Code.MASKED_JUNK, Code.PADDING}


def test_what_a_reversed_advantage_does_is_said_of_its_sign(audited):
    (alarm,) = (f for f in audited("pushed_by_size").alarms if f.code is Code.ADVANTAGE_REVERSED)
    assert alarm.text.endswith("(A < 0): bad actions become more frequent")


def test_an_advantage_that_pushes_nothing_descends_nothing(audited):
    one = audited("shaped_reward")
    assert "that descends nothing" in list(sentences(one.pushes))
    assert "the part with the advantage does nothing" in answer(one)


def test_near_and_far_are_relative_to_the_multiple(audited):
    first = audited("with_penalty").rows[0]
    np.testing.assert_allclose(first.multiple, 0.04, rtol=1e-12)
    assert first.distances is not None
    assert 0.001 < first.distances["near"].relative_error < 0.3
