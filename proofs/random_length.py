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
TWO_TOKENS = ("V = 2: stop and continue", "a, b < 1")


@theorem(catalogue="39b", hypotheses=TWO_TOKENS)
def sequence_level_r_squared_is_finite_iff_b_squared_is_below_a():
    """Over whole responses, on-policy, E[r²] is finite iff b² < a."""
    return GeometricFiniteIff(PROBABILITY * R_SQUARED, a - b**2, n)


CONTINUE = n - a * (n + 1)
"""The score of a response of length n by the logit of continuing, which it did n of n + 1 times."""
LOG_RATIO = log((1 - a) / (1 - b)) + n * log(a / b)
per_token = Symbol("k3_continue", positive=True) * n + Symbol("k3_stop", positive=True)


@theorem(catalogue="39b", hypotheses=TWO_TOKENS)
def gradient_of_sequence_level_k3_has_a_second_moment_iff_b_squared_is_below_a():
    """Over whole responses, on-policy, E[r² s²], s the score by the logit of continuing, is finite iff b² < a."""
    return GeometricFiniteIff(PROBABILITY * R_SQUARED * CONTINUE**2, a - b**2, n)


@theorem(catalogue="39c", hypotheses=TWO_TOKENS)
def sequence_level_k1_and_k2_and_token_level_k3_have_second_moments():
    """Over whole responses, on-policy, E[k1²], E[k2²] and E[(Σ k3_t)²], which is n k3 of continuing plus k3 of
    stopping, and with s², s the score by the logit of continuing, each, are finite for every a < 1."""
    return [
        GeometricFiniteIff(PROBABILITY * value**2 * factor, 1 - a, n)
        for value in (LOG_RATIO, LOG_RATIO**2 / 2, per_token)
        for factor in (S.One, CONTINUE**2)
    ]


@theorem(catalogue="39b", hypotheses=TWO_TOKENS)
def sequence_level_r_squared_in_closed_form():
    """Over whole responses, on-policy, E[r²] = (1 - b)²/((1 - a)(1 - b²/a)): 9 for a = 1/2, b = 7/10."""
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
