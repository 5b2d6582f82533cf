"""Distillation: what a student Q learns from a teacher P by sums over the vocabulary, or by samples of its own.

The student is the policy, Q = π, and the teacher the reference, P = π_ref; u = Q/P and r = P/Q. Losses that compare
both with a mixture M of the two differ in whether the gradient flows through M. A loss over the k likeliest tokens of
the teacher says nothing of the rest, unless it is told: what it leaves to the others depends on how it is normalised.
"""

from kltheory.proving.vocabulary import *

GKD, DISTILLM, HINTON = "arXiv 2306.13649", "arXiv 2402.03898", "arXiv 1503.02531"
l, u, r = log_ratio, ratio, exp(-log_ratio)
Q, P = POLICY_PROBABILITY, REFERENCE_PROBABILITY
odds = Symbol("c", positive=True)
share = 1 / (1 + odds)
"""Any number between 0 and 1: β, or α."""
rest = 1 - share
m = share * r + rest
"""M/Q, for M = βP + (1 - β)Q."""
M = Q * m
LOG_SHARE = log(u / (share + rest * u))
"""log Q/M."""
ANY_SHARE = "β = 1/(1 + c)"


def scored(factor: Expr) -> Surrogate:
    """A detached factor times the score."""
    return Surrogate(sg(factor) * logp)


def first(f: Expr) -> Expr:
    """f at the first token."""
    return f.xreplace({x: At(x, 0) for x in (logp, l, inside)})


def component(c: Expr) -> Expr:
    """The derivative by the first logit of the expected gradient with coefficient c."""
    return first(Q) * (first(c) - E(c))


def generator(loss: Surrogate) -> Expr:
    """The f of a loss Σ P f(Q/P), summed over the vocabulary; its coefficient is f'(u) (catalogue 15)."""
    value = loss.expr.xreplace({mean: mean.integrand for mean in loss.expr.atoms(Mean)})
    return (u * value).expand()


def has_slope(loss: Surrogate, coefficient: Expr) -> Identity:
    """u f'(u) is u times the coefficient."""
    return Identity(generator(loss).diff(l), u * coefficient)


# --- the generalised Jensen-Shannon divergence ------------------------------------------------------------------------
@theorem(catalogue="182", source=GKD, hypotheses=ANY_SHARE)
def gjsd_has_a_logarithmic_coefficient_whether_the_mixture_is_detached_or_not():
    """β KL(P‖M) + (1 - β) KL(Q‖M), M = βP + (1 - β)Q, is Σ P f(Q/P) with f'(u) = (1 - β) log Q/M, its coefficient; and
    with M detached the coefficient is (1 - β) log Q/M as well."""
    held = Surrogate(E(share * r * log(P / sg(M)) + rest * log(Q / sg(M))))
    return (
        has_slope(gjsd(share), rest * LOG_SHARE),
        SameGradient(held, scored(rest * LOG_SHARE), POLICY),
    )


MIRRORED = {"swap_direction": "mirrored, it is positive, or tends to the same limit, as well"}


@theorem(
    catalogue="183a",
    source="catalogue 183",
    hypotheses=(ANY_SHARE, "in the limits the letter l stands for β, or for 1 - β, and x > 0 for u"),
    harmless=MIRRORED,
)
def gjsd_vanishes_at_both_ends():
    """Near P = Q the coefficient (1 - β) log Q/M of the generalised Jensen-Shannon divergence is β(1 - β) l + O(l²): of
    the gradient of either KL it has the share β(1 - β). Its slope in l is β(1 - β)/(β + (1 - β)u): over β it tends to
    1/u as β → 0, the slope for KL(P‖Q), and over 1 - β to 1 as β → 1, that for KL(Q‖P)."""
    slope, x = rest * LOG_SHARE, Symbol("x", positive=True)
    return (
        Expansion(slope, share * rest * l, 1),
        Identity(slope.diff(l), share * rest / (share + rest * u)),
        Expansion((1 - l) / (l + (1 - l) * x), 1 / x, 0),
        Expansion((1 - l) / (1 - l + l * x), S.One, 0),
    )


@theorem(catalogue="183a", source="catalogue 183", hypotheses=ANY_SHARE, harmless=MIRRORED)
def gjsd_is_at_most_the_entropy_of_its_weights():
    """log P/M ≤ -log β and log Q/M ≤ -log(1 - β) at every token, the gaps being log(1 + cu) and log(1 + r/c): so the
    generalised Jensen-Shannon divergence is at most -β log β - (1 - β) log(1 - β), which vanishes at both ends."""
    return (
        Identity(-log(share) - log(r / m), log(1 + odds * u)),
        Identity(-log(rest) + log(m), log(1 + r / odds)),
        HasSign(log(1 + exp(l)), 1),
    )


SWAPPED = Surrogate(E(rest * r * log(r / m) - share * log(m)))
SWAPPED_SLOPE = share * LOG_SHARE + (share**2 - rest**2) / (share + rest * u)


@theorem(catalogue="183b", source="catalogue 183", hypotheses=ANY_SHARE, harmless=MIRRORED)
def gjsd_with_exchanged_weights_is_a_divergence_with_the_right_ends():
    """(1 - β) KL(P‖M) + β KL(Q‖M) has the coefficient f'(u) = β log Q/M + (β² - (1 - β)²)/(β + (1 - β)u), whose slope
    by u is ((1 - β)³u + β³)/(u(β + (1 - β)u)²) > 0: an f-divergence. The coefficient is that of KL(P‖Q) at β = 0, -1/u,
    and that of KL(Q‖P) at β = 1, l + 1."""
    b = Symbol("b", real=True)
    at = b * log(u / (b + (1 - b) * u)) + (b**2 - (1 - b) ** 2) / (b + (1 - b) * u)
    slope = (rest**3 * u + share**3) / (u * (share + rest * u) ** 2)
    return (
        has_slope(SWAPPED, SWAPPED_SLOPE),
        Identity(SWAPPED_SLOPE.diff(l) / u, slope),
        HasSign(slope, 1),
        Identity(at.xreplace({b: S.Zero}), -1 / u),
        Identity(at.xreplace({b: S.One}), l + 1),
    )


@theorem(catalogue="183b", source="catalogue 183", hypotheses=ANY_SHARE)
def detaching_the_mixture_of_exchanged_weights_changes_nothing():
    """(1 - β) KL(P‖M) + β KL(Q‖M) has the same gradient with M detached. (False but for β = 1/2: then the coefficient
    is β log Q/M.)"""
    held = Surrogate(E(rest * r * log(P / sg(M)) + share * log(Q / sg(M))))
    return Refuted(
        SameGradient(held, scored(SWAPPED_SLOPE), POLICY),
        corrected=SameGradient(held, scored(share * LOG_SHARE), POLICY),
    )


# --- skewed KLs -------------------------------------------------------------------------------------------------------
SKEWED = "α = 1/(1 + c)"


@theorem(catalogue="184", source=DISTILLM, hypotheses=SKEWED, harmless=MIRRORED)
def skewed_kls_have_bounded_and_logarithmic_coefficients():
    """KL(P‖M), M = αP + (1 - α)Q, has the coefficient f'(u) = -(1 - α)/(α + (1 - α)u), between -(1 - α)/α and 0;
    KL(Q‖M) has log Q/M + α P/M."""
    c = -rest / (share + rest * u)
    return (
        has_slope(skew_kl(share), c),
        HasSign(c, -1),
        HasSign(c + rest / share, 1),
        has_slope(skew_reverse_kl(share), LOG_SHARE + share / (share + rest * u)),
    )


@theorem(catalogue="184", source="catalogue 184", hypotheses=SKEWED)
def skewed_kls_with_a_detached_mixture():
    """With M detached KL(P‖M) has no gradient, beside k2 it adds nothing; and KL(Q‖M) has the coefficient log Q/M, that
    of the generalised Jensen-Shannon divergence for β = α but for the factor 1 - β."""
    held, reverse = Surrogate(E(r * log(P / sg(M)))), Surrogate(E(log(Q / sg(M))))
    return (
        SameGradient(held + as_loss(k2), as_loss(k2), POLICY),
        SameGradient(reverse, scored(LOG_SHARE), POLICY),
    )


# --- samples of the student -------------------------------------------------------------------------------------------
HALF = Rational(1, 2)
MEAN = (1 + r) / 2
"""M/Q of the even mixture."""
JSD = HALF * (E(r * log(r / MEAN)) + E(-log(MEAN)))
JS_SLOPE = jensen_shannon.coefficient.cells[0][1]
POINTWISE = HALF * (r / MEAN * log(r / MEAN) - log(MEAN) / MEAN)
"""½((P/M) log P/M + (Q/M) log Q/M), at one token."""


@theorem(catalogue="185", source="catalogue 185")
def pointwise_js_averages_to_it_under_the_student():
    """Sampled from Q, ½((P/M) log P/M + (Q/M) log Q/M) averages to the Jensen-Shannon divergence. (False: sampled from
    M = (P + Q)/2 it does; from Q, ½(log Q/M + (P/Q) log P/M) does.)"""
    return Refuted(
        SameMoment(E(POINTWISE), JSD),
        corrected=SameMoment(E(HALF * (r * log(r / MEAN) - log(MEAN))), JSD),
    )


@theorem(catalogue="185", source="catalogue 185")
def pointwise_js_averages_to_it_under_the_mixture():
    """Sampled from M = (P + Q)/2, ½((P/M) log P/M + (Q/M) log Q/M) averages to the Jensen-Shannon divergence."""
    return SameMoment(E(MEAN * POINTWISE), JSD)


@theorem(catalogue="185", source="catalogue 185")
def unbiased_value_of_js_in_reward_eq_its_gradient():
    """Sampled from Q, ½(log Q/M + (P/Q) log P/M) in the reward has the gradient of the Jensen-Shannon divergence.
    (False; ½ log Q/M in the reward has.)"""
    value = HALF * (r * log(r / MEAN) - log(MEAN))
    return Refuted(
        SameGradient(scored(value), scored(JS_SLOPE), POLICY),
        corrected=SameGradient(scored(-HALF * log(MEAN)), scored(JS_SLOPE), POLICY),
    )


@theorem(
    catalogue="186",
    source=GKD,
    hypotheses="E_π[h(l)] is any divergence of the teacher and the student",
)
def distillation_on_own_responses_lacks_the_divergences_to_go():
    """On-policy, the divergences E_π[h(l_t) | past] over the vocabulary, summed over the student's own response without
    the gradient of its sampling, have the gradient of the response's divergence but for E[Σ_t s_t Σ_{u>t} E_π[h(l_u) |
    past]]: detached divergences to go in the reward complete them, and so do sampled ones."""
    frozen = SequenceLoss(total(E(h.expr)))
    return [
        SameSequenceGradient(frozen + in_sequence_reward(future(to_come)), SequenceObjective(total(h.expr)), POLICY)
        for to_come in (E(h.expr), h.expr)
    ]


@theorem(catalogue="186", source=GKD)
def distillation_on_own_responses_descends_the_divergence_of_responses():
    """On-policy, the reverse KLs E_π[l_t | past], summed over the student's own response without the gradient of its
    sampling, descend KL(π‖π_ref) of responses. (False: they lack E[Σ_t s_t Σ_{u>t} KL_u].)"""
    frozen = SequenceLoss(total(E(l)))
    return Refuted(
        SameSequenceGradient(frozen, REVERSE_KL, POLICY),
        corrected=SameSequenceGradient(frozen + in_sequence_reward(future(E(l))), REVERSE_KL, POLICY),
    )


# --- the teacher's likeliest tokens -----------------------------------------------------------------------------------
TEACHER, STUDENT = E(inside * r), E(inside)
"""P(S) and Q(S)."""


@theorem(catalogue="187", source="catalogue 187")
def truncated_teacher_loss_leaves_nothing_outside():
    """Σ_S P log P/Q, S fixed, has the logit gradient Q P(S) - P 1_S: positive at every token outside S, and zero at
    those of S where Q = P/P(S). It descends until nothing is left outside."""
    loss = Surrogate(E(-inside * r * l))
    c = -inside * r
    return (
        SameGradient(loss, scored(c), POLICY),
        SameMoment(component(c), first(Q) * TEACHER - first(inside * P)),
    )


@theorem(catalogue="187", source="catalogue 187")
def renormalised_teacher_losses_move_no_mass_across():
    """With P_S = P/P(S) and Q_S = Q/Q(S) on S, Σ_S P_S log P_S/Q_S has the logit gradient Q_S - P_S on S and 0 outside;
    Σ_S Q_S log Q_S/P_S has the coefficient (log Q_S/P_S - KL(Q_S‖P_S))/Q(S) on S and 0 outside. Either has the mean
    zero: no logit outside moves, and Q(S) is free."""
    forward = inside / STUDENT - inside * r / TEACHER
    log_quotient = log(TEACHER / (r * STUDENT))
    reverse = inside / STUDENT * (log_quotient - E(inside * log_quotient) / STUDENT)
    return (
        SameGradient(Surrogate(E(inside * r * log(r * STUDENT / TEACHER)) / TEACHER), scored(forward), POLICY),
        SameMoment(component(forward), first(inside * Q) / STUDENT - first(inside * P) / TEACHER),
        SameGradient(Surrogate(E(inside * log_quotient) / STUDENT), scored(reverse), POLICY),
        SameMoment(component(reverse), first(Q * reverse)),
    )


@theorem(catalogue="187", source="catalogue 187")
def one_bucket_for_the_tail_gets_its_mass_right():
    """With the tokens of S as one bucket, Σ_{S^c} P log P/Q + P(S) log P(S)/Q(S) has the coefficient 1 - P/Q outside S,
    and 1 - P(S)/Q(S) in it, of mean zero, so that its logit gradient is Q times that: zero where Q = P outside S and
    Q(S) = P(S), however the tokens of S share it."""
    loss = Surrogate(E(-(1 - inside) * r * l) + TEACHER * log(TEACHER / STUDENT))
    c = (1 - inside) * (1 - r) + inside * (1 - TEACHER / STUDENT)
    return SameGradient(loss, scored(c), POLICY), SameMoment(E((1 - inside) * (1 - r)), TEACHER - STUDENT)


# --- temperature ------------------------------------------------------------------------------------------------------
a = Symbol("a", positive=True)
POWER_SUM = E(exp((a - 1) * logp))
"""Σ Q^a."""
TEMPERED = exp((a - 1) * logp) / POWER_SUM
"""Q_T/Q."""


@theorem(catalogue="188", source=HINTON, hypotheses=("a = 1/T", "Q_T = Q^a/ΣQ^a, and π_ref stands for P_T"))
def tempered_distillation_has_the_gradient_of_the_tempered_gap():
    """T² KL(P_T‖Q_T) has the derivative T (Q_T - P_T) by a logit of Q."""
    log_tempered = a * logp - log(POWER_SUM)
    c = (TEMPERED - r) / a
    return (
        SameGradient(Surrogate(E(r * (logp - l - log_tempered)) / a**2), scored(c), POLICY),
        SameMoment(component(c), first(Q * (TEMPERED - r)) / a),
    )


@theorem(catalogue="188", source=HINTON, hypotheses=("V = 3, logits x, y, 0", "the letter l stands for 1/T"))
def hot_distillation_compares_centred_logits():
    """Q_T = softmax(z/T) is 1/V + (z - z̄)/(VT) + O(1/T²), z̄ the mean of the logits: with centred logits T (Q_T - P_T)
    tends to (z - z_P)/V as T → ∞."""
    x, y = (Symbol(name, real=True) for name in "xy")
    third = Rational(1, 3)
    return Expansion(exp(x * l) / (exp(x * l) + exp(y * l) + 1), third + third * l * (x - (x + y) / 3), 1)


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
