"""Expected gradients on a prefix tree by NumPy alone, for terms whose derivative is short: no program is written down.

These are an objective that is a function of one sum over the response, and a sum over the tokens, or of means over the
vocabulary at each prefix that was drawn, perhaps over the length. All others JAX differentiates (:mod:`.gradient`).
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from sympy import Dummy, Expr, Symbol

from kltheory.calculus.cells import is_smooth
from kltheory.calculus.moments import Mean
from kltheory.calculus.sequence.language import SUMS, Total, length
from kltheory.calculus.sequence.loss import SequenceLoss, SequenceObjective
from kltheory.calculus.surrogate import Sampler, derivative
from kltheory.calculus.symbols import erase_sg, log_ratio, log_weight, logp
from kltheory.numerics.bridge import NUMPY
from kltheory.numerics.settings import Array
from kltheory.numerics.trees.gradient import expected_gradient
from kltheory.numerics.trees.policies import TreeSetting

ROWS: Final = 1 << 15
"""Responses in a block."""
OWN: Final = {logp, log_ratio, log_weight}
"""What a token has of its own."""


def closed_gradient(term: SequenceLoss | SequenceObjective, setting: TreeSetting, sampler: Sampler) -> Array | None:
    """The expected gradient by the parameters, shape (P,); that of an objective whoever sampled.

    ``None`` where the term has none of these forms.
    """
    sums = term.expr.atoms(*SUMS)
    (node,) = sums if len(sums) == 1 else (None,)
    if not isinstance(node, Total):
        return None
    whole = Dummy(real=True)
    rest, summand = term.expr.xreplace({node: whole}), node.summand
    if isinstance(term, SequenceObjective):
        short = _is_own(summand) and rest.free_symbols == {whole}
        return setting.policy.pulled(_of_objective(rest, whole, summand, setting)) if short else None
    share, alone = rest.as_independent(whole, as_Add=False)
    if alone != whole or share.free_symbols - {length}:
        return None
    if _is_own(summand):
        return setting.policy.pulled(_of_tokens(share, summand, setting, sampler))
    return setting.policy.pulled(_of_means(share, summand.integrand, setting, sampler)) if _is_mean(summand) else None


def gradient_of(term: SequenceLoss | SequenceObjective, setting: TreeSetting, sampler: Sampler) -> Array:
    """The expected gradient by the parameters, shape (P,), by NumPy where that is short, else by JAX.

    Raises:
        NotNumeric: a symbol has no value.
    """
    found = closed_gradient(term, setting, sampler)
    return expected_gradient(term, setting, sampler).values if found is None else found


def _is_own(summand: Expr) -> bool:
    return is_smooth(summand) and not summand.has(Mean) and summand.free_symbols <= OWN


def _is_mean(summand: Expr) -> bool:
    return isinstance(summand, Mean) and _is_own(summand.integrand)


def _of_objective(value: Expr, whole: Symbol, summand: Expr, setting: TreeSetting) -> Array:
    """∇E_π[F(S)], S a sum over the response: every token pulls with F(S) + F'(S)·(its share's derivative)."""
    table = setting.log_policy
    out = np.zeros(table.shape)
    own, slopes = (
        np.broadcast_to(NUMPY(e, _numbers(setting, Sampler.OLD)), table.shape) for e in (summand, derivative(summand))
    )
    for block in setting.tree.blocks(ROWS):
        at, mask = (block.nodes, block.tokens), block.mask
        p, total = np.exp((table[at] * mask).sum(-1)), {whole: (own[at] * mask).sum(-1)}
        f, g = (np.broadcast_to(NUMPY(e, total), p.shape) for e in (value, value.diff(whole)))
        np.add.at(out, at, (p * f)[:, None] * mask + (p * g)[:, None] * slopes[at] * mask)
    return out


def _of_tokens(share: Expr, summand: Expr, setting: TreeSetting, sampler: Sampler) -> Array:
    """E[share·Σ_t ∇s_t]: each token that was drawn pulls with its derivative."""
    slopes = NUMPY(erase_sg(derivative(summand)), _numbers(setting, sampler))
    return np.asarray(_drawn(share, setting, sampler) * slopes)


def _of_means(share: Expr, integrand: Expr, setting: TreeSetting, sampler: Sampler) -> Array:
    """E[share·Σ_t ∇E_π[h]]: at each prefix that was drawn every action pulls with π·(h + h')."""
    reached = _drawn(share, setting, sampler).sum(-1, keepdims=True)
    pulls = NUMPY(erase_sg(integrand) + erase_sg(derivative(integrand)), _numbers(setting, sampler))
    return np.asarray(reached * np.exp(setting.log_policy) * pulls)


def _drawn(share: Expr, setting: TreeSetting, sampler: Sampler) -> Array:
    """How often each token is drawn after each prefix, times the share of its response, shape (nodes, V)."""
    drew = setting.old if sampler is Sampler.OLD else setting.log_policy
    out = np.zeros(drew.shape)
    for block in setting.tree.blocks(ROWS):
        at, mask = (block.nodes, block.tokens), block.mask
        p = np.exp((drew[at] * mask).sum(-1)) * NUMPY(share, {length: mask.sum(-1)})
        np.add.at(out, at, p[:, None] * mask)
    return out


def _numbers(setting: TreeSetting, sampler: Sampler) -> Mapping[Symbol, Array]:
    """The variables of every token of the tree, shape (nodes, V); on-policy the old policy is the policy."""
    table = setting.log_policy
    old = setting.old if sampler is Sampler.OLD else table
    return {logp: table, log_ratio: table - setting.reference, log_weight: table - old}
