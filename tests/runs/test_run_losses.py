"""What a loss did at a run's tokens: its pull is autodiff's, whatever the formula."""

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest
from synthetic import drawn

from kltheory.calculus.formula.parse import read_formula
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import advantage, log_ratio, log_weight, logp
from kltheory.numerics.bridge import NUMPY, jax_bridge
from kltheory.runs.heads import POLARS
from kltheory.runs.loss import Loss
from kltheory.runs.schema import NoRun

ROWS = drawn(3)
FORMULAS = [
    "k1",
    "k2",
    "k3",
    "abs(l)",
    "w*k3",
    "sg(w)*k2",
    "sg(l)*logp",
    "-A*logp",
    "-min(w*A, clamp(w, 0.8, 1.2)*A) + 0.04*k3",
    "where(A < 0, -max(min(A*w, A*clamp(w,0.8,1.2)), 3*A), -min(A*w, A*clamp(w,0.8,1.2)))",
    "-sg(min(w, 2))*A*logp",
    "clamp(k3, -0.1, 0.1)",
    "-4*A/(1 + exp(-2*(w - 1)))",
    "sqrt(1 + l**2) + log(1 + w)",
    "where(l > 0.1 and w < 1, l**3, exp(-l))",
    "w**1.5 * l",
]


def slopes(expr: object) -> np.ndarray:
    """∂/∂logp by JAX, with the other policies held."""
    old = ROWS["logp_old"].to_numpy()
    with jax.enable_x64(True):

        def value(p, ref, before, a):
            return jax_bridge()(expr, {logp: p, log_ratio: p - ref, log_weight: p - before, advantage: a})

        arrays = (jnp.array(ROWS[c].to_numpy()) for c in ("logp", "logp_ref"))
        p, ref = arrays
        return np.asarray(jax.vmap(jax.grad(value))(p, ref, jnp.array(old), jnp.array(ROWS["advantage"].to_numpy())))


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_pull_is_autodiffs(formula):
    loss = Loss.typed(read_formula(formula))
    ours = ROWS.select(loss.pull.alias("x"))["x"].to_numpy()
    ours = np.broadcast_to(ours, ROWS.height)
    right = slopes(loss.surrogate.expr)
    assert np.abs(ours - right).max() < 1e-12 * max(1.0, np.abs(right).max())
    assert np.abs(1.001 * ours - right).max() > 1e-9


@pytest.mark.parametrize("formula", FORMULAS)
def test_values_are_those_of_the_other_engines(formula):
    expr = read_formula(formula).expr
    s = Surrogate.of(expr).expr
    at = {
        logp: pl.col("logp"),
        log_ratio: pl.col("logp") - pl.col("logp_ref"),
        log_weight: pl.col("logp") - pl.col("logp_old"),
    }
    ours = ROWS.select(x=POLARS(s, {**at, advantage: pl.col("advantage")}))["x"].to_numpy()
    numbers = {v: ROWS.select(e.alias("x"))["x"].to_numpy() for v, e in at.items()}
    right = np.broadcast_to(NUMPY(s, {**numbers, advantage: ROWS["advantage"].to_numpy()}), ours.shape)
    assert np.abs(ours - right).max() < 1e-13 * max(1.0, np.abs(right).max())


def test_all_engines_have_the_same_heads():
    assert set(POLARS.heads) == set(NUMPY.heads)


def test_the_parts_of_a_loss_are_told_apart(measured):
    found = measured(ROWS, "-min(w*A, clamp(w, 0.99, 1.01)*A) + k2/10").means
    good = ROWS.filter("mask")
    w = np.exp((good["logp"] - good["logp_old"]).to_numpy())
    l, a = (good["logp"] - good["logp_ref"]).to_numpy(), good["advantage"].to_numpy()
    dead = ((w > 1.01) & (a > 0)).sum() / (a > 0).sum()
    assert found["dead_good"].value == pytest.approx(dead, rel=1e-12, abs=0)
    assert found["penalty_mean"].value == pytest.approx((l / 10).mean(), rel=1e-11, abs=0)
    rewarded = np.where(((w > 1.01) & (a > 0)) | ((w < 0.99) & (a < 0)), 0, -w * a)
    share = np.abs(l / 10).sum() / (np.abs(l / 10).sum() + np.abs(rewarded).sum())
    assert found["penalty_share"].value == pytest.approx(share, rel=1e-12, abs=0)


def test_the_strongest_tokens(measured):
    found = measured(ROWS, "exp(9*l)/1000").pulled
    l = (ROWS.filter("mask")["logp"] - ROWS.filter("mask")["logp_ref"]).to_numpy()
    pull = np.abs(9 * np.exp(9 * l) / 1000)
    edge = np.quantile(pull, 0.999, method="inverted_cdf")
    assert found.top == pytest.approx(pull[pull >= edge].sum() / pull.sum(), rel=1e-10, abs=0)


REFUSED = [
    ("k3", ["logp_ref"], "needs the column logp_ref"),
    ("-w*A", ["logp_old"], "needs the column logp_old"),
    ("-A*logp", ["advantage"], "needs the column advantage"),
    ("-min(w*A, clamp(w, 1-eps, 1+eps)*A)", [], "needs numbers for eps: --param eps=VALUE"),
]


@pytest.mark.parametrize(("formula", "dropped", "said"), REFUSED)
def test_what_a_loss_lacks_is_said(formula, dropped, said, measured):
    with pytest.raises(NoRun, match=said):
        measured(ROWS.drop(dropped), formula)


def test_a_loss_needs_no_column_that_it_does_not_take(measured):
    assert "pull" in measured(ROWS.drop("logp_ref", "advantage"), "w").means
