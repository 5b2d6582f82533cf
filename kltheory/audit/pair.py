"""A pair of functions on the same batches: what they gave, and the questions whether it is the same."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Final

import numpy as np

from kltheory.audit.batches import Batch, Outcome, batches, reads_one_advantage, run
from kltheory.audit.confirm import EPSILON
from kltheory.audit.formulas import Formulas
from kltheory.audit.placed_batches import Expectations, expectations
from kltheory.audit.precision import coarsest, precision, tolerance
from kltheory.audit.question import PLAIN, Question, difference
from kltheory.audit.reach import largest_number
from kltheory.audit.reading import Reading
from kltheory.audit.roles import Role
from kltheory.audit.subject import Raised
from kltheory.audit.target import CannotRun
from kltheory.calculus.placement import WEIGHTS, Placement, placements
from kltheory.tracing.trace import CannotTrace, Floats

COARSE: Final = 0.1
"""Agreement to no more than this, relative to the gradient, is none."""

MOST: Final = 12
"""Tokens of a small batch."""


def _by_other(who: str, outcome: Outcome) -> Floats:
    return outcome.others.get(who, np.zeros(outcome.slope.shape))


SMALL: Final = 5
"""A small batch of some spread."""


def _with_labels_left_out(a: Reading, b: Reading, rank: int, shown: tuple[Batch, ...]) -> tuple[Batch, ...]:
    """Batches whose labels leave out what a mask would, where both functions take labels so."""
    if not any(Role.ACTIONS in f.subject.roles for f in (a, b)):
        return ()
    few = tuple(x.left_out for x in shown[: 2 * SMALL])
    try:
        for f in (a, b):
            run(f.subject, few[0], rank)
    except (Raised, CannotTrace):
        return ()
    return few


@dataclass(frozen=True, eq=False)
class Pair:
    """Two functions, the batches they were run on, and what they gave.

    Attributes:
        a, b: what was recovered of each.
        rank: how many axes tokens have in the arrays they were run on.
        alone: whether they were run on one token at a time, as formulas and functions of scalars are.
        per_response: whether one of them takes one advantage for each response.
        batches: what they were run on.
        ran: what they gave.
        precision: the coarsest floating type that one of them computes in.
    """

    a: Reading
    b: Reading
    rank: int
    alone: bool
    per_response: bool
    batches: tuple[Batch, ...]
    ran: tuple[list[Outcome], list[Outcome]]
    precision: str

    @classmethod
    def of(cls, a: Reading, b: Reading) -> "Pair":
        """Run both. Raises CannotRun where one raises on whole batches."""
        rank = min(len(f.layout.tokens) for f in (a, b))
        alone = rank == 0 or a.is_typed != b.is_typed
        ran: list[list[Outcome]] = []
        types: list[str] = []
        try:
            one_each = any(reads_one_advantage((f := x).subject, rank) for x in (a, b))
            shown = batches(one_each, alone, max(largest_number(x.subject.target) for x in (a, b)))
            shown += _with_labels_left_out(a, b, rank, shown)
            for f in (a, b):
                outcomes = [run(f.subject, x, rank) for x in shown]
                types += [f.dtype, precision(f.subject, shown[SMALL], rank, outcomes[SMALL])]
                ran.append(outcomes)
        except (Raised, CannotTrace) as e:
            raise CannotRun(f"{f.subject.target.name} raises on a batch of several responses: {e}") from e
        return cls(a, b, rank, alone, one_each, shown, (ran[0], ran[1]), coarsest(types))

    @property
    def tolerance(self) -> float:
        """What two numbers of about 1 may differ by."""
        return tolerance(self.precision)

    def limits(self) -> Iterator[str]:
        """What was not looked at."""
        takes_more = [f for f in (self.a, self.b) if f.layout.tokens and not f.is_typed]
        if self.rank == 0 and takes_more:
            yield "one token at a time is all that one of them takes: masks and lengths were not looked at"
        ours, theirs = (sum(not x.is_finite for x in ran) for ran in self.ran)
        if ours or theirs:
            yield f"not finite on {max(ours, theirs)} of {len(self.batches)} batches: there nothing was compared"

    @cached_property
    def _formulas(self) -> Formulas | None:
        return Formulas.of(self.a, self.b, self.per_response, self.alone)

    def value(self) -> Question:
        """Whether the outputs are the same, entry by entry where both have the same shape, else their sums.

        An output for each token and one for all are not the same: whoever calls them weighs them otherwise.
        """
        shaped = all(x.value.shape == y.value.shape for x, y in zip(*self.ran, strict=True))
        ours, theirs = ([x.value if shaped else np.array(x.total) for x in ran] for ran in self.ran)
        each = shaped and all(x.size == b.mask.size for x, b in zip(ours, self.batches, strict=True))
        measured = self._measured("value", ours, theirs, per_token=each)
        sizes = [[x.value.size for x in ran] for ran in self.ran]
        if sizes[0] != sizes[1] and not self.alone:
            return replace(measured, same=False, reason="one has an output for each token, and the other not")
        return self._with_formula(measured, "value")

    def derivative(self) -> Question:
        """Whether the derivatives by the policy's logits are the same, at every token."""
        ours, theirs = ([x.slope for x in ran] for ran in self.ran)
        measured = self._measured("derivative", ours, theirs, per_token=True, near=lambda x: x.slope)
        return self._with_formula(measured, "derivative")

    def by_others(self) -> Iterator[Question]:
        """The same for each other policy that a gradient flows into."""
        for who in sorted({w for ran in self.ran for x in ran[:1] for w in x.others}):
            theirs = [_by_other(who, x) for x in self.ran[1]]
            near = partial(_by_other, who)
            yield self._measured(f"derivative by {who}", list(map(near, self.ran[0])), theirs, True, near)

    def expected(self, value: Question, derivative: Question) -> Iterator[Question]:
        """Whether the expected gradients are the same: what agrees sample by sample does; the rest is enumerated."""
        per_token = all(x.value.size == x.slope[..., 0].size for ran in self.ran for x in ran)
        for placement in placements(weights=tuple(WEIGHTS) if per_token else ("none",)):
            in_reward, live = placement.where == "reward", placement.weight == "live"
            yield self._expected(placement, [value] if in_reward else [derivative, value] if live else [derivative])

    def _expected(self, placement: Placement, needs: list[Question]) -> Question:
        """The same of one placement, which is what these answers need to agree in."""
        what = f"expected gradient: {placement.key}"
        if all(q.same for q in needs):
            return Question(what, True, needs[0].how, gap=max(q.gap for q in needs))
        ours, theirs = (x[placement] for x in self._expectations)
        measured = self._measured(what, ours, theirs)
        if measured.same and not self._is_seen_in_small:
            return replace(measured, same=None, reason="batches as small as those summed do not tell them apart")
        formulas = self._formulas if measured.same else None
        answer = None if formulas is None else formulas.same_expectation(placement)
        return measured if answer is None else replace(measured, same=answer, how="derived")

    @cached_property
    def _is_seen_in_small(self) -> bool:
        """Whether a batch as small as those whose samples are summed tells the two apart."""
        small = [k for k, x in enumerate(self.batches) if x.mask.size <= MOST and not (x.actions < 0).any()]
        gaps = (difference(self.ran[0][k].slope, self.ran[1][k].slope) for k in small)
        values = (abs(self.ran[0][k].total - self.ran[1][k].total) for k in small)
        return any(g.max() > self.tolerance for g in gaps) or any(v > self.tolerance for v in values)

    @cached_property
    def _expectations(self) -> list[Expectations]:
        masked = Role.MASK in self.a.subject.roles | self.b.subject.roles
        kind = "alone" if self.alone else "masked" if masked else "whole"
        return [expectations(f, self.rank, self.per_response, kind) for f in (self.a, self.b)]

    # --- answers ----------------------------------------------------------------------------------------------------
    def _measured(
        self,
        what: str,
        xs: Sequence[Floats],
        ys: Sequence[Floats],
        per_token: bool = False,
        near: Callable[[Outcome], Floats] | None = None,
    ) -> Question:
        """The answer of numbers; ``near`` gives them of the first function a rounding away, where one rounds much."""
        gaps = [difference(x, y) for x, y in zip(xs, ys, strict=True)]
        if near is not None and self.precision != "float64":
            gaps = [self._beside_kinks(k, g, y, near) for k, (g, y) in enumerate(zip(gaps, ys, strict=True))]
        worst = max((float(g.max()) for g in gaps if g.size), default=0.0)
        if worst > self.tolerance:
            shown = self._witness(xs, ys, gaps, min(PLAIN, worst / 2), per_token)
            return Question(what, False, "measured", (), worst, shown)
        sizes = np.abs(np.concatenate([a.ravel() for a in (*xs, *ys)]))
        size = float(np.max(sizes, initial=0.0, where=np.isfinite(sizes)))
        if size and self.tolerance > COARSE * size:
            return Question(what, None, "measured", (), worst, reason="it computes too coarsely to tell")
        return Question(what, True, "measured", (), worst)

    def _beside_kinks(self, k: int, gap: Floats, y: Floats, near: Callable[[Outcome], Floats]) -> Floats:
        """The gaps that no rounding of the inputs takes away: beside a clip either side may be taken."""
        if not gap.size or gap.max() <= self.tolerance:
            return gap
        for sign in (-1, 1):
            for ahead in ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, -1, -1)):
                moved = self.batches[k].moved(2 * sign * EPSILON[self.precision], ahead)
                gap = np.minimum(gap, difference(near(run(self.a.subject, moved, self.rank)), y))
        return gap

    def _witness(
        self, xs: Sequence[Floats], ys: Sequence[Floats], gaps: Sequence[Floats], plain: float, per_token: bool
    ) -> dict[str, float]:
        """Both numbers where they plainly differ, as near to the reference as there is such a place."""
        found = []
        for k, gap in enumerate(gaps):
            for at in map(tuple, np.argwhere(gap >= plain)):
                place = self._place(k, at) if per_token else {}
                far = abs(place.get("l", 0.0)) + abs(place.get("log_w", 0.0))
                found.append((far, {**place, "a": float(xs[k][at]), "b": float(ys[k][at])}))
        return min(found, key=lambda pair: pair[0])[1]

    def _place(self, k: int, at: tuple[int, ...]) -> dict[str, float]:
        """The token of a batch that an entry belongs to, in the symbols of its action."""
        batch = self.batches[k]
        where = at[:2] if len(at) > 1 else np.unravel_index(at[0], batch.mask.shape) if at else (0, 0)
        policy, ref, old = (batch.of_action(t)[where] for t in (batch.logp, batch.ref, batch.old))
        place = {"l": policy - ref, "log_w": policy - old}
        beside = {"A": (Role.ADVANTAGE, batch.advantage), "mask": (Role.MASK, batch.mask)}
        roles = self.a.subject.roles | self.b.subject.roles
        place |= {name: array[where] for name, (role, array) in beside.items() if role in roles}
        return {name: float(x) for name, x in place.items()}

    def _with_formula(self, measured: Question, what: str) -> Question:
        """The answer of the formulas, unless the numbers differ where those do not."""
        answer = None if self._formulas is None else self._formulas.parts(what)
        if answer is None:
            return measured
        if measured.same is False and not answer:
            return measured
        return Question(what, not answer, "derived", answer, measured.gap, measured.witness)
