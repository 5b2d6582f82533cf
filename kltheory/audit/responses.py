"""The verdict on whole responses: what a ``(B, T)`` loss descends when tokens are drawn one after the other.

Running the function on all responses of small trees proposes a target and a multiple of it. Where one token has a
formula, the calculus of responses then settles it for every vocabulary, every length and every policy.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Final, NamedTuple

import numpy as np
from sympy import Expr, S, exp

from kltheory.audit.known_losses import KnownLoss
from kltheory.audit.on_trees import CREDITS, LENGTHS, Run, settings
from kltheory.audit.reading import Reading
from kltheory.audit.row import ResponseRow, Verdict
from kltheory.audit.simple import rounded, simple, written
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.moments import E, map_means
from kltheory.calculus.placement import Placement
from kltheory.calculus.sequence.language import length, total
from kltheory.calculus.sequence.loss import SequenceLoss
from kltheory.calculus.sequence.placements import TARGETS, in_sequence_reward
from kltheory.calculus.sequence.same import is_conservative, same_gradient
from kltheory.calculus.surrogate import Sampler, derivative
from kltheory.calculus.symbols import erase_sg, logp
from kltheory.numerics.settings import Array
from kltheory.numerics.trees.closed import gradient_of
from kltheory.numerics.trees.gradient import Gradient

FINEST: Final = 1e-9
"""What a gradient may differ by from a target's in float64, relative to the size of the terms it sums."""
SAME: Final = 1e-6
"""How near a multiple has to be to the simple number that it is taken for, relative to it."""


def response_rows(found: Reading, placements: Sequence[str], known: KnownLoss | None = None) -> Iterator[ResponseRow]:
    """All rows of a function of arrays of shape (B, T).

    Args:
        found: the function.
        placements: ``loss``, ``reward`` or both.
        known: what it computes as a loss of one response, where tokens meet and that is known.

    Raises:
        Raised: the function raises on responses.
    """
    wide = found.subject.is_over_vocabulary
    runs = {kind: [Run(found, s) for s in settings(kind, wide)] for kind in LENGTHS}
    far, near = runs["random"]
    for where in placements:
        if where == "reward" and not far.has_costs:
            continue
        whole = known if where == "loss" else None
        for credit, who in product(CREDITS if where == "reward" else ("",), Sampler):
            placed = Placement(where, who=who)
            loss = _formula(found, near, where, credit) if whole is None else whole.loss
            asked = _Asked(placed, loss, whole is None and found.is_cut(placed), found.rounding(FINEST), found.unit)
            gradients = {kind: [(run, run.gradient(placed, credit)) for run in both] for kind, both in runs.items()}
            named = {kind: _verdict(asked, kind, pairs) for kind, pairs in gradients.items()}
            far_away, close = (run.distance(g, who) for run, g in gradients["random"])
            yield ResponseRow(placed, credit, named, {"near": close, "far": far_away})


class _Asked(NamedTuple):
    """What one verdict is asked of; ``cut``: the loss speaks of policies near the reference only."""

    placed: Placement
    loss: SequenceLoss | None
    cut: bool
    limit: float
    unit: tuple[str, float]


Pairs = Sequence[tuple[Run, Gradient]]
"""A function on trees, far from the reference and near it, and its expected gradients there."""


def _formula(found: Reading, near: Run, placement: str, credit: str) -> SequenceLoss | None:
    """The loss of one response, from the formula of one token; ``None`` where there is none, or tokens meet.

    Of several cells that of the reference is taken: it speaks of policies near it.
    """
    own = None if found.coupled else found.near_reference()
    if own is None:
        return None
    of_token = E(own * exp(-logp)) if found.sums_vocabulary else own
    if placement == "reward":
        return in_sequence_reward(CREDITS[credit].cost(map_means(erase_sg(of_token), erase_sg)))
    slope = erase_sg(derivative(own))
    plain = found.per_token or slope == 0
    weight = S.One if plain else None if found.sums_vocabulary else near.token_weight(slope)
    return None if weight is None else SequenceLoss(weight * total(of_token))


def _verdict(asked: _Asked, kind: str, pairs: Pairs) -> Verdict:
    loss = asked.loss
    for tried, where in ((pairs, "everywhere"), (pairs[1:], "near the reference")):
        match = _proposed(tried, asked)
        if match is None:
            continue
        multiple, name, gap = match
        horizon = tried[0][0].setting.tree.horizon
        settled = loss is not None and _settled(
            loss, multiple, name, asked.placed.who, horizon if kind == "fixed" else None
        )
        where = "near the reference" if settled and asked.cut else where
        scale = "" if name == "zero" else _scale(multiple, *asked.unit)
        title = scale.replace("*", "·") + TARGETS[name][1]
        return Verdict(scale + name, title, where, "derived" if settled else "measured", gap)
    if loss is None or asked.cut or not all(_obeys(run, g, loss, asked) for run, g in pairs):
        return Verdict("none", "none of these", "everywhere", "measured")
    return Verdict("none", *_unnamed(loss, asked.placed.who, kind))


def _scale(multiple: float, letter: str, number: float) -> str:
    """What stands in front of a name: a multiple of a letter, where the loss is proportional to one."""
    rest = rounded(multiple / number, SAME)
    return {1.0: "", -1.0: "-"}.get(rest, f"{written(rest)}*") + (letter and f"{letter}*")


def _obeys(run: Run, mine: Gradient, loss: SequenceLoss, asked: _Asked) -> bool:
    """Whether the running gradient is that of the formula, which was read from responses of other lengths."""
    if asked.placed.where == "reward":
        return True  # a cost is a value, and values were compared token by token
    return _gap(mine, gradient_of(loss, run.setting, asked.placed.who)) <= asked.limit


def _gap(mine: Gradient, expected: Array) -> float:
    """The largest difference, relative to the size of what is summed."""
    return float(np.abs(mine.values - expected).max()) / max(1.0, mine.scale)


def _proposed(pairs: Pairs, asked: _Asked) -> tuple[float, str, float] | None:
    """The target of which all gradients are one multiple, and how far off the worst is."""
    size = max(_gap(g, 0 * g.values) for _, g in pairs)
    if size <= asked.limit:
        return 1.0, "zero", size
    for name in TARGETS:
        if name == "zero":
            continue
        goals = [run.target(name, asked.placed.who) for run, _ in pairs]
        multiple = rounded(float(pairs[0][1].values @ goals[0] / (goals[0] @ goals[0])), SAME)
        gap = max(_gap(g, multiple * goal) for (_, g), goal in zip(pairs, goals, strict=True))
        if gap <= asked.limit and multiple:
            return multiple, name, gap
    return None


def _settled(loss: SequenceLoss, multiple: float, name: str, sampler: Sampler, horizon: int | None) -> bool:
    """Whether the calculus agrees for every vocabulary and length; with a horizon the multiple was seen at that one."""
    exact: Expr = simple(multiple)
    if horizon is not None and loss.expr.has(length):
        exact = exact * horizon / length
    target = TARGETS[name][0]
    try:
        return same_gradient(loss, type(target)(exact * target.expr), sampler, horizon is not None)
    except Undecidable:
        return False


def _unnamed(loss: SequenceLoss, sampler: Sampler, kind: str) -> tuple[str, str, str]:
    """What to say of what is none of the targets: whether it descends any objective at all."""
    try:
        title = "another objective" if is_conservative(loss, sampler, kind == "fixed") else "no objective"
    except Undecidable:
        return "none of these", "everywhere", "measured"
    return title, "everywhere", "derived"
