"""Policies on a prefix tree: from parameters to the table of log-probabilities, once for each policy.

Each is written twice, as a JAX function, to be differentiated, and in NumPy with its derivative by hand, for what needs
no more than numbers: tests compare the two.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from typing import Any

import numpy as np

from kltheory.numerics.settings import Array, log_softmax
from kltheory.numerics.trees.tree import Tree

Pull = Callable[[Array], Array]
"""From a gradient by the table, shape (nodes, V), to that by the parameters, shape (P,)."""


@dataclass(frozen=True, eq=False)
class Policy:
    """A policy and its parameters.

    Attributes:
        parameters: float64, shape (P,).
        table: a JAX function from parameters to log-probabilities, shape (nodes, V), nats.
        numbers: the same in NumPy, and what pulls a gradient back.
    """

    parameters: Array
    table: Callable[[Any], Any]
    numbers: Callable[[Array], tuple[Array, Pull]]

    @cached_property
    def _numbers(self) -> tuple[Array, Pull]:
        return self.numbers(self.parameters)

    @property
    def log_probabilities(self) -> Array:
        """The table at the parameters, shape (nodes, V)."""
        return self._numbers[0]

    def pulled(self, by_table: Array) -> Array:
        """The gradient by the parameters, shape (P,), from that by the table."""
        return self._numbers[1](by_table)

    def pull(self, by_table: Any) -> Any:
        """The same as a JAX function."""
        import jax

        return jax.vjp(self.table, self.parameters)[1](by_table)[0]


def _softmax_pull(table: Array, by_table: Array) -> Array:
    """From a gradient by log-probabilities to that by their logits."""
    return np.asarray(by_table - np.exp(table) * by_table.sum(-1, keepdims=True))


def tabular(tree: Tree, logits: Array) -> Policy:
    """One logit for each node and token; ``logits`` has shape (nodes, V)."""
    shape = (tree.nodes, tree.size)
    if logits.shape != shape:
        raise ValueError(f"logits has shape {logits.shape}; expected {shape}")

    def table(parameters: Any) -> Any:
        import jax

        return jax.nn.log_softmax(parameters.reshape(shape))

    def numbers(parameters: Array) -> tuple[Array, Pull]:
        found = log_softmax(parameters.reshape(shape))
        return found, lambda by_table: _softmax_pull(found, by_table).ravel()

    return Policy(np.asarray(logits, dtype=np.float64).ravel(), table, numbers)


def recurrent(tree: Tree, hidden: int, seed: int, scale: float = 1.0) -> Policy:
    """A one-layer recurrent network with tanh, all parameters shared between positions, drawn at random.

    h(∅) = h_0, h(x a) = tanh(W h(x) + e_a), log π(·|x) = log softmax(U h(x) + b).
    """
    shapes = [(hidden,), (hidden, hidden), (tree.size, hidden), (hidden, tree.size), (tree.size,)]
    sizes = [int(np.prod(s)) for s in shapes]
    ends = np.cumsum(sizes)

    def split(parameters: Any) -> Iterator[Any]:
        for end, size, shape in zip(ends, sizes, shapes, strict=True):
            yield parameters[end - size : end].reshape(shape)

    def table(parameters: Any) -> Any:
        import jax

        start, carry, embedding, readout, bias = split(parameters)
        level, levels = start[None, :], []
        for _ in range(tree.horizon):
            levels.append(level)
            level = jax.numpy.tanh((level @ carry)[:, None, :] + embedding[None]).reshape(-1, hidden)
        return jax.nn.log_softmax(jax.numpy.concatenate(levels) @ readout + bias)

    def numbers(parameters: Array) -> tuple[Array, Pull]:
        start, carry, embedding, readout, bias = split(parameters)
        levels = [start[None, :]]
        for _ in range(tree.horizon - 1):
            levels.append(np.tanh((levels[-1] @ carry)[:, None, :] + embedding[None]).reshape(-1, hidden))
        states = np.concatenate(levels)
        found = log_softmax(states @ readout + bias)

        def pull(by_table: Array) -> Array:
            by_logits = _softmax_pull(found, by_table)
            by_states = by_logits @ readout.T
            by_carry, by_embedding = np.zeros_like(carry), np.zeros_like(embedding)
            for t in reversed(range(1, tree.horizon)):
                here = by_states[tree.start(t) : tree.start(t + 1)]
                inside = (here * (1 - levels[t] ** 2)).reshape(-1, tree.size, hidden)
                by_embedding += inside.sum(0)
                by_carry += levels[t - 1].T @ inside.sum(1)
                by_states[tree.start(t - 1) : tree.start(t)] += inside.sum(1) @ carry.T
            parts = (by_states[0], by_carry, by_embedding, states.T @ by_logits, by_logits.sum(0))
            return np.concatenate([x.ravel() for x in parts])

        return found, pull

    random = np.random.default_rng(seed)
    return Policy(random.normal(0.0, scale, int(ends[-1])), table, numbers)


@dataclass(frozen=True, eq=False)
class TreeSetting:
    """A policy with parameters, and two others as tables of log-probabilities, shape (nodes, V)."""

    tree: Tree
    policy: Policy
    reference: Array
    old: Array
    name: str = ""

    @property
    def log_policy(self) -> Array:
        """The policy's log-probabilities, shape (nodes, V), nats."""
        return self.policy.log_probabilities


def random_setting(tree: Tree, seed: int, hidden: int = 0, spread: float = 1.0) -> TreeSetting:
    """Generic policies: tabular, or a recurrent one where ``hidden`` is not 0; log-ratios around ``spread``."""
    random = np.random.default_rng(seed)
    shape = (tree.nodes, tree.size)
    others = [random.normal(0.0, spread, shape) for _ in range(2)]
    reference, old = (x - np.log(np.exp(x).sum(-1, keepdims=True)) for x in others)
    policy = recurrent(tree, hidden, seed, spread) if hidden else tabular(tree, random.normal(0.0, spread, shape))
    kind = f"recurrent network of {hidden}" if hidden else "table"
    ends = "" if tree.eos is None else f", token {tree.eos} ends"
    return TreeSetting(tree, policy, reference, old, f"V = {tree.size}, T = {tree.horizon}{ends}, {kind}, seed {seed}")


def drawn_in(setting: TreeSetting, shrink: float) -> TreeSetting:
    """The same policy, with the others drawn towards it: log-probabilities mixed in this share, and normalised."""
    table = setting.log_policy
    mixed = (table + shrink * (x - table) for x in (setting.reference, setting.old))
    reference, old = (x - np.log(np.exp(x).sum(-1, keepdims=True)) for x in mixed)
    return TreeSetting(setting.tree, setting.policy, reference, old, f"{setting.name}, drawn in by {shrink:g}")


@lru_cache(maxsize=2)
def standard_trees(fixed_length: bool) -> tuple[TreeSetting, ...]:
    """Where claims about responses are tried: a table and a network with shared parameters, of random length or not."""
    ends = None if fixed_length else 0
    return random_setting(Tree(2, 4, ends), 11), random_setting(Tree(3, 3, ends), 12, hidden=3)


def exact_setting(tree: Tree, policy: Callable[..., Any], reference: Callable[..., Any]) -> TreeSetting:
    """A table from rows of rational probabilities, prefix by prefix; the old policy is the reference."""
    prefixes = [p for t in range(tree.horizon) for p in product(range(tree.size), repeat=t)]
    tables = [np.log(np.array([[float(x) for x in rows(p)] for p in prefixes])) for rows in (policy, reference)]
    return TreeSetting(tree, tabular(tree, tables[0]), tables[1], tables[1])
