"""The optimum of E_π[A] - β D_f(π‖π_ref) in numbers, for any convex f, and how far from optimal they are.

The log-ratio of an action is where f' passes (A - λ)/β; λ makes the probabilities sum to one. Where f' jumps or its
range ends, an action sits at a jump, takes the mass that is left over, or is given up (u = 0). Everything is in balls,
of whatever size rewards and β are: only (A - max A)/β counts, and log-ratios, not probabilities, are solved for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

import numpy as np
from flint import arb
from sympy import Expr, Integral, Rational, S, exp, limit

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import Divergence, u
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.optimum import ratio_of, y
from kltheory.calculus.symbols import log_ratio
from kltheory.numerics.balance import Balance, balance
from kltheory.numerics.balls import enclose, number, precision
from kltheory.numerics.bridge import NotNumeric
from kltheory.numerics.enclosed import ENOUGH, Balls, Columns, each, filled, pick, values
from kltheory.numerics.monotone import Monotone
from kltheory.numerics.settings import Array

Number = Fraction | float

BITS: Final = 128
"""Of the first try, more where the optimum is very near the reference."""
TRIES: Final = 4
"""Each with twice the bits of the one before."""


def balls(numbers: Sequence[Fraction]) -> Balls:
    """Exact numbers as an array of balls, at the current precision."""
    return filled(len(numbers), [number(x) for x in numbers])


def _bits(x: Fraction) -> int:
    """About log_2."""
    return x.numerator.bit_length() - x.denominator.bit_length()


@dataclass(frozen=True)
class Problem:
    """Rewards and a reference, actions with the same reward taken together; exact.

    Attributes:
        excess: (A - max A)/β of every group, falling from 0.
        group: the group of every action.
        mass: the probability of every group under the reference.
        reference: that of every action.
        top: max A.
        beta: β.
    """

    excess: tuple[Fraction, ...]
    group: tuple[int, ...]
    mass: tuple[Fraction, ...]
    reference: tuple[Fraction, ...]
    top: Fraction
    beta: Fraction

    @property
    def bits(self) -> int:
        """A precision at which it can be told how far the optimum is from the reference, or from a single action."""
        nearest = min(-self.excess[-1], 1 - self.mass[0])
        return BITS + max(0, -3 * _bits(nearest)) + max(0, _bits(-self.excess[-1])) - min(map(_bits, self.mass))

    @classmethod
    def of(cls, reward: Sequence[Number], reference: Sequence[Number], beta: Number) -> "Problem":
        """From numbers of any exact kind; a reference of floats is made to sum to one.

        Raises:
            ValueError: they are not equally many, there are none, or β or a probability is not positive.
        """
        a, p, b = tuple(Fraction(x) for x in reward), tuple(Fraction(x) for x in reference), Fraction(beta)
        if len(a) != len(p) or not a or min(p) <= 0 or b <= 0:
            raise ValueError(
                f"{len(a)} rewards, {len(p)} probabilities, β = {beta}: expected as many, and all positive"
            )
        total = sum(p)
        p = tuple(x / total for x in p)
        distinct = sorted(set(a), reverse=True)
        place = {x: i for i, x in enumerate(distinct)}
        mass = [Fraction()] * len(distinct)
        for x, q in zip(a, p, strict=True):
            mass[place[x]] += q
        excess = tuple((x - distinct[0]) / b for x in distinct)
        return cls(excess, tuple(place[x] for x in a), tuple(mass), p, distinct[0], b)


@dataclass(frozen=True)
class Optimum:
    """Where reward and penalty balance; numbers are balls.

    Attributes:
        probability: π of every action.
        log_ratio: log π/π_ref of every action, nats; -∞ where it is given up.
        multiplier: λ, the reward less the penalty's pull on every action that is kept.
        objective: E_π[A] - β D, nats times β beside the reward's unit; ``None`` where D is.
        divergence: D_f(π‖π_ref), nats; ``None`` where f is not known in closed form.
        entropy: that of the policy, nats.
        residual: the largest certain violation of A - β f'(u) = λ (≤ λ where given up), in units of the reward.
        dropped: the actions that are given up, u = 0.
    """

    probability: tuple[Any, ...]
    log_ratio: tuple[Any, ...]
    multiplier: Any
    objective: Any
    divergence: Any
    entropy: Any
    residual: Any
    dropped: tuple[int, ...]

    @property
    def policy(self) -> Array:
        """The probabilities in float64, shape (V,): 0 below 5e-324, where only ``log_ratio`` has their size."""
        return np.array([float(p) for p in self.probability])


def optimum(
    coefficient: Coefficient,
    divergence: Divergence | None,
    reward: Sequence[Number],
    reference: Sequence[Number],
    beta: Number,
) -> Optimum:
    """The policy that maximises E_π[A] - β D.

    Args:
        coefficient: C(l) = f'(e^l) up to a constant, never decreasing.
        divergence: its D, for the values; ``None`` leaves them out.
        reward: A, for every action.
        reference: π_ref, positive, summing to one.
        beta: β > 0.

    Raises:
        ValueError: as :meth:`Problem.of`.
    """
    problem, curve = Problem.of(reward, reference, beta), Monotone.of(coefficient)
    f = None if divergence is None or divergence.f.has(Integral) else divergence.f
    found = None
    for k in range(TRIES):
        with precision(problem.bits << k):
            found = balance(curve, balls(problem.excess), balls(problem.mass), found)
            out = _finish(curve, f, problem, found)
        numbers = [x for x in (out.multiplier, out.entropy, out.objective, out.divergence) if x is not None]
        numbers += [x for l, u in zip(found.log_ratio, found.ratio, strict=True) if not _given_up(l) for x in (l, u)]
        if found.sure and all(x.rel_accuracy_bits() >= ENOUGH for x in numbers):
            return out
    with precision(problem.bits):
        exact = None if divergence is None else _exactly(curve, divergence, problem)
        return out if exact is None else _finish(curve, f, problem, exact)


def _exactly(curve: Monotone, divergence: Divergence, problem: Problem) -> Balance | None:
    """The optimum where λ is 0, or where a group is only just given up, y = C(-∞), if it is one of these: proved.

    No precision separates such a number from what it is.
    """
    ratio, floor = ratio_of(divergence), curve.floor
    if ratio is None or floor is None:
        return None
    excess, mass, (top, beta) = (
        [Rational(x.numerator, x.denominator) for x in row]
        for row in (problem.excess, problem.mass, (problem.top, problem.beta))
    )
    edges = [floor - x for x in excess[1:]] if floor.is_finite else []
    for level in (top / beta, *edges):
        ratios = [ratio.xreplace({y: level + x}) if level + x > floor else S.Zero for x in excess]
        try:
            balanced = is_zero(sum((m * x for m, x in zip(mass, ratios, strict=True)), S.NegativeOne))
        except Undecidable:
            continue
        if balanced:
            found = filled(len(ratios), [enclose(x, {}) for x in ratios])
            l = filled(len(ratios), [arb.neg_inf() if x.is_zero() else x.log() for x in found])
            return Balance(l, found, enclose(level, {}), True)
    return None


@each
def _given_up(l: Any) -> bool:
    return bool(l == arb.neg_inf())


def policies(coefficient: Coefficient, reward: Array, reference: Array, betas: Array) -> Array:
    """The optimal policy for each β, shape (B, V)."""
    curve, rows, found = Monotone.of(coefficient), [], None
    for beta in betas.tolist():
        problem = Problem.of(reward.tolist(), reference.tolist(), beta)
        with precision(problem.bits):
            found = balance(curve, balls(problem.excess), balls(problem.mass), found)
        rows.append(found.ratio.astype(float)[list(problem.group)])
    return reference * np.array(rows)


def _finish(curve: Monotone, f: Expr | None, problem: Problem, found: Balance) -> Optimum:
    """The numbers of a solution, at the current precision."""
    beta, mass, group = number(problem.beta), balls(problem.mass), list(problem.group)
    kept = ~_given_up(found.log_ratio).astype(bool)
    weight, policy = mass * found.ratio, balls(problem.reference) * found.ratio[group]
    if kept.sum() == 1:  # alone in being kept, the first group has all the mass, exactly
        weight = pick(kept, arb(1), arb(0))
        policy = balls(
            [q / problem.mass[0] if k == 0 else Fraction() for q, k in zip(problem.reference, group, strict=True)]
        )
    value = None if f is None else _value(f, found, mass)
    gained = number(problem.top) + beta * (weight * balls(problem.excess)).sum()
    level = number(problem.top) - beta * found.level
    return Optimum(
        tuple(policy),
        tuple(found.log_ratio[group]),
        level,
        None if value is None else gained - beta * value,
        value,
        _entropy(policy, each(arb.log)(balls(problem.reference)) + found.log_ratio[group]),
        violation(curve, balls(problem.excess), beta, found.level, found.log_ratio),
        tuple(int(a) for a in np.flatnonzero(~kept[group])),
    )


def _entropy(policy: Balls, logarithm: Balls) -> Any:
    """-Σ π log π; the logarithm of the largest is that of 1 less the others."""
    largest = int(np.argmax(policy.astype(np.float64)))
    kept = ~_given_up(logarithm).astype(bool)
    kept[largest] = False
    others = policy[kept]
    rest, mass = (x.sum(initial=arb(0)) for x in (others * logarithm[kept], others))
    return -rest - policy[largest] * (-mass).log1p()


def _value(f: Expr, found: Balance, mass: Balls) -> Any:
    """Σ π_ref f(u), with f(0) where an action is given up; ``None`` where f is of a kind that is not computed."""
    if all(l.is_zero() for l in found.log_ratio):
        return arb(0)
    kept = ~_given_up(found.log_ratio).astype(bool)
    l = found.log_ratio[kept]
    try:
        cells = Coefficient.of(f.xreplace({u: exp(log_ratio)}))
        total = (mass[kept] * values(cells, Columns({log_ratio: l}, l))).sum()
        return total if kept.all() else total + mass[~kept].sum() * enclose(_at_zero(f), {})
    except (NotNumeric, Undecidable):
        return None


@lru_cache(maxsize=64)
def _at_zero(f: Expr) -> Expr:
    """f(0), continued by its limit."""
    plain = f.xreplace({u: S.Zero})
    return plain if plain.is_finite else limit(f, u, 0)


def violation(curve: Monotone, excess: Balls, beta: Any, level: Any, log_ratio: Balls) -> Any:
    """By how much A - β C(l) = λ certainly fails for a group, or A - β C ≤ λ where it is given up, l = -∞.

    Args:
        curve: C; at an edge, all that lies between its two sides is C.
        excess: (A - max A)/β, shape (n,).
        beta: β.
        level: (max A - λ)/β.
        log_ratio: l, shape (n,).

    Returns:
        The largest failure, in units of the reward: an exact number, 0 where none is certain, NaN where C has no value.
    """
    worst = arb(0)
    for x, l in zip(excess, log_ratio, strict=True):
        left, right = (arb.neg_inf(), curve.least()) if _given_up(l) else curve.sides(l)
        for gap in (level + x - right, left - level - x):
            worst = worst.max(gap.lower())
    return (beta * worst).mid()
