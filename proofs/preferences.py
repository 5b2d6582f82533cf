"""Preferences: what losses of pairs of responses move, and where they come to rest.

A pair has a difference of log-ratios, Δ = l - l', and a label: the first is preferred with chance p. DPO pays
-log σ(βΔ), σ(x) = 1/(1 + e^{-x}), for the preferred one less the other. Whatever the pair, the loss is a function of
x = βΔ alone, so its gradient is that function's slope times s - s', in logits ±1 at the two responses: the normaliser
cancels. Where the term of every pair is at its least, so is their sum, whoever chose the pairs.
"""

from kltheory.proving.vocabulary import *

DPO, IPO, GPO = "arXiv 2305.18290", "arXiv 2310.12036", "arXiv 2402.05749"
l = log_ratio
odds = Symbol("o", positive=True)
p = 1 / (1 + odds)
"""Any chance between 0 and 1."""
CHANCE = "o = (1 - p)/p"
other = Symbol("x", real=True)
"""The log-ratio of the other response."""


def sigma(x: Expr) -> Expr:
    """σ(x)."""
    return 1 / (1 + exp(-x))


def labelled(x: Expr) -> Expr:
    """-p log σ(x) - (1 - p) log σ(-x), the mean over the label."""
    return p * log(1 + exp(-x)) + (1 - p) * log(1 + exp(x))


# --- one pair ---------------------------------------------------------------------------------------------------------
@theorem(
    catalogue="173",
    source=DPO,
    hypotheses="l and x stand for the log-ratios of the preferred and of the other response",
    harmless={"swap_direction": "at l = 0 nothing is mirrored"},
)
def dpo_moves_two_logits():
    """-log σ(β(l - x)) has the slope -βσ(-β(l - x)) by l, and minus that by x: the gradient is -βσ(-βΔ)(s - s'), where
    the scores' common part, the normaliser, cancels. At the reference, l = x = 0, it is -(β/2)(s - s')."""
    loss = log(1 + exp(-beta * (l - other)))
    pull = beta * sigma(-beta * (l - other))
    return (
        Identity(loss.diff(l), -pull),
        Identity(loss.diff(other), pull),
        Expansion(loss.diff(l).xreplace({other: S.Zero}), -beta / 2, 0),
    )


P = POLICY_PROBABILITY


@theorem(
    catalogue="174",
    source=DPO,
    hypotheses="π_ref stands for the probability of the other response",
    harmless={"swap_direction": "the two probabilities exchange their parts"},
)
def dpo_raises_the_preferred_response_in_logits():
    """A step along e_w - e_l in logits moves log π_w at the rate 1 - (π_w - π_l), between 0 and 2: of one pair, in
    logits, DPO never lowers the preferred response."""
    return Range(1 - P + REFERENCE_PROBABILITY, S.Zero, S(2))


FEATURES = (S.One, S.Zero, S(3))


@theorem(
    catalogue="174",
    source="catalogue 174",
    hypotheses="one parameter, logits θφ with φ = (1, 0, 3), token 1 preferred to token 2",
)
def dpo_lowers_the_preferred_response_where_parameters_are_shared():
    """With logits θφ(y), a step along φ_w - φ_l moves log π_w at the rate (φ_w - E_π[φ])(φ_w - φ_l): negative at π =
    (.3, .2, .5), where the third token takes the mass."""
    mean = sum((At(P, i) * f for i, f in enumerate(FEATURES)), S.Zero)
    return SignAt((FEATURES[0] - mean) * (FEATURES[0] - FEATURES[1]), -1, ".3 .2 .5", ".4 .3 .3")


# --- pairs of the policy ----------------------------------------------------------------------------------------------
PROBABILITIES = [At(P, i) for i in range(3)]
WINS = [Symbol(f"p_{i}", real=True) for i in (12, 13, 23)]
"""The chances that token 1 is preferred to 2, 1 to 3 and 2 to 3."""
EDGES = {(0, 1): 2 * WINS[0] - 1, (0, 2): 2 * WINS[1] - 1, (1, 2): 2 * WINS[2] - 1}


def edge(a: int, b: int) -> Expr:
    """2p(a over b) - 1, antisymmetric."""
    return S.Zero if a == b else EDGES[a, b] if a < b else -EDGES[b, a]


@theorem(
    catalogue="175",
    source="catalogue 175",
    hypotheses=("V = 3, any chances of preference", "sampler, reference and policy are the same"),
)
def first_step_of_dpo_is_the_win_rate_against_the_policy():
    """Where both responses are the policy's and the policy is the reference, -(β/2)(2p - 1)(s - s') averages to -β
    E_π[(2·winrate - 1) s], winrate(y) the mean of p(y over y') over y'."""
    tokens = range(3)
    pairs = (
        -beta
        / 2
        * sum(
            (
                PROBABILITIES[a] * PROBABILITIES[b] * edge(a, b) * (int(a == 0) - int(b == 0))
                for a in tokens
                for b in tokens
            ),
            S.Zero,
        )
    )
    return SameMoment(pairs, -beta * PROBABILITIES[0] * sum((PROBABILITIES[b] * edge(0, b) for b in tokens), S.Zero))


SYMBOLS = [Symbol(f"q_{i}", positive=True) for i in range(3)]
CYCLE = (SYMBOLS[1] - SYMBOLS[2], SYMBOLS[2] - SYMBOLS[0], SYMBOLS[0] - SYMBOLS[1])
"""Twice the win rates less 1, of rock, scissors and paper."""


@theorem(
    catalogue="175",
    source="catalogue 175",
    hypotheses="each token beats the next for certain",
    harmless={"drop_term": "what is left keeps the sign"},
)
def first_step_of_dpo_has_no_objective():
    """With preferences in a circle g = π(2·winrate - 1), of mean zero, has ∂g_1/∂θ_2 > ∂g_2/∂θ_1 at π = (.2, .3, .5):
    no function has this gradient."""
    g = [q * c for q, c in zip(SYMBOLS, CYCLE, strict=True)]

    def slope(f: Expr, j: int) -> Expr:
        return sum((f.diff(q) * q * (int(i == j) - SYMBOLS[j]) for i, q in enumerate(SYMBOLS)), S.Zero)

    at = dict(zip(SYMBOLS, PROBABILITIES, strict=True))
    return SignAt((slope(g[0], 1) - slope(g[1], 0)).xreplace(at), 1, ".2 .3 .5", ".4 .3 .3")


# --- populations ------------------------------------------------------------------------------------------------------
@theorem(
    catalogue=("176", "180"),
    source=(DPO, "catalogue 180"),
    hypotheses=(CHANCE, "the letter l stands for x = βΔ, of SimPO for β(log π/|y| - log π'/|y'|)"),
    harmless={"drop_term": "what is left of the curvature is positive"},
)
def each_pair_of_dpo_is_least_where_the_label_is_met():
    """The mean loss of a pair has the slope σ(x) - p, which is 0 where x = log p/(1 - p), and the curvature σ(x)(1 -
    σ(x)) > 0. With p = σ(r - r') all pairs are at their least at once where Δ = (r - r')/β, for π ∝ π_ref e^{r/β},
    whatever pairs were drawn; with a fair coin, p = 1/2, at the reference, and SimPO where log π/|y| is the same for
    all."""
    loss = labelled(l)
    return (
        Identity(loss.diff(l), sigma(l) - p),
        Zero(loss.diff(l), -log(odds)),
        HasSign(loss.diff(l, 2), 1),
    )


@theorem(
    catalogue="178",
    source=IPO,
    hypotheses="p = 1, the letter l stands for x = βΔ",
    harmless={
        "swap_direction": "mirrored, both are positive as well",
        "scale": "0 is scale-invariant",
        "flip_sign": "-0 = 0",
    },
)
def deterministic_preferences_leave_dpo_no_minimiser():
    """With a certain label the loss of a pair is log(1 + e^{-x}), positive and below e^{-x} → 0: its least value is met
    at no finite Δ, whatever β."""
    loss = log(1 + exp(-l))
    return HasSign(loss, 1), HasSign(exp(-l) - loss, 1), Limit(exp(-l), oo, S.Zero)


@theorem(
    catalogue="179",
    source=GPO,
    hypotheses=(CHANCE, "the letter l stands for x = βΔ, in means for a log-ratio, π for ν"),
)
def implicit_penalty_of_dpo_is_a_centred_square():
    """Near the reference the mean loss of a pair is log 2 - (p - 1/2)βΔ + β²Δ²/8 + O(Δ⁴), and E[(l - l')²] over two
    independent responses of ν is 2 Var_ν[l]: the penalty is (β²/4) Var_ν[l], a centred k2 under the data."""
    return (
        Expansion(labelled(l), log(2) - (p - Rational(1, 2)) * l + l**2 / 8, 3),
        SameMoment(E(l**2) - 2 * E(l) * E(l) + E(l**2), 2 * variance(l)),
    )


tau = Symbol("tau", positive=True)


@theorem(
    catalogue="177",
    source=IPO,
    hypotheses=(
        CHANCE,
        "any preferences",
        "π stands for ν",
        "W_y stands for the mean of 2p(y over y') - 1 over y' of ν",
    ),
)
def population_ipo_is_stationary_at_a_tilt_by_win_rates():
    """Over the label, (Δ - 1/(2τ))² of the preferred response has the slope 2(Δ - (2p - 1)/(2τ)). Over all pairs of ν,
    of three responses, the gradient in logits of half of it vanishes where l = W/(2τ) + c: at π_ref tilted by e^{A/τ},
    A = (W + 1)/2 the win rate against ν."""
    step = 1 / (2 * tau)
    shares = (*PROBABILITIES[:2], 1 - PROBABILITIES[0] - PROBABILITIES[1])
    tokens = range(3)
    log_ratios = [c + step * sum((shares[b] * edge(a, b) for b in tokens), S.Zero) for a in tokens]
    pull = [
        shares[a] * shares[b] * (log_ratios[a] - log_ratios[b] - step * edge(a, b)) * (int(a == 0) - int(b == 0))
        for a in tokens
        for b in tokens
    ]
    return (
        Identity((p * (l - step) ** 2 + (1 - p) * (-l - step) ** 2).diff(l), 2 * (l - (2 * p - 1) * step)),
        SameMoment(shares[0] + sum(pull, S.Zero), shares[0]),
    )


# --- single responses -------------------------------------------------------------------------------------------------
z = Symbol("z", real=True)


@theorem(
    catalogue="181",
    source="catalogue 181",
    hypotheses="z stands for z_0, held; π_old for ν",
    harmless={"scale": "0 is scale-invariant", "flip_sign": "-0 = 0"},
)
def kto_lets_go_at_both_ends():
    """KTO's 1 - σ(βl - z) for a good response and 1 - σ(z - βl) for a bad one give it -βσ(1 - σ) and βσ(1 - σ) times
    the score, σ = σ(βl - z): that vanishes for l → ±∞, and at the reference, l = z = 0, it is -β/4 or β/4."""
    kept = beta * sigma(beta * l - z) * (1 - sigma(beta * l - z))
    good, bad = Surrogate(1 - sigma(beta * l - z)), Surrogate(1 - sigma(z - beta * l))
    slope = exp(l) / (1 + exp(l)) ** 2
    return (
        SameScore(good, Surrogate(-sg(kept) * logp), OLD),
        SameScore(bad, Surrogate(sg(kept) * logp), OLD),
        *(Limit(slope, end, S.Zero) for end in (oo, -oo)),
        Expansion(slope, S.One / 4, 0),
    )


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
