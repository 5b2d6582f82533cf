"""A formula of responses on arrays of shape (B, T), as a library would compute it, differentiable by JAX.

Sums over earlier and later tokens are products with triangular matrices. Means over the vocabulary and what is to come
are tables, one entry for each node, computed once and looked up.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import Expr, Symbol

from kltheory.calculus.moments import Mean
from kltheory.calculus.sequence.language import SUMS, Ahead, Future, Past, Total, length
from kltheory.calculus.symbols import VARIABLES, inside, log_ratio, log_weight, logp, sg
from kltheory.numerics.bridge import NotNumeric, jax_bridge
from kltheory.numerics.settings import membership


@dataclass
class Rows:
    """The values of symbols at the positions of a block, and of the nodes that are looked up."""

    at: Mapping[Symbol, Any]
    mask: Any
    tokens: Any
    logp: Any
    logp_ref: Any
    logp_old: Any
    looked_up: Mapping[Expr, Any]

    def value(self, expr: Expr, level: str = "token") -> Any:
        """A formula of each token, shape (B, T), or with ``level`` "response", of each response, shape (B,)."""
        if isinstance(expr, (Past, Future, Total)):
            return self._summed(expr, level)
        bridge = jax_bridge()
        if not expr.has(*SUMS) and (constant := bridge.constant(expr)) is not None:
            return constant
        if isinstance(expr, (Mean, Ahead)):
            return self.looked_up[expr]
        if isinstance(expr, Symbol):
            return self._symbol(expr, level)
        if (head := bridge.heads.get(expr.func)) is None:
            raise NotNumeric(f"{expr.func.__name__} in {expr} has no numeric meaning here")
        return head(*(self.value(a, level) for a in expr.args))

    def _summed(self, node: Expr, level: str) -> Any:
        summand = self.value(node.summand, "token") * self.mask
        if isinstance(node, Total):
            total = summand.sum(-1)
            return total if level == "response" else total[:, None]
        if level == "response":
            raise NotNumeric(f"{node} is relative to a token, and stands outside of any sum over tokens")
        steps = np.arange(self.mask.shape[-1])
        distance = steps[:, None] - steps[None, :]  # from the summed position to the one it is summed at
        if isinstance(node, Past):
            return summand @ np.asarray(distance < 0, dtype=np.float64)
        gamma = float(self.at[node.discount]) if isinstance(node.discount, Symbol) else float(node.discount)
        return summand @ np.where(distance > 0, gamma ** np.maximum(distance, 0), 0.0)

    def _symbol(self, symbol: Symbol, level: str) -> Any:
        if symbol == length:
            counted = self.mask.sum(-1)
            return counted if level == "response" else counted[:, None]
        if symbol in self.at:
            return float(self.at[symbol])
        if symbol in self.looked_up:
            return self.looked_up[symbol]
        if symbol not in VARIABLES:
            raise NotNumeric(f"no value is given for {symbol}")
        if level == "response":
            raise NotNumeric(f"{symbol} speaks of one token, and stands outside of any sum over tokens")
        if symbol == logp:
            return self.logp
        if symbol == log_ratio:
            return self.logp - self.logp_ref
        if symbol == log_weight:
            return self.logp - self.logp_old
        if symbol == inside:
            return membership(self.tokens)
        raise NotNumeric(f"no value is given for {symbol}")


def lookups(expr: Expr) -> list[Expr]:
    """The means, values and functions of the past in a formula, inner ones first.

    Raises:
        NotNumeric: what is to come is differentiated, or a mean looks at other tokens.
    """
    live = expr.replace(sg, lambda x: Symbol("_"))
    if any(m.has(Ahead) for m in (live, *(m.integrand for m in live.atoms(Mean)))):
        raise NotNumeric("the gradient flows into what is to come")
    return list(dict.fromkeys(_nested(expr)))


def _nested(expr: Expr) -> Iterator[Expr]:
    """The means and values in a formula, each after those in its own argument."""
    for node in sorted(expr.atoms(Mean, Ahead), key=str):
        inner = node.integrand if isinstance(node, Mean) else node.summand
        if inner.has(*(s for s in SUMS if s is not Ahead)):
            raise NotNumeric(f"{inner} sums over tokens inside a mean")
        yield from _nested(inner)
        yield node
