"""Ragged batches, as a trainer would pass them, and what a function makes of one: the whole of it, nothing left out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Any, Final

import numpy as np

from kltheory.audit.forms import IGNORED
from kltheory.audit.layout import policies, slope
from kltheory.audit.roles import Role
from kltheory.audit.subject import Subject
from kltheory.numerics.settings import log_softmax
from kltheory.tracing.trace import Floats

OTHERS: Final[dict[str, tuple[str, Role, Role | None]]] = {
    "the reference": ("ref", Role.LOGP_REF, Role.LOGITS_REF),
    "the old policy": ("old", Role.LOGP_OLD, Role.LOGITS_OLD),
    "the sampler": ("sampler", Role.LOGP_SAMPLER, None),
}
"""The other policies: which table of a batch, and the arguments through which a gradient reaches them."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Responses of several lengths: log-probabilities of shape (B, T, V), the others of shape (B, T).

    Attributes:
        logp, ref, old: log π, log π_ref and log π_old of every action, nats.
        sampler: that of what generated the data, for functions with arguments for it and for the old policy.
        actions: the action of each token; negative where a label is left out.
        shift: what is added to the logits of each position, shape (B, T, 1): a softmax takes it away again.
        mask: 1 where a token counts.
        advantage: of both signs, of about 1.
    """

    logp: Floats
    ref: Floats
    old: Floats
    sampler: Floats
    actions: Floats
    mask: Floats
    advantage: Floats
    shift: Floats

    @property
    def taken(self) -> Any:
        """The actions, to look up with."""
        return np.maximum(self.actions, 0).astype(np.int64)[..., None]

    def moved(self, step: float, signs: tuple[float, ...] = (1, -1 / 3, -1 / 7, 1 / 5)) -> "Batch":
        """All log-probabilities moved by about so much of themselves, not all policies alike."""
        a, b, c, d = (1 + step * sign for sign in signs)
        moved = replace(self, logp=self.logp * a, ref=self.ref * b, old=self.old * c)
        return replace(moved, sampler=self.sampler * d)

    @property
    def left_out(self) -> "Batch":
        """The same with labels that leave out what the mask does."""
        return replace(self, actions=np.where(self.mask > 0, self.actions, float(IGNORED)))

    def of_action(self, table: Floats) -> Floats:
        """What a table of shape (B, T, V) has for the actions."""
        return np.take_along_axis(table, self.taken, axis=-1)[..., 0]

    def arrays(self, subject: Subject, rank: int) -> dict[Role, Floats]:
        """The arrays of a subject: of all actions or of those that were taken, for tokens of this many axes."""
        lead = {2: self.mask.shape, 1: (self.mask.size,), 0: ()}[rank]
        tables = [self.logp, self.ref, self.old, self.sampler]
        if not subject.is_over_vocabulary:
            tables = [self.of_action(t) for t in tables]
        tail = tables[0].shape[2:]
        found = policies(*(t.reshape((*lead, *tail)) for t in tables))
        if subject.is_over_vocabulary:
            shift = self.shift.reshape((*lead, 1))
            found |= {role: found[role] + k * shift for k, role in enumerate(LOGITS, 1)}
        shown = {Role.MASK: self.mask, Role.ADVANTAGE: self.advantage, Role.ACTIONS: self.actions}
        shown |= dict.fromkeys((Role.GROUP, Role.IDS, Role.VALUE), np.zeros(self.mask.shape))
        return found | {r: x.reshape(lead) for r, x in shown.items()}


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a function gave on a batch.

    Attributes:
        value: its output.
        slope: the derivative of its sum by the policy's logits, shape (B, T, V).
        others: the same by the logits of the other policies that it has arguments for.
    """

    value: Floats
    slope: Floats
    others: dict[str, Floats]

    @property
    def total(self) -> float:
        """The sum of the output."""
        return float(self.value.sum())

    @property
    def is_finite(self) -> bool:
        """Whether value and derivative are numbers."""
        return bool(np.isfinite(self.value).all() and np.isfinite(self.slope).all())


def run(subject: Subject, batch: Batch, rank: int) -> Outcome:
    """The function on a batch, in float64.

    Raises:
        Raised: the function raises.
    """
    at = batch.arrays(subject, rank)
    value, slopes = subject.run(at)
    others = {}
    for who, (table, single, wide) in OTHERS.items():
        parts = [slopes[r] for r in (single, wide) if r in slopes]
        if parts:
            total = sum(parts, np.zeros(parts[0].shape))
            others[who] = _by_logits(batch, getattr(batch, table), total, wide in slopes)
    own = _by_logits(batch, batch.logp, slope(slopes, at), Role.LOGITS in slopes)
    return Outcome(value, own, others)


def reads_one_advantage(subject: Subject, rank: int) -> bool:
    """Whether it takes one advantage for each response, be it the first of several. Raises Raised."""
    if subject.per_sequence or Role.ADVANTAGE not in subject.roles or rank < 2:
        return subject.per_sequence
    batch = batches(False, False)[-1]
    others = batch.advantage * np.where(np.arange(batch.mask.shape[1]), -0.7, 1.0)
    here, there = (run(subject, b, rank) for b in (batch, replace(batch, advantage=others)))
    return np.array_equal(here.value, there.value) and np.array_equal(here.slope, there.slope)


def _by_logits(batch: Batch, table: Floats, slopes: Floats, are_so: bool) -> Floats:
    """A derivative by log-probabilities, of all actions or of those taken, as one by logits, if it is none yet."""
    each = slopes
    if each.size != table.size:
        each = np.zeros(table.shape)
        np.put_along_axis(each, batch.taken, slopes.reshape((*batch.mask.shape, 1)), axis=-1)
    each = each.reshape(table.shape)
    return each if are_so else np.asarray(each - np.exp(table) * each.sum(axis=-1, keepdims=True))


# --- random batches ---------------------------------------------------------------------------------------------------
LOGITS: Final = (Role.LOGITS, Role.LOGITS_REF, Role.LOGITS_OLD)
SHAPES: Final = ((2, 3, 4), (3, 4, 5))
"""Responses, tokens and actions; two of each, as a function is compiled for each shape."""
LARGE: Final = (6, 20, 12)
"""The least of a batch that is larger than what a function counts up to."""
FARTHEST: Final = 200
"""Numbers in code beyond this make no batch larger."""
SPREADS: Final = (0.02, 0.15, 0.6, 1.5, 4.0)
"""How far the policies are apart, nats: from where no clip binds to where most do."""


@lru_cache(maxsize=4)
def batches(per_response: bool, alone: bool, counted: int = 0) -> tuple[Batch, ...]:
    """Random batches of every spread, and a few larger than the code counts.

    Args:
        per_response: whether each response has one advantage.
        alone: one token each, for functions that take no more.
        counted: the largest number that the code may compare a size with.
    """
    shapes = ((1, 1, 4),) * 6 if alone else SHAPES
    every = [(shape, spread) for spread, shape in product((*SPREADS, *SPREADS), shapes)]
    rows, tokens, actions = LARGE
    most = min(counted, FARTHEST)
    large = (max(rows, min(most, 20) + 2), max(tokens, most + 2), max(actions, most + 2))
    every += [] if alone else [(large, spread) for spread in (0.3, 1.5)]
    return tuple(_drawn(shape, spread, k, per_response) for k, (shape, spread) in enumerate(every))


def _drawn(shape: tuple[int, int, int], spread: float, seed: int, per_response: bool) -> Batch:
    random = np.random.default_rng([1402, seed])
    rows, tokens, actions = shape
    base = random.normal(0, 1, shape)
    policy, ref, old = (log_softmax(base + random.normal(0, spread, shape)) for _ in range(3))
    apart = np.random.default_rng([1415, seed]).normal(0, spread, shape)
    return Batch(
        policy,
        ref,
        old,
        log_softmax(base + apart),
        random.integers(0, actions, (rows, tokens)).astype(float),
        _mask(random, rows, tokens),
        _advantages(random, rows, tokens, per_response),
        random.normal(0, 1, (rows, tokens, 1)),
    )


def _mask(random: np.random.Generator, rows: int, tokens: int) -> Floats:
    """Lengths that differ, the first whole; beyond them and in holes nothing counts, and each row has a token."""
    lengths = [tokens, *random.integers(1, max(2, tokens), rows - 1)]
    mask = (np.arange(tokens) < np.array(lengths)[:, None]).astype(float)
    mask[:, 1:-1] *= random.random((rows, max(0, tokens - 2))) < 0.7
    return mask


def _advantages(random: np.random.Generator, rows: int, tokens: int, per_response: bool) -> Floats:
    """Of both signs, in turn, so that each batch of several has both; some large, some zero."""
    shape = (rows, 1) if per_response else (rows, tokens)
    signs = np.where(np.arange(int(np.prod(shape))).reshape(shape) % 2 == random.integers(2), 1.0, -1.0)
    sizes = random.uniform(0.3, 2.0, shape) * random.choice([1.0, 1.0, 1.0, 10.0])
    sizes[-1, 0] *= random.choice([0.0, 1.0])  # as where a group is of one mind
    return np.broadcast_to(signs * sizes, (rows, tokens)).copy()


# --- every sample of a small batch ------------------------------------------------------------------------------------
ENUMERATED: Final = {
    "masked": np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]]),
    "whole": np.ones((1, 3)),
    "alone": np.ones((1, 1)),
}
"""The masks of batches whose samples are all looked at, at most three tokens: with a mask, without, and one token."""
ACTIONS: Final = 3


def enumerated(seed: int, spread: float, per_response: bool, kind: str) -> Iterator[Batch]:
    """Every choice of actions of a small batch: the policies stay, and advantages go with the actions."""
    random = np.random.default_rng([1403, seed])
    mask = ENUMERATED[kind]
    shape = (*mask.shape, ACTIONS)
    base = random.normal(0, 1, shape)
    policy, ref, old = (log_softmax(base + random.normal(0, spread, shape)) for _ in range(3))
    sampler = log_softmax(base + np.random.default_rng([1416, seed]).normal(0, spread, shape))
    each, shift = random.normal(0, 1, shape), random.normal(0, 1, (*mask.shape, 1))
    each[..., seed % ACTIONS] *= seed % 2  # some are zero
    where = np.argwhere(mask > 0)
    for chosen in product(range(ACTIONS), repeat=len(where)):
        actions = np.zeros(mask.shape)
        actions[tuple(where.T)] = chosen
        own = np.take_along_axis(each, actions.astype(np.int64)[..., None], axis=-1)[..., 0]
        if per_response:
            own = np.broadcast_to((own * mask).sum(-1, keepdims=True), mask.shape).copy()
        yield Batch(policy, ref, old, sampler, actions, mask, own, shift)
