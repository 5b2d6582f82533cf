"""What an audit finds in functions as people write them; every alarm has a twin that raises none."""

import functools

import audit_functions as functions
import numpy as np
import pytest
from readings import forgotten

from kltheory.audit.audit import audit, audit_subject
from kltheory.audit.binding import bind
from kltheory.audit.codes import Code
from kltheory.audit.compare import compare_targets
from kltheory.audit.recover import recover
from kltheory.audit.rows import rows
from kltheory.audit.target import CannotRun, of_function
from kltheory.calculus.surrogate import Sampler
from kltheory.report.audit_facts import aggregation
from kltheory.report.audit_json import to_json
from kltheory.report.table import class_table

ESTIMATORS = {"k1": functions.k1, "k2": functions.k2, "k3": functions.k3, "abs": functions.absolute}
ROUNDING = 1e-12


@functools.cache
def table():
    return {(r.estimator, r.placement, r.weight, r.sampler.value): r for r in class_table()}


@functools.cache
def recovered(function):
    return recover(bind(of_function(function), {}, {}))


@functools.cache
def found(function):
    (one,) = audit(of_function(function)).variants
    return one


# --- verdicts ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("how", ["derived", "measured"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_function_lands_where_its_formula_is_in_the_class_table(name, how):
    one = recovered(ESTIMATORS[name])
    assert one.how == "derived"
    checked = 0
    for row in rows(one if how == "derived" else forgotten(one)):
        expected = table().get((name, row.placement, row.weight, row.sampler))
        if expected is None or (row.where != "everywhere" and how == "derived" and checked and row.residual is None):
            continue
        known = expected.found.terms is not None
        assert row.how == how
        if known:
            assert row.gradient_of == expected.found.name
            assert row.residual <= ROUNDING
        else:
            assert row.gradient_of in ("none", "f_divergence", "-f_divergence")
        checked += 1
    assert checked >= 10


@pytest.mark.parametrize("function", [functions.k3, functions.k2_weighted, functions.k3_clamped])
def test_every_row_is_the_sum_over_the_vocabulary_of_the_running_function(function):
    for row in rows(recovered(function)):
        assert row.residual is None or row.residual <= ROUNDING


def test_clamps_are_found_by_proof_and_by_bisection():
    one = recovered(functions.k3_clamped)
    (derived, *_), (measured, *_) = (list(rows(x)) for x in (one, forgotten(one)))
    assert derived.where == "-2.610869 < l < 10.99998"
    assert measured.where == "-2.611 < l < 11"
    assert derived.gradient_of == measured.gradient_of == "forward_kl"


@pytest.mark.parametrize(
    ("function", "name"),
    [(functions.whole_vocabulary, "reverse_kl"), (functions.whole_vocabulary_forward, "forward_kl")],
)
def test_logits_are_read_as_a_sum_over_the_vocabulary(function, name):
    one = found(function)
    named = {(r.placement, r.sampler): r.gradient_of for r in one.rows}
    assert named["loss", "policy"] == named["loss", "old"] == name
    assert named["reward", "policy"] == "zero"
    assert max(r.residual for r in one.rows) <= ROUNDING


# --- aggregation ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("function", "name", "weight"),
    [
        (functions.token_mean, "mean over tokens", 1 / 6),
        (functions.sequence_mean, "mean over tokens", 1 / 6),
        (functions.token_sum, "sum over tokens", 1),
        (functions.fixed_budget, "each token times 0.001", 1 / 1000),
    ],
)
def test_the_weight_of_each_token(function, name, weight):
    one = recovered(function)
    if function is functions.fixed_budget:  # a batch of one token has that weight too
        name, weight = "sum over tokens", 1
    assert aggregation(one)["name"] == name
    assert one.weights == pytest.approx(np.full((2, 3), weight), rel=1e-12)


def test_tokens_that_do_not_meet_are_decided():
    assert not found(functions.token_mean).undecided


# --- alarms -----------------------------------------------------------------------------------------------------------
ALARMS = [
    ("no_gradient", functions.k1_detached, functions.k1),
    ("reference_not_in_gradient", functions.k1, functions.k2),
    ("sign_reversed", functions.k2_negated, functions.k2),
    ("arguments_swapped", functions.k3_exchanged, functions.k3),
    ("weight_counted_twice", functions.k2_weighted_twice, functions.k2_weighted),
    ("value_and_gradient_differ", functions.k3, functions.k2),
]


@pytest.mark.parametrize(("kind", "wrong", "right"), ALARMS, ids=[kind for kind, *_ in ALARMS])
def test_every_alarm_rings_and_its_twin_does_not(kind, wrong, right):
    assert kind in {f.name for f in found(wrong).alarms}
    assert kind not in {f.name for f in found(right).alarms}


PROBES = [
    ("dead_zone", functions.k3_clamped, functions.k2_wide),
    ("masked_junk", functions.token_mean, functions.masked_safely),
    ("padding", functions.padded_mean, functions.token_mean),
]


@pytest.mark.parametrize(("probe", "wrong", "right"), PROBES, ids=[probe for probe, *_ in PROBES])
def test_every_probe_alarms_and_its_twin_does_not(probe, wrong, right):
    assert probe in {f.name for f in found(wrong).alarms}
    assert probe not in {f.name for f in found(right).alarms}


def test_overflow_is_said_with_its_types():
    (of_value,) = (
        f for f in found(functions.k3).findings if f.data.get("of") == "value" and "float32" in f.data["dtypes"]
    )
    assert -100.0 in of_value.data["l"]
    assert not [f for f in found(functions.k2).of(Code.NOT_FINITE, Code.NOT_FINITE_FAR) if -100.0 in f.data["l"]]


# --- hostile functions ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("function", "words"),
    [
        (functions.gives_text, "returned str"),
        (functions.unnamed, "--args logp=x,logp_ref=y"),
    ],
)
def test_what_cannot_run_says_what_to_do(function, words):
    one = found(function)
    assert words in one.failure


def test_an_option_that_raises_is_an_alarm_beside_those_that_run():
    done = audit(of_function(functions.selected), {"kind": ["k3", "k9"]})
    good, bad = done.variants
    assert not good.failure
    assert [f.name for f in bad.findings] == ["raises"]
    assert "no estimator is called k9" in bad.failure
    assert done.status == 1


def test_a_selector_without_a_default_runs_through_its_own_choices():
    assert [v.name for v in audit(of_function(functions.selected)).variants] == ["kind=k1", "kind=k3"]


def test_selectors_are_numbers_as_well():
    assert [v.name for v in audit(of_function(functions.numbered)).variants] == ["kind=1", "kind=2"]


def test_what_partial_has_fixed_is_a_setting():
    fixed = functools.partial(functions.selected, kind="k3")
    assert found(fixed).rows[0].gradient_of == "forward_kl"


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (functions.first_token_apart, "tokens have different formulas"),
        (functions.centred, "tokens are coupled"),
    ],
)
def test_what_is_no_sum_of_one_formula_over_tokens_is_undecided(function, words):
    assert any(words in f.text for f in found(function).undecided)


def test_another_shape_ends_there():
    one = found(functions.gives_seven)
    assert [f.code for f in one.undecided] == [Code.SHAPE]
    assert not one.rows


def test_what_it_prints_does_not_reach_the_terminal(capsys):
    assert found(functions.prints).rows
    assert "inside" not in capsys.readouterr().out


def test_a_parameter_that_does_not_exist_is_named():
    with pytest.raises(CannotRun, match="has no parameter knd; it has logp, ref_logp"):
        bind(of_function(functions.k2), {}, {"knd": 1})


# --- methods ----------------------------------------------------------------------------------------------------------
def test_methods_get_a_stand_in_for_self():
    target = of_function(functions.Penalty.value, owner=functions.Penalty)
    named = {kind: audit_subject(kind, bind(target, {}, {"self.kind": kind}), ("loss",)) for kind in ("k2", "k3")}
    assert [one.rows[0].gradient_of for one in named.values()] == ["reverse_kl", "forward_kl"]


def test_a_trainers_loss_needs_only_its_number():
    target = of_function(functions.Trainer.compute_loss, owner=functions.Trainer)
    one = audit_subject("", bind(target, {}, {"self.args.beta": 0.25}), ("loss",))
    assert one.rows[0].gradient_of == "1/4*forward_kl"
    assert one.subject.paths["inputs.old_per_token_logps"] == "logp_old"
    without = audit_subject("", bind(target, {}, {}), ("loss",))
    assert without.rows[0].gradient_of == "beta*forward_kl"
    assert "self.args.beta = 0.5: generic values, --set NAME=VALUE for another" in [f.text for f in without.notes]


# --- comparison -------------------------------------------------------------------------------------------------------
def test_two_implementations_are_the_same_or_part_somewhere():
    def compared(a, b):
        return compare_targets((of_function(a), {}, {}), (of_function(b), {}, {}))

    assert compared(functions.k3, lambda logp, ref_logp: functions.k3(logp, ref_logp) * 1).status == 0
    clamped = compared(functions.k3, functions.k3_clamped)
    derivative = next(q for q in clamped.questions if q.what == "derivative")
    assert clamped.status == 1
    assert derivative.parts == ("l < -2.610869", "10.99998 < l")
    assert derivative.how == "derived"


# --- JSON -------------------------------------------------------------------------------------------------------------
def test_the_json_has_a_row_for_every_placement():
    (variant,) = to_json(audit(of_function(functions.k2)))["variants"]
    first = {(r["placement"], r["weight"], r["sampler"]): r for r in reversed(variant["rows"])}
    assert first.keys() == {
        (p, w, s.value) for p in ("loss", "reward") for w in ("none", "detached", "live") for s in Sampler
    }
    assert first["loss", "none", "policy"] | {"residual": 0, "near": 0, "far": 0} == {
        "level": "token",
        "placement": "loss",
        "weight": "none",
        "sampler": "policy",
        "gradient_of": "reverse_kl",
        "where": "everywhere",
        "how": "derived",
        "residual": 0,
        "coefficient": "l",
        "title": "KL(π‖π_ref)",
        "order": None,
        "direction": "descends",
        "multiple": 1.0,
        "near": 0,
        "far": 0,
        "reason": "",
    }
