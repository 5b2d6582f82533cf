"""Near the reference and far from it: Taylor orders of the coefficients at l = 0, and their limits.

Two coefficients that agree up to order n pull alike while the policy stays close. Far away they part: k3 as a loss
saturates where the policy has sharpened and explodes where it has abandoned a token.
"""

from kltheory.proving.vocabulary import *

SEED = "arXiv 2510.01555"
l = log_ratio


@theorem(
    catalogue=("S5", "24"),
    source=SEED,
    harmless={"swap_direction": "mirrored, k3 has the coefficient exp(l) - 1, first order too"},
)
def k3_as_loss_agrees_with_reverse_kl_to_first_order():
    """k3 as a loss and k1 in the reward agree to first order in l, and not to second."""
    return AgreesToOrder(as_loss(k3), in_reward(k1), POLICY, 1)


@theorem(catalogue="24", source=SEED)
def taylor_series_of_the_coefficients():
    """The Taylor polynomials of the coefficients: k3 loss, k2 and k3 in the reward, k1 and k2 under a live weight."""
    return (
        Expansion(formula(as_loss(k3), POLICY), l - l**2 / 2 + l**3 / 6, 3),
        Expansion(formula(in_reward(k1), POLICY) - formula(as_loss(k3), POLICY), l**2 / 2 - l**3 / 6, 3),
        Expansion(formula(in_reward(k3), POLICY), l**2 / 2 - l**3 / 6, 3),
        Identity(formula(in_reward(k2), POLICY), l**2 / 2),
        Identity(formula(as_loss(k1, w), OLD), 1 + l),
        Identity(formula(as_loss(k2, w), OLD), l + l**2 / 2),
    )


@theorem(catalogue="24", source=SEED)
def taylor_series_of_the_power_family():
    """h_λ as a loss has the coefficient l + λl²/2 + O(l³), for every λ."""
    return Expansion(formula(as_loss(power(lam)), POLICY), l + lam * l**2 / 2, 2)


@theorem(
    catalogue="24",
    source=SEED,
    harmless=dict.fromkeys(("flip_sign", "scale", "swap_direction"), "the order of vanishing stays"),
)
def k3_in_reward_has_no_first_order_pull():
    """k3 and k2 in the reward agree with no penalty at all to first order: there is no restoring force at leading
    order."""
    return [AgreesToOrder(in_reward(k), NO_GRADIENT, POLICY, 1) for k in (k2, k3)]


@theorem(catalogue="S5", source=SEED)
def gap_in_delta_is_a_log_series():
    """With x = δ - 1, (-log δ) - (1 - δ) = x²/2 - x³/3 + x⁴/4 + O(x⁵); here the letter l stands for x."""
    gap = -log(1 + l) + l
    return Expansion(gap, l**2 / 2 - l**3 / 3 + l**4 / 4, 4)


@theorem(
    catalogue=("S5", "27"),
    source=(SEED, "arXiv 2512.02556, section 3.1"),
    harmless={
        "scale": "an infinite limit is scale-invariant",
        "add_one": "an infinite limit absorbs a constant",
        "drop_term": "the term dropped from 1 - exp(-l) vanishes as l → ∞",
    },
)
def k3_as_loss_saturates_and_explodes():
    """The coefficient of k3 as a loss tends to 1 as δ → 0, and to -δ as δ → ∞; the principled one grows like -log δ."""
    coefficient = formula(as_loss(k3), POLICY)
    return (
        Limit(coefficient, oo, S.One),
        Limit(coefficient * exp(l), -oo, -S.One),
        Limit(formula(in_reward(k1), POLICY) / l, -oo, S.One),
        Limit(formula(in_reward(k1), POLICY), oo, oo),
    )


# --- remainders and bounds --------------------------------------------------------------------------------------------
@theorem(
    catalogue="25",
    source="catalogue 25",
    harmless={
        "swap_direction": "the mirrored remainder obeys the bound on that side",
        "drop_term": "k3 ≤ l²/2 for l > 0 without the cube",
    },
)
def remainder_of_k3_is_at_most_cubic():
    """|k3 - l²/2| ≤ |l|³/6 for l ≥ 0, and ≤ e^{-l}|l|³/6 for l ≤ 0."""
    gap, cube = k3.expr - k2.expr, l**3 / 6
    above = [HasSign(cube + side * gap, 1, above=S.Zero) for side in (1, -1)]
    return above + [HasSign(-cube * exp(-l) + side * gap, 1, below=S.Zero) for side in (1, -1)]


@theorem(catalogue="25", source="catalogue 25")
def bias_of_k3_as_loss_is_at_most_sqrt2_times_the_reverse_kl():
    """‖∇KL(π_ref‖π) - ∇KL(π‖π_ref)‖ ≤ √2 KL(π‖π_ref) in logits, for every V: it is E[k3 s], k3 ≥ 0, ‖s‖ ≤ √2."""
    return GradientBound(as_loss(k3) - in_reward(k1), k3.expr, POLICY), SameMoment(E(k3.expr), E(k1.expr))


@theorem(catalogue="26", source="github.com/SaifPunjwani/polgrad")
def bias_of_k2_is_third_order():
    """E[k2] - KL(π‖π_ref) = E[k2 - k3], and k2 - k3 = l³/6 + O(l⁴)."""
    return (
        SameMoment(E(k2.expr) - E(l), E(k2.expr - k3.expr)),
        Expansion(k2.expr - k3.expr, l**3 / 6, 3),
    )


@theorem(catalogue="23", source="catalogue 23")
def unweighted_losses_have_the_samplers_curvature_at_the_reference():
    """Near the reference k2 and k3 as losses, unweighted, have w C = l + O(l²), so the curvature E_old[s sᵀ]; the
    reverse KL has C = l, so the policy's."""
    rows = [(k2, l), (k3, 1 - exp(-l))]
    identities = [Identity(formula(as_loss(k), OLD), slope / w) for k, slope in rows]
    return identities + [Expansion(slope, l, 1) for _, slope in rows]


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
