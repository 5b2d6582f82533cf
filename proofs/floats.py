"""Floating point without exceptions: signs of k3 on every float of a binade, where exp overflows, and how NaN arises.

k3 = e^x - 1 - x, x = -l, is never negative, but next to x = 0 rounding e^x to a multiple of 2^-23 drowns x²/2, and the
order of the two subtractions decides what is seen of it. Far out, exp is infinite, and ∞ meets 0 or ∞: a clamp behind
an overflowing exp multiplies its derivative, 0, by ∞, and stop-gradient tricks subtract ∞ from ∞. precision.py has the
errors; minus(a, b) is one rounded subtraction.
"""

from kltheory.proving.vocabulary import *

ISSUES = ("github.com/huggingface/trl/issues/3015", "github.com/OpenRLHF/OpenRLHF/pull/1335")
l, x = log_ratio, -log_ratio
CORRECT = "exp and expm1 rounded correctly"
FROM_LEFT = minus(minus(exp(x), 1), x)
X_FIRST = minus(minus(exp(x), x), 1)
BY_EXPM1 = minus(expm1(x), x)
POSITIVE = {"swap_direction": "the mirrored formula is as positive", "add_one": "one more keeps it positive"}


@theorem(catalogue="116", hypotheses=CORRECT, harmless={"swap_direction": "the claim is about both sides"})
def k3_from_left_to_right_is_negative_at_almost_every_other_float():
    """(e^x - 1) - x, x = -l, is negative at 40% to 50% of the floats of the binade on either side."""
    return [NegativeShare(FROM_LEFT, -14, side, Rational(2, 5), Rational(1, 2)) for side in (-1, 1)]


@theorem(
    catalogue="116",
    hypotheses=CORRECT,
    harmless={"swap_direction": "from left to right it is as often negative on the other side"},
)
def order_of_subtractions_changes_the_sign_of_k3():
    """(e^x - x) - 1, x = -l, is negative at 20% to 25% of the floats of the binade with l < 0, where (e^x - 1) - x is
    at 40% to 50%."""
    return (
        NegativeShare(X_FIRST, -14, -1, Rational(1, 5), Rational(1, 4)),
        NegativeShare(FROM_LEFT, -14, -1, Rational(2, 5), Rational(1, 2)),
    )


@theorem(catalogue="116", hypotheses=CORRECT, harmless=POSITIVE)
def k3_is_never_negative_in_float32():
    """Like k3 itself, (e^x - 1) - x, x = -l, is never negative. (False, on the floats of a binade with l < 0: e^x was
    rounded; expm1(x) - x is never negative there.)"""
    return Refuted(
        NegativeShare(FROM_LEFT, -14, -1, S.Zero, S.Zero), corrected=NegativeShare(BY_EXPM1, -14, -1, S.Zero, S.Zero)
    )


@theorem(catalogue="117", source=ISSUES, hypotheses="exp accurate to four units in the last place")
def k3_overflows_iff_x_exceeds_the_largest_exponent():
    """For x = -l > 0, e^x and k3 are infinite iff x > 128 log 2 = 88.72 in float32 and bfloat16, 16 log 2 = 11.09 in
    float16."""
    return [
        OverflowsIff(e, -bits * log(2), name)
        for e in (exp(x), k3.expr)
        for name, bits in (("float32", 128), ("bfloat16", 128), ("float16", 16))
    ]


FAR = S(-100)
CLAMPED_AFTER = Surrogate(Min(Max(k3.expr, -10), 10))
CLAMPED_BEFORE = Surrogate(k3.expr.xreplace({l: Min(Max(l, -10), 10)}))


@theorem(
    catalogue=("110", "117"),
    source=ISSUES,
    harmless={
        "detach": "where the derivative is 0 there is none to lose",
        "swap_direction": "at l = -50 mirrored k3 is beyond 10 as well",
    },
)
def clamp_after_exp_has_derivative_nan_and_clamp_before_it_zero():
    """At l = -100, beyond the overflow, clamp(k3, -10, 10) is 10 with the derivative 0·∞ = NaN, and k3 of clamp(l, -10,
    10) is e^10 - 11 with the derivative 0; at l = -50 the first has the derivative 0 too."""
    return [
        claim
        for name in ("float32", "bfloat16")
        for claim in (
            Computes(CLAMPED_AFTER, FAR, name, S(10), nan),
            Computes(CLAMPED_AFTER, S(-50), name, S(10), S.Zero),
            Computes(CLAMPED_BEFORE, FAR, name, exp(10) - 11, S.Zero),
        )
    ]


INFINITE = {"scale": "twice infinity is infinite", "add_k2": "k2 is infinite there too"}


@theorem(
    catalogue="111",
    harmless=INFINITE
    | {
        "drop_stop_gradient_1": "at -∞ both derivatives are -∞; at +∞ that of k3 is 1",
        "swap_direction": "k2 is even, and mirrored k3 is not finite there either",
    },
)
def straight_through_has_value_nan_where_a_policy_is_zero():
    """Where π or π_ref is 0, l = ∓∞: sg(k3) + k2 - sg(k2) has the value ∞ - ∞ = NaN, and the derivative of k2."""
    return [Computes(straight_through(k3, k2), side * oo, "float32", nan, side * oo) for side in (-1, 1)]


@theorem(
    catalogue=("28", "117"),
    source=ISSUES,
    harmless=INFINITE,
)
def k3_as_loss_overflows_with_derivative_one_on_the_right_and_infinite_on_the_left():
    """k3 as a loss has the value ∞ and the derivative 1 at l = ∞; beyond the overflow, at l = -100, ∞ and -∞."""
    return Computes(as_loss(k3), oo, "float32", oo, S.One), Computes(as_loss(k3), FAR, "float32", oo, -oo)


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
