"""Taylor coefficients at the reference, from the left and from the right."""

import pytest
from strategies import where
from sympy import Abs, Max, Rational, S, Symbol, exp, log, sign, sqrt

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.moments import E
from kltheory.calculus.symbols import log_ratio as l
from kltheory.calculus.symbols import log_weight as lw
from kltheory.calculus.symbols import logp
from kltheory.calculus.taylor import agrees_to, series, vanishes_to

u = exp(l)
a = Symbol("a", real=True)
k3 = exp(-l) - 1 + l

# A formula, and the orders to which it vanishes, and to which it is a number, at l = 0 (-1: to none).
ORDERS = {
    "k2": (l**2 / 2, 1, 1),
    "k3": (k3, 1, 1),
    "k3 - k2": (k3 - l**2 / 2, 2, 2),
    "k1": (l, 0, 0),
    "e^l": (u, -1, 0),
    "e^l against its second order": (u - 1 - l - l**2 / 2, 2, 2),
    "by log w as well": (l**2 * lw, 1, 1),
    "log w at l = 0": (lw + l, -1, -1),
    "a tail from the left": (where(l < 0, l**3, S.Zero), 2, 2),
    "a tail from the right": (where(l < 0, S.Zero, l**3), 2, 2),
    "another order on each side": (where(l < 0, l**2, l**4), 1, 1),
    "a kink": (Abs(l), 0, 0),
    "a step": (sign(l), -1, -1),
    "a step far from it": (where(l > 1, S(5), l**2), 1, 1),
    "a step that is wrong on the left": (l**3 + where(l < 0, S(5), S.Zero), -1, -1),
    "one on the left, e^l on the right": (where(l < 0, S.One, u), -1, 0),
    "a parameter in front": (a * l**3, 2, 2),
    "a mean in front": (E(lw) * l**2, 1, 1),
    "a mean beside it": (E(lw) + l**2, -1, 1),
    "a root": (where(Abs(l) < Rational(1, 2), sqrt(1 + Max(l, -Rational(1, 2))) - 1 - l / 2, S.Zero), 1, 1),
    "a logarithm": (log(1 + u) - log(2) - l / 2, 1, 1),
}


@pytest.mark.parametrize("name", ORDERS)
def test_to_which_order(name):
    expr, vanishing, agreeing = ORDERS[name]
    c = Coefficient.of(expr)
    assert [k for k in range(5) if vanishes_to(c, k)] == list(range(vanishing + 1))
    assert [k for k in range(5) if agrees_to(c, k)] == [agreeing][: agreeing + 1]


def test_each_cell_that_reaches_the_reference_has_a_row():
    c = Coefficient.of(where(l < -1, S(7), where(l < 0, l**2, where(l < 2, 3 * l, S(9)))))
    assert sorted(row for _, row in series(c, 2)) == [(0, 0, 2), (0, 3, 0)]


def test_a_cell_of_which_it_is_not_known_whether_it_gets_there():
    c = Coefficient.of(where(l * logp - lw > 1, S.One, S.Zero))
    with pytest.raises(Undecidable, match="whether that comes near l = 0 is not known"):
        vanishes_to(c, 0)
