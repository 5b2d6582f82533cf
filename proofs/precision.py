"""Precision: what is left of the formulas in float32 and bfloat16.

k3 = e^{-l} - 1 + l is about l²/2 near the reference, the small difference of numbers near 1: in float32 nothing of it
is left at |l| = 10^-4 (its signs, and overflow far out, are in floats.py). Every claim names the type and the points:
evenly spaced l of one binade, each operation rounded, against exact values in balls."""

from kltheory.proving.vocabulary import *

l = log_ratio
NAIVE, SLOPE = exp(-l) - 1 + l, 1 - exp(-l)


@theorem(
    catalogue="116",
    source="catalogue 116",
    harmless={"swap_direction": "expm1(l) - l is k3 to two digits as well, so near 0"},
)
def k3_keeps_a_digit_in_float32_near_the_reference():
    """exp(-l) - 1 + l keeps a digit in float32 at |l| about 10^-4. (False: it is off by more than a tenth of its size;
    expm1(-l) + l is within a hundredth.)"""
    return Refuted(
        AccurateIn(NAIVE, NAIVE, "float32", -14, Rational(1, 10)),
        corrected=AccurateIn(expm1(-l) + l, NAIVE, "float32", -14, Rational(1, 100)),
    )


@theorem(catalogue="116", source="catalogue 116")
def coefficient_of_k3_is_accurate_without_expm1_in_float32():
    """1 - exp(-l) is accurate to 10^-6 in float32 at |l| about 10^-4. (False: cancellation leaves an error of nearly
    10^-3 at some l; -expm1(-l) is.)"""
    bound = Rational(1, 10**6)
    return Refuted(
        AccurateIn(SLOPE, SLOPE, "float32", -14, bound), corrected=AccurateIn(-expm1(-l), SLOPE, "float32", -14, bound)
    )


@theorem(catalogue="116", source="catalogue 116")
def k3_keeps_a_digit_in_bfloat16_at_an_eighth():
    """exp(-l) - 1 + l keeps a digit in bfloat16 at |l| about 0.1. (False: it is off by more than a tenth of its
    size; l²/2 is within a tenth.)"""
    return Refuted(
        AccurateIn(NAIVE, NAIVE, "bfloat16", -4, Rational(1, 10)),
        corrected=AccurateIn(l**2 / 2, NAIVE, "bfloat16", -4, Rational(1, 10)),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
