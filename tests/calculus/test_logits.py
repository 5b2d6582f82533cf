"""The bridge to logits: lemmas for symbolic V, corrupted ones, capture; and gradients spelled out at V = 2, 3, 4."""

from itertools import product

import mpmath
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import clamp, coefficients, value
from sympy import Abs, Expr, KroneckerDelta, Max, Min, Rational, S, Sum, Symbol, exp, expand, log, sign, symbols

from kltheory.calculus.concrete import at_action, component, lemma, log_softmax, same_gradient
from kltheory.calculus.concrete import same_value as same_value_at
from kltheory.calculus.divergence import (
    DIVERGENCES,
    Objective,
    forward_kl,
    neyman_chi2,
    pearson_chi2,
    reverse_kl,
    squared_hellinger,
    total_variation,
)
from kltheory.calculus.estimators import Estimator, as_loss, in_reward, k1, k2, k3, k_abs, straight_through, w
from kltheory.calculus.expectation import expectation, same_value
from kltheory.calculus.logits import (
    C,
    V,
    differentiate,
    fresh,
    lemmas,
    named_sum,
    partition,
    prove_lemmas,
    softmax,
    theta,
    total,
)
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import advantage as A
from kltheory.calculus.symbols import log_ratio as l
from kltheory.calculus.symbols import log_weight as lw
from kltheory.calculus.symbols import logp, sg, weight

POLICY, OLD = Sampler
u, r = exp(l), exp(-l)
pi, ref = exp(logp), exp(logp - l)
zero = Surrogate.of(0)


# --- symbolic V -----------------------------------------------------------------------------------------------------
def test_the_lemmas_hold():
    assert prove_lemmas() == {"score": True, "mean_score": True, "coefficient": True}


def test_the_lemmas_say_what_they_should():
    """Read off the printed statements: δ_ij − π_j, 0, π_j (C_j − Σ_i π_i C_i)."""
    stated = {name: right for name, (_, right) in lemmas().items()}
    (i, j) = sorted(stated["score"].atoms(KroneckerDelta).pop().args[:2], key=str)
    assert expand(stated["score"] - KroneckerDelta(i, j, (1, V)) + softmax(j)) == 0
    assert stated["mean_score"] == 0
    (j,) = {s for s in stated["coefficient"].free_symbols if s.is_Dummy}
    k = fresh()
    assert expand(stated["coefficient"] - softmax(j) * (C[j] - total(softmax(k) * C[k], k))) == 0


def _holds(left: Expr, right: Expr) -> bool:
    return expand(left - right) == 0


def test_corrupted_lemmas_fail():
    sides = lemmas()
    score, stated = sides["score"]
    i, j = stated.atoms(KroneckerDelta).pop().args[:2]
    delta = KroneckerDelta(i, j, (1, V))
    assert _holds(score, stated)
    for wrong in (delta, -softmax(j), delta + softmax(j), delta - softmax(i), 1 - softmax(j), delta - softmax(j) / 2):
        assert not _holds(score, wrong)
        assert total(softmax(i) * wrong, i) != 0

    left, right = sides["coefficient"]
    (j,) = {s for s in right.free_symbols if s.is_Dummy}
    k = fresh()
    mean = total(softmax(k) * C[k], k)
    assert _holds(left, right)
    for wrong in (softmax(j) * C[j], C[j] - mean, softmax(j) * (C[j] + mean), softmax(j) * (C[j] - total(C[k], k))):
        assert not _holds(left, wrong)


def test_the_mean_score_needs_the_weights():
    i, j = fresh("i"), fresh("j")
    stated = KroneckerDelta(i, j, (1, V)) - softmax(j)
    assert total(softmax(i) * stated, i) == 0
    assert total(stated, i) != 0
    assert total(softmax(i) ** 2 * stated, i) != 0


def test_softmax_sums_to_one():
    i = fresh()
    assert total(softmax(i), i) == 1
    assert total(softmax(i) ** 2, i) != 1


# --- bound indices --------------------------------------------------------------------------------------------------
def test_sympy_does_capture():
    """Why the guard is there: ``subs`` puts a free index where a bound one was."""
    i, j = fresh("i"), fresh("j")
    s = Sum(theta[i] * theta[j], (i, 1, V))
    assert s.subs(j, i) == Sum(theta[i] ** 2, (i, 1, V))


def test_nested_sums_with_the_same_dummy_do_not_capture():
    """Σ_i θ_i Σ_i C_i is the product of two sums, and not Σ_i θ_i C_i."""
    i = fresh("i")
    inner = total(C[i], i)
    both = total(theta[i] * inner, i)
    assert both == named_sum(theta[i], i) * named_sum(C[i], i)
    assert both != total(theta[i] * C[i], i)


def test_sums_are_equal_whatever_the_index_is_called():
    i, j = fresh("i"), fresh("j")
    assert total(softmax(i) * C[i], i) == total(softmax(j) * C[j], j)
    assert named_sum(C[i], i) is named_sum(C[j], j)
    assert named_sum(C[i], i) != named_sum(C[i] ** 2, i)
    assert not named_sum(C[i] * theta[j], i).has(i)
    assert named_sum(C[i] * theta[j], i).has(j)


def test_a_delta_picks_one_term():
    i, j = fresh("i"), fresh("j")
    delta = KroneckerDelta(i, j, (1, V))
    assert total(delta * C[i], i) == C[j]
    assert total(delta * C[j], i) == C[j]
    assert total(delta * softmax(i) * (C[i] - total(softmax(i) * C[i], i)), i) == expand(
        softmax(j) * (C[j] - total(softmax(i) * C[i], i))
    )


def test_a_free_index_under_the_name_of_the_bound_one():
    """The derivative by θ_i of log π_i, with the very dummy that was summed over elsewhere."""
    i, j = fresh("i"), fresh("j")
    mean = total(softmax(i) * C[i], i)
    assert _holds(differentiate(theta[i] - log(partition()), i), 1 - softmax(i))
    moved = differentiate(softmax(i), j)
    assert _holds(moved, softmax(i) * (KroneckerDelta(i, j, (1, V)) - softmax(j)))
    assert not _holds(moved, softmax(i) * (KroneckerDelta(i, j, (1, V)) - softmax(i)))
    assert mean.free_symbols.isdisjoint({i})


@pytest.mark.parametrize("size", [2, 3, 4])
def test_the_lemmas_spelled_out(size):
    """The stated sides, sums written out and numbers for logits and C, against plain ``diff`` of log softmax."""
    logits = [Rational(3 * n * n - 5 * n, 7) for n in range(size)]
    cs = [Rational(n + 1, n + 3) for n in range(size)]
    t = symbols(f"t1:{size + 1}", real=True)
    z = sum(map(exp, t), S.Zero)
    for j0 in range(1, size + 1):
        score = [log(exp(t[a]) / z).diff(t[j0 - 1]) for a in range(size)]
        direct = sum((exp(t[a]) / z * c * s for a, (c, s) in enumerate(zip(cs, score, strict=True))), S.Zero)
        direct = direct.subs(dict(zip(t, logits, strict=True)))
        _, right = lemmas()["coefficient"]
        (j,) = {s for s in right.free_symbols if s.is_Dummy}
        spelled = _spelled_out(right, {j: j0}, logits, cs)
        assert abs(value(direct - spelled, {})) < 1e-45
        assert abs(value(direct - spelled * (1 + Rational(1, 10**9)), {})) > 1e-14


def _spelled_out(e: Expr, free: dict, logits, cs) -> Expr:
    for s in e.atoms(Sum):
        (k, _, _) = s.limits[0]
        e = e.xreplace({s: sum((s.function.xreplace({k: sympy.Integer(n)}) for n in range(1, len(cs) + 1)), S.Zero)})
    e = e.xreplace({d: sympy.Integer(n) for d, n in free.items()})
    return e.xreplace({theta[n]: x for n, x in enumerate(logits, 1)} | {C[n]: x for n, x in enumerate(cs, 1)})


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("name", ["score", "mean_score", "coefficient"])
def test_the_lemmas_against_plain_diff(name, size):
    left, right = lemmas()[name]
    assert lemma(name, left, right, size)
    (j, *_) = [s for s in lemmas()["coefficient"][1].free_symbols if s.is_Dummy]
    for wrong in (2 * right + softmax(j), right - softmax(j) ** 2, right + 1):
        assert not lemma(name, left, wrong, size)
        assert not lemma(name, wrong, right, size)


# --- concrete V -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [2, 3, 4])
def test_log_softmax_is_a_distribution(size):
    at = {Symbol(f"theta{i}", real=True): Rational(i + 1, 3) for i in range(size)}
    probabilities = [mpmath.exp(value(x, at)) for x in log_softmax("theta", size)]
    assert len(probabilities) == size
    assert abs(sum(probabilities) - 1) < 1e-14
    assert len(set(probabilities)) == size
    assert at_action(l, size, 0) == log_softmax("theta", size)[0] - log_softmax("phi", size)[0]
    assert at_action(A, size, 1) != at_action(A, size, 0)


Term = Surrogate | Objective

# left, right, who samples: the same gradient.
SAME: dict[str, tuple[Term, Term, Sampler]] = {
    "S2: k1 as loss, on-policy": (as_loss(k1), zero, POLICY),
    "S3: k1 in reward": (in_reward(k1), reverse_kl.objective, POLICY),
    "S4: k2 as loss = k1 in reward": (as_loss(k2), in_reward(k1), POLICY),
    "4: k3 as loss": (as_loss(k3), forward_kl.objective, POLICY),
    "6: k3 in reward and as loss": (in_reward(k3) + as_loss(k3), reverse_kl.objective, POLICY),
    "66: w k1": (as_loss(k1, w), reverse_kl.objective, OLD),
    "66: w k3": (as_loss(k3, w), reverse_kl.objective, OLD),
    "66: sg(w) k2": (as_loss(k2, sg(w)), reverse_kl.objective, OLD),
    "66: w k2": (as_loss(k2, w), expectation(k2.expr), OLD),
    "66: sg(w) k3": (as_loss(k3, sg(w)), forward_kl.objective, OLD),
    "66: sg(w) k1": (as_loss(k1, sg(w)), zero, OLD),
    "66: k1, no weight": (as_loss(k1), Objective(-forward_kl.from_old().objective.summand), OLD),
    "68: w k3, on-policy": (as_loss(k3, w), reverse_kl.objective, POLICY),
    "16: h_1 as loss": (as_loss(Estimator("h", 2 * (u - 1 - l))), pearson_chi2.objective, POLICY),
    "16: Neyman": (as_loss(Estimator("h", l + exp(-2 * l) / 2)), Objective(neyman_chi2.objective.summand), POLICY),
    "16: Hellinger": (as_loss(Estimator("h", l + 2 * exp(-l / 2))), squared_hellinger.objective, POLICY),
    "abs as loss": (as_loss(k_abs), Objective(2 * total_variation.objective.summand), POLICY),
    "straight-through": (straight_through(k3, k2, sg(w)), reverse_kl.objective, OLD),
    "75: stale k1": (
        Surrogate.of(sg(weight * (l - lw)) * logp),
        Objective(reverse_kl.objective.summand - reverse_kl.from_old().objective.summand),
        OLD,
    ),
    "S7: MiniMax": (Surrogate.of(sg(pi - ref) * logp), Objective.of((pi - ref) ** 2 / 2), POLICY),
    "an advantage": (Surrogate.of(-weight * A), Surrogate.of(-sg(weight * A) * logp), OLD),
}

DIFFERENT: dict[str, tuple[Term, Term, Sampler]] = {
    "k3 as loss is not the reverse KL's": (as_loss(k3), reverse_kl.objective, POLICY),
    "k1 as loss is not zero off-policy": (as_loss(k1), zero, OLD),
    "k2 in reward is not k2 as loss": (in_reward(k2), as_loss(k2), POLICY),
    "detached is not live": (as_loss(k3, sg(w)), as_loss(k3, w), OLD),
    "k2 without the weight": (as_loss(k2), reverse_kl.objective, OLD),
    "w k2 is not the reverse KL's": (as_loss(k2, w), reverse_kl.objective, OLD),
    "half of it": (in_reward(k1), Objective(reverse_kl.objective.summand / 2), POLICY),
    "abs as loss is not the total variation": (as_loss(k_abs), total_variation.objective, POLICY),
    "Pearson is not Neyman": (as_loss(Estimator("h", 2 * (u - 1 - l))), neyman_chi2.objective, POLICY),
    "forgetting the advantage": (Surrogate.of(-weight * A), Surrogate.of(-sg(weight) * logp), OLD),
}


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("name", SAME)
def test_same_gradient(name, size):
    left, right, sampler = SAME[name]
    assert same_gradient(left, right, sampler, size)
    assert left.coefficient(*_who(left, sampler)).equals(right.coefficient(*_who(right, sampler)))


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("name", DIFFERENT)
def test_different_gradients(name, size):
    left, right, sampler = DIFFERENT[name]
    assert not same_gradient(left, right, sampler, size)
    assert not left.coefficient(*_who(left, sampler)).equals(right.coefficient(*_who(right, sampler)))


@pytest.mark.parametrize("name", SAME)
def test_same_gradient_at_four(name):
    assert same_gradient(*SAME[name], 4)


def _who(term: Term, sampler: Sampler) -> tuple:
    return (sampler,) if isinstance(term, Surrogate) else ()


# Coefficients that two actions cannot tell from a constant: even under exchange of the actions.
COINCIDENCES: dict[str, Term] = {
    "π(1 - π)": Surrogate.of(sg(pi * (1 - pi)) * logp),
    "(π - π_ref)²": Surrogate.of(sg((pi - ref) ** 2) * logp),
    "π(1 - π) π_ref(1 - π_ref)": Surrogate.of(sg(pi * (1 - pi) * ref * (1 - ref)) * logp),
}


@pytest.mark.parametrize("name", COINCIDENCES)
def test_what_two_actions_cannot_tell_three_can(name):
    """Why V >= 3: at V = 2 both actions have the same coefficient, hence no gradient; it is no identity."""
    term = COINCIDENCES[name]
    assert same_gradient(term, zero, POLICY, 2)
    assert not same_gradient(term, zero, POLICY, 3)
    assert not term.coefficient(POLICY).is_constant()


@pytest.mark.parametrize("size", [2, 3])
def test_same_value_at(size):
    for a, b in [(expectation(k1.expr), expectation(k3.expr)), (expectation(weight * l, OLD), reverse_kl.objective)]:
        assert same_value_at(a, b, size)
        assert same_value(a, b)
        assert not same_value_at(a, Objective(b.summand + pi * ref), size)
    assert not same_value_at(expectation(k2.expr), reverse_kl.objective, size)
    assert not same_value_at(expectation(0), expectation(1), size)


def test_a_value_that_two_actions_cannot_tell():
    """Σ π(1 − π)·(2π − 1) = 0 at V = 2 only."""
    term = Objective.of(pi * (1 - pi) * (2 * pi - 1))
    assert same_value_at(term, expectation(0), 2)
    assert not same_value_at(term, expectation(0), 3)
    assert not same_value(term, expectation(0))


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (Max(k3.expr, 0), k3.expr, True),
        (Abs(l), Max(l, -l), True),
        (clamp(l, -1, 1), clamp(l, -1, 2), False),
        (Min(l, 1), Max(l, 1), False),
        (sign(l) * l, Abs(l), True),
    ],
)
@pytest.mark.parametrize("size", [2, 3])
def test_cells_are_assigned_to_actions_in_every_way(left, right, same, size):
    first, second = (as_loss(Estimator("k", e)) for e in (left, right))
    assert same_gradient(first, second, POLICY, size) is same
    assert first.coefficient(POLICY).equals(second.coefficient(POLICY)) is same


@settings(deadline=None, max_examples=15)
@given(e=coefficients(l, lw, size=2, degree=1), sampler=st.sampled_from(Sampler), data=st.data())
def test_the_coefficient_is_what_plain_diff_gives(e, sampler, data):
    """π_0 (C_0 − Σ π C), from the calculus, is ∂/∂θ_0 of the expected surrogate written out, at a random point."""
    size = 3
    surrogate = Surrogate.of(e * sg(l) + sg(lw * e) * logp)
    code = surrogate.sampled_by(sampler).expr
    written = sum((component(surrogate, sampler, size, a, code) for a in range(size)), S.Zero)
    ((_, c),) = surrogate.coefficient(sampler).cells
    logits = sorted({s for n in ("theta", "phi", "psi") for x in log_softmax(n, size) for s in x.free_symbols}, key=str)
    at = {s: Rational(data.draw(st.integers(-9, 9)), 7) for s in logits}
    pis = [exp(x) for x in log_softmax("theta", size)]
    per_action = [at_action(c, size, a) for a in range(size)]
    mean = sum((p * x for p, x in zip(pis, per_action, strict=True)), S.Zero)
    formula = pis[0] * (per_action[0] - mean)
    size_of = max(1, abs(value(formula, at)))
    assert abs(value(written - formula, at)) < 1e-40 * size_of
    assert abs(value(written - formula - Rational(1, 10**6), at)) > 1e-7


def test_every_pair_of_divergences_is_told_apart_at_three():
    smooth = [d for d in DIVERGENCES if d is not total_variation][:5]
    for d, e in product(smooth, smooth):
        assert same_gradient(d.objective, e.objective, POLICY, 3) == (d is e)
