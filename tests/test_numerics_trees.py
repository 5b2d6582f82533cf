"""The autoregressive engine: against responses written down one by one, and against the exact small trees."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from kltheory.calculus.sequence.placements import TARGETS
from kltheory.numerics.autodiff import scope
from kltheory.numerics.balls import precision
from kltheory.numerics.bridge import NotNumeric
from kltheory.numerics.primitives import by_numpy
from kltheory.numerics.responses import small_trees
from kltheory.numerics.spelled import gradient as spelled_gradient
from kltheory.numerics.trees.closed import closed_gradient
from kltheory.numerics.trees.gradient import expected_gradient, expected_value
from kltheory.numerics.trees.policies import TreeSetting, exact_setting, random_setting, standard_trees, tabular
from kltheory.numerics.trees.tree import Tree
from kltheory.proving.vocabulary import (
    OLD,
    POLICY,
    E,
    PastValue,
    Rational,
    S,
    SequenceLoss,
    SequenceObjective,
    ahead,
    beta,
    exp,
    future,
    in_sequence_reward,
    k2,
    k3,
    length,
    log_ratio,
    log_weight,
    past,
    prefix_weight,
    sg,
    to_go,
    token_loss,
    total,
)

l = log_ratio
TREES = [Tree(2, 3), Tree(3, 3, 1), Tree(4, 2, 0), Tree(2, 5, 1)]


def written_down(tree: Tree) -> set[tuple[int, ...]]:
    whole = product(range(tree.size), repeat=tree.horizon)
    return {y[: y.index(tree.eos) + 1] if tree.eos in y else y for y in whole}


@pytest.mark.parametrize("tree", TREES, ids=str)
@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_blocks_hold_each_response_once(tree, rows):
    found = []
    for block in tree.blocks(rows):
        assert len(block.tokens) <= rows
        for tokens, mask, nodes in zip(block.tokens, block.mask, block.nodes, strict=True):
            length = int(mask.sum())
            found.append(tuple(int(x) for x in tokens[:length]))
            assert len(set(nodes[:length])) == length
    assert sorted(found) == sorted(written_down(tree))
    assert tree.responses == len(found)


@pytest.mark.parametrize("tree", TREES, ids=str)
@pytest.mark.parametrize("hidden", [0, 3])
def test_probabilities_sum_to_one_and_lengths_are_those_of_the_tree(tree, hidden):
    setting = random_setting(tree, 5, hidden)
    assert abs(expected_value(S.One * length / length, setting) - 1) < 1e-12
    assert 1 - 1e-12 <= expected_value(length, setting) <= tree.horizon + 1e-12
    assert abs(expected_value(total(1) - length, setting)) < 1e-12


@pytest.mark.parametrize("hidden", [0, 2])
def test_objective_gradient_is_the_derivative_of_the_value(hidden):
    tree = Tree(3, 3, 1)
    setting, objective = random_setting(tree, 7, hidden), total(k3.expr) * exp(-total(l) / 3)
    found = expected_gradient(SequenceObjective(objective), setting, POLICY).values
    for i in range(0, len(found), 5):
        step = np.zeros_like(found)
        step[i] = 1e-5
        up, down = (
            expected_value(objective, TreeSetting(tree, moved, setting.reference, setting.old))
            for moved in (replace(setting.policy, parameters=setting.policy.parameters + s) for s in (step, -step))
        )
        assert abs((up - down) / 2e-5 - found[i]) < 1e-7


# --- by NumPy alone ---------------------------------------------------------------------------------------------------
SETTINGS = [
    random_setting(tree, 13, hidden, 0.5) for tree in (Tree(2, 3), Tree(3, 3, 0), Tree(4, 2)) for hidden in (0, 2)
]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.name)
def test_what_is_pulled_back_by_hand_is_what_jax_pulls_back(setting):
    by_table = np.random.default_rng(5).normal(size=setting.log_policy.shape)
    with scope():
        np.testing.assert_allclose(
            setting.log_policy, by_numpy(setting.policy.table)(setting.policy.parameters), 0, 1e-15
        )
        np.testing.assert_allclose(setting.policy.pulled(by_table), by_numpy(setting.policy.pull)(by_table), 0, 1e-13)


SHORT = [
    *(term for name, (term, _) in TARGETS.items() if name != "zero"),
    SequenceObjective(exp(-total(l + log_weight)) * total(l + log_weight) ** 2),
    token_loss(k3),
    token_loss(k3, sg(exp(log_weight))) * (1 / length),
    SequenceLoss(total(exp(log_weight) * l) / (2 * length)),
    in_sequence_reward(k3.expr),
    SequenceLoss(total(E(sg(l) * l - k3.expr * exp(log_weight))) / length),
]


@pytest.mark.parametrize("sampler", [POLICY, OLD])
@pytest.mark.parametrize("term", SHORT, ids=lambda t: str(t.expr))
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.name)
def test_a_short_derivative_is_that_of_jax(setting, term, sampler):
    found = closed_gradient(term, setting, sampler)
    expected = expected_gradient(term, setting, sampler)
    assert np.abs(found - expected.values).max() < 1e-13 * max(1.0, expected.scale)


@pytest.mark.parametrize(
    "term",
    [
        token_loss(k3, prefix_weight),
        SequenceLoss(total(E(l) * sg(past(l)))),
        SequenceLoss(total(E(l) * l)),
        SequenceLoss(total(l) ** 2),
        SequenceObjective(total(l) * total(k3.expr)),
        SequenceObjective(total(to_go(l))),
    ],
    ids=str,
)
def test_what_has_no_short_derivative_is_left_to_jax(term):
    assert closed_gradient(term, SETTINGS[0], POLICY) is None


LOSSES = [
    token_loss(k3),
    token_loss(k3, prefix_weight),
    in_sequence_reward(to_go(l, Rational(1, 3))),
    in_sequence_reward(l + ahead(l)),
    in_sequence_reward(to_go(l) - PastValue("b")),
    SequenceLoss(total(past(l) * future(k2.expr))),
    SequenceLoss(total(E(l) * sg(past(l))) / 3),
    SequenceLoss(exp(total(log_weight) / length) * total(k3.expr) / length),
]


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("sampler", [POLICY, OLD], ids=str)
def test_it_agrees_with_balls(loss, sampler):
    """Two evaluations with nothing in common but the formula: arrays and autodiff, and rationals and scores."""
    if loss.expr.has(PastValue):
        pytest.skip("functions of the past are drawn differently")
    exact = next(t for t in small_trees(True) if t.size == 3)
    tree = Tree(exact.size, exact.horizon)
    setting = exact_setting(tree, exact.policy, exact.reference)
    with precision(64):
        same_old = type(exact)(exact.size, exact.horizon, None, exact.policy, exact.reference, exact.reference)
        components = spelled_gradient(loss, same_old, sampler, {})
    expected = np.zeros((tree.nodes, tree.size))
    for (*prefix, token), ball in components.items():
        expected[1 + prefix[0] if prefix else 0, token] = float(ball)
    found = expected_gradient(loss, setting, sampler).values.reshape(expected.shape)
    assert abs(found - expected).max() < 1e-13
    wrong = expected_gradient(loss + token_loss(k2), setting, sampler).values.reshape(expected.shape)
    assert abs(wrong - expected).max() > 1e-3


def test_errors_say_what_is_wrong():
    setting = random_setting(Tree(2, 2), 1)
    with pytest.raises(NotNumeric, match="flows into what is to come"):
        expected_gradient(SequenceLoss(total(ahead(l) * l)), setting, POLICY)
    with pytest.raises(NotNumeric, match="no value is given for beta"):
        expected_gradient(beta * token_loss(k2), setting, POLICY)
    with pytest.raises(ValueError, match="expected size ≥ 2"):
        Tree(1, 3)
    with pytest.raises(ValueError, match=r"logits has shape \(2, 2\); expected \(3, 2\)"):
        tabular(Tree(2, 2), np.zeros((2, 2)))


def test_a_sum_relative_to_a_token_stands_at_a_token():
    with precision(64), pytest.raises(NotNumeric, match=r"past\(l\) is relative to a token"):
        spelled_gradient(SequenceLoss(past(log_ratio)), next(iter(small_trees(False))), POLICY, {})


@pytest.mark.parametrize(("fixed_length", "ends"), [(False, ", token 0 ends"), (True, "")])
def test_trees_are_named(fixed_length, ends):
    assert [setting.name for setting in standard_trees(fixed_length)] == [
        f"V = 2, T = 4{ends}, table, seed 11",
        f"V = 3, T = 3{ends}, recurrent network of 3, seed 12",
    ]
