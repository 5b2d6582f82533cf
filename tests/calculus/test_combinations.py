"""Linear relations between functions, beside the rank of their values at random points."""

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import coefficients, value
from sympy import Abs, Max, Min, Rational, S, Symbol, exp, log, sqrt

from kltheory.calculus.combinations import combinations
from kltheory.calculus.domain import Undefined
from kltheory.calculus.symbols import log_ratio as l
from kltheory.calculus.symbols import log_weight as lw

u = exp(l)
a = Symbol("a", real=True)

# Functions, and what the last one is: by the numbers in front of the others, None if it is independent.
LAST = {
    "a multiple": ([l, 2 * l], {0: S(2)}),
    "independent": ([l, l**2], None),
    "a sum": ([l, u, 3 * u - l], {0: S(-1), 1: S(3)}),
    "by corners": ([l, Abs(l), Max(l, 0)], {0: Rational(1, 2), 1: Rational(1, 2)}),
    "not by corners": ([l, Abs(l), Max(l, 1)], None),
    "min and max": ([Max(l, lw), l, lw, Min(l, lw)], {0: S(-1), 1: S(1), 2: S(1)}),
    "a quotient": ([S.One, 1 / (1 + u), u / (1 + u)], {0: S(1), 1: S(-1)}),
    "softplus": ([l, log(1 + exp(-l)), log(1 + u)], {0: S(1), 1: S(1)}),
    "roots": ([sqrt(1 + u), sqrt(4 + 4 * u)], {0: S(2)}),
    "a parameter in front is not looked for": ([l, a * l], None),
    "nothing": ([l, S.Zero], {}),
    "by others that depend": ([l, 2 * l, u, u + l], {0: S(1), 2: S(1)}),
}


@pytest.mark.parametrize("name", LAST)
def test_the_last_one(name):
    functions, expected = LAST[name]
    *_, found = combinations(functions)
    assert found == ({len(functions) - 1: S.One} if expected is None else expected)


def test_what_has_no_value_has_no_relation():
    with pytest.raises(Undefined):
        combinations([l, sqrt(l)])


@settings(deadline=None, max_examples=30)
@given(st.lists(coefficients(l, lw, size=3, degree=1), min_size=2, max_size=5), st.data())
def test_as_many_are_independent_as_points_show(functions, data):
    """With one that depends put among them."""
    numbers = data.draw(st.lists(st.integers(-3, 3), min_size=len(functions), max_size=len(functions)))
    place = data.draw(st.integers(0, len(functions)))
    every = [*functions[:place], sum(c * f for c, f in zip(numbers, functions, strict=True)) + 0, *functions[place:]]
    found = combinations(every)
    for i, row in enumerate(found):
        assert ((every[i] - sum(c * every[j] for j, c in row.items())).expand()) == 0
    independent = sum(row == {i: S.One} for i, row in enumerate(found))
    points = [{l: Rational(7 * k % 23 - 11, 7), lw: Rational(5 * k % 19 - 9, 6)} for k in range(2 * len(every))]
    with mpmath.workdps(50):
        matrix = mpmath.matrix([[value(S(f), at) for f in every] for at in points])
        singular = mpmath.svd_r(matrix, compute_uv=False)
        assert sum(s > mpmath.mpf(10) ** -25 * (1 + singular[0]) for s in singular) == independent
