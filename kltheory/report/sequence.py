"""Losses of whole responses side by side: what each descends, for every V and T, and how far off it is on one tree."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sympy import Poly

from kltheory.calculus.estimators import k1, k3
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.sequence.iid import iid_trace_variance
from kltheory.calculus.sequence.language import future, length, to_go, total
from kltheory.calculus.sequence.loss import SequenceLoss
from kltheory.calculus.sequence.placements import (
    FROZEN_REVERSE_KL,
    NAMED,
    REVERSE_KL,
    TARGETS,
    geometric_weight,
    in_sequence_reward,
    prefix_weight,
    response_weight,
    token_loss,
)
from kltheory.calculus.sequence.same import is_conservative, same_gradient
from kltheory.calculus.surrogate import Sampler
from kltheory.numerics.trees.gradient import expected_gradient, trace_variance
from kltheory.numerics.trees.policies import TreeSetting
from kltheory.report.columns import columns, markdown_table

SMALL: Final = 1 << 12
"""Variances are taken on trees with no more responses than this."""

PLAIN: Final = ("k1 per token", "k2 per token", "k3 per token", "k2 of the response", "k3 of the response")
WEIGHTED: Final = (
    "k2 per token, mean over tokens",
    "k3 per token, token weight",
    "k3 per token, detached token weight",
    "k2 per token, detached token weight",
    "k3 per token, prefix weight",
    "k1 per token, prefix weight",
    "k2 per token, detached prefix weight",
)
LOSSES: Final = {
    **{name: NAMED[name] for name in PLAIN},
    "exact KL per token": FROZEN_REVERSE_KL,
    **{name: NAMED[name] for name in WEIGHTED},
    "k3 of all tokens, response weight": SequenceLoss(response_weight * total(k3.expr)),
    "k3 per token, geometric weight": SequenceLoss(geometric_weight * total(k3.expr)),
    "k1 in reward, own token": in_sequence_reward(k1.expr),
    "k1 in reward, to go": in_sequence_reward(to_go(k1.expr)),
    "k1 in reward, whole return": in_sequence_reward(total(k1.expr)),
    "k1 in reward, to go, mean over tokens": SequenceLoss(in_sequence_reward(to_go(k1.expr)).expr / length),
    "k1 in reward, to go, weighted": in_sequence_reward(to_go(prefix_weight * k1.expr)),
    "k3 in reward, own token": in_sequence_reward(k3.expr),
    "k3 in reward, to go": in_sequence_reward(to_go(k3.expr)),
    "k3 in reward, to go, and as loss": in_sequence_reward(to_go(k3.expr)) + token_loss(k3),
    "k1 own token, k3 later": in_sequence_reward(k1.expr + future(k3.expr)),
}
"""What libraries offer, by name: per token a sum over the response, weights live unless detached."""


@dataclass(frozen=True)
class Row:
    """One loss.

    Attributes:
        name: its name.
        target: the name of what it descends in ``placements.TARGETS``; ``None`` where it is none of them.
        conservative: whether it descends any objective at all; ``None`` where that is not decided.
        error: ‖g - ∇KL‖/‖∇KL‖ on the tree, KL that of responses.
        cosine: between g and ∇KL; ``None`` where g is zero.
        variance: tr Var of one response's gradient on the tree; ``None`` where the tree is large.
        growth: the power of the length with which it grows, steps i.i.d., on-policy; ``None`` where not derived.
    """

    name: str
    target: str | None
    conservative: bool | None
    error: float
    cosine: float | None
    variance: float | None
    growth: int | None


def rows(setting: TreeSetting, sampler: Sampler, losses: dict[str, SequenceLoss] | None = None) -> Iterator[Row]:
    """The table, a row as soon as it is known."""
    target = expected_gradient(REVERSE_KL, setting, sampler).values
    size = float(np.linalg.norm(target))
    small = setting.tree.responses <= SMALL
    for name, loss in (losses or LOSSES).items():
        found = expected_gradient(loss, setting, sampler)
        g = found.values
        norm = float(np.linalg.norm(g))
        zero = norm <= 1e-12 * found.scale
        yield Row(
            name,
            descends(loss, sampler),
            _conservative(loss, sampler),
            float(np.linalg.norm(g - target)) / size,
            None if zero else float(g @ target) / (norm * size),
            trace_variance(loss, setting, sampler) if small else None,
            growth(loss),
        )


def descends(loss: SequenceLoss, sampler: Sampler) -> str | None:
    """The name of the target with the same expected gradient, for every V, T and policy."""
    for name, (target, _) in TARGETS.items():
        try:
            if same_gradient(loss, target, sampler):
                return name
        except Undecidable:
            continue
    return None


def growth(loss: SequenceLoss) -> int | None:
    """The degree of tr Var in the length, with independent steps that share their logits, on-policy."""
    try:
        trace = iid_trace_variance(loss).together()
    except Undecidable:
        return None
    if trace == 0:
        return None
    above, below = (int(Poly(e, length).degree()) for e in trace.as_numer_denom())
    return above - below


def _conservative(loss: SequenceLoss, sampler: Sampler) -> bool | None:
    try:
        return is_conservative(loss, sampler)
    except Undecidable:
        return None


HEAD: Final = ("loss of a response", "descends", "error", "cosine", "tr Var", "growth")


def _cells(row: Row, sampler: Sampler) -> tuple[str, ...]:
    prefixes = " of the old policy" if sampler is Sampler.OLD and (row.target or "").startswith("frozen") else ""
    other = {True: "another objective", False: "no objective", None: "none of these"}[row.conservative]
    return (
        row.name,
        TARGETS[row.target][1] + prefixes if row.target else other,
        f"{100 * row.error:.1f}%",
        "" if row.cosine is None else f"{row.cosine:+.3f}",
        "" if row.variance is None else f"{row.variance:.3g}",
        "" if row.growth is None else f"N^{row.growth}",
    )


def plain(found: Sequence[Row], sampler: Sampler) -> str:
    """Columns of text."""
    return "\n".join(columns([HEAD, *(_cells(r, sampler) for r in found)]))


def markdown(found: Sequence[Row], sampler: Sampler) -> str:
    """A Markdown table."""
    return "\n".join(markdown_table(HEAD, (_cells(r, sampler) for r in found)))


def to_json(found: Sequence[Row], setting: TreeSetting, sampler: Sampler) -> dict[str, Any]:
    """The JSON object of ``kltheory sequence``; docs/json.md has its keys."""
    return {"tree": setting.name, "sampler": sampler.value, "losses": [dict(vars(row)) for row in found]}
