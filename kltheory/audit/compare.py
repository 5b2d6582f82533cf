"""Comparing two implementations: derived where both have formulas, measured on the same samples in any case."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sympy import S

from kltheory.audit.binding import bind
from kltheory.audit.confirm import EPSILON
from kltheory.audit.experiments import experiment, settings_for
from kltheory.audit.layout import slope
from kltheory.audit.pointwise import pointwise
from kltheory.audit.recover import recover
from kltheory.audit.recovered import Recovered
from kltheory.audit.roles import Role
from kltheory.audit.rows import PLACEMENTS, WEIGHTS, place
from kltheory.audit.subject import Raised
from kltheory.audit.target import CannotRun, Target
from kltheory.calculus.cells import split
from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.regions import Cell
from kltheory.calculus.surrogate import Sampler
from kltheory.tracing.trace import CannotTrace

Configured = tuple[Target, Mapping[str, Any], Mapping[str, str]]
"""A target, its settings, and its arguments by role."""

SLACK: Final = 256
"""Measured agreement: roundings of the coarser type, relative to the size of the number or 1."""


@dataclass(frozen=True)
class Question:
    """One question: whether both agree.

    Attributes:
        what: ``value``, ``derivative``, each ``of a batch`` too, or the placement, weight and sampler of an expected
            gradient.
        same: the answer; ``None`` when it was not decided.
        how: ``derived`` or ``measured``.
        parts: the regions in which they part.
        gap: the largest difference of the running functions, relative to the larger of 1 and the number.
        witness: ℓ, log w and both numbers at that sample.
    """

    what: str
    same: bool | None
    how: str
    parts: tuple[str, ...]
    gap: float
    witness: Mapping[str, float]


@dataclass(frozen=True)
class Comparison:
    """The answers for two targets."""

    names: tuple[str, str]
    formulas: tuple[Recovered, Recovered]
    questions: tuple[Question, ...]

    @property
    def status(self) -> int:
        """0 the same, 1 they differ, 2 undecided."""
        answers = [q.same for q in self.questions]
        return 1 if False in answers else 2 if None in answers else 0


def compare_targets(a: Configured, b: Configured) -> Comparison:
    """Compare two configured targets.

    Raises:
        CannotRun: one of them cannot be called, or they read their inputs in ways that cannot be compared.
    """
    first, second = (_recovered(*x) for x in (a, b))
    if first.reading is not second.reading:
        raise CannotRun(
            "one sums over the vocabulary and the other reads samples: compare what each descends, by audit"
        )
    questions = [_samples(first, second, what) for what in ("value", "derivative")]
    questions += _batches(first, second)
    for placement in PLACEMENTS:
        for weight in WEIGHTS:
            questions += [_gradients(first, second, placement, weight, sampler) for sampler in Sampler]
    return Comparison((a[0].name, b[0].name), (first, second), tuple(questions))


def _recovered(target: Target, settings: Mapping[str, Any], arguments: Mapping[str, str]) -> Recovered:
    subject, unknown = (
        bind(target, arguments, settings),
        f"no argument of {target.name} is known to be a log-probability",
    )
    try:
        found = recover(subject)
    except (Raised, CannotTrace) as e:
        advice = "" if subject.traced else f"; {unknown}: say --args-a or --args-b"
        raise CannotRun(f"{target.name} raises {e}{advice}") from e
    if not found.subject.traced:
        raise CannotRun(f"{unknown}: say --args-a or --args-b")
    return found


def _samples(a: Recovered, b: Recovered, what: str) -> Question:
    gap, witness = _running_gap(a, b, what)
    agrees = gap <= SLACK * _eps(a, b)
    if a.surrogate is None or b.surrogate is None:
        return Question(what, agrees, "measured", (), gap, witness)
    try:
        difference = a.surrogate - b.surrogate
        cells: Iterable[Cell] = split(difference.value) if what == "value" else difference.score().merged
        parts = [r for r, e in cells if not is_zero(e)]
    except Undecidable:
        return Question(what, None if agrees else False, "measured", (), gap, witness)
    joined = Coefficient(tuple((r, S.One) for r in parts)).merged
    return Question(what, not parts, "derived", tuple(str(r) for r, _ in joined), gap, witness)


def _batches(a: Recovered, b: Recovered) -> list[Question]:
    """Whether they agree on a batch as well, ragged where both know of a mask: where tokens meet, and what each weighs.

    Outputs of different shapes are not compared: one is per token, and what becomes of it is not in the function.
    """
    shape = a.layout.tokens
    if not shape or b.layout.tokens != shape or a.layout.vocabulary or b.layout.vocabulary:
        return []
    mask = np.ones(shape)
    if all(Role.MASK in f.subject.roles for f in (a, b)):
        mask[(slice(1, None), -1) if len(shape) > 1 else -1] = 0  # responses after the first are shorter by one
    at = a.layout.arrays(7, mask=mask)
    (value, slopes), (other, others) = (f.subject.run(at) for f in (a, b))
    if value.shape != other.shape:
        return []
    real = mask > 0
    numbers = (value[real], other[real]) if value.shape == shape else (value, other)
    derivatives = tuple(x[real] if value.shape == shape else x for x in (slope(slopes, at), slope(others, at)))
    questions = []
    for what, (x, y) in (("value", numbers), ("derivative", derivatives)):
        gap = float(np.max(np.abs(x - y) / np.maximum(1.0, np.maximum(np.abs(x), np.abs(y))), initial=0.0))
        questions.append(Question(f"{what} of a batch", gap <= SLACK * _eps(a, b), "measured", (), gap, {}))
    return questions


def _gradients(a: Recovered, b: Recovered, placement: str, weight: str, sampler: Sampler) -> Question:
    what = f"expected gradient: {placement}, weight {weight}, sampler {sampler.value}"
    few = not (a.takes_many and b.takes_many)
    first, second = (experiment(f, few).placed(placement, weight, sampler) for f in (a, b))
    gap = max(
        float((np.abs(x.expected - y.expected) / np.maximum(1.0, np.maximum(x.scale, y.scale))[:, None]).max())
        for x, y in zip(first, second, strict=True)
    )
    agrees = gap <= SLACK * _eps(a, b)
    if a.surrogate is None or b.surrogate is None:
        return Question(what, agrees, "measured", (), gap, {})
    try:
        c, d = (x.coefficient(place(x, placement, weight), sampler) for x in (a, b))
        return Question(what, c.equals(d), "derived", (), gap, {})
    except Undecidable:
        return Question(what, None if agrees else False, "measured", (), gap, {})


def _eps(a: Recovered, b: Recovered) -> float:
    return max(EPSILON.get(x.dtype, EPSILON["float32"]) for x in (a, b))


def _running_gap(a: Recovered, b: Recovered, what: str) -> tuple[float, Mapping[str, float]]:
    worst, witness = 0.0, {}
    few = not (a.takes_many and b.takes_many)
    for s in settings_for(few):
        x, y = (pointwise(f, s.logp, s.logp_ref, s.logp_old) for f in (a, b))
        u, v = (x.value, y.value) if what == "value" else (x.slope, y.slope)
        gap = np.abs(u - v) / np.maximum(1.0, np.maximum(np.abs(u), np.abs(v)))
        gap = np.where(np.isfinite(gap), gap, np.where((u == v) | (np.isnan(u) & np.isnan(v)), 0.0, np.inf))
        at = tuple(int(i) for i in np.unravel_index(int(np.argmax(gap)), gap.shape))
        if gap[at] > worst:
            worst = float(gap[at])
            where = at if len(at) == s.logp.ndim else (*at, 0)
            witness = {"l": float(s.log_ratio[where]), "log_w": float(s.log_weight[where])}
            witness |= {"a": float(u[at]), "b": float(v[at])}
    return worst, witness
