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
    """On-policy, k3 as a loss and k1 in the reward agree to first order in l, and not to second."""
    return AgreesToOrder(as_loss(k3), in_reward(k1), POLICY, 1)


@theorem(catalogue="24", source=SEED)
def taylor_series_of_the_coefficients():
    """On-policy, k3 has l - l²/2 + l³/6 as a loss and l²/2 - l³/6 in the reward, the gap to k1 in the reward too, up to
    O(l⁴); k2 has l²/2 in the reward; with a live weight, off-policy, k1 has 1 + l and k2 l + l²/2 as losses."""
    return (
        Expansion(formula(as_loss(k3), POLICY), l - l**2 / 2 + l**3 / 6, 3),
        Expansion(formula(in_reward(k1), POLICY) - formula(as_loss(k3), POLICY), l**2 / 2 - l**3 / 6, 3),
        Expansion(formula(in_reward(k3), POLICY), l**2 / 2 - l**3 / 6, 3),
        Identity(formula(in_reward(k2), POLICY), l**2 / 2),
        Identity(formula(as_loss(k1, w), OLD), 1 + l),
        Identity(formula(as_loss(k2, w), OLD), l + l**2 / 2),
    )


@theorem(catalogue="24", source=SEED, hypotheses="λ ≠ 0")
def taylor_series_of_the_power_family():
    """On-policy, h_λ as a loss has the coefficient l + λl²/2 + O(l³), for every λ but 0."""
    return Expansion(formula(as_loss(power(lam)), POLICY), l + lam * l**2 / 2, 2)


@theorem(
    catalogue="24",
    source=SEED,
    harmless=dict.fromkeys(("flip_sign", "scale", "swap_direction"), "the order of vanishing stays"),
)
def k2_and_k3_in_reward_have_no_first_order_pull():
    """On-policy, k2 and k3 in the reward agree with no penalty at all to first order: there is no restoring force at
    leading order."""
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
    """On-policy, with δ = π_ref/π, the coefficient of k3 as a loss tends to 1 as δ → 0, and is -δ(1 + o(1)) as δ → ∞;
    that of k1 in the reward is -log δ, without bound at either end."""
    coefficient, principled = formula(as_loss(k3), POLICY), formula(in_reward(k1), POLICY)
    return (
        Limit(coefficient, oo, S.One),
        Limit(coefficient * exp(l), -oo, -S.One),
        Identity(principled, -log(exp(-l))),
        Limit(principled, -oo, -oo),
        Limit(principled, oo, oo),
    )


# --- remainders and bounds --------------------------------------------------------------------------------------------
@theorem(
    catalogue="25a",
    source="catalogue 25",
    harmless={
        "swap_direction": "mirrored, the remainder is at least the cube",
        "drop_term": "k3 ≤ l²/2 for l > 0 without the cube",
    },
)
def remainder_of_k3_is_at_most_cubic():
    """|k3 - l²/2| ≤ |l|³/6 for l ≥ 0, and ≤ e^{-l}|l|³/6 for l ≤ 0."""
    gap, cube = k3.expr - k2.expr, l**3 / 6
    above = [HasSign(cube + side * gap, 1, above=S.Zero) for side in (1, -1)]
    return above + [HasSign(-cube * exp(-l) + side * gap, 1, below=S.Zero) for side in (1, -1)]


@theorem(catalogue="25a", source="catalogue 25")
def bias_of_k3_as_loss_is_at_most_sqrt2_times_the_reverse_kl():
    """‖∇KL(π_ref‖π) - ∇KL(π‖π_ref)‖ ≤ √2 KL(π‖π_ref) in logits, for every V: it is -E[k3 s], k3 ≥ 0, ‖s‖ ≤ √2."""
    bias = as_loss(k3) - in_reward(k1)
    return (
        SameGradient(bias, -in_reward(k3), POLICY),
        GradientBound(bias, k3.expr, POLICY),
        SameMoment(E(k3.expr), E(k1.expr)),
    )


@theorem(catalogue="26", source="github.com/SaifPunjwani/polgrad")
def bias_of_k2_is_third_order():
    """E[k2] - KL(π‖π_ref) = E[k2 - k3], and k2 - k3 = l³/6 + O(l⁴)."""
    return (
        SameMoment(E(k2.expr) - E(l), E(k2.expr - k3.expr)),
        Expansion(k2.expr - k3.expr, l**3 / 6, 3),
    )


@theorem(catalogue="25b", source="catalogue 25", hypotheses="l ≤ 2 on every action")
def gradient_of_the_reverse_kl_is_at_most_sqrt8_times_its_root():
    """On-policy, ‖∇KL(π‖π_ref)‖ ≤ √2 E|l|, and l² ≤ 4 k3 where l ≤ 2: so where no action has more, it is at most
    √(2 E[l²]) ≤ √8 √KL(π‖π_ref)."""
    return (
        GradientBound(as_loss(k2), Abs(l), POLICY),
        HasSign(4 * k3.expr - l**2, 1, below=S(2)),
        SameMoment(E(k3.expr), E(l)),
    )


@theorem(catalogue="23a", source="catalogue 23")
def unweighted_losses_pull_with_the_samplers_weight_at_the_reference():
    """Off-policy, k2 and k3 as losses, unweighted, have w C = l + O(l²) near the reference."""
    rows = [(k2, l), (k3, 1 - exp(-l))]
    identities = [Identity(formula(as_loss(k), OLD), slope / w) for k, slope in rows]
    return identities + [Expansion(slope, l, 1) for _, slope in rows]


@theorem(
    catalogue="23b",
    source="catalogue 23",
    hypotheses="A stands for a component of the score",
)
def hessian_at_the_reference_is_the_samplers_or_the_policys_fisher_matrix():
    """E_old[k'(l) s_j] has the gradient E_old[k''(l) s_j s + k'(l) ∇s_j]; at l = 0, k'' is 1 and k' is 0 for k2 and k3,
    so the Hessian of E_old[k] is E_old[s sᵀ]. E_π[l s_j], the reverse KL's, has E_π[(l + 1) s_j s + l ∇s_j]: E_π[s
    sᵀ]."""
    slopes = [k.expr.diff(l) for k in (k2, k3)]
    held = [formula(Surrogate(slope * advantage), OLD).xreplace({l: S.Zero}) for slope in slopes]
    live = formula(Surrogate(w * l * advantage), OLD).xreplace({l: S.Zero})
    return (
        *(Identity(c, advantage / w) for c in held),
        *(Expansion(slope, l, 1) for slope in slopes),
        Identity(live, advantage),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
