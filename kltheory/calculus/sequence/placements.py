"""Estimators in whole responses: placements, credit, weights, and what they are compared with.

A placement sums a per-token formula over the response. In the reward a token's score is multiplied by a detached cost,
whose *credit* may reach over its own token only, over it and all later ones (reward-to-go), or over the whole response.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from sympy import Expr, S, exp

from kltheory.calculus.estimators import Estimator, k1, k2, k3, w
from kltheory.calculus.moments import E
from kltheory.calculus.sequence.language import length, to_go, total, up_to
from kltheory.calculus.sequence.loss import SequenceLoss, SequenceObjective
from kltheory.calculus.symbols import erase_sg, log_ratio, log_weight, logp, sg

prefix_weight: Final = exp(up_to(log_weight))
"""w_{1:t}, the weight of the prefix with the token itself, live."""
earlier_weight: Final = exp(up_to(log_weight) - log_weight)
"""w_{1:t-1}, the weight of the prefix alone."""
response_weight: Final = exp(total(log_weight))
"""w_{1:T}, the weight of the whole response."""
geometric_weight: Final = exp(total(log_weight) / length)
"""w_{1:T}^{1/T}, the geometric mean of the tokens' weights."""

REVERSE_KL: Final = SequenceObjective(total(k1.expr))
"""KL(π‖π_ref) of responses, by the chain rule E_π[Σ l_t]."""
FORWARD_KL: Final = SequenceObjective(-exp(-total(log_ratio)) * total(log_ratio))
"""KL(π_ref‖π) of responses, E_ref[-Σ l_t]."""
FROZEN_REVERSE_KL: Final = SequenceLoss(total(E(log_ratio)))
"""Σ_t KL(π‖π_ref) at each prefix that was drawn, which carries no gradient (F-RKL)."""
FROZEN_FORWARD_KL: Final = SequenceLoss(total(E(-log_ratio * exp(-log_ratio))))
"""Σ_t KL(π_ref‖π) at each prefix that was drawn, which carries no gradient (F-FKL)."""


def token_loss(k: Estimator, weight: Expr | int = 1) -> SequenceLoss:
    """Σ_t weight·k_t, differentiated; the weight is that of the token, of the prefix or of the response."""
    return SequenceLoss(total(weight * k.expr))


def in_sequence_reward(cost: Expr, weight: Expr | int = 1) -> SequenceLoss:
    """Σ_t sg(weight·cost)·log π_t: the cost of each token, with its credit, times the token's score."""
    return SequenceLoss(total(sg(erase_sg(S(weight)) * cost) * logp))


TARGETS: Final[dict[str, tuple[SequenceLoss | SequenceObjective, str]]] = {
    "reverse_kl": (REVERSE_KL, "KL(π‖π_ref) of responses"),
    "forward_kl": (FORWARD_KL, "KL(π_ref‖π) of responses"),
    "frozen_reverse_kl": (FROZEN_REVERSE_KL, "Σ_t KL(π‖π_ref) on frozen prefixes"),
    "frozen_forward_kl": (FROZEN_FORWARD_KL, "Σ_t KL(π_ref‖π) on frozen prefixes"),
    "zero": (SequenceLoss(S.Zero), "nothing"),
}
"""What a loss of whole responses may descend, by name."""

OF_TOKENS: Final = {
    "token weight": w,
    "prefix weight": prefix_weight,
    "weight of earlier tokens": earlier_weight,
    "suffix weight": exp(to_go(log_weight)),
}
OF_RESPONSES: Final = {"response weight": response_weight, "geometric weight": geometric_weight}
AGGREGATIONS: Final[dict[str, Expr]] = {"": S.One, ", mean over tokens": 1 / length}


def _named() -> Iterator[tuple[str, SequenceLoss]]:
    """An estimator of each token or of the response, a weight, an aggregation."""
    for k in (k1, k2, k3):
        of_response = k.expr.xreplace({log_ratio: total(log_ratio)})
        for words, weight in _weights(OF_RESPONSES):
            yield f"{k.name} of the response{words}", SequenceLoss(weight * of_response)
        for words, weight in _weights(OF_TOKENS | OF_RESPONSES):
            for end, share in AGGREGATIONS.items():
                yield f"{k.name} per token{words}{end}", share * token_loss(k, weight)


def _weights(known: Mapping[str, Expr]) -> Iterator[tuple[str, Expr]]:
    yield "", S.One
    for name, weight in known.items():
        yield f", {name}", weight
        yield f", detached {name}", sg(weight)


NAMED: Final = dict(_named())
"""What libraries write as a loss of whole responses, by name; weights are live unless detached."""

UNBIASED: Final = {"k1": k1.expr, "k3": k3.expr, "KL": E(log_ratio)}
"""Per-token quantities whose mean given the past is KL(π‖π_ref) there."""
