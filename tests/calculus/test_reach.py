"""What settings reach: logp < min(0, l, log w) for every action, and only that."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import clamp, where
from sympy import Abs, Expr, Function, Max, Min, Rational, S, Symbol, exp, log, sqrt

from kltheory.calculus.cells import split
from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.enclosure import iv
from kltheory.calculus.line import roots
from kltheory.calculus.points import holds, sample
from kltheory.calculus.ranges import signed
from kltheory.calculus.reach import clip, is_out_of_reach, sign_on
from kltheory.calculus.regions import Region
from kltheory.calculus.roots import ZERO
from kltheory.calculus.symbols import advantage as A
from kltheory.calculus.symbols import inside, logp, logp_old, logp_ref, to_quotients
from kltheory.calculus.symbols import log_ratio as l
from kltheory.calculus.symbols import log_weight as lw

w = exp(lw)
eps = Symbol("eps", positive=True)

# A guard, and its sign at every action of every setting (None: it has two).
SIGNS: dict[str, tuple[Expr, int | None]] = {
    "log π is negative": (logp, -1),
    "so is log π_ref": (logp_ref, -1),
    "and log π_old": (logp_old, -1),
    "log π is below log u": (logp - l, -1),
    "log π is below log w": (lw - logp, 1),
    "twice": (2 * l - 3 * logp + lw, 1),
    "a probability is below 1": (1 - exp(logp), 1),
    "the reference's too": (1 - exp(logp_ref), 1),
    "the old policy's too": (exp(logp_old) - 1, -1),
    "π π_ref": (exp(logp + logp_ref) - 1, -1),
    "π + π_ref": (exp(logp) + exp(logp_ref) - 2, -1),
    "a hair less than 2": (exp(logp) + exp(logp_ref) - 2 + Rational(1, 10**6), None),
    "1 + softplus": (1 + log(1 + exp(l)), 1),
    "a square": (l**2 * lw**2 + 1, 1),
    "an indicator": (inside + 1, 1),
    "an indicator may be 0": (2 * inside - 1, None),
    "l": (l, None),
    "log w - l": (lw - l, None),
    "below -1": (logp + 1, None),
    "an advantage": (A - logp, None),
    "a positive parameter": (eps * exp(logp_ref) + 1, 1),
    "e^x - x >= 1, twice": (exp(l) - l + w - lw - Rational(3, 2), 1),
    "but no more": (exp(l) - l + w - lw - Rational(21, 10), None),
    "by two policies": (exp(3 * logp_ref / 4) * logp_ref - 2 * logp_ref + exp(l) - l, 1),
    "under an exponential": (exp(exp(-logp) + l - logp_ref) - 2, 1),
    "no function at all": (Function("h", real=True)(l) - lw, None),
}


@pytest.mark.parametrize("name", SIGNS)
def test_a_sign_that_settings_fix(name):
    guard, expected = SIGNS[name]
    assert sign_on(to_quotients(guard), Region()) == expected
    assert sign_on(to_quotients(-guard), Region()) == (None if expected is None else -expected)


def test_signs_follow_from_the_signs_of_other_guards():
    up = Region(conditions={l - lw: 1})
    assert sign_on(l - lw + 1, up) == 1
    assert sign_on(2 * l - 2 * lw + 3, up) == 1
    assert sign_on(lw - l - 1, up) == -1
    assert sign_on(l - lw - 1, up) is None
    assert sign_on(l - 2 * lw + 1, up) is None


# What it shows: a formula with a branch that no setting enters, and what it is.
EMPTY = {
    "the issue's": (where(logp > -1, where(l < -2, logp**2, l**2 / 2), l**2 / 2), l**2 / 2),
    "by the weight": (where(logp > -1, where(lw < -1, S(7), lw), lw), lw),
    "by log π_ref": (where(l - logp < 0, S(7), l), l),
    "deeper": (where(logp > -1, where(l > 5, where(lw < -1, S(7), l), l), l), l),
    "by products": (where((logp + 1) * (l + 2) > 0, where(l < -2, where(logp > -1, S(7), l), l), l), l),
    "a clamp that never acts": (clamp(exp(logp), 0, 1), exp(logp)),
    "a clamp of π_ref": (Min(exp(logp - l), 1), exp(logp - l)),
    "two guards of two variables": (where(l - lw > 1, where(l - lw < 0, S(7), l), l), l),
}


@pytest.mark.parametrize("name", EMPTY)
def test_a_branch_that_no_setting_enters_does_not_count(name):
    expr, same = EMPTY[name]
    c = Coefficient.of(expr)
    assert c.equals(Coefficient.of(same))
    assert not c.equals(Coefficient.of(same + A))


def test_a_branch_that_settings_enter_counts():
    """The twins of the rows above: -2 < log π makes room for l < -1, but logp < l holds."""
    entered = where(logp > -2, where(l < -1, logp**2, l**2 / 2), l**2 / 2)
    assert not Coefficient.of(entered).equals(Coefficient.of(l**2 / 2))
    assert not Coefficient.of(where(l - logp < 1, S(7), l)).equals(Coefficient.of(l))


def test_out_of_reach():
    def box(**cuts: tuple[int | None, int | None]) -> Region:
        names = {"p": logp, "l": l, "w": lw}
        ends = {k: tuple(None if x is None else roots(names[k] - x, names[k])[0] for x in v) for k, v in cuts.items()}
        return Region({logp: (None, ZERO)} | {names[k]: v for k, v in ends.items()})

    assert is_out_of_reach(box(p=(-1, 0), l=(None, -1)))
    assert is_out_of_reach(box(p=(-1, 0), w=(None, -2)))
    assert not is_out_of_reach(box(p=(-1, 0), l=(None, 0)))
    assert not is_out_of_reach(box(p=(None, -1), l=(None, -5), w=(None, -7)))
    assert is_out_of_reach(Region(conditions={l - logp: -1}))
    assert not is_out_of_reach(Region(conditions={l - logp: 1}))


# --- points -----------------------------------------------------------------------------------------------------------
NARROW = {
    "a strip": {l - lw: 1, l - lw - Rational(1, 100): -1},
    "a curved strip": {l**2 - lw: 1, l**2 - lw - Rational(1, 100): -1, l - 3: 1},
    "between two curves": {exp(l) - 2 * lw: -1, lw - 10: -1},
    "a root": {sqrt(1 + l**2) - lw: 1, sqrt(1 + l**2) - lw - Rational(1, 50): -1},
}


@pytest.mark.parametrize("name", NARROW)
def test_points_are_found_in_narrow_regions(name):
    region = Region(conditions=NARROW[name])
    at = sample(region)
    assert at is not None
    assert holds(region, at)
    assert at[logp] < min(0, at[l], at.get(lw, 0))


def test_no_point_is_a_point_of_another_region():
    at = sample(Region(conditions={l - lw: 1}))
    assert not holds(Region(conditions={l - lw: -1}), at)
    assert not holds(Region(), {**at, logp: S.Zero})
    assert not holds(Region(), {**at, logp: at[l]})


rationals = st.integers(-8, 8).map(lambda k: Rational(k, 2))


@settings(deadline=None, max_examples=60)
@given(a=rationals, b=rationals, c=rationals, d=rationals, strict=st.booleans())
def test_linear_guards_beside_the_polyhedron(a, b, c, d, strict):
    """a logp + b l + c log w + d: its supremum over logp < min(0, l, log w) is finite iff a cone says so."""
    guard = a * logp + b * l + c * lw + d
    # extreme rays of the closed cone logp <= min(0, l, lw) around (0, 0, 0): e_l, e_lw, and -(1, 1, 1), -(1, 1, 0), ...
    rays = [(0, 1, 0), (0, 0, 1), (-1, 0, 0), (-1, -1, 0), (-1, 0, -1), (-1, -1, -1)]
    slopes = [a * x + b * y + c * z for x, y, z in rays]
    never_positive = all(s <= 0 for s in slopes) and d <= 0
    never_negative = all(s >= 0 for s in slopes) and d >= 0
    if guard.free_symbols:
        known = sign_on(guard, Region())
        assert known in (None, -1 if never_positive else None, 1 if never_negative else None)
        for s, never in ((1, never_positive), (-1, never_negative)):
            assert (sample(Region(conditions={guard: s})) is None) == never


def test_intervals_are_clipped_to_what_both_share():
    one, two, three = (roots(l - k, l)[0] for k in (1, 2, 3))
    assert clip((None, two), (one, None)) == (one, two)
    assert clip((one, three), (two, None)) == (two, three)
    assert clip((None, one), (two, None)) is None
    assert clip((None, one), (one, None)) is None


def test_cells_of_max_and_abs_leave_out_what_is_not_reached():
    assert [str(r) for r, _ in split(Max(logp, 1))] == ["everywhere"]
    assert [str(r) for r, _ in split(Abs(logp - l))] == ["everywhere"]
    assert len(split(Abs(logp - l + 1))) == 2


@pytest.mark.parametrize(("guard", "low", "high"), [(l**2 - l + lw, 0, 3), (l**2 - 5 * l + lw, -6, -3)], ids=str)
def test_a_range_leaves_out_the_turns_beside_the_box(guard, low, high):
    found = list(signed(guard, {l: iv.mpf([1, 2]), lw: iv.mpf([0, 1])}))
    assert (max(x.a for x in found), min(x.b for x in found)) == (low, high)
