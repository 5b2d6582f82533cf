"""Random lengths: two tokens, stop and continue, suffice for a variance that does not exist.

With continue-probability a under the policy and b under the reference, a response of length n has the probability
(1 - a) a^n, and r = (1 - b) b^n / ((1 - a) a^n) over whole responses. Per token every variance is finite; over whole
responses E[r²] is a geometric series.
"""

from kltheory.proving.vocabulary import *

n = Symbol("n", integer=True, nonnegative=True)
a, b = Symbol("a", positive=True), Symbol("b", positive=True)
PROBABILITY = (1 - a) * a**n
R_SQUARED = ((1 - b) * b**n / ((1 - a) * a**n)) ** 2
TWO_TOKENS = "two tokens, 0 < a, b < 1"


@theorem(catalogue="39", hypotheses=TWO_TOKENS)
def sequence_level_r_squared_is_finite_iff_b_squared_is_below_a():
    """Over whole responses E[r²], and with it the variance of k3 and of its gradient, is finite iff b² < a."""
    return GeometricFiniteIff(PROBABILITY * R_SQUARED, a - b**2, n)


@theorem(catalogue="39", hypotheses=(TWO_TOKENS, "b² < a"))
def sequence_level_r_squared_in_closed_form():
    """E[r²] = (1 - b)²/((1 - a)(1 - b²/a)): 9 for a = 1/2, b = 7/10."""
    value = (1 - b) ** 2 / ((1 - a) * (1 - b**2 / a))
    numbers = {a: Rational(1, 2), b: Rational(7, 10)}
    return (
        GeometricSum(PROBABILITY * R_SQUARED, value, n),
        GeometricSum(PROBABILITY, S.One, n),
        Identity(value.xreplace(numbers), S(9)),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
