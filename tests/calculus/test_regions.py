"""Cells: disjoint, covering, and on each the expression is what it was; against direct evaluation at 50 digits."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import clamp, formulas, holds, points, value, where
from sympy import Abs, Eq, Expr, Heaviside, Max, Min, Ne, Piecewise, Rational, S, Symbol, exp, sign

from kltheory.calculus import cells
from kltheory.calculus.cells import is_smooth, split
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.line import roots, signs
from kltheory.calculus.regions import Region, short
from kltheory.calculus.roots import ZERO
from kltheory.calculus.symbols import advantage as A
from kltheory.calculus.symbols import log_ratio as l
from kltheory.calculus.symbols import log_weight as lw
from kltheory.calculus.symbols import logp, sg

w = exp(lw)
k3 = exp(-l) - 1 + l
eps = Symbol("eps", positive=True)
lam = Symbol("lam", real=True)


def at_point(expr: Expr, at: dict) -> Expr:
    """The expression of the one cell that holds the point."""
    found = [e for r, e in split(expr) if holds(r, at)]
    assert len(found) == 1
    return found[0]


# What it shows: a formula, and its cells as text.
CELLS: dict[str, tuple[Expr, dict[str, Expr]]] = {
    "smooth": (exp(l) + l, {"everywhere": exp(l) + l}),
    "abs": (Abs(l), {"l < 0": -l, "0 < l": l}),
    "abs of what is positive": (Abs(exp(l) + 1), {"everywhere": exp(l) + 1}),
    "abs of what is negative": (Abs(-exp(l) - l**2 - 1), {"everywhere": exp(l) + l**2 + 1}),
    "abs that touches zero": (Abs(k3), {"l < 0": k3, "0 < l": k3}),
    "sign": (sign(l) * l, {"l < 0": -l, "0 < l": l}),
    "step": (Heaviside(l - 1), {"l < 1": S.Zero, "1 < l": S.One}),
    "max": (Max(l, 0), {"l < 0": S.Zero, "0 < l": l}),
    "min of three": (Min(l, 1, 2 * l), {"l < 0": 2 * l, "0 < l < 1": l, "1 < l": S.One}),
    "clamp": (clamp(l, -1, 2), {"l < -1": -S.One, "-1 < l < 2": l, "2 < l": S(2)}),
    "clamp that never acts below": (
        clamp(k3, -10, 10),
        {"l < -2.610869": S(10), "-2.610869 < l < 10.99998": k3, "10.99998 < l": S(10)},
    ),
    "clamp in w": (clamp(w, Rational(1, 2), 2), {"w < 1/2": S.Half, "1/2 < w < 2": w, "2 < w": S(2)}),
    "where": (where(l > 1, exp(l), 0), {"l < 1": S.Zero, "1 < l": exp(l)}),
    "where, the other way round": (where(l <= 1, 0, exp(l)), {"l < 1": S.Zero, "1 < l": exp(l)}),
    "where, with its end": (where(l >= 1, exp(l), 0), {"l < 1": S.Zero, "1 < l": exp(l)}),
    "where below": (where(l < 1, exp(l), 0), {"l < 1": exp(l), "1 < l": S.Zero}),
    "where on two conditions": (where((l > 0) & (lw > 0), S.One, S(2)), {"0 < l and 1 < w": S.One}),
    "logp is negative": (Abs(logp), {"everywhere": -logp}),
    "a probability is below one": (Min(exp(logp), 2), {"everywhere": exp(logp)}),
    "two variables": (Max(l, lw), {"l - log(w) > 0": l, "l - log(w) < 0": lw}),
    "a product": (Abs(l * (w - 1)), {"l < 0 and w < 1": l * (w - 1), "0 < l and w < 1": l * (1 - w)}),
    "nested": (Abs(Abs(l) - 1), {"l < -1": -l - 1, "-1 < l < 0": l + 1, "0 < l < 1": 1 - l, "1 < l": l - 1}),
    "a parameter": (Max(w, eps), {"eps - w < 0": w, "eps - w > 0": eps}),
}


def _text(region: Region) -> str:
    return " and ".join(sorted(str(region).split(" and ")))


def _cells(expr: Expr) -> dict[str, Expr]:
    """The cells as text."""
    return {_text(r): e for r, e in split(expr)}


def _missing(expr: Expr, expected: dict[str, Expr]) -> set[str]:
    found = _cells(expr)
    return {r for r, e in expected.items() if r not in found or not is_zero(found[r] - e)}


@pytest.mark.parametrize("name", CELLS)
def test_cells(name):
    expr, expected = CELLS[name]
    assert not _missing(expr, expected), _cells(expr)
    assert all(is_smooth(e) for e in _cells(expr).values())


@pytest.mark.parametrize("name", CELLS)
def test_a_twin_has_other_cells(name):
    expr, expected = CELLS[name]
    assert _missing(expr + Rational(1, 10**9), expected) == set(expected)


@pytest.mark.parametrize(
    "guard", [l - lw, lw - l, exp(l) - lw, lw - exp(l), A - lw, 1 - A, l - A * lw, A * lw - l], ids=str
)
@pytest.mark.parametrize("power", [1, 2, 3])
def test_signs_of_powers_of_a_guard(guard, power):
    for other in (l, -A):
        expr = Max(guard**power * other, 0)
        for x, y, z in [(1, 2, -3), (-1, 3, 2), (2, -1, 3), (-2, -3, -1), (3, 1, 1)]:
            at = {l: Rational(x), lw: Rational(y), A: Rational(2 * z + 1, 2)}
            assert value(at_point(expr, at), at) == value(expr, at)


def test_ppo_clip():
    """−min(w A, clamp(w, 1−ε, 1+ε) A): flat where A > 0 and w > 1+ε, and where A < 0 and w < 1−ε."""
    lo, hi = Rational(4, 5), Rational(6, 5)
    loss = -Min(w * A, clamp(w, lo, hi) * A)
    cells = _cells(loss)
    assert cells == {
        "A < 0 and w < 4/5": -lo * A,
        "0 < A and w < 4/5": -A * w,
        "4/5 < w < 6/5": -A * w,
        "6/5 < w and A < 0": -A * w,
        "0 < A and 6/5 < w": -hi * A,
    }
    other = -Max(w * A, clamp(w, lo, hi) * A)
    assert _cells(other)["A < 0 and w < 4/5"] == -A * w


def test_ppo_clip_with_a_symbolic_epsilon():
    loss = -Min(w * A, clamp(w, 1 - eps, 1 + eps) * A)
    fifth = Rational(1, 5)
    for log_w, advantage, expected in [
        (1, 1, -(1 + eps) * A),
        (1, -1, -w * A),
        (0, 1, -w * A),
        (-1, -1, -(1 - eps) * A),
    ]:
        at = {lw: Rational(log_w), A: Rational(advantage), eps: fifth}
        assert is_zero(at_point(loss, at) - expected)
        assert not is_zero(at_point(loss, at) - expected - eps)


# --- laws -----------------------------------------------------------------------------------------------------------
def _agrees(expr: Expr, at: list[dict]) -> None:
    parts = split(expr)
    assert all(is_smooth(e) for _, e in parts)
    for p in at:
        found = [e for r, e in parts if holds(r, p)]
        assert len(found) == 1
        assert abs(value(found[0], p) - value(expr, p)) < 1e-40 * max(1, abs(value(expr, p)))


@settings(deadline=None, max_examples=50)
@given(expr=formulas(l), at=st.lists(points(l), min_size=4, max_size=4))
def test_cells_of_one_variable_are_the_original(expr, at):
    try:
        _agrees(expr, at)
    except Undecidable as e:
        assert "on the kink of" in str(e)  # noqa: PT017
        assume(False)


@settings(deadline=None, max_examples=50)
@given(expr=formulas(l, lw, A, leaves=4), at=st.lists(points(l, lw, A), min_size=4, max_size=4))
def test_cells_of_several_variables_are_the_original(expr, at):
    try:
        _agrees(expr, at)
    except Undecidable as e:
        assert "on the kink of" in str(e)  # noqa: PT017
        assume(False)


@settings(deadline=None, max_examples=25)
@given(expr=formulas(l, leaves=4), other=formulas(l, leaves=4))
def test_stop_gradients_stay_where_they_were(expr, other):
    """Guards look through sg; what is under it is cut, and stays under it."""
    stopped = expr + sg(other) * l
    for (r, e), (q, f) in zip(split(stopped), split(expr + other * l), strict=True):
        assert _text(r) == _text(q)
        assert e.replace(sg, lambda x: x).expand() == f.expand()


def test_the_law_would_catch_a_wrong_cell(monkeypatch):
    monkeypatch.setitem(cells.HEADS, Max, cells.HEADS[Min])
    cells._everywhere.cache_clear()
    with pytest.raises(AssertionError):
        _agrees(Max(l, 1), [{l: Rational(5)}, {l: Rational(-5)}])
    cells._everywhere.cache_clear()


# --- kinks that hold throughout -------------------------------------------------------------------------------------
on_policy = exp(logp - sg(logp))


@pytest.mark.parametrize(
    ("expr", "there"),
    [
        (Min(on_policy, 1), (on_policy + 1) / 2),
        (Max(sg(l), l), (sg(l) + l) / 2),
        (Abs(logp - sg(logp)), S.Zero),
        (sign(logp - sg(logp)), S.Zero),
        (where(on_policy > 1, l, -l), -l),
        (where(on_policy >= 1, l, -l), l),
        (where(on_policy < 1, l, -l), -l),
        (where(on_policy <= 1, l, -l), l),
        (Piecewise((l, Eq(on_policy, 1)), (0, True)), l),
        (Piecewise((l, Ne(on_policy, 1)), (0, True)), S.Zero),
        (Piecewise((l, Eq(l, 1)), (0, True)), S.Zero),
        (Piecewise((l, Ne(l, 1)), (0, True)), l),
    ],
    ids=str,
)
def test_on_a_kink_both_sides_share_and_comparisons_decide(expr, there):
    """As torch.minimum, jax.numpy.minimum, abs and where of both do."""
    assert {e for _, e in split(expr)} == {there}


# --- what is refused ------------------------------------------------------------------------------------------------
def test_too_many_cells(monkeypatch):
    monkeypatch.setattr(cells, "MAX_CELLS", 8)
    assert len(split(sum(Abs(l - k) for k in range(6)))) == 7
    with pytest.raises(Undecidable, match="more than 8 cells"):
        split(sum(Abs(l - k) for k in range(8)))


def test_a_tie_without_a_kink_is_no_tie():
    """max(f, g) with f = g throughout is f, however the two are written."""
    tie = Max((l + 1) ** 2, l**2 + 2 * l + 1)
    assert [str(r) for r, _ in split(tie)] == ["everywhere"]
    assert is_zero(split(tie)[0][1] - (l + 1) ** 2)


# --- regions --------------------------------------------------------------------------------------------------------
@settings(deadline=None, max_examples=30)
@given(expr=formulas(l, lw, A, leaves=4))
def test_samples_lie_in_their_region(expr):
    try:
        cells = split(expr)
    except Undecidable:
        assume(False)
    for r, _ in cells:
        at = r.sample()
        if at is None:
            assert r.conditions
        else:
            assert holds(r, at)
            assert at[logp] < 0
            assert at[logp] - at[l] < 0
            assert at[logp] - at[lw] < 0


def test_a_region_without_conditions_always_has_a_sample():
    for lo, hi, _ in signs((l - Rational(1, 10**6)) * (l - Rational(2, 10**6)) * (exp(l) - 10**9), l):
        r = Region({logp: (None, ZERO), l: (lo, hi)})
        assert holds(r, r.sample())


def test_an_empty_region_has_no_sample():
    assert Region(conditions={l - lw: 1, lw - A: 1, A - l: 1}).sample() is None
    assert Region(conditions={l - lw: 1, lw - A: 1, A - l: -1}).sample() is not None


ONE, TWO = (roots(l - k, l)[0] for k in (1, 2))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((None, ONE), (None, TWO), "l < 1"),
        ((ONE, None), (None, TWO), "1 < l < 2"),
        ((None, None), (ONE, TWO), "1 < l < 2"),
        ((None, ONE), (ONE, None), None),
        ((None, ONE), (TWO, None), None),
        ((ONE, TWO), (ONE, TWO), "1 < l < 2"),
    ],
)
def test_intersection(first, second, expected):
    a, b = (Region({logp: (None, ZERO), l: bounds}) for bounds in (first, second))
    for both in (a & b, b & a):
        assert (str(both) if both else None) == expected


def test_intersection_of_conditions():
    up, down = Region(conditions={l - lw: 1}), Region(conditions={l - lw: -1})
    assert up & down is None
    assert str(up & up) == str(up)
    assert (up & Region(conditions={l - A: -1})).conditions == {l - lw: 1, l - A: -1}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((None, ONE), (ONE, None), "everywhere"),
        ((None, ONE), (ONE, TWO), "l < 2"),
        ((ONE, TWO), (None, ONE), "l < 2"),
        ((None, ONE), (TWO, None), None),
        ((None, ONE), (None, ONE), None),
    ],
)
def test_union(first, second, expected):
    a, b = (Region({logp: (None, ZERO), l: bounds}) for bounds in (first, second))
    union = a.union(b)
    assert (str(union) if union else None) == expected


def test_union_of_the_two_sides_of_a_condition():
    up, down = Region(conditions={l - lw: 1}), Region(conditions={l - lw: -1})
    assert up.union(down).is_everything
    assert up.union(Region({logp: (None, ZERO), l: (ONE, None)}, {l - lw: -1})) is None
    assert up.union(Region(conditions={l - A: -1})) is None


def test_is_everything():
    assert Region().is_everything
    assert not Region({logp: (None, ZERO), l: (ONE, None)}).is_everything
    assert not Region({logp: (None, roots(logp + 1, logp)[0])}).is_everything
    assert not Region(conditions={l - lw: 1}).is_everything


def test_thresholds_are_printed_exactly_when_they_are_exact():
    assert [short(r) for r in roots((exp(l) - 2) * (3 * l - 1), l)] == ["1/3", "log(2)"]
    assert [short(r) for r in roots(k3 - 10, l)] == ["-2.610869", "10.99998"]
