"""Coefficients: the class table (catalogue 3, 66, 68), equality modulo constants, the sampler, slopes, sg."""

from itertools import pairwise

import mpmath
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import clamp, coefficients, formulas, points, scrambled, terms, value
from sympy import Abs, Expr, Max, Min, Rational, S, Symbol, exp, log, sign, sqrt

from kltheory.calculus.cells import split
from kltheory.calculus.coefficient import Coefficient, tidy
from kltheory.calculus.divergence import forward_kl, reverse_kl, total_variation
from kltheory.calculus.estimators import Estimator, as_loss, in_reward, k1, k2, k3, k_abs, power, straight_through, w
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.moments import At, E
from kltheory.calculus.surrogate import Sampler, Surrogate, derivative
from kltheory.calculus.symbols import advantage as A
from kltheory.calculus.symbols import erase_sg, logp, logp_old, logp_ref, sg, to_log_probs, to_quotients, weight
from kltheory.calculus.symbols import log_ratio as l
from kltheory.calculus.symbols import log_weight as lw

POLICY, OLD = Sampler
u, r = exp(l), exp(-l)
eps = Symbol("eps", positive=True)
lam = Symbol("lam", real=True)

PLACEMENTS = {
    "loss": lambda k: as_loss(k),
    "w loss": lambda k: as_loss(k, w),
    "sg(w) loss": lambda k: as_loss(k, sg(w)),
    "reward": lambda k: in_reward(k),
    "w reward": lambda k: in_reward(k, w),
    "sg(w) reward": lambda k: in_reward(k, sg(w)),
    "straight-through k2": lambda k: straight_through(k, k2),
    "straight-through k2, sg(w)": lambda k: straight_through(k, k2, sg(w)),
}

ESTIMATORS = {"k1": k1, "k2": k2, "k3": k3, "abs": k_abs}

# estimator, placement: the coefficient on-policy, and off-policy (``...``: the same).
TABLE: dict[tuple[str, str], tuple[Expr, Expr]] = {
    ("k1", "loss"): (S.One, 1 / w),
    ("k1", "w loss"): (l + 1, ...),
    ("k1", "sg(w) loss"): (S.One, ...),
    ("k1", "reward"): (l, l / w),
    ("k1", "w reward"): (l, ...),
    ("k1", "sg(w) reward"): (l, ...),
    ("k1", "straight-through k2"): (l, l / w),
    ("k1", "straight-through k2, sg(w)"): (l, ...),
    ("k2", "loss"): (l, l / w),
    ("k2", "w loss"): (l + l**2 / 2, ...),
    ("k2", "sg(w) loss"): (l, ...),
    ("k2", "reward"): (l**2 / 2, l**2 / 2 / w),
    ("k2", "w reward"): (l**2 / 2, ...),
    ("k2", "sg(w) reward"): (l**2 / 2, ...),
    ("k2", "straight-through k2"): (l, l / w),
    ("k2", "straight-through k2, sg(w)"): (l, ...),
    ("k3", "loss"): (1 - r, (1 - r) / w),
    ("k3", "w loss"): (l, ...),
    ("k3", "sg(w) loss"): (1 - r, ...),
    ("k3", "reward"): (r - 1 + l, (r - 1 + l) / w),
    ("k3", "w reward"): (r - 1 + l, ...),
    ("k3", "sg(w) reward"): (r - 1 + l, ...),
    ("k3", "straight-through k2"): (l, l / w),
    ("k3", "straight-through k2, sg(w)"): (l, ...),
    ("abs", "loss"): (sign(l), sign(l) / w),
    ("abs", "w loss"): (sign(l) + Abs(l), ...),
    ("abs", "sg(w) loss"): (sign(l), ...),
    ("abs", "reward"): (Abs(l), Abs(l) / w),
    ("abs", "w reward"): (Abs(l), ...),
    ("abs", "sg(w) reward"): (Abs(l), ...),
    ("abs", "straight-through k2"): (l, l / w),
    ("abs", "straight-through k2, sg(w)"): (l, ...),
}


def _coefficients(row: tuple[str, str]) -> tuple[Coefficient, Coefficient]:
    surrogate = PLACEMENTS[row[1]](ESTIMATORS[row[0]])
    return surrogate.coefficient(POLICY), surrogate.coefficient(OLD)


def test_the_table_is_complete():
    assert TABLE.keys() == {(k, p) for k in ESTIMATORS for p in PLACEMENTS}


@pytest.mark.parametrize("row", TABLE, ids=" ".join)
def test_class_table(row):
    on, off = TABLE[row]
    on_policy, off_policy = _coefficients(row)
    assert (on_policy - Coefficient.of(on)).is_zero()
    assert (off_policy - Coefficient.of(on if off is ... else off)).is_zero()
    assert off_policy.depends_on(lw) == (off is not ...)
    assert not on_policy.depends_on(lw)


@pytest.mark.parametrize("row", TABLE, ids=" ".join)
def test_a_twin_of_the_class_table_fails(row):
    """One percent more, another l on top, or a power more of w, is another class."""
    on_policy, off_policy = _coefficients(row)
    spoilt = Coefficient.of(l + u / 100)
    for c in (on_policy, off_policy):
        assert not c.equals(c + spoilt)
        assert c.equals(c * Rational(101, 100)) == c.is_constant()
        assert not c.equals(c.map(lambda e: e * exp(lw)))


def test_classes_of_the_table():
    """Which rows share an expected gradient: the seed's S1 to S4 and catalogue 66, as a partition."""
    smooth = [row for row in TABLE if row[0] != "abs"]
    rows = {(*row, s.name): c for row in smooth for s, c in zip(Sampler, _coefficients(row), strict=True)}
    targets = {"RKL": reverse_kl.coefficient, "FKL": forward_kl.coefficient, "0": Coefficient.of(0)}
    found = {name: {row for row, c in rows.items() if c.equals(t)} for name, t in targets.items()}
    both = lambda k, *places: {(k, p, s.name) for p in places for s in Sampler}  # noqa: E731
    on = lambda k, *places: {(k, p, "POLICY") for p in places}  # noqa: E731
    st_k2 = "straight-through k2, sg(w)"
    assert found["0"] == both("k1", "sg(w) loss") | on("k1", "loss")
    assert found["FKL"] == both("k3", "sg(w) loss") | on("k3", "loss")
    assert found["RKL"] == (
        both("k1", "w loss", "w reward", "sg(w) reward", st_k2)
        | both("k2", "sg(w) loss", st_k2)
        | both("k3", "w loss", st_k2)
        | on("k1", "reward", "straight-through k2")
        | on("k2", "loss", "straight-through k2")
        | on("k3", "straight-through k2")
    )


# --- equality modulo constants --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (l, l + 5, True),
        (l, l + lam**2 - log(3), True),
        (l, logp - logp_ref, True),
        (1 / weight, exp(logp_old - logp), True),
        (1 - r, -r, True),
        (l, 2 * l, False),
        (l, -l, False),
        (l, lw, False),
        (1 - r, l, False),
        (lam * l, l, False),
        (Abs(l), Max(l, -l), True),
        (Abs(l), Max(l, -l) + 1, True),
        (sign(l), 2 * Max(sign(l), 0), True),
        (sign(l), Max(sign(l), 0), False),
        (clamp(l, -1, 1), Min(Max(l, -1), 1) + 3, True),
        (clamp(l, -1, 1), clamp(l, -1, 2), False),
        (Max(l, lw) + Min(l, lw), l + lw, True),
        (Max(l, 0) ** 2 + Min(l, 0) ** 2, l**2, True),
        (Max(l, lw), l, False),
        (sqrt(u), exp(l / 2), True),
    ],
)
def test_equals(left, right, same):
    a, b = Coefficient.of(left), Coefficient.of(right)
    assert a.equals(b) is b.equals(a) is same
    assert (a + b).equals(b * 2) is same
    assert (-a).equals(-b) is same
    assert not a.equals(b + Coefficient.of(l**3))


@settings(deadline=None, max_examples=30)
@given(data=st.data(), e=coefficients(size=3), spoiler=terms(l, lw, logp))
def test_equality_is_modulo_constants_and_nothing_else(data, e, spoiler):
    c, d = Coefficient.of(e), Coefficient.of(data.draw(scrambled(e, most=1)) + lam)
    assert c.equals(d)
    assert c.equals(d + Coefficient.of(spoiler)) == (not spoiler.free_symbols)


@settings(deadline=None, max_examples=25)
@given(e=formulas(l, leaves=4), f=formulas(l, leaves=4))
def test_arithmetic_is_pointwise(e, f):
    try:
        c, d = Coefficient.of(e), Coefficient.of(f)
    except Undecidable:
        assume(False)
    assert (c + d).equals(Coefficient.of(e + f))
    assert (c - d).equals(Coefficient.of(e - f))
    assert (3 * c - c).equals(c * 2)
    assert (c - c).is_zero()
    assert (c + d - d).equals(c)
    assert not (c + Coefficient.of(u + 1 / (2 + u))).equals(c)


def test_a_constant_jump_is_no_constant():
    assert Coefficient.of(S(3)).is_constant()
    assert not Coefficient.of(sign(l)).is_constant()
    assert not Coefficient.of(Max(sign(lw), 0)).is_constant()
    assert Coefficient.of(sign(l) ** 2).is_constant()


def test_a_no_on_a_cell_that_may_be_empty_is_no_answer():
    never = Max(Min(l - lw, lw - A, A - l), 0)
    with pytest.raises(Undecidable, match="whether that is empty is not known"):
        Coefficient.of(never).is_zero()
    assert not Coefficient.of(Max(Min(l - lw, lw - A, l - A), 0)).is_zero()


# --- who sampled ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("expr", "on_l", "on_w"),
    [
        (l, True, False),
        (l * weight / weight, True, False),
        (l / weight, True, True),
        (l + lw, True, True),
        (weight, False, True),
        (S(3), False, False),
        (exp(l - lw) * weight * r, False, False),
        (logp_old - logp, False, True),
        (Min(weight, 2), False, True),
        (Min(weight, 2) + Max(weight, 2) - weight, False, False),
        (sign(lw), False, True),
        (sign(lw) ** 2 * l, True, False),
        (Max(l, lw) + Min(l, lw) - lw, True, False),
    ],
)
def test_depends_on(expr, on_l, on_w):
    c = Coefficient.of(expr)
    assert (c.depends_on(l), c.depends_on(lw)) == (on_l, on_w)


def test_a_mean_that_moves_with_a_variable_counts_where_it_is_no_number_in_front():
    assert Coefficient.of(E(w * l) * l).depends_on(lw)
    assert not Coefficient.of(E(l) * l).depends_on(lw)
    assert not Coefficient.of(l + E(w)).depends_on(lw)
    with pytest.raises(Undecidable, match=r"whether E\[abs\(log_w\)\] depends on log_w is not known"):
        Coefficient.of(E(Abs(lw)) * l).depends_on(lw)


@pytest.mark.parametrize(
    "one",
    [
        E(w) + 1 - E(Max(w, 1)) - E(Min(w, 1)) + 1,
        E(w / (1 + u)) + E(w * u / (1 + u)) - E(w) + 1,
        At(w, 0) * At(1 / w, 0),
    ],
    ids=["corners", "quotients", "values at one action"],
)
def test_what_is_one_does_not_depend_on_who_sampled(one):
    """Each mean in it does, and by itself it would be seen."""
    with pytest.raises(Undecidable, match="depends on log_w is not known"):
        Coefficient.of(one * l).depends_on(lw)


@settings(deadline=None, max_examples=30)
@given(e=coefficients(l, lw, size=3))
def test_dependence_is_what_moving_the_weight_shows(e):
    moved = e.xreplace({lw: lw + lam})
    assert Coefficient.of(e).depends_on(lw) == (not is_zero(moved - e))


# --- slopes ---------------------------------------------------------------------------------------------------------
K3_CLAMPED = Estimator("clamped k3", clamp(k3.expr, -10, 10))


@pytest.mark.parametrize(
    ("expr", "slope"),
    [
        (S(7), 0),
        (l, 1),
        (-l, -1),
        (1 - r, 1),
        (r, -1),
        (u - 1 - l, None),
        (l + l**2 / 2, None),
        (l**3, 1),
        (l**3 - l / 10**6, None),
        (sign(l), 1),
        (-sign(l), -1),
        (Abs(l), None),
        (Max(l, 0), 1),
        (clamp(l, -1, 2), 1),
        (-clamp(l, -1, 2), -1),
        (clamp(l, -1, 2) - l, -1),
        (sign(l) - l / 10**9, None),
        (Max(l, 1) + sign(l - 3), 1),
        (Max(l, 1) - sign(l - 3), None),
        (2 * sign(l) + Max(-l, 0) - Max(-l - 5, 0), None),
        (u / (1 + u), 1),
        (1 / (1 + u), -1),
        (log(2 * u / (1 + u)) / 2, 1),
        (eps * l, 1),
        (-eps * l, -1),
        (lw, 1),
        (1 - 1 / weight, 1),
    ],
)
def test_slope(expr, slope):
    c = Coefficient.of(expr)
    assert c.slope() == slope
    assert c.is_nondecreasing() == (slope in (0, 1))
    assert (-c).slope() == (slope and -slope)
    assert (c + Coefficient.of(5)).slope() == slope


def test_clamped_k3_goes_both_ways():
    """Catalogue 108: the forward KL's coefficient for −2.610869 < l < 10.999983, else nothing: the pull lets go."""
    c = as_loss(K3_CLAMPED).coefficient(POLICY)
    assert str(c) == "0 where l < -2.610869; 1 - exp(-l) where -2.610869 < l < 10.99998; 0 where 10.99998 < l"
    assert c.slope() is None
    assert not c.is_nondecreasing()
    assert as_loss(k3).coefficient(POLICY).slope() == 1


def test_clamping_before_a_live_weight_flips_the_sign():
    """Catalogue 113: for l < −2.6109 the coefficient is +10 instead of l."""
    before = as_loss(K3_CLAMPED, w).coefficient(OLD)
    cells = {str(region): e for region, e in before.cells}
    assert is_zero(cells["l < -2.610869"] - 10)
    assert is_zero(cells["-2.610869 < l < 10.99998"] - l)
    after = Surrogate.of(clamp(w * k3.expr, -10, 10)).coefficient(POLICY)
    assert {str(region): e for region, e in after.cells}["l < -2.610869"] == 0


def test_clamped_weight_with_live_k3():
    """Catalogue 73: w l s where w < C, but C (1 − r) s where w >= C."""
    c = as_loss(k3, Min(w, 2)).coefficient(OLD)
    below, above = Max(sign(2 - weight), 0), Max(sign(weight - 2), 0)
    assert c.equals(Coefficient.of(below * l + above * 2 * (1 - r) / weight))
    assert not c.equals(Coefficient.of(below * l + above * 2 * (1 - r)))
    assert not c.equals(reverse_kl.coefficient)


def test_total_variation():
    c = as_loss(k_abs).coefficient(POLICY)
    assert c.equals(2 * total_variation.coefficient)
    assert not c.equals(total_variation.coefficient)
    assert c.slope() == 1


@settings(deadline=None, max_examples=30)
@given(e=formulas(l, leaves=4), at=st.lists(points(l), min_size=6, max_size=6))
def test_slope_agrees_with_values(e, at):
    try:
        slope = Coefficient.of(e).slope()
    except Undecidable:
        assume(False)
    values = [value(e, p) for p in sorted(at, key=lambda p: p[l])]
    steps = {int(mpmath.sign(b - a)) for a, b in pairwise(values) if abs(b - a) > 1e-40}
    assert steps <= {1: {1}, -1: {-1}, 0: set(), None: {1, -1}}[slope]


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        (l + lw, r"the coefficient depends on l, log_w, not on one variable"),
        (A * l, r"the coefficient depends on A, l, not on one variable"),
        (lam * l, r"depends on parameters"),
    ],
)
def test_no_slope(expr, message):
    with pytest.raises(Undecidable, match=message):
        Coefficient.of(expr).slope()


def test_the_sole_variable():
    assert Coefficient.of(l * (lw + 1) - l * lw).sole_variable == l
    assert Coefficient.of(exp(lw) + 1).sole_variable == lw
    assert Coefficient.of(S(3)).sole_variable == l
    with pytest.raises(Undecidable, match="depends on l, log_w"):
        assert Coefficient.of(Max(l, lw)).sole_variable


# --- stop-gradients -------------------------------------------------------------------------------------------------
def test_sg_is_the_identity_as_a_value_and_zero_as_a_derivative():
    for e in (l, exp(l) * lw, Abs(l)):
        assert erase_sg(sg(e)) == e
        assert all(sg(e).diff(v) == 0 for v in (l, lw, logp))
        assert derivative(sg(e) * l) == sg(e)
        assert e.diff(l) != 0


def test_sg_of_sg_and_of_a_constant():
    assert sg(sg(l)) == sg(l)
    assert sg(S(3)) == 3
    assert sg(exp(S(2))) == exp(2)
    assert erase_sg(exp(sg(l + sg(lw)))) == exp(l + lw)
    assert sg(l) != l


@settings(deadline=None, max_examples=35)
@given(e=coefficients(l, lw, size=3), f=coefficients(l, lw, size=2))
def test_sg_laws(e, f):
    c = lambda x: Surrogate.of(x).coefficient(OLD)  # noqa: E731
    assert c(sg(e)).is_zero()
    assert (c(sg(e) * f) + c(e * sg(f))).equals(c(e * f))
    assert (c(e + f) - c(e) - c(f)).is_zero()
    assert (c(e + sg(f) - sg(e)) - c(e)).is_zero()
    assert is_zero(Surrogate.of(sg(f) + e - sg(e)).value - f)
    assert (c(sg(sg(e)) * f) - c(sg(e) * f)).is_zero()


def test_dropping_a_stop_gradient_is_seen():
    assert not as_loss(k3, sg(w)).coefficient(OLD).equals(as_loss(k3, w).coefficient(OLD))
    assert not in_reward(k3).coefficient(POLICY).equals(Surrogate.of(k3.expr * logp).coefficient(POLICY))


@pytest.mark.parametrize("gradient", [k1, k2, k3, k_abs], ids=lambda k: k.name)
@pytest.mark.parametrize("shown", [k1, k2, k3, k_abs], ids=lambda k: k.name)
def test_straight_through(shown, gradient):
    s = straight_through(shown, gradient)
    assert s.value.equals(shown.expr) or is_zero(s.value - shown.expr)
    for sampler in Sampler:
        assert (s.coefficient(sampler) - as_loss(gradient).coefficient(sampler)).is_zero()
    assert (s.coefficient(POLICY) - as_loss(shown).coefficient(POLICY)).is_zero() == (shown is gradient)


def test_on_policy_the_weight_is_one_and_has_a_derivative():
    assert Surrogate.of(weight).coefficient(POLICY).equals(Coefficient.of(1))
    assert (Surrogate.of(weight).coefficient(POLICY) - Coefficient.of(1)).is_zero()
    assert (Surrogate.of(weight * A).score(POLICY) - Coefficient.of(A)).is_zero()
    assert Surrogate.of(sg(weight)).coefficient(POLICY).is_zero()
    assert Surrogate.of(lw**2).coefficient(POLICY).is_zero()
    assert not Surrogate.of(lw**2).coefficient(OLD).is_zero()
    assert Surrogate.of(logp_old).coefficient(POLICY).is_zero()


def test_ppo_clip_is_flat_where_it_clips():
    """Catalogue 81: the gradient is E_old[w s A 1{not clipped}]."""
    lo, hi = Rational(4, 5), Rational(6, 5)
    c = Surrogate.of(-Min(weight * A, clamp(weight, lo, hi) * A)).coefficient(OLD)
    cells = {frozenset(str(region).split(" and ")): e for region, e in c.cells}
    for clipped in ({"A < 0", "w < 4/5"}, {"0 < A", "6/5 < w"}):
        assert cells[frozenset(clipped)] == 0
    for live in ({"0 < A", "w < 4/5"}, {"4/5 < w < 6/5"}, {"A < 0", "6/5 < w"}):
        assert is_zero(cells[frozenset(live)] + A)
    on_policy = Surrogate.of(-Min(weight * A, clamp(weight, lo, hi) * A)).coefficient(POLICY)
    assert on_policy.equals(Coefficient.of(-A))
    assert c.depends_on(lw)


def test_a_clip_at_the_weight_of_the_policy_is_a_kink():
    """Both sides of min(w, 1) share the gradient where w = 1: half of w k1 live, half of k1."""
    clipped = as_loss(k1, Min(w, 1)).coefficient(POLICY)
    assert clipped.equals(Coefficient.of(l / 2))
    assert not clipped.equals(as_loss(k1, w).coefficient(POLICY))
    assert not as_loss(k1, Min(w, 1)).coefficient(OLD).is_constant()


# --- the derivative, from its definition ----------------------------------------------------------------------------
def _moved(e: Expr, at: dict, step: Rational):
    """The value with logp moved and the other two policies held."""
    return value(to_log_probs(e), {logp: at[logp] + step, logp_ref: at[logp_ref], logp_old: at[logp_old]})


@settings(deadline=None, max_examples=30)
@given(e=coefficients(size=3), at=points(logp, logp_ref, logp_old, bound=2))
def test_derivative_agrees_with_central_differences(e, at):
    """Where nothing is stopped; (finite differences see through sg, so there they are no oracle)."""
    h = Rational(1, 10**12)
    slope = (_moved(e, at, h) - _moved(e, at, -h)) * h.q / (2 * h.p)
    exact = value(to_log_probs(derivative(e)), at)
    assert abs(slope - exact) < 1e-15 * max(1, abs(exact), abs(_moved(e, at, 0 * h)))


@settings(deadline=None, max_examples=25)
@given(e=formulas(l, lw, leaves=4), at=points(logp, logp_ref, logp_old, bound=2))
def test_score_agrees_with_central_differences_in_every_cell(e, at):
    try:
        cells = Surrogate.of(e).score().cells
    except Undecidable:
        assume(False)
    quotients = {l: at[logp] - at[logp_ref], lw: at[logp] - at[logp_old], logp: at[logp]}
    h = Rational(1, 10**12)
    here = [x for region, x in cells if _strictly_inside(region, quotients)]
    assume(len(here) == 1)
    slope = (_moved(e, at, h) - _moved(e, at, -h)) * h.q / (2 * h.p)
    exact = value(here[0], quotients)
    assert abs(slope - exact) < 1e-12 * max(1, abs(exact), abs(_moved(e, at, 0 * h)))


def _strictly_inside(region, at) -> bool:
    margin = 1e-9
    box = ((region.bounds(v), at[v]) for v in (l, lw))
    inside_box = all(
        (lo is None or float(lo) < x - margin) and (hi is None or x + margin < float(hi)) for (lo, hi), x in box
    )
    return inside_box and all(value(g, at) * s > margin for g, s in region.conditions.items())


def test_finite_differences_do_not_see_a_stop_gradient():
    at = {logp: -Rational(1, 2), logp_ref: -Rational(2), logp_old: -Rational(1)}
    h = Rational(1, 10**12)
    e = sg(l) * logp
    slope = (_moved(e, at, h) - _moved(e, at, -h)) * h.q / (2 * h.p)
    assert abs(slope - value(to_log_probs(erase_sg(derivative(e))), at)) > 0.4


def test_translations_are_inverse():
    for e in (l * exp(lw) + logp, weight + 1 / weight, exp(2 * l) - logp):
        assert is_zero(to_quotients(to_log_probs(e)) - to_quotients(e))
        assert not is_zero(to_quotients(to_log_probs(e)) - to_quotients(e) - lw)


# --- the power family -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("lam_value", [-2, -1, -Rational(1, 2), Rational(1, 3), Rational(1, 2), 1, 2, lam])
def test_power_family(lam_value):
    """Catalogue 16: h_λ as loss has the coefficient (e^{λl} − 1)/λ; λ = −1 is k3."""
    lam_value = S(lam_value)
    c = as_loss(power(lam_value)).coefficient(POLICY)
    assert c.equals(Coefficient.of(exp(lam_value * l) / lam_value))
    assert not c.equals(Coefficient.of(exp(lam_value * l) / lam_value**2)) or lam_value == 1
    assert c.equals(as_loss(k3).coefficient(POLICY)) == (lam_value == -1)


# --- reading --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (l, "l"),
        (Abs(l), "-l where l < 0; l where 0 < l"),
        (Max(l, 0) + Min(l, 0), "l"),
        (l * weight / weight, "l"),
        (l / weight, "l/w"),
        (Min(weight, 2), "w where w < 2; 2 where 2 < w"),
    ],
)
def test_text(expr, text):
    assert str(Coefficient.of(expr)) == text


def test_tidy_keeps_the_value():
    for e in ((l + 1) ** 2 - l**2 - 2 * l, (u**2 - 1) / (u - 1), exp(lw) * l):
        assert is_zero(tidy(e).xreplace({weight: exp(lw)}) - e)
        assert tidy(e).count_ops() <= e.count_ops()


def test_merged_cells_are_as_few_as_the_function_has():
    assert len(Coefficient.of(Max(l, 0) + Min(l, 0)).merged) == 1
    assert len(Coefficient.of(Abs(l)).merged) == 2


def test_merged_cells_have_the_value_of_both():
    """log(l) and log(-l) are one function, log|l|: neither of them is it on both sides."""
    ((_, e),) = Coefficient.of(log(Abs(l))).merged
    assert [e.xreplace({l: S(x)}) for x in (-3, 3)] == [log(9) / 2] * 2
    assert len(split(Max(l, 0) + Min(l, 0))) == 2
