"""The optimum of E[A] - β D at 60 digits, from the textbook: the inverse of each f', and λ by bisection.

Nothing is shared with the package: rewards, probabilities and β are fractions, all else is mpmath's.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import mpmath
from mpmath import exp, log, mpf, sqrt

DIGITS = 60
GONE = mpf("-inf")

F_PRIME = {  # at u = e^l
    "reverse_kl": lambda l: l + 1,
    "forward_kl": lambda l: -exp(-l),
    "jeffreys": lambda l: l + 1 - exp(-l),
    "pearson_chi2": lambda l: 2 * mpmath.expm1(l),
    "neyman_chi2": lambda l: -mpmath.expm1(-2 * l),
    "squared_hellinger": lambda l: -mpmath.expm1(-l / 2),
    "jensen_shannon": lambda l: (log(2) + l - mpmath.log1p(exp(l))) / 2,
}
LOG_RATIO = {  # where f' is y
    "reverse_kl": lambda y: y - 1,
    "forward_kl": lambda y: -log(-y),
    "jeffreys": lambda y: y - 1 + mpmath.lambertw(exp(1 - y)).real if y > -100 else -_newton_log(y),
    "pearson_chi2": lambda y: log(1 + y / 2) if y > -2 else GONE,
    "neyman_chi2": lambda y: -log(1 - y) / 2,
    "squared_hellinger": lambda y: -2 * log(1 - y),
    "jensen_shannon": lambda y: 2 * y - log(2 - exp(2 * y)),
}
GENERATOR = {  # times u where that is needed at u = 0
    "reverse_kl": lambda u: u * log(u) if u else mpf(0),
    "forward_kl": lambda u: -log(u),
    "jeffreys": lambda u: (u - 1) * log(u),
    "total_variation": lambda u: abs(u - 1) / 2,
    "pearson_chi2": lambda u: (u - 1) ** 2,
    "neyman_chi2": lambda u: (u - 1) ** 2 / u,
    "squared_hellinger": lambda u: (sqrt(u) - 1) ** 2,
    "jensen_shannon": lambda u: ((u * log(2 * u / (1 + u)) if u else 0) + log(2 / (1 + u))) / 2,
}


def _newton_log(y: mpf) -> mpf:
    """t = -l where l + 1 - e^(-l) = y, y far below zero: t = log(1 - y - t)."""
    t = log(-y)
    for _ in range(200):
        t, before = log(1 - y - t), t
        if t == before:
            break
    return t


class Found(NamedTuple):
    """The optimum; a log-ratio of -inf is an action that is given up."""

    log_ratio: list[mpf]
    policy: list[mpf]
    multiplier: mpf | None
    divergence: mpf
    objective: mpf
    entropy: mpf


def optimum(name: str, reward: Sequence[Fraction], reference: Sequence[Fraction], beta: Fraction) -> Found:
    """The best policy, at so many digits that 60 are left of everything."""
    best = sum((q for x, q in zip(reward, reference, strict=True) if x == max(reward)), Fraction())
    spread = (max(reward) - min(reward)) / beta
    lost = sum(
        abs(x.denominator.bit_length() - x.numerator.bit_length()) for x in (spread, min(reference), 1 - best) if x
    )
    with mpmath.workprec(4 * DIGITS + 3 * lost):
        a, p, (b,) = ([mpf(x.numerator) / x.denominator for x in row] for row in (reward, reference, (beta,)))
        top = max(a)
        if name == "total_variation":
            level, l = None, _transported(reward, reference, beta)
        else:
            level, l = _balanced(name, [(x - top) / b for x in a], p)
        policy = [q * exp(x) for q, x in zip(p, l, strict=True)]
        value = sum((q * GENERATOR[name](exp(x)) for q, x in zip(p, l, strict=True)), mpf(0))
        gained = sum((x * y for x, y in zip(policy, a, strict=True)), mpf(0))
        *others, largest = sorted(policy)
        entropy = -sum((x * log(x) for x in others if x), largest * mpmath.log1p(-sum(others)))
        return Found(l, policy, None if level is None else top - b * level, value, gained - b * value, entropy)


def _balanced(name: str, excess: list[mpf], p: list[mpf]) -> tuple[mpf, list[mpf]]:
    def log_ratios(first: mpf) -> list[mpf]:
        return [LOG_RATIO[name](F_PRIME[name](first) + x) if x else first for x in excess]

    def surplus(first: mpf) -> mpf:
        return sum((q * exp(x) for q, x in zip(p, log_ratios(first), strict=True)), mpf(-1))

    low, high = mpf(0), 1 - log(min(p))
    for _ in range(40):  # close enough for the secants
        middle = (low + high) / 2
        low, high = (low, middle) if surplus(middle) > 0 else (middle, high)
    x, y = low, high
    for _ in range(60):
        f, g = surplus(x), surplus(y)
        if f == g or abs(x - y) < mpf(2) ** (16 - mpmath.mp.prec) * abs(y):
            break
        x, y = y, y - g * (y - x) / (g - f)
    return F_PRIME[name](y), log_ratios(y)


def _transported(a: Sequence[Fraction], p: Sequence[Fraction], b: Fraction) -> list[mpf]:
    """Total variation: whoever is worse than the best by more than β gives all to the best, nobody else moves."""
    top = max(a)
    gone = sum((q for x, q in zip(a, p, strict=True) if top - x > b), Fraction())
    best = 1 + gone / sum(q for x, q in zip(a, p, strict=True) if x == top)
    moved = log(mpf(best.numerator) / best.denominator)
    return [GONE if top - x > b else moved if x == top else mpf(0) for x in a]
