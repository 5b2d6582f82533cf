"""Losses that are one operation in ATen, with their reduction."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from sympy import Abs, Expr, Max, S, exp, log

from kltheory.tracing.conditions import above
from kltheory.tracing.entries import NoExpression, Operation, chosen, each, is_constant
from kltheory.tracing.pytorch.reductions import REDUCTIONS
from kltheory.tracing.trace import Exprs

NONE, MEAN, SUM = 0, 1, 2
"""ATen's numbers for ``reduction=``."""


def _reduced(losses: Exprs, reduction: int) -> Exprs:
    return losses if reduction == NONE else REDUCTIONS["mean" if reduction == MEAN else "sum"](losses)


def _mse(x: Exprs, y: Exprs, reduction: int = MEAN) -> Exprs:
    return _reduced(each(lambda a, b: (a - b) ** 2)(x, y), reduction)


def _huber(x: Exprs, y: Exprs, reduction: int = MEAN, delta: Any = 1) -> Exprs:
    def loss(a: Expr, b: Expr) -> Expr:
        d = Abs(a - b)
        return chosen(above(d, delta), delta * (d - delta / S(2)), d**2 / 2)

    return _reduced(each(loss)(x, y), reduction)


def _smooth_l1(x: Exprs, y: Exprs, reduction: int = MEAN, beta: Any = 1) -> Exprs:
    if beta == 0:
        return _reduced(each(lambda a, b: Abs(a - b))(x, y), reduction)
    return each(lambda a: a / beta)(_huber(x, y, reduction, beta))


def _cross_entropy_of_logits(
    x: Exprs, y: Exprs, weight: Any = None, pos_weight: Any = None, reduction: int = MEAN
) -> Exprs:
    if weight is not None or pos_weight is not None:
        raise NoExpression("a weighted cross entropy")
    return _reduced(each(lambda a, b: (1 - b) * a + log(1 + exp(-a)))(x, y), reduction)


def _cross_entropy(x: Exprs, y: Exprs, weight: Any = None, reduction: int = MEAN) -> Exprs:
    """PyTorch bounds both logarithms at -100."""
    if weight is not None:
        raise NoExpression("a weighted cross entropy")
    loss = each(lambda a, b: -b * Max(log(a), -100) - (1 - b) * Max(log(1 - a), -100))
    return _reduced(loss(x, y), reduction)


def _nll(x: Exprs, target: Exprs, weight: Any, reduction: int, ignored: int) -> tuple[Exprs, None]:
    if weight is not None or not is_constant(target):
        raise NoExpression("a negative log-likelihood with weights, or of targets that depend on the inputs")
    axis = min(1, x.ndim - 1)
    classes = np.moveaxis(x, axis, -1)
    losses = np.empty(target.shape, dtype=object)
    for i in np.ndindex(target.shape):
        losses[i] = S.Zero if target[i] == ignored else -classes[i][int(target[i])]
    if reduction != MEAN:
        return _reduced(losses, reduction), None
    count = sum(t != ignored for t in target.flat)
    return each(lambda total: total / count if count else S.NaN)(_reduced(losses, SUM)), None


LOSSES: Final[Mapping[str, Operation]] = {
    "mse_loss": _mse,
    "huber_loss": _huber,
    "smooth_l1_loss": _smooth_l1,
    "binary_cross_entropy": _cross_entropy,
    "binary_cross_entropy_with_logits": _cross_entropy_of_logits,
    "nll_loss_forward": _nll,
    "nll_loss2d_forward": _nll,
}
