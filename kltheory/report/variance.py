"""Bias and variance of gradient estimators on one setting: what ``kltheory variance`` answers, as data."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np
from flint import arb
from sympy import Expr, S, exp

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import DIVERGENCES, Divergence, Objective
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.expectation import expectation, same_value
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import log_ratio, log_weight, logp
from kltheory.numerics import least
from kltheory.numerics import variance as numbers
from kltheory.numerics.balls import precision
from kltheory.numerics.enclosed import PRECISIONS, Balls, edges, finite_values
from kltheory.numerics.path import Path
from kltheory.numerics.rational import RationalSetting
from kltheory.numerics.settings import Settings
from kltheory.report.candidates import Candidate
from kltheory.report.number import shown
from kltheory.report.typed import NoNumber

Setting = RationalSetting | Settings
"""A single setting, typed or drawn."""

TARGETS: Final = {d.name: d for d in DIVERGENCES}
END: Final = 3
"""Where the path ends; t = 1 is the setting itself."""
STEPS: Final = 600
"""Steps of the path, at most."""
FEWEST: Final = 20
"""With fewer steps nothing is said of the path."""
LOOKS: Final = 2_000_000
"""Steps, times actions, times estimators, at most: some seconds."""


@dataclass(frozen=True)
class Line:
    """One estimator's numbers, as balls; ``unbiased`` is decided for every policy, ``None`` where it cannot be."""

    candidate: Candidate
    score: Coefficient
    difference: Coefficient
    unbiased: bool | None
    bias: arb
    variance: arb
    baseline: arb
    least: arb
    mean: arb
    value_bias: arb
    std: arb
    unbiased_value: bool | None

    def error(self, samples: int) -> arb:
        """The mean square error of the mean of so many samples."""
        with precision(PRECISIONS[0]):
            return self.bias**2 + self.variance / samples

    def cost(self, samples: int) -> numbers.Cost:
        """The same, of every policy."""
        return numbers.Cost(self.score, None if self.unbiased else self.difference, samples)


@dataclass(frozen=True)
class Comparison:
    """Estimators on one setting."""

    setting: Setting
    sampler: Sampler
    target: Divergence
    samples: int
    lines: tuple[Line, ...]

    @cached_property
    def target_norm(self) -> arb:
        """‖∇target‖."""
        return numbers.gradient_norm(self.target.coefficient, self.setting)[0]

    @cached_property
    def target_value(self) -> arb:
        """The divergence."""
        return _total(self.target.objective, self.setting)

    def relative_bias(self, line: Line) -> arb | None:
        """The bias in units of ‖∇target‖; ``None`` where that is 0."""
        with precision(PRECISIONS[0]):
            return None if self.target_norm.is_zero() else line.bias / self.target_norm

    @cached_property
    def groups(self) -> tuple[tuple[Line, ...], ...]:
        """The estimators, those with the same factor, sample by sample, together."""
        found: list[list[Line]] = []
        for line in self.lines:
            for group in found:
                if _holds(lambda a=group[0], b=line: (a.score - b.score).is_zero()):
                    group.append(line)
                    break
            else:
                found.append([line])
        return tuple(map(tuple, found))

    @property
    def unbiased(self) -> tuple[tuple[Line, ...], ...]:
        """The groups whose expected gradient is the target's, for every policy."""
        return tuple(g for g in self.groups if g[0].unbiased)

    @property
    def quietest(self) -> tuple[Line, ...]:
        """The group of the least variance among the unbiased; none where there is none."""
        found = self.unbiased
        return found[least.leader([g[0].variance for g in found])] if found else ()

    def by_samples(self) -> list[tuple[int, tuple[Line, ...]]]:
        """From how many samples on which group has the least mean square error."""
        bias, variance = ([getattr(g[0], name) for g in self.groups] for name in ("bias", "variance"))
        return [(n, self.groups[i]) for n, i in least.by_samples(bias, variance)]

    # --- along the path -----------------------------------------------------------------------------------------------
    @property
    def steps(self) -> int:
        """How many values of t are looked at; 0 where there are too many actions."""
        steps = min(STEPS, LOOKS // (self.setting.size * max(1, len(self.groups))))
        return steps if steps >= FEWEST else 0

    def path(self, kind: str) -> list[tuple[float, tuple[Line, ...]]]:
        """From which t on which group is best, by ``variance`` (of the unbiased) or ``mean_square_error``.

        An empty group where none has a value.
        """
        groups = self.unbiased if kind == "variance" else self.groups
        if not groups or not self.steps:
            return []
        chosen = [g[0].cost(1 if kind == "variance" else self.samples) for g in groups]

        def costs(t: Sequence[float]) -> Balls:
            return numbers.costs(chosen, self.sampler, Path(self.setting, tuple(t)))

        first, found = least.flips(costs, np.linspace(0, END, self.steps + 1)[1:].tolist())
        who = [(0.0, first), *((f.t, f.after) for f in found)]
        return [(t, () if i is None else groups[i]) for t, i in who]


def _holds(question: Any) -> bool | None:
    """The answer of the calculus, ``None`` where it has none."""
    try:
        return bool(question())
    except Undecidable:
        return None


def compare(
    candidates: Iterable[Candidate], setting: Setting, sampler: Sampler, target: str = "reverse_kl", samples: int = 1
) -> Comparison:
    """The estimators' numbers on a single setting.

    Raises:
        Undecidable: a surrogate has no per-sample factor.
        NoNumber: a factor, or the target, has no value at an action.
    """
    goal = TARGETS[target]
    _must_be_finite(goal.title, goal.coefficient, setting)
    lines = tuple(_line(c, setting, sampler, goal) for c in candidates)
    return Comparison(setting, sampler, goal, samples, lines)


@dataclass(frozen=True)
class _Judged:
    """What the calculus says of an estimator, on every setting."""

    score: Coefficient
    value: Expr
    difference: Coefficient
    unbiased: bool | None
    reported: Objective
    unbiased_value: bool | None


@lru_cache(maxsize=256)
def _judged(surrogate: Surrogate, value: Expr, sampler: Sampler, target: Divergence) -> _Judged:
    score = surrogate.score(sampler, partial=True)
    value = value.xreplace({log_weight: S.Zero}) if sampler is Sampler.POLICY else value
    difference = surrogate.coefficient(sampler, partial=True) - target.coefficient
    reported = expectation(value, sampler)
    return _Judged(
        score,
        value,
        difference,
        _holds(difference.is_constant),
        reported,
        _holds(lambda: same_value(reported, target.objective)),
    )


def _line(candidate: Candidate, setting: Setting, sampler: Sampler, target: Divergence) -> Line:
    it = _judged(candidate.surrogate, candidate.value, sampler, target)
    _must_be_finite(candidate.name, it.score, setting)
    _must_be_finite(f"the value of {candidate.name}", Coefficient.of(it.value, partial=True), setting)
    found = numbers.noise(it.score, sampler, setting)
    return Line(
        candidate,
        it.score,
        it.difference,
        it.unbiased,
        bias=arb(0) if it.unbiased else numbers.gradient_norm(it.difference, setting)[0],
        variance=found.variance[0],
        baseline=found.baseline[0],
        least=found.least[0],
        mean=_total(it.reported, setting),
        value_bias=_total(it.reported - target.objective, setting),
        std=numbers.value_spread(it.value, sampler, setting)[1][0],
        unbiased_value=it.unbiased_value,
    )


@lru_cache(maxsize=256)
def _is_zero(objective: Objective) -> bool | None:
    return _holds(lambda: same_value(objective, Objective.of(0)))


def _total(objective: Objective, setting: Setting) -> arb:
    """Σ_a F on the setting: exactly 0 where it is that for every policy."""
    if _is_zero(objective):
        return arb(0)
    return numbers.value_spread(objective.summand * exp(-logp), Sampler.POLICY, setting)[0][0]


def _must_be_finite(name: str, c: Coefficient, setting: Setting) -> None:
    """Raise NoNumber where a formula has no value at an action."""
    found = finite_values(c, setting)[0]
    action = next((a for a, x in enumerate(found) if not x.is_finite()), None)
    if action is None:
        return
    with precision(PRECISIONS[-1]):
        columns = setting.columns()
        on_edge = edges(c, columns)[0, action]
    at = f"at action {action + 1}, l = {shown(columns.at[log_ratio][0, action], 6)}"
    if on_edge:
        raise NoNumber(f"{name} is on a kink {at}: no gradient")
    why = "is undefined" if found[action].is_nan() else "is too large to compute with"
    raise NoNumber(f"{name} {why} {at}")


def names(group: Sequence[Line]) -> str:
    """The name of a group."""
    return " = ".join(line.candidate.name for line in group)
