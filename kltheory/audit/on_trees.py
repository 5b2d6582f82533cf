"""The running function on whole responses: called on every response of a tree, and its exact expected gradient there.

It is called on the very arrays a trainer would pass, one response a row, with its mask; its slopes, weighed by the
response's probability, are added up and pulled back to the parameters of a small network.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from sympy import Expr, S

from kltheory.audit.experiments import SHRINKS, USES_OLD, Distance
from kltheory.audit.layout import arrays, slope
from kltheory.audit.reading import Reading
from kltheory.audit.roles import Role
from kltheory.audit.simple import simple
from kltheory.calculus.placement import Placement
from kltheory.calculus.sequence.language import length, to_go, total
from kltheory.calculus.sequence.loss import SequenceObjective
from kltheory.calculus.sequence.placements import TARGETS
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import log_ratio, log_weight, logp
from kltheory.numerics.bridge import NUMPY
from kltheory.numerics.settings import Array
from kltheory.numerics.trees.closed import gradient_of
from kltheory.numerics.trees.gradient import Gradient
from kltheory.numerics.trees.policies import TreeSetting, drawn_in, random_setting
from kltheory.numerics.trees.tree import Block, Tree
from kltheory.tracing.trace import Floats

LENGTHS: Final = {"fixed": Tree(2, 3), "random": Tree(3, 3, 0)}
"""Responses of one length, and of any up to a maximum."""
WIDE: Final = {"fixed": Tree(4, 2), "random": Tree(4, 3, 0)}
"""The same for functions of all actions: more of them than the top k of a small k."""
BLOCK: Final = 1 << 10


def _to_the_end(costs: Floats) -> Floats:
    return np.cumsum(costs[:, ::-1], axis=-1)[:, ::-1]


class Credit(NamedTuple):
    """Which costs a token's score is multiplied by: for people, of a formula, of arrays of shape (B, T)."""

    title: str
    cost: Callable[[Expr], Expr]
    costs: Callable[[Floats], Floats]


CREDITS: Final = {
    "own": Credit("own token", lambda cost: cost, lambda costs: costs),
    "to_go": Credit("to go", to_go, _to_the_end),
    "whole": Credit("whole return", total, lambda costs: np.broadcast_to(_to_the_end(costs)[:, :1], costs.shape)),
}


@lru_cache(maxsize=4)
def settings(kind: str, of_all_actions: bool = False) -> tuple[TreeSetting, TreeSetting]:
    """A small network with shared parameters on a tree, as it is, and with the other policies drawn towards it."""
    setting = random_setting((WIDE if of_all_actions else LENGTHS)[kind], 13, hidden=2, spread=0.5)
    far, near = (drawn_in(setting, shrink) for shrink in (SHRINKS[0], SHRINKS[-1]))
    return far, near


@dataclass(frozen=True, eq=False)
class Ran:
    """What the function gave on some responses: its value, for each token where it has one, and its slopes."""

    block: Block
    old: Array
    value: Floats
    slopes: Floats


class Run:
    """The function on all responses of one tree, under each sampler. Raises Raised when the function does."""

    def __init__(self, found: Reading, setting: TreeSetting) -> None:
        self.found, self.setting = found, setting
        self.table = setting.log_policy
        off = self._ran(setting.old)
        self.ran = {Sampler.OLD: off, Sampler.POLICY: self._ran(self.table) if found.subject.roles & USES_OLD else off}

    @property
    def has_costs(self) -> bool:
        """Whether each token has a number of its own."""
        return all(r.value.shape == r.block.mask.shape for r in self.ran[Sampler.OLD])

    def _ran(self, old: Array) -> list[Ran]:
        rows = BLOCK if self.found.per_token else 1  # of an aggregate, one response is a batch
        return [self._call(block, old) for block in self.setting.tree.blocks(rows)]

    def _call(self, block: Block, old: Array) -> Ran:
        subject = self.found.subject
        padded = self.found.per_token or Role.MASK in subject.roles
        n = self.setting.tree.horizon if padded else int(block.mask[0].sum())
        block = Block(block.nodes[:, :n], block.tokens[:, :n], block.mask[:, :n])
        where = (block.nodes,) if subject.is_over_vocabulary else (block.nodes, block.tokens)
        policy, reference, drew = (table[where] for table in (self.table, self.setting.reference, old))
        at = arrays(policy, reference, drew, block.mask)
        at[Role.ACTIONS] = block.tokens.astype(np.float64)
        value, slopes = subject.run(at)
        value = value.sum(axis=-1) if value.shape == policy.shape and policy.ndim == 3 else value
        costs = np.where(block.mask > 0, value, 0.0) if value.shape == block.mask.shape else value
        return Ran(block, old, costs, slope(slopes, at))

    def gradient(self, placed: Placement, credit: str) -> Gradient:
        """The exact expected gradient by the parameters."""
        by_table, scale = np.zeros(self.table.shape), 0.0
        drew = self.table if placed.who is Sampler.POLICY else self.setting.old
        for ran in self.ran[placed.who]:
            nodes, tokens, mask = ran.block.nodes, ran.block.tokens, ran.block.mask
            each = ran.slopes if placed.where == "loss" else CREDITS[credit].costs(ran.value)
            p = np.exp((drew[nodes, tokens] * mask).sum(-1))[:, None] * mask
            weighed = each * p[..., None] if each.ndim == 3 else each * p
            np.add.at(by_table, (nodes,) if each.ndim == 3 else (nodes, tokens), weighed)
            scale += float(np.abs(weighed).sum())
        return Gradient(self.setting.policy.pulled(by_table), scale)

    def target(self, name: str, sampler: Sampler) -> Array:
        """The expected gradient of a target on this tree; that of an objective does not depend on who sampled."""
        fixed = isinstance(TARGETS[name][0], SequenceObjective)
        return _target(name, self.setting, Sampler.POLICY if fixed else sampler)

    def distance(self, g: Gradient, sampler: Sampler) -> Distance:
        """How far a gradient is from that of KL(π‖π_ref) of responses."""
        goal = self.target("reverse_kl", sampler)
        size, own = float(np.linalg.norm(goal)), float(np.linalg.norm(g.values))
        cosine = float(g.values @ goal) / (size * own) if own > 1e-14 * g.scale else 0.0
        return Distance(float(np.linalg.norm(g.values - goal)) / size, cosine)

    def token_weight(self, slope_of: Expr) -> Expr | None:
        """What each token weighs in a response, as a number or one over the length; ``None`` where it is neither.

        ``slope_of`` is what a token's derivative is a multiple of.
        """
        seen: list[tuple[float, float]] = []
        for ran in self.ran[Sampler.OLD]:
            here, real = (ran.block.nodes, ran.block.tokens), ran.block.mask > 0
            lengths = np.broadcast_to(ran.block.mask.sum(-1, keepdims=True), real.shape)
            own = self.table[here]
            at = {logp: own, log_ratio: own - self.setting.reference[here], log_weight: own - ran.old[here]}
            slopes = ran.slopes
            if slopes.ndim > own.ndim:  # by the logits: that of the sampled action is 1 - π times that by its log π
                slopes = np.take_along_axis(slopes, ran.block.tokens[..., None], axis=-1)[..., 0] / -np.expm1(own)
            with np.errstate(all="ignore"):
                ratio = slopes / np.broadcast_to(NUMPY(slope_of, at), own.shape)
            seen += [(n, r) for n, r in zip(lengths[real], ratio[real], strict=True) if np.isfinite(r)]
        for power, factor in ((0, S.One), (1, 1 / length)):
            scaled = np.array([r * n**power for n, r in seen])
            if seen and np.ptp(scaled) <= SAME_WEIGHT * np.abs(scaled).max():
                return simple(float(scaled[0])) * factor
        return None


SAME_WEIGHT: Final = 1e-5
"""Relative; slopes may be float32."""


@lru_cache(maxsize=64)
def _target(name: str, setting: TreeSetting, sampler: Sampler) -> Array:
    return gradient_of(TARGETS[name][0], setting, sampler)
