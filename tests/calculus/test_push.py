"""The part with an advantage: potentials of the losses people run, by hand; random losses, against enumeration."""

import math
import random

import numpy as np
import pytest
from sympy import Expr, Max, Min, Piecewise, Rational, S, exp, log

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.estimators import k2, k3, w
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.identify import identify
from kltheory.calculus.moments import E
from kltheory.calculus.push import SIGNS, Push, multiple, parted
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import advantage as A
from kltheory.calculus.symbols import log_ratio as l
from kltheory.calculus.symbols import log_weight as lw
from kltheory.calculus.symbols import logp, sg, weight
from kltheory.numerics.bridge import NUMPY

POLICY, OLD = Sampler
CLIP = Min(Max(w, Rational(4, 5)), Rational(6, 5))
PPO = -Min(w * A, CLIP * A)
DUAL = Piecewise((-Max(Min(w * A, CLIP * A), 3 * A), A < 0), (PPO, True))
SHORT = Min(w, 2)


def steps(*pieces: tuple[Expr | float, Expr]) -> Expr:
    """Φ by regions of w: (value, upper end)."""
    return Piecewise(*((value, weight < end) if end is not S.true else (value, True) for value, end in pieces))


W, LAST = weight, S.true
LOSSES: dict[str, tuple[Expr, Expr, Expr]] = {
    "weighted": (-w * A, -W, -W),
    "reinforce": (-A * logp, -log(W), -log(W)),
    "detached weight": (-sg(w) * A * logp, -W, -W),
    "ppo": (
        PPO,
        steps((-W, Rational(6, 5)), (-Rational(6, 5), LAST)),
        steps((-Rational(4, 5), Rational(4, 5)), (-W, LAST)),
    ),
    "dual clip": (
        DUAL,
        steps((-W, Rational(6, 5)), (-Rational(6, 5), LAST)),
        steps((-Rational(4, 5), Rational(4, 5)), (-W, S(3)), (-S(3), LAST)),
    ),
    "cispo": (-sg(SHORT) * A * logp, *(steps((-W, S(2)), (-2 * log(W / 2) - 2, LAST)),) * 2),
    "a live truncated weight": (-SHORT * A, *(steps((-W, S(2)), (-S(2), LAST)),) * 2),
    "topr": (
        Piecewise((-A * logp, A > 0), (-sg(Min(w, 1)) * A * logp, True)),
        -log(W),
        steps((-W, S(1)), (-log(W) - 1, LAST)),
    ),
    "spo": (
        -w * A + abs(A) * (w - 1) ** 2 / Rational(2, 5),
        Rational(5, 2) * W**2 - 6 * W,
        -Rational(5, 2) * W**2 + 4 * W,
    ),
    "sapo": (-4 * A / (1 + exp(-2 * (w - 1))), *(-4 / (1 + exp(-2 * (W - 1))),) * 2),
    "vespo, k = 2": (-A * sg(exp(2 - 2 * w) * w**2) * logp, *((W / 2 + Rational(1, 4)) * exp(2 - 2 * W),) * 2),
    "aspo": (-sg(1 / w) * A * logp, 1 / W, 1 / W),
    "a square root": (-A * exp(lw / 2), -exp(log(W) / 2), -exp(log(W) / 2)),
}


def of(expr: Expr, sampler: Sampler = OLD) -> Coefficient:
    return Surrogate.of(expr).coefficient(sampler)


def numbers(expr: Expr, at: np.ndarray) -> np.ndarray:
    return np.broadcast_to(NUMPY(expr, {weight: at, lw: np.log(at)}), at.shape).astype(float)


@pytest.mark.parametrize("name", LOSSES)
def test_potential_is_the_one_by_hand_up_to_a_constant(name: str):
    expr, *by_hand = LOSSES[name]
    pushes, penalty = parted(of(expr))
    assert penalty.is_zero()
    at = np.array([0.03, 0.3, 0.79, 0.9, 1.1, 1.21, 1.7, 2.4, 3.5, 6.0])
    for push, right in zip(pushes, by_hand, strict=True):
        assert push.potential is not None
        gap = numbers(push.potential, at) - numbers(right, at)
        assert np.ptp(gap) < 1e-12
        assert np.ptp(numbers(push.potential, at) - numbers(right * weight, at)) > 1e-3  # its wrong-on-purpose twin


@pytest.mark.parametrize("name", LOSSES)
def test_potential_differentiates_back(name: str):
    for push in parted(of(LOSSES[name][0]))[0]:
        assert push.potential is not None
        slope = Coefficient.of(push.potential.diff(weight).xreplace({weight: exp(lw)}))
        assert (slope - push.coefficient).is_zero()
        assert not (2 * slope - push.coefficient).is_zero()


@pytest.mark.parametrize("name", [n for n in LOSSES if not n.startswith(("sapo", "a square", "vespo"))])
def test_where_the_old_policy_is_the_policy_it_is_the_policy_gradient(name: str):
    found = identify(of(LOSSES[name][0], POLICY))
    if name == "topr":  # min(w, 1) is on its kink: half of the gradient, but it is detached
        assert found.title == "-E_π[A]"
    assert found.name == "-expected_advantage"


FACTS: dict[str, tuple[Expr, str, list[list[str]], list[bool | None]]] = {
    "weighted": (-w * A, "-expected_advantage", [[], []], [True, True]),
    "reinforce": (-A * logp, "none", [[], []], [True, False]),
    "ppo": (PPO, "none", [["6/5 < w"], ["w < 4/5"]], [True, True]),
    "dual clip": (DUAL, "none", [["6/5 < w"], ["w < 4/5", "3 < w"]], [True, True]),
    "aspo": (-sg(1 / w) * A * logp, "none", [[], []], [True, False]),
    "a flipped sign": (2 * w * A, "2*expected_advantage", [[], []], [True, True]),
    "with a penalty": (-w * A + sg(w) * k2.expr, "-expected_advantage + reverse_kl", [[], []], [True, True]),
    "with an entropy bonus": (-w * A + w * logp, "-expected_advantage + kl_uniform", [[], []], [True, True]),
    "a penalty without a weight": (-w * A + k3.expr, "none", [[], []], [True, True]),
    "a penalty in the advantage": (
        -w * (A - sg(l) / 10),
        "-expected_advantage + 1/10*reverse_kl",
        [[], []],
        [True, True],
    ),
    "for good actions alone": (-w * Max(A, 0), "none", [[], ["everywhere"]], [True, True]),
}


@pytest.mark.parametrize("name", FACTS)
def test_names_dead_regions_and_bounds(name: str):
    expr, named, dead, bounded = FACTS[name]
    found = identify(of(expr))
    assert found.name == named
    assert [[str(r) for r in push.dead] for push in found.pushes] == dead
    assert [push.is_bounded_below for push in found.pushes] == bounded


NO_SUM: dict[str, tuple[Expr, str]] = {
    "a square": (-(A**2) * w, "not proportional"),
    "an advantage that exceeds 1": (-w * Max(A, 1), "the size of the advantage"),
    "a penalty clipped with the advantage": (-Min(w * (A - sg(l)), CLIP * (A - sg(l))), "the size of the advantage"),
    "a penalty for one sign": (-w * A + Piecewise((k2.expr, A > 0), (0, True)), "changes with its sign"),
    "a mean of advantages": (-sg(w / E(A)) * A * logp, "a mean of the advantages"),
}


@pytest.mark.parametrize("name", NO_SUM)
def test_what_is_no_such_sum_says_so(name: str):
    expr, reason = NO_SUM[name]
    with pytest.raises(Undecidable, match=reason):
        parted(of(expr))
    assert identify(of(expr)).pushes == ()


def test_a_coefficient_without_an_advantage_has_no_pushes():
    assert identify(of(k3.expr)).pushes == ()
    assert identify(of(A * 0 + sg(A) - A)).pushes == ()


# --- random losses, against numbers -----------------------------------------------------------------------------------
def drawn(seed: int) -> Expr:
    """A policy loss of a few ingredients: weights, clips, parts that are held, a penalty."""
    rng = random.Random(seed)
    lo, hi, cap = Rational(rng.randint(2, 9), 10), Rational(rng.randint(11, 25), 10), Rational(rng.randint(2, 8), 2)
    clip, factor = Min(Max(w, lo), hi), Rational(rng.randint(1, 9), rng.choice([1, 2, 5]))
    weights = [w, clip, Min(w, cap), Max(w, lo), exp(lw / 2), 1 / w, w * Min(w, cap), S.One]
    v = rng.choice(weights)
    forms = [
        -A * v * w,
        -A * sg(v) * logp,
        -Min(w * A, clip * A),
        Piecewise((-A * sg(v) * logp, A > 0), (-A * rng.choice(weights) * w, True)),
        -Max(A, 0) * w * sg(v) + Max(-A, 0) * v * w,
        -A * w + abs(A) * (w - 1) ** 2 * factor,
        -A * sg(Piecewise((w, between(lo, hi)), (0, True))) * logp,
    ]
    penalties = [S.Zero, S.Zero, k3.expr, sg(w) * k2.expr, w * logp, abs(lw), w * l]
    return factor * rng.choice(forms) + rng.choice(penalties) / rng.randint(1, 20)


def between(lo: Expr, hi: Expr) -> Expr:
    """Whether w lies in an interval."""
    return (w > lo) & (w < hi)


def numeric_slope(expr: Expr, at: dict[str, float], step: float = 1e-6) -> float:
    """∂s/∂logp with what is detached held, by central differences: the oracle shares nothing with the calculus."""

    def value(moved: float) -> float:
        own, held = {**at, "logp": at["logp"] + moved}, at
        return _evaluate(expr, own, held)

    return (value(step) - value(-step)) / (2 * step)


def _evaluate(e: Expr, own: dict[str, float], held: dict[str, float]) -> float:
    if isinstance(e, sg):
        return _evaluate(e.args[0], held, held)
    known = {logp: own["logp"], l: own["logp"] - own["ref"], lw: own["logp"] - own["old"], A: own["A"]}
    if e in known:
        return known[e]
    if e.is_Number:
        return float(e)
    if isinstance(e, Piecewise):
        return next(_evaluate(x, own, held) for x, c in e.args if _holds(c, own, held))
    args = [_evaluate(a, own, held) for a in e.args]
    heads = {"Add": math.fsum, "Mul": math.prod, "Min": min, "Max": max}
    if e.func.__name__ in heads:
        return heads[e.func.__name__](args)
    return {"Pow": lambda a, b: a**b, "exp": math.exp, "Abs": abs, "log": math.log}[e.func.__name__](*args)


def _holds(c: Expr, own: dict[str, float], held: dict[str, float]) -> bool:
    if c in (S.true, S.false):
        return c == S.true
    if c.func.__name__ == "And":
        return all(_holds(x, own, held) for x in c.args)
    a, b = (_evaluate(x, own, held) for x in c.args)
    return {">": a > b, "<": a < b, ">=": a >= b, "<=": a <= b}[c.rel_op]


def complaint(expr: Expr, pushes: tuple[Push, ...], penalty: Coefficient, seed: int) -> str:
    """Where A·Φ'(w) and the penalty's C are not the loss's slope over w; empty where they are everywhere."""
    rng = random.Random(seed)
    for _ in range(12):
        at = {"logp": -rng.uniform(0.1, 3), "A": rng.choice([-1, 1]) * rng.uniform(0.2, 3)}
        at |= {"ref": at["logp"] - rng.uniform(-2, 2), "old": at["logp"] - rng.uniform(-2, 2)}
        weigh = math.exp(at["logp"] - at["old"])
        push = next(p for p in pushes if p.sign == math.copysign(1, at["A"]))
        assert push.potential is not None
        around = numbers(push.potential, weigh * np.array([1 + 1e-6, 1 - 1e-6]))
        mine = at["A"] * (around[0] - around[1]) / (2e-6 * weigh)
        rest = next(e for r, e in penalty.cells if _inside(r, at))
        mine += _evaluate(rest, at, at)
        right = numeric_slope(expr, at) / weigh
        if abs(mine - right) > 1e-5 * max(1.0, abs(right)):
            return f"{mine} for {right} at {at}"
    return ""


def _inside(region: object, at: dict[str, float]) -> bool:
    log_w = at["logp"] - at["old"]
    lo, hi = region.bounds(lw)  # type: ignore[attr-defined]
    return (lo is None or float(lo) < log_w) and (hi is None or log_w < float(hi))


@pytest.mark.parametrize("seed", range(0, 60, 20))
def test_random_losses_descend_the_sum_that_is_printed(seed: int):
    for k in range(seed, seed + 20):
        expr = drawn(k)
        pushes, penalty = parted(of(expr))
        assert complaint(expr, pushes, penalty, k) == "", (k, expr)


def test_a_wrong_potential_is_a_complaint():
    expr = -Min(w * A, CLIP * A)
    pushes, penalty = parted(of(expr))
    assert complaint(expr, pushes, penalty, 0) == ""
    assert complaint(expr, tuple(Push(p.sign, 2 * p.coefficient) for p in pushes), penalty, 0)
    assert complaint(expr, tuple(Push(-p.sign, p.coefficient) for p in pushes), penalty, 0)


def test_signs_are_those_of_the_advantage():
    assert list(SIGNS) == [1, -1]
    assert multiple(parted(of(-3 * w * A))[0]) == -3
    assert multiple(parted(of(PPO))[0]) is None
    assert is_zero(multiple(parted(of(PPO, POLICY))[0]) + 1)
