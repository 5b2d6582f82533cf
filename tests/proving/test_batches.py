"""Batches, sample by sample: all V^G of them, against the conditional means that the theorems speak of."""

from itertools import product

import numpy as np
import pytest

POLICY, REFERENCE = np.array([0.5, 0.2, 0.3]), np.array([0.2, 0.7, 0.1])
L = np.log(POLICY / REFERENCE)
SCORE = np.eye(3) - POLICY


def gradient(advantages, size):
    """E[(1/G) Σ_i advantage_i score_i] over every batch of ``size`` independent samples."""
    total = np.zeros(3)
    for batch in product(range(3), repeat=size):
        chosen = list(batch)
        total += POLICY[chosen].prod() * advantages(L[chosen]) @ SCORE[chosen] / size
    return total


EXACT = POLICY * (L - POLICY @ L)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_the_batch_mean_shrinks_by_one_over_g_and_the_others_do_not(size):
    shrunk = gradient(lambda x: x - x.mean(), size)
    np.testing.assert_allclose(shrunk, (1 - 1 / size) * EXACT, rtol=0, atol=1e-15)
    np.testing.assert_allclose(gradient(lambda x: x - (x.sum() - x) / (size - 1), size), EXACT, rtol=0, atol=1e-15)
    assert abs(shrunk - EXACT).max() > 0.01


def test_conditional_means_are_those_of_the_theorems():
    """E[batch mean | own sample] = (f + (G - 1) E[f])/G."""
    size = 3
    for own in range(3):
        others = product(range(3), repeat=size - 1)
        seen = sum(POLICY[list(o)].prod() * (L[own] + L[list(o)].sum()) / size for o in others)
        assert abs(seen - (L[own] + (size - 1) * POLICY @ L) / size) < 1e-15
