"""Layouts: the shapes on which a function is traced, and the symbols and numbers that stand in each entry."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from sympy import Expr, Symbol, exp

from kltheory.audit.roles import Role
from kltheory.audit.subject import Arrays, Subject
from kltheory.calculus.symbols import advantage, logp, logp_old, logp_ref
from kltheory.numerics.settings import log_softmax
from kltheory.tracing.trace import Exprs, Floats

VOCABULARY: Final = 3

Index = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """Arrays of this shape, one entry for each token; those over the vocabulary have one axis more.

    Attributes:
        tokens: the shape of what has one entry for each token.
        vocabulary: how many actions each has; 0 where only those that were sampled are seen.
        gathers: whether an action of each token was sampled, and its log-probability is looked up.
        per_response: whether there is one advantage for each response, a row, rather than one for each token.
    """

    tokens: Index
    vocabulary: int = 0
    gathers: bool = False
    per_response: bool = False

    @classmethod
    def of(cls, subject: Subject, tokens: Index) -> "Layout":
        """The layout of a subject's arrays for tokens of this shape."""
        one_each = subject.per_sequence and len(tokens) == 2
        return cls(tokens, VOCABULARY if subject.is_over_vocabulary else 0, subject.gathers, one_each)

    @cached_property
    def shape(self) -> Index:
        """The shape of an array of log-probabilities."""
        return self.tokens + ((self.vocabulary,) if self.vocabulary else ())

    @cached_property
    def entries(self) -> list[Index]:
        """The indices of its entries."""
        return list(np.ndindex(self.shape))

    @cached_property
    def actions(self) -> Floats:
        """An action for each token, shape of the tokens; all of the vocabulary in turn."""
        return (np.arange(math.prod(self.tokens)) % (self.vocabulary or VOCABULARY)).astype(float).reshape(self.tokens)

    @cached_property
    def units(self) -> dict[Index, Index]:
        """What has a formula: each token, by the entry of its sampled action; or each entry."""
        if not self.gathers:
            return {i: i for i in self.entries}
        return {t: (*t, int(self.actions[t])) for t in np.ndindex(self.tokens)}

    @cached_property
    def owner(self) -> dict[Symbol, Index]:
        """The unit that each policy's symbols belong to. Advantages belong to none."""
        n = len(self.tokens)
        every = ((s, i[:n] if self.gathers else i) for i in self.entries for s, v in self.symbols(i).items())
        return {s: i for s, i in every if s not in self.advantages}

    @cached_property
    def advantages(self) -> frozenset[Symbol]:
        """The symbols of the advantages."""
        return frozenset(s for i in self.entries for s, v in self.symbols(i).items() if v == advantage)

    def symbols(self, index: Index) -> dict[Symbol, Symbol]:
        """The symbols of one entry, and the variables they stand for."""
        label = _label(index)
        token = index[: 1 if self.per_response else len(self.tokens)]
        found = {Symbol(f"{v}@{label}", real=True): v for v in (logp, logp_ref, logp_old)}
        return {**found, Symbol(f"{advantage}@{_label(token)}", real=True): advantage}

    def exprs(self, roles: Iterable[Role]) -> dict[Role, Exprs]:
        """For each role, an array of expressions in the entries' symbols."""
        out = {r: np.empty(self.tokens if r is Role.ADVANTAGE else self.shape, dtype=object) for r in roles}
        for role, array in out.items():
            for index in np.ndindex(array.shape):
                p, ref, old, a = self.symbols(index)
                array[index] = a if role is Role.ADVANTAGE else _expression(role, p, ref, old)
        return out

    def arrays(self, seed: int = 0, spread: float = 0.6, mask: Floats | None = None) -> dict[Role, Floats]:
        """Numbers for every role, drawn anew for each seed: log-probabilities, at most 0; advantages of both signs."""
        random = np.random.default_rng([2510, 1555, seed])
        if self.vocabulary:
            base = random.normal(0, 1, self.shape)
            policy, ref, old = (log_softmax(base + random.normal(0, spread, self.shape)) for _ in range(3))
        else:
            policy, ref, old = (-random.uniform(0.3, 0.3 + 4 * spread, self.shape) for _ in range(3))
        shown = random.uniform(0.3, 2.0, self.tokens) * random.choice([-1.0, 1.0], self.tokens)
        shown = np.broadcast_to(shown[:, :1], self.tokens) if self.per_response else shown
        at = arrays(policy, ref, old, np.ones(self.tokens) if mask is None else mask)
        return {**at, Role.ADVANTAGE: shown, Role.ACTIONS: self.actions}

    def value(self, at: Arrays) -> dict[Symbol, float]:
        """The numbers of the symbols."""
        out: dict[Symbol, float] = {}
        for index in self.entries:
            *policies, a = self.symbols(index)
            for symbol, role in zip(policies, (Role.LOGP, Role.LOGP_REF, Role.LOGP_OLD), strict=True):
                out[symbol] = float(at[role][index])
            out[a] = float(at[Role.ADVANTAGE][index[: len(self.tokens)]])
        return out


def _label(index: Index) -> str:
    return "_".join(map(str, index))


def arrays(policy: Floats, ref: Floats, old: Floats, mask: Floats | None = None) -> dict[Role, Floats]:
    """An array for every role from three float64 arrays of log-probabilities; advantages are 0: the penalty alone."""
    tokens = np.ones(policy.shape) if mask is None else mask
    zeros = (Role.ADVANTAGE, Role.ACTIONS, Role.GROUP, Role.IDS, Role.VALUE)
    return policies(policy, ref, old) | {Role.MASK: tokens} | {role: np.zeros(tokens.shape) for role in zeros}


def policies(policy: Floats, ref: Floats, old: Floats, sampler: Floats | None = None) -> dict[Role, Floats]:
    """The arrays of the roles that say what the policies are; the sampler is the old policy unless it is given."""
    drew = old if sampler is None else sampler
    return {
        Role.LOGP: policy,
        Role.LOGP_REF: ref,
        Role.LOGP_OLD: old,
        Role.LOGP_SAMPLER: drew,
        Role.LOG_RATIO: policy - ref,
        Role.LOG_WEIGHT: policy - old,
        Role.WEIGHT: np.exp(policy - old),
        Role.WEIGHT_SAMPLER: np.exp(old - drew),
        Role.LOGITS: policy,
        Role.LOGITS_REF: ref,
        Role.LOGITS_OLD: old,
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
        Role.LOGP_SAMPLER: old,
        Role.LOGITS_OLD: old,
        Role.LOG_RATIO: p - ref,
        Role.LOG_WEIGHT: p - old,
        Role.WEIGHT: exp(p - old),
    }[role]
