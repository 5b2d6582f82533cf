"""Batches, sample by sample: all V^G of them, against the conditional means that the theorems speak of."""

import runpy
from itertools import product

import numpy as np
import pytest
from sympy import Symbol

from kltheory.calculus.moments import At
from kltheory.calculus.symbols import log_ratio
from kltheory.numerics import enumeration
from kltheory.numerics.settings import Settings
from kltheory.proving.claims import POLICY as ON_POLICY
from kltheory.proving.theorem import library

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


# --- the formulas of proofs/batches.py themselves ---------------------------------------------------------------------
BATCHES = runpy.run_path(str(library() / "batches.py"))
LOGITS = np.log([POLICY]), np.log([REFERENCE]), np.log([POLICY])
SETTING = (Settings(*LOGITS, np.zeros((1, 3)), ("exact",)),)
SIZE = Symbol("G", positive=True)


def by_the_calculus(c, size):
    """The gradient that the calculus gives to a detached coefficient, on the same policy."""
    coefficient = BATCHES["in_gradient"](c).coefficient(ON_POLICY)
    return enumeration.expected_gradient(coefficient, SETTING, {SIZE: size})[0][0]


@pytest.mark.parametrize("size", [2, 3])
def test_the_calculus_agrees_with_all_batches(size):
    l, mean = log_ratio, BATCHES["batch_mean"](log_ratio)
    for c, advantages in (
        (l - mean, lambda x: x - x.mean()),
        (l - (SIZE * mean - l) / (SIZE - 1), lambda x: x - (x.sum() - x) / (size - 1)),
    ):
        np.testing.assert_allclose(by_the_calculus(c, size), gradient(advantages, size), rtol=0, atol=1e-15)
    wrong = by_the_calculus(l - (mean - l / SIZE), size)
    assert abs(wrong - gradient(lambda x: x - x.mean(), size)).max() > 0.01


def normalised(x):
    return (x - x.mean()) / x.std() if np.ptp(x) else 0 * x


def test_dividing_by_the_deviation_is_what_the_formula_of_three_says():
    values = BATCHES["normalised_in_three"]([At(log_ratio, i) for i in range(3)])
    coefficient = np.array([enumeration.moment(c, SETTING)[0][0] for c in values])
    expected = POLICY * (coefficient - POLICY @ coefficient)
    found = gradient(normalised, 3)
    np.testing.assert_allclose(expected, found, rtol=0, atol=1e-14)
    assert abs(found - gradient(lambda x: x - x.mean(), 3)).max() > 0.01
