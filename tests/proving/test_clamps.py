"""Zeros in closed form, and the thresholds of clamps: the true claim holds and its twin fails, by every engine."""

from math import exp as float_exp

import pytest
from sympy import LambertW, Rational, S, Symbol, exp, log, sqrt

from kltheory.calculus.estimators import k2, k3
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.symbols import log_ratio as l
from kltheory.proving.engines import numerically
from kltheory.proving.instances import parameters
from kltheory.proving.thresholds import Zero, Zeros
from kltheory.proving.verdict import Status
from kltheory.report.derivations.zeros import STEPS

m = Symbol("m", positive=True)


def lower(bound):
    return bound + 1 + LambertW(-exp(-bound - 1), -1)


def upper(bound):
    return bound + 1 + LambertW(-exp(-bound - 1))


TEN, ONE = S(10), S(1)
TRUE = [
    Zero(k3.expr - m, lower(m)),
    Zero(k3.expr - m, upper(m)),
    Zero(3 * (m - k3.expr), upper(m)),
    Zero(k2.expr - m**2 / 2, m),
    Zero(exp(-l) - m, -log(m)),
    Zeros(k3.expr - TEN, (lower(TEN), upper(TEN))),
    Zeros(k3.expr - ONE, (lower(ONE), upper(ONE))),
    Zeros(k3.expr + 1, ()),
    Zeros(exp(-l) - 2, (-log(2),)),
    Zeros(l * exp(l) + Rational(1, 5), (LambertW(-Rational(1, 5), -1), LambertW(-Rational(1, 5)))),
]
FALSE = {
    "m missing": Zero(k3.expr - m, lower(m) - 1),
    "mirrored": Zero(exp(l) - 1 - l - m, upper(m)),
    "another bound": Zero(k3.expr - m - 1, lower(m)),
    "a number": Zero(k3.expr - TEN, S(11)),
    "one missing": Zeros(k3.expr - TEN, (upper(TEN),)),
    "one twice": Zeros(k3.expr - TEN, (upper(TEN), upper(TEN))),
    "the wrong order": Zeros(k3.expr - TEN, (upper(TEN), lower(TEN))),
    "one too many": Zeros(k3.expr + 1, (upper(TEN),)),
    "nearly": Zeros(k3.expr - TEN, (lower(TEN), S(11))),
}


@pytest.mark.parametrize("claim", TRUE, ids=str)
def test_true(claim):
    assert claim.decide() is True
    assert {f.status for f in numerically(claim)} == {Status.HOLDS}
    assert "holds" in list(STEPS[type(claim)](claim))[-1].text


@pytest.mark.parametrize("claim", FALSE.values(), ids=FALSE)
def test_false(claim):
    assert claim.decide() is False


@pytest.mark.parametrize("claim", FALSE.values(), ids=FALSE)
def test_false_by_numbers(claim):
    assert {f.status for f in numerically(claim)} == {Status.FAILS}


@pytest.mark.parametrize("bound", [Rational(1, 100), ONE, TEN, S(50)])
def test_the_closed_forms_are_the_thresholds(bound):
    """By bisection in floats, which knows nothing of W."""
    for form, (inner, outer) in ((lower(bound), (0.0, -60.0)), (upper(bound), (0.0, 60.0))):
        for _ in range(200):
            middle = (inner + outer) / 2
            if float_exp(-middle) - 1 + middle < float(bound):
                inner = middle
            else:
                outer = middle
        assert float(form.evalf(30)) == pytest.approx(inner, abs=1e-9)
        assert Zero(k3.expr - bound, form).decide()


def test_what_cannot_be_decided_says_why():
    with pytest.raises(Undecidable, match="has poles"):
        Zeros(1 / l, ()).decide()
    with pytest.raises(Undecidable, match="where l is positive is not asked"):
        Zeros(sqrt(l) * (l + 1), (-ONE, S.Zero)).decide()
    with pytest.raises(Undecidable, match="whether l is positive at l = -1 is not asked"):
        Zero(log(l) * (l + 1), -ONE).decide()
    with pytest.raises(Undecidable, match="not one of two real values"):
        Zeros(l - 1 + exp(l), (LambertW(S(3)),)).decide()


def test_parameters_reach_the_numbers():
    assert set(parameters(TRUE[0])) == {m}
