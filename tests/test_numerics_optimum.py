"""The optimum beside a 60-digit one of the textbook's, at every magnitude; jumps and flats; and an honest residual."""

from fractions import Fraction
from random import Random

import mpmath
import numpy as np
import optimum_oracle as oracle
import pytest
from flint import arb
from mpmath import mpf
from sympy import Max, Min, exp, log, sign

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import DIVERGENCES
from kltheory.calculus.regions import Region
from kltheory.calculus.symbols import log_ratio as l
from kltheory.numerics.balance import balance
from kltheory.numerics.balls import precision
from kltheory.numerics.monotone import Monotone
from kltheory.numerics.optimum import Optimum, Problem, balls, optimum, policies, violation

EACH = pytest.mark.parametrize("divergence", DIVERGENCES, ids=lambda d: d.name)
NAMED = {d.name: d for d in DIVERGENCES}
CLOSE = mpf(10) ** -15
"""Relatively: every number is that of float64, however small."""


def fractions(text: str) -> list[Fraction]:
    return [Fraction(x) for x in text.split()]


def digits(x: arb) -> mpf:
    middle, _, exponent = x.mid_rad_10exp(30)
    return mpf(int(middle)) * mpf(10) ** int(exponent)


def worst(found: Optimum, wanted: oracle.Found) -> tuple[mpf, str]:
    """The largest relative error of any number."""
    pairs = [(f"log-ratio {a}", x, y) for a, (x, y) in enumerate(zip(found.log_ratio, wanted.log_ratio, strict=True))]
    pairs += [(f"policy {a}", x, y) for a, (x, y) in enumerate(zip(found.probability, wanted.policy, strict=True))]
    for name in ("divergence", "objective", "entropy") + (("multiplier",) if wanted.multiplier is not None else ()):
        pairs.append((name, getattr(found, name), getattr(wanted, name)))
    with mpmath.workdps(60):
        return max((_error(x, y), name) for name, x, y in pairs)


def _error(x: arb, y: mpf) -> mpf:
    if mpmath.isinf(y) or y == 0:
        return mpf(0) if x == arb.neg_inf() or x.is_zero() else mpf(1)
    return abs(digits(x) - y) / abs(y)


# --- the textbook -----------------------------------------------------------------------------------------------------
def problems(seed: int, count: int):
    random = Random(seed)
    for _ in range(count):
        size, power = random.choice([2, 3, 5]), random.choice([0, 0, 0, -6, 6])
        reward = [Fraction(f"{random.uniform(-3, 3):.3f}") * Fraction(10) ** power for _ in range(size)]
        if random.random() < 0.3:
            reward[-1] = reward[0]
        weights = [random.randint(1, 999) * Fraction(10) ** random.choice([0, 0, 0, -3, -13]) for _ in range(size)]
        beta = Fraction(f"{random.uniform(0.05, 5):.3f}") * Fraction(10) ** (power + random.choice([0, 0, -2, 2]))
        if len(set(reward)) > 1:
            yield reward, [x / sum(weights) for x in weights], beta


@EACH
def test_random_problems_beside_the_textbook(divergence):
    for problem in problems(7, 12):
        error, what = worst(
            found := optimum(divergence.coefficient, divergence, *problem), oracle.optimum(divergence.name, *problem)
        )
        assert error < CLOSE, (what, problem)
        assert found.residual.is_zero()


def rare(power: int) -> str:
    return f"1e-{power} 1/2 {Fraction(1, 2) - Fraction(1, 10**power)}"


EXTREME = [
    ("1e308 -1e308", ".5 .5", "1"),
    ("1e308 9e307 -1e308", ".1 .6 .3", "1e307"),
    ("1 0 0", ".1 .6 .3", "1e40"),
    ("1 0 -1", rare(40), "1"),
    ("1 0.99999999999999999999 0", ".2 .3 .5", "1e-20"),
    ("1e16 10000000000000001", ".5 .5", "1"),
    pytest.param("1 0 0", ".1 .6 .3", "1e300", marks=pytest.mark.slow),
    pytest.param("1 0 -1", rare(320), "1", marks=pytest.mark.slow),
]


@EACH
@pytest.mark.parametrize(("reward", "reference", "beta"), EXTREME)
def test_every_magnitude(divergence, reward, reference, beta):
    problem = fractions(reward), fractions(reference), Fraction(beta)
    found = optimum(divergence.coefficient, divergence, *problem)
    error, what = worst(found, oracle.optimum(divergence.name, *problem))
    assert error < CLOSE, what
    assert found.residual.is_zero()


# --- jumps, flats, and what is given up -------------------------------------------------------------------------------
def solved(c, reward: str, reference: str, beta: str = "1") -> Optimum:
    return optimum(Coefficient.of(c), None, fractions(reward), fractions(reference), Fraction(beta))


E = np.e
SHAPES = [
    # nobody has a reason to move: the rewards differ by less than the jump at 0
    (sign(l), "1 0 0", ".2 .3 .5", ".6", [0.2, 0.3, 0.5], ()),
    # the worst is given up, the best takes what it had
    (sign(l), "1 0 -1", ".2 .3 .5", ".6", [0.7, 0.3, 0], (2,)),
    # the second differs by as much as the jump: it need not move
    (sign(l), "1 0 -1", ".2 .3 .5", ".5", [0.7, 0.3, 0], (2,)),
    # a dead zone around 0, in which the second takes what is left
    (Max(l - 1, 0) + Min(l + 1, 0), ".5 0 -.5", ".1 .8 .1", "1", [0.1 * E**1.5, None, 0.1 * E**-1.5], ()),
    # flat below 1: the second takes what is left, or is given up
    (Max(l, 1), ".5 0", ".2 .8", "1", [0.2 * E**1.5, None], ()),
    (Max(l, 1), "1 0", ".2 .8", "1", [1, 0], (1,)),
    # the best sits on the jump from 1 to 2, at l = 1
    (l + (1 + sign(l - 1)) / 2, "2 0", ".2 .8", "1", [0.2 * E, None], ()),
    # 2 u is y, where that is positive
    (2 * exp(l), "3 0 -3", ".3 .4 .3", ".5", [0.3 * 2.2 / 0.7, None, 0], (2,)),
    (2 * exp(l), "9 0 0", ".3 .4 .3", ".5", [1, 0, 0], (1, 2)),
]


@pytest.mark.parametrize(("c", "reward", "reference", "beta", "policy", "dropped"), SHAPES)
def test_corners_of_the_coefficient(c, reward, reference, beta, policy, dropped):
    found = solved(c, reward, reference, beta)
    assert found.dropped == dropped
    assert found.residual.is_zero()
    rest = 1 - sum(p for p in policy if p is not None)
    assert np.abs(found.policy - [rest if p is None else p for p in policy]).max() < 1e-15


EDGES = [  # the last is given up with 1 + y/2 = 0, or λ is 0: no precision tells
    ("2 0", "1/2 1/2", "1/2", "1 0", "1"),
    ("1 0 -1", "3/10 2/5 3/10", "1/2", "3/5 2/5 0", "0"),
    ("1 -1", "1/2 1/2", "1", "3/4 1/4", "0"),
    ("2 -2", "1/2 1/2", "2", "3/4 1/4", "0"),
]


@pytest.mark.parametrize(("reward", "reference", "beta", "policy", "multiplier"), EDGES)
def test_what_is_exactly_zero_is_called_so(reward, reference, beta, policy, multiplier):
    d, wanted = NAMED["pearson_chi2"], fractions(policy)
    found = optimum(d.coefficient, d, fractions(reward), fractions(reference), Fraction(beta))
    assert found.dropped == tuple(a for a, p in enumerate(wanted) if p == 0)
    assert [p.is_zero() for p in found.probability] == [p == 0 for p in wanted]
    assert np.abs(found.policy - [float(p) for p in wanted]).max() < 1e-15
    assert float(found.multiplier) == float(multiplier)
    assert found.multiplier.is_zero() is (multiplier == "0")


def test_actions_of_one_reward_share_a_log_ratio():
    d = NAMED["jensen_shannon"]
    many = optimum(d.coefficient, d, [1, 0] * 1000, [Fraction(1, 2000)] * 2000, 0.3)
    two = optimum(d.coefficient, d, [1, 0], [Fraction(1, 2)] * 2, 0.3)
    assert [float(x) for x in many.log_ratio[-2:]] == [float(x) for x in two.log_ratio]
    assert float(many.entropy - two.entropy) == pytest.approx(np.log(1000), rel=1e-12)


@EACH
def test_for_every_beta_at_once(divergence):
    reward, reference, betas = [1.0, 0.6, 0.0, 0.0], [0.02, 0.18, 0.5, 0.3], [0.02, 0.3, 10.0]
    rows = policies(divergence.coefficient, *map(np.array, (reward, reference, betas)))
    for row, beta in zip(rows, betas, strict=True):
        one = optimum(divergence.coefficient, divergence, reward, reference, beta).policy
        assert np.abs(row - one).max() < 1e-15


@pytest.mark.parametrize(
    ("reward", "reference", "beta"), [([1], [1], 0), ([1], [0.5, 0.5], 1), ([], [], 1), ([1, 0], [1, 0], 1)]
)
def test_no_problem_is_refused(reward, reference, beta):
    with pytest.raises(ValueError, match="all positive"):
        Problem.of(reward, reference, beta)


# --- the residual says what is wrong ----------------------------------------------------------------------------------
GIVEN_UP = arb.neg_inf()
WRONG = [  # of χ², u = 3/2, 1, 1/2 and f' = 2 (u - 1) from -2 on; of TV, u = 2, 1, 0 and f' = -1/2, 1/2
    ("pearson_chi2", "1", {}, 0),
    ("pearson_chi2", "1", {2: GIVEN_UP}, 1),
    ("pearson_chi2", "1", {0: GIVEN_UP}, 3),
    ("pearson_chi2", "1", {1: arb(5) / 4}, 0.5),
    ("pearson_chi2", "1", {1: arb(3) / 4}, 0.5),
    ("pearson_chi2", "10", {2: GIVEN_UP}, 19),
    ("total_variation", "3/2", {}, 0),
    ("total_variation", "3/2", {1: GIVEN_UP}, 0.5),
    ("total_variation", "3/2", {1: arb(2)}, 1),
    ("total_variation", "3/2", {1: arb(1) / 2}, 0.5),
    ("total_variation", "3/2", {2: arb(1) / 2}, 0.5),
    ("total_variation", "3/2", {2: arb(1)}, 0.5),
    ("reverse_kl", "1", {}, 0),
    ("reverse_kl", "1", {2: GIVEN_UP}, np.inf),
]


@pytest.mark.parametrize(("name", "beta", "ratios", "wanted"), WRONG)
def test_what_is_not_optimal_shows_in_the_residual(name, beta, ratios, wanted):
    problem = Problem.of(fractions("1 0 -1"), fractions(".3 .4 .3"), Fraction(beta))
    curve = Monotone.of(NAMED[name].coefficient)
    with precision(128):
        excess = balls(problem.excess)
        found = balance(curve, excess, balls(problem.mass))
        log_ratio = found.log_ratio.copy()
        for a, u in ratios.items():
            log_ratio[a] = u if u == GIVEN_UP else u.log()
        residual = violation(
            curve, excess, arb(problem.beta.numerator) / problem.beta.denominator, found.level, log_ratio
        )
    assert float(residual) == pytest.approx(wanted, rel=1e-15, abs=0)


def test_where_the_coefficient_has_no_value_there_is_no_residual():
    curve = Monotone.of(Coefficient(((Region(), log(l)),)))
    assert violation(curve, balls([Fraction(0)]), arb(1), arb(0), np.array([arb(-1)], dtype=object)).is_nan()
