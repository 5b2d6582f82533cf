"""π/π_ref as a function of (A - λ)/β: the inverse of f', where one is found, and whether actions are given up."""

import pytest
from sympy import Piecewise, Symbol

from kltheory.calculus.divergence import DIVERGENCES, Divergence, cressie_read, u
from kltheory.calculus.exact import is_zero
from kltheory.calculus.optimum import gives_up, ratio_of, y

lam = Symbol("lam", real=True)
GIVEN_UP = {"pearson_chi2"}  # f'(0) is known to be finite; that of total variation, a jump, is not asked for


@pytest.mark.parametrize("divergence", DIVERGENCES, ids=lambda d: d.name)
def test_an_action_is_given_up_where_the_slope_at_zero_is_finite(divergence):
    assert gives_up(divergence) == (divergence.name in GIVEN_UP)


@pytest.mark.parametrize("divergence", [*DIVERGENCES, cressie_read(2)], ids=lambda d: d.name)
def test_closed_form_inverts_the_coefficient(divergence):
    found = ratio_of(divergence)
    assert (found is None) == (divergence.name == "total_variation")
    if found is not None and divergence.name != "jeffreys":
        assert is_zero(found.xreplace({y: divergence.f.diff(u)}) - u)
        assert not is_zero(found.xreplace({y: 2 * divergence.f.diff(u)}) - u)


def test_a_power_with_a_letter_is_inverted():
    family = cressie_read(lam)
    assert is_zero(ratio_of(family).xreplace({y: family.f.diff(u)}) - u)
    assert not is_zero(ratio_of(family).xreplace({y: 2 * family.f.diff(u)}) - u)


@pytest.mark.parametrize("f", [u**18, Piecewise((u**2, u < 1), (2 * u - 1, True))], ids=["too steep", "in pieces"])
def test_what_is_not_solved_for_has_no_closed_form(f):
    assert ratio_of(Divergence("other", "other", f)) is None
