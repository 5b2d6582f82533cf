"""Precision: what is left of the formulas in float32 and bfloat16.

k3 = e^{-l} - 1 + l is about l²/2 near the reference, the small difference of numbers near 1: in float32 nothing of it
is left at |l| = 10^-4. Far out exp overflows. Every claim names the type and the points: evenly spaced l of one binade,
each operation rounded, against exact values in balls."""

from kltheory.proving.vocabulary import *

l = log_ratio
NAIVE, SLOPE = exp(-l) - 1 + l, 1 - exp(-l)
TRL = ("TRL issue 3015", "TRL issue 6637")
BIG = {
    "scale": "twice a number that is not finite is not finite",
    "flip_sign": "nor is its negative",
    "add_one": "nor is one more",
    "drop_term": "the term dropped is finite",
    "swap_direction": "mirrored, the finite ones stay finite",
}


@theorem(
    catalogue="116",
    source="catalogue 116",
    hypotheses=("float32", "2^-14 ≤ |l| < 2^-13, 1024 points"),
    harmless={"swap_direction": "expm1(l) - l is k3 to two digits as well, so near 0"},
)
def k3_keeps_a_digit_in_float32_near_the_reference():
    """exp(-l) - 1 + l keeps a digit in float32 at |l| about 10^-4. (False: it is off by more than its size, of either
    sign; expm1(-l) + l keeps two digits.)"""
    return Refuted(
        AccurateIn(NAIVE, NAIVE, "float32", -14, Rational(1, 10)),
        corrected=AccurateIn(expm1(-l) + l, NAIVE, "float32", -14, Rational(1, 100)),
    )


@theorem(catalogue="116", source="catalogue 116", hypotheses=("float32", "2^-14 ≤ |l| < 2^-13, 1024 points"))
def coefficient_of_k3_needs_expm1_in_float32():
    """1 - exp(-l) is accurate to 10^-6 in float32 at |l| about 10^-4. (False: cancellation leaves three digits;
    -expm1(-l) is.)"""
    bound = Rational(1, 10**6)
    return Refuted(
        AccurateIn(SLOPE, SLOPE, "float32", -14, bound), corrected=AccurateIn(-expm1(-l), SLOPE, "float32", -14, bound)
    )


@theorem(catalogue="116", source="catalogue 116", hypotheses=("bfloat16", "2^-4 ≤ |l| < 2^-3, 1024 points"))
def k3_keeps_a_digit_in_bfloat16_at_an_eighth():
    """exp(-l) - 1 + l keeps a digit in bfloat16 at |l| about 0.1. (False: it may be off by its size; l²/2 is within
    10%.)"""
    return Refuted(
        AccurateIn(NAIVE, NAIVE, "bfloat16", -4, Rational(1, 10)),
        corrected=AccurateIn(l**2 / 2, NAIVE, "bfloat16", -4, Rational(1, 10)),
    )


@theorem(catalogue="117", source=TRL, hypotheses="float32", harmless=BIG)
def exp_overflows_in_float32_from_minus_89_nats():
    """exp(-l), and so k3, is finite in float32 at l = -88.7 and not at l = -88.8; k2 is finite at both."""
    inside_, beyond = Rational(-887, 10), Rational(-888, 10)
    return (
        FiniteIn(NAIVE, "float32", inside_),
        FiniteIn(NAIVE, "float32", beyond, finite=False),
        FiniteIn(l**2 / 2, "float32", beyond),
    )


@theorem(catalogue=("117", "110"), source=TRL, hypotheses="float32", harmless=BIG)
def clamping_after_exp_gives_nan_and_before_it_zero():
    """At l = -100, clamp(k3, -10, 10) has the value 10 and the derivative 0·∞ = NaN in float32; clamping l first has a
    finite one."""
    far = S(-100)
    after = Min(Max(NAIVE, -10), 10)
    before = NAIVE.xreplace({l: Min(Max(l, -10), 10)})
    return (
        FiniteIn(after, "float32", far),
        FiniteSlopeIn(after, "float32", far, finite=False),
        FiniteSlopeIn(before, "float32", far),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
