"""Every number of ``kltheory variance`` beside its definition at 60 digits, down to probabilities of 1e-13."""

from collections.abc import Iterator
from dataclasses import fields
from fractions import Fraction
from functools import cache
from random import Random

import mpmath
import pytest
from mpmath import mpf
from variance_oracle import ROWS, TARGETS, Numbers, Row, numbers

from kltheory.calculus.surrogate import Sampler
from kltheory.numerics.rational import RationalSetting
from kltheory.report.candidates import Candidate
from kltheory.report.variance import compare

CLOSE = 1e-15
"""Relatively: every number is that of float64."""
TINY = mpf(10) ** -40
"""What is exactly 0 comes out below this, beside terms of size one, at 60 digits."""
EXPONENTS = [0, 0, 0, -1, -2, -4, -8, -13]


def distribution(random: Random, size: int) -> tuple[Fraction, ...]:
    weights = [random.randint(1, 999) * Fraction(10) ** random.choice(EXPONENTS) for _ in range(size)]
    return tuple(x / sum(weights) for x in weights)


def settings(seed: int, count: int) -> Iterator[tuple[Row, RationalSetting, Sampler, str]]:
    random = Random(seed)
    for _ in range(count):
        size = random.choice([2, 2, 3, 4, 6])
        policy, reference, old = (distribution(random, size) for _ in range(3))
        if random.random() < 0.1:
            reference = policy
        sampler = random.choice(list(Sampler))
        setting = RationalSetting(policy, reference, old if sampler is Sampler.OLD else policy, (Fraction(),) * size)
        yield random.choice(ROWS), setting, sampler, random.choice(["reverse_kl", *TARGETS])


@cache
def candidate(row: Row) -> Candidate:
    return Candidate.typed(row.formula, row.placement, row.weight)


def found(row: Row, setting: RationalSetting, sampler: Sampler, target: str) -> dict[str, mpf]:
    (line,) = compare([candidate(row)], setting, sampler, target).lines
    out = {}
    for name in (f.name for f in fields(Numbers)):
        middle, _, exponent = getattr(line, name).mid_rad_10exp(30)
        out[name] = mpf(int(middle)) * mpf(10) ** int(exponent)
    return out


def worst(seed: int, count: int) -> tuple[mpf, object]:
    """The largest relative error of any number in so many settings, and where."""
    found_worst = (mpf(0), None)
    with mpmath.workdps(60):
        for row, setting, sampler, target in settings(seed, count):
            wanted = numbers(
                row, setting.policy, setting.reference, setting.old if sampler is Sampler.OLD else None, target
            )
            for name, value in found(row, setting, sampler, target).items():
                exact = getattr(wanted, name)
                error = abs(value - exact) / abs(exact) if value else mpf(abs(exact) > TINY)
                if error > found_worst[0]:
                    found_worst = error, (name, row.formula, str(setting), sampler, target)
    return found_worst


def test_a_hundred_settings_beside_the_definitions():
    error, where = worst(7, 100)
    assert error < CLOSE, where


@pytest.mark.slow
def test_two_thousand_settings_beside_the_definitions():
    error, where = worst(2510, 2000)
    assert error < CLOSE, where


@pytest.mark.parametrize("seed", range(4))
def test_who_is_best_along_the_path_of_a_peaked_policy(seed):
    random = Random(seed)
    policy, reference, old = (distribution(random, 3) for _ in range(3))
    sampler, samples = random.choice(list(Sampler)), random.choice([1, 50])
    setting = RationalSetting(policy, reference, old if sampler is Sampler.OLD else policy, (Fraction(),) * 3)
    candidates = [candidate(row) for row in ROWS[:8]]
    found = compare(candidates, setting, sampler, samples=samples)
    row_of = {id(c): row for c, row in zip(candidates, ROWS, strict=False)}
    for kind in ("variance", "mean_square_error"):
        groups = found.unbiased if kind == "variance" else found.groups
        path = found.path(kind)
        flips = [t for t, _ in path[1:]]
        for t in {0.005, 0.3, 1.0, 1.7, 3.0, *(t + d for t in flips for d in (-1e-7, 1e-7) if 0.005 < t < 3 - 1e-6)}:
            with mpmath.workdps(80):
                tilted = [mpf(r.numerator) / r.denominator for r in reference]
                tilted = [
                    r * (mpf(p.numerator) / p.denominator / r) ** mpf(t) for p, r in zip(policy, tilted, strict=True)
                ]
                moved = [Fraction(str(mpmath.nstr(x / sum(tilted), 75))) for x in tilted]
                costs = []
                for group in groups:
                    n = numbers(
                        row_of[id(group[0].candidate)],
                        moved,
                        reference,
                        setting.old if sampler is Sampler.OLD else None,
                    )
                    costs.append(n.variance if kind == "variance" else n.bias**2 + n.variance / samples)
                said = [g for start, g in path if start <= t][-1]
                assert costs[groups.index(said)] <= min(costs) * (1 + mpf(10) ** -12), (kind, t)
