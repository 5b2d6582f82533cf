"""Where a formula has a value: undefined is not zero, and an undefined formula says where."""

import pytest
from sympy import Expr, Max, Min, Pow, Rational, S, Symbol, exp, log, nan, oo, sqrt, zoo

from kltheory.calculus.cells import split
from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.domain import Undefined
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.formula.functions import where
from kltheory.calculus.moments import E
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import advantage as A
from kltheory.calculus.symbols import log_ratio as l
from kltheory.calculus.symbols import log_weight as lw
from kltheory.calculus.symbols import logp, logp_ref, sg, to_quotients, weight

w = exp(lw)
lam = Symbol("lam", real=True)
tau = Symbol("tau", positive=True)

# What has no value for some action of some setting, and where.
UNDEFINED: dict[str, tuple[Expr, str]] = {
    "nan": (nan * logp, "everywhere"),
    "infinity": (oo + l, "everywhere"),
    "one over zero": (zoo * l, "everywhere"),
    "a root": (sqrt(l), "l < 0"),
    "a root in a denominator": (1 / sqrt(l), "l < 0"),
    "a logarithm": (log(l), "l < 0"),
    "a logarithm of what is negative": (log(-1 - l**2), "everywhere"),
    "one of two logarithms, each": (log(l) - log(-l), "everywhere"),
    "the same, that cancels": (log(l) - log(l), ""),
    "1 - u": (log(1 - exp(l)), "0 < l"),
    "u - 1": (log(exp(l) - 1), "l < 0"),
    "a window": (sqrt(1 - l**2), "l < -1 or 1 < l"),
    "outside of a window": (sqrt(l**2 - 1), "-1 < l < 1"),
    "a logarithm of a logarithm": (log(lw - 1), "w < exp(1)"),
    "by the weight": (sqrt(w - 2), "w < 2"),
    "a negative log-probability": (log(logp), "everywhere"),
    "a reference's": (log(logp_ref), "everywhere"),
    "a power": (Pow(l, Rational(3, 2)), "l < 0"),
    "a symbolic power": (Pow(l, lam), "l < 0"),
    "under another": (sqrt(log(1 + exp(l)) - 1), "l < log(-1 + exp(1))"),
    "in one branch of a max that wins": (Max(sqrt(l), -1), "l < 0"),
    "under a stop-gradient": (sg(log(l)) * l, "l < 0"),
    "inside a mean": (E(sqrt(l)), "l < 0"),
    "of what a branch cancels": (Max(l, 0) / sqrt(l), "l < 0"),
    "in a corner that a branch cancels": (Max(l, 0) * log(Max(l, 0)), "l < 0"),
    "a denominator that is zero throughout": (1 / ((1 + l) ** 2 - 1 - 2 * l - l**2), "everywhere"),
    "of two variables": (sqrt(l - lw), "l - log(w) < 0"),
}


@pytest.mark.parametrize("name", [n for n, (_, where) in UNDEFINED.items() if where])
def test_it_says_where_it_has_no_value(name):
    expr, where = UNDEFINED[name]
    with pytest.raises(Undefined) as found:
        split(to_quotients(expr))
    assert found.value.where == where


DEFINED = {
    "softplus": log(1 + exp(l)),
    "a log-probability with its sign": log(-logp),
    "the complement": log(1 - exp(logp)),
    "the reference's complement": log(1 - exp(logp - l)),
    "an even root of a square": sqrt(l**2),
    "k3 under a root": sqrt(exp(-l) - 1 + l),
    "a product of two of one sign": sqrt(l * (exp(l) - 1)),
    "clamped before": sqrt(Max(l, 0)),
    "clamped at a weight": log(Min(Max(w, Rational(1, 2)), 2)),
    "a positive parameter": log(tau) + sqrt(tau) * l,
    "a parameter as a base, taken to be positive": lam**lam * l,
    "a pole has measure zero": 1 / l,
    "sign and logarithm": log(A**2),
    "a corner in a branch": where(l > 0, Max(log(l), 0), S.Zero),
    "a branch in a branch": where(l > 0, where(log(l) > 1, log(l), S.One), S.Zero),
}


@pytest.mark.parametrize("name", DEFINED)
def test_it_has_a_value(name):
    assert split(DEFINED[name])


def test_what_is_not_seen_to_have_a_value_is_not_decided():
    """e^x - x >= 1 for x = l + log w, which enclosures of the terms do not show and no point contradicts."""
    with pytest.raises(Undecidable, match="whether that is empty is not known") as found:
        split(log(exp(l + lw) - l - lw + w))
    assert not isinstance(found.value, Undefined)


@pytest.mark.parametrize("expr", [nan * l, log(-1 - l**2), sqrt(l)], ids=str)
def test_nothing_is_decided_about_it(expr):
    with pytest.raises(Undefined):
        Surrogate.of(expr).coefficient()
    with pytest.raises(Undefined):
        Coefficient.of(expr).equals(Coefficient.of(S.Zero))
    with pytest.raises(Undefined):
        Coefficient.of(expr).is_zero()


def test_a_value_that_is_defined_where_its_branch_is():
    """where(l > 0, √l, 0): the root is asked where it is, and the other branch elsewhere."""
    assert split(where(l > 0, sqrt(l), S.Zero))
    with pytest.raises(Undefined, match="undefined where -1 < l < 0"):
        split(where(l > -1, sqrt(l), S.Zero))


def test_weight_is_read_by_its_logarithm():
    assert split(to_quotients(log(weight))) == split(lw)
