"""Bias and variance of gradient estimators on one setting: what ``kltheory variance`` answers, as data."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from sympy import S, exp

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import DIVERGENCES, Divergence
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.expectation import expectation, same_value
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import log_weight, logp
from kltheory.numerics import variance as numbers
from kltheory.numerics.settings import Array, Settings
from kltheory.report.candidates import Candidate
from kltheory.report.typed import NoNumber

TARGETS: Final = {d.name: d for d in DIVERGENCES}
GRID: Final = np.linspace(0, 3, 601)[1:]
"""The values of t looked at on the path; t = 1 is the setting itself."""


@dataclass(frozen=True)
class Line:
    """One estimator's numbers; ``unbiased`` is decided for every policy, ``None`` where it cannot be."""

    candidate: Candidate
    score: Coefficient
    difference: Coefficient
    unbiased: bool | None
    bias: float
    variance: float
    baseline: float
    least: float
    mean: float
    std: float
    unbiased_value: bool | None

    def error(self, samples: int) -> float:
        """The mean square error of the mean of so many samples."""
        return self.bias**2 + self.variance / samples


@dataclass(frozen=True)
class Comparison:
    """Estimators on one setting."""

    setting: Settings
    sampler: Sampler
    target: Divergence
    samples: int
    lines: tuple[Line, ...]

    @cached_property
    def target_norm(self) -> float:
        """‖∇target‖."""
        return float(numbers.gradient_norm(self.target.objective.coefficient(), self.setting)[0])

    @cached_property
    def target_value(self) -> float:
        """The divergence."""
        summand = self.target.objective.summand
        return float(numbers.value_spread(summand * exp(-logp), Sampler.POLICY, self.setting)[0][0])

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

    def by_samples(self) -> list[tuple[int, tuple[Line, ...]]]:
        """From how many samples on which group has the least mean square error."""
        bias, variance = (np.array([getattr(g[0], name) for g in self.groups]) for name in ("bias", "variance"))
        return [(n, self.groups[i]) for n, i in numbers.by_samples(bias, variance)]

    def path(self, kind: str) -> list[tuple[float, tuple[Line, ...]]]:
        """From which t on which group is best, by ``variance`` (of the unbiased) or ``mean_square_error``."""
        groups = self.unbiased if kind == "variance" else self.groups
        if not groups:
            return []

        def costs(t: Array) -> Array:
            rows = numbers.on_path(self.setting, t)
            out = [numbers.variance(g[0].score, self.sampler, rows) for g in groups]
            if kind == "variance":
                return np.array(out)
            biases = [_bias(g[0], rows) for g in groups]
            return np.array([b**2 + v / self.samples for b, v in zip(biases, out, strict=True)])

        first, found = numbers.flips(costs, GRID)
        return [(0.0, groups[first]), *((f.t, groups[f.after]) for f in found)]


def _bias(line: Line, settings: Settings) -> Array:
    if line.unbiased:
        return np.zeros(len(settings.family))
    return numbers.gradient_norm(line.difference, settings)


def _holds(question: Any) -> bool | None:
    """The answer of the calculus, ``None`` where it has none."""
    try:
        return bool(question())
    except Undecidable:
        return None


def compare(
    candidates: Iterable[Candidate], setting: Settings, sampler: Sampler, target: str = "reverse_kl", samples: int = 1
) -> Comparison:
    """The estimators' numbers on the first row of ``setting``.

    Raises:
        Undecidable: a surrogate has no per-sample factor.
        NoNumber: a factor has no value at an action.
    """
    goal = TARGETS[target]
    lines = tuple(_line(c, setting, sampler, goal) for c in candidates)
    return Comparison(setting, sampler, goal, samples, lines)


def _line(candidate: Candidate, setting: Settings, sampler: Sampler, target: Divergence) -> Line:
    score = candidate.surrogate.score(sampler)
    factor = numbers.factor(score, setting)[0]
    if np.isnan(factor).any():
        a = int(np.flatnonzero(np.isnan(factor))[0])
        raise NoNumber(
            f"{candidate.name} is on a kink at action {a + 1}, l = {setting.log_ratio[0, a]:.6g}: no gradient"
        )
    difference = candidate.surrogate.coefficient(sampler) - target.objective.coefficient()
    unbiased = _holds(difference.is_constant)
    found = numbers.noise(score, sampler, setting)
    value = candidate.value.xreplace({log_weight: S.Zero}) if sampler is Sampler.POLICY else candidate.value
    mean, std = numbers.value_spread(value, sampler, setting)
    return Line(
        candidate,
        score,
        difference,
        unbiased,
        bias=0.0 if unbiased else float(numbers.gradient_norm(difference, setting)[0]),
        variance=float(found.variance[0]),
        baseline=float(found.baseline[0]),
        least=float(found.least[0]),
        mean=float(mean[0]),
        std=float(std[0]),
        unbiased_value=_holds(lambda: same_value(expectation(value, sampler), target.objective)),
    )


def names(group: Sequence[Line]) -> str:
    """The name of a group."""
    return " = ".join(line.candidate.name for line in group)
