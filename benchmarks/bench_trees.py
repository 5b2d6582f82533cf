"""Exact gradients over all responses of a prefix tree, against loops in Python and one forward and backward pass."""

from math import exp
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from kltheory.calculus.estimators import k3
from kltheory.calculus.sequence.placements import FROZEN_FORWARD_KL, token_loss
from kltheory.calculus.surrogate import Sampler
from kltheory.numerics.autodiff import scope
from kltheory.numerics.tolerance import ATOL
from kltheory.numerics.trees.gradient import expected_gradient
from kltheory.numerics.trees.policies import TreeSetting, random_setting
from kltheory.numerics.trees.tree import Tree

TREES = [Tree(2, 10), Tree(4, 5), Tree(8, 4), Tree(8, 6), Tree(4, 10), Tree(4, 10, 0), Tree(2, 20)]
PLAIN = Tree(4, 5)
"""Small enough for loops in Python."""


def by_loops(setting: TreeSetting) -> np.ndarray:
    """The gradient of k3 as a loss on each token by the logits: every response, token by token, in Python."""
    tree, logits = setting.tree, setting.policy.parameters.reshape(-1, setting.tree.size)
    table = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    out = np.zeros_like(table)
    for block in tree.blocks(1):
        nodes, tokens = block.nodes[0], block.tokens[0]
        probability = exp(sum(table[n, a] for n, a in zip(nodes, tokens, strict=True)))
        for n, a in zip(nodes, tokens, strict=True):
            slope = probability * (1 - exp(setting.reference[n, a] - table[n, a]))
            for j in range(tree.size):
                out[n, j] += slope * ((j == a) - exp(table[n, j]))
    return out.ravel()


def one_pass(setting: TreeSetting) -> float:
    """Seconds of one jitted forward and backward pass of the loss over as many tokens, the table given."""
    import jax

    tokens = setting.tree.responses * setting.tree.horizon
    with scope():
        x = jax.numpy.linspace(-1, 1, tokens)
        grad: Any = jax.jit(jax.grad(lambda l: (jax.numpy.exp(-l) - 1 + l).sum()))
        grad(x).block_until_ready()
        start = perf_counter()
        grad(x).block_until_ready()
        return perf_counter() - start


@pytest.mark.parametrize("tree", TREES, ids=str)
def test_tree(tree: Tree, benchmark, say):
    setting = random_setting(tree, 1)
    found = benchmark.pedantic(lambda: expected_gradient(token_loss(k3), setting, Sampler.POLICY), rounds=1)
    frozen = expected_gradient(FROZEN_FORWARD_KL, setting, Sampler.POLICY)
    assert abs(found.values - frozen.values).max() <= ATOL * found.scale
    seconds, floor = benchmark.stats.stats.min, one_pass(setting)
    say(f"{tree}: {tree.responses} responses in {seconds:.2f} s, {seconds / floor:.0f} x one forward and backward pass")


def test_against_loops(benchmark, say):
    setting = random_setting(PLAIN, 1)
    found = benchmark.pedantic(lambda: expected_gradient(token_loss(k3), setting, Sampler.POLICY), rounds=3)
    start = perf_counter()
    plain = by_loops(setting)
    seconds = perf_counter() - start
    assert abs(found.values - plain).max() <= 1e-12
    say(f"{PLAIN}: {seconds / benchmark.stats.stats.min:.0f} x faster than loops in Python ({seconds:.2f} s)")
