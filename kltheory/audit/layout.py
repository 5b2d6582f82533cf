"""Layouts: the shapes on which a function is traced, and the symbols and numbers that stand in each entry."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from sympy import Expr, Symbol, exp

from kltheory.audit.roles import Role
from kltheory.audit.subject import Arrays
from kltheory.calculus.symbols import logp, logp_old, logp_ref
from kltheory.numerics.settings import log_softmax
from kltheory.tracing.trace import Exprs, Floats

VOCABULARY: Final = 3

Index = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """Arrays of this shape, one entry for each token; those over the vocabulary have one axis more."""

    tokens: Index
    vocabulary: int = 0

    @cached_property
    def shape(self) -> Index:
        """The shape of an array of log-probabilities."""
        return self.tokens + ((self.vocabulary,) if self.vocabulary else ())

    @cached_property
    def entries(self) -> list[Index]:
        """The indices of its entries."""
        return list(np.ndindex(self.shape))

    def symbols(self, index: Index) -> dict[Symbol, Symbol]:
        """The symbols of one entry, and the variables they stand for."""
        label = "_".join(map(str, index))
        return {Symbol(f"{v}@{label}", real=True): v for v in (logp, logp_ref, logp_old)}

    def exprs(self, roles: Iterable[Role]) -> dict[Role, Exprs]:
        """For each role, an array of expressions in the entries' symbols."""
        out = {role: np.empty(self.shape, dtype=object) for role in roles}
        for index in self.entries:
            p, ref, old = self.symbols(index)
            for role, array in out.items():
                array[index] = _expression(role, p, ref, old)
        return out

    def arrays(self, seed: int = 0, spread: float = 0.6, mask: Floats | None = None) -> dict[Role, Floats]:
        """Numbers for every role, drawn anew for each seed: log-probabilities, at most 0."""
        random = np.random.default_rng([2510, 1555, seed])
        if self.vocabulary:
            base = random.normal(0, 1, self.shape)
            policy, ref, old = (log_softmax(base + random.normal(0, spread, self.shape)) for _ in range(3))
        else:
            policy, ref, old = (-random.uniform(0.3, 0.3 + 4 * spread, self.shape) for _ in range(3))
        return arrays(policy, ref, old, np.ones(self.tokens) if mask is None else mask)

    def value(self, at: Arrays) -> dict[Symbol, float]:
        """The numbers of the symbols."""
        out: dict[Symbol, float] = {}
        for index in self.entries:
            for symbol, role in zip(self.symbols(index), (Role.LOGP, Role.LOGP_REF, Role.LOGP_OLD), strict=True):
                out[symbol] = float(at[role][index])
        return out


def arrays(policy: Floats, ref: Floats, old: Floats, mask: Floats | None = None) -> dict[Role, Floats]:
    """An array for every role from three float64 arrays of log-probabilities."""
    tokens = np.ones(policy.shape) if mask is None else mask
    return {
        Role.LOGP: policy,
        Role.LOGP_REF: ref,
        Role.LOGP_OLD: old,
        Role.LOG_RATIO: policy - ref,
        Role.LOG_WEIGHT: policy - old,
        Role.WEIGHT: np.exp(policy - old),
        Role.LOGITS: policy,
        Role.LOGITS_REF: ref,
        Role.LOGITS_OLD: old,
        Role.MASK: tokens,
        Role.ADVANTAGE: np.zeros(tokens.shape),
        Role.ACTIONS: np.zeros(tokens.shape),
        Role.GROUP: np.zeros(tokens.shape),
        Role.IDS: np.zeros(tokens.shape),
        Role.VALUE: np.zeros(tokens.shape),
    }


def slope(slopes: Arrays, at: Arrays) -> Floats:
    """The derivative by log π, which moves the log-ratio, log w and w along with itself."""
    parts = [slopes[r] for r in (Role.LOGP, Role.LOG_RATIO, Role.LOG_WEIGHT, Role.LOGITS) if r in slopes]
    parts += [slopes[Role.WEIGHT] * at[Role.WEIGHT]] if Role.WEIGHT in slopes else []
    return sum(parts, np.zeros(at[Role.LOGP].shape))


def _expression(role: Role, p: Expr, ref: Expr, old: Expr) -> Any:
    return {
        Role.LOGP: p,
        Role.LOGITS: p,
        Role.LOGP_REF: ref,
        Role.LOGITS_REF: ref,
        Role.LOGP_OLD: old,
        Role.LOGITS_OLD: old,
        Role.LOG_RATIO: p - ref,
        Role.LOG_WEIGHT: p - old,
        Role.WEIGHT: exp(p - old),
    }[role]
