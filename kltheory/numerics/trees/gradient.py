"""Exact expected gradients on a prefix tree, streamed.

Expectations are linear in what stands at each position, so the gradient by the *table* of log-probabilities is added up
block by block, each response with its probability, and pulled back through the policy once. The table, the means over
the vocabulary at each node, and the values of what is to come are computed once, not once for each response.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from sympy import Expr, Symbol

from kltheory.calculus.moments import Mean, map_means
from kltheory.calculus.sequence.language import Ahead
from kltheory.calculus.sequence.loss import PastValue, SequenceLoss, SequenceObjective
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import inside, log_ratio, log_weight, logp, sg
from kltheory.numerics.autodiff import scope
from kltheory.numerics.bridge import jax_bridge
from kltheory.numerics.primitives import by_numpy
from kltheory.numerics.responses import pseudorandom
from kltheory.numerics.settings import Array, membership
from kltheory.numerics.trees.policies import TreeSetting
from kltheory.numerics.trees.reading import Rows, lookups
from kltheory.numerics.trees.tree import Block, Tree

ROWS: Final = 1 << 15
"""Responses in a block: a few tens of MiB of arrays."""
COMPILED: Final = 1 << 12
"""From this many responses on, a block is compiled first."""

Numbers = Mapping[Symbol, Any]


@dataclass(frozen=True)
class Gradient:
    """An expected gradient by the parameters, shape (P,), and a bound of the terms it is the sum of, for tolerances."""

    values: Array
    scale: float


def expected_gradient(
    term: SequenceLoss | SequenceObjective, setting: TreeSetting, sampler: Sampler, at: Numbers | None = None
) -> Gradient:
    """The expected gradient of a loss, or the gradient of an objective, differentiated by JAX.

    Raises:
        NotNumeric: a symbol has no value, or a gradient flows into what is to come.
    """
    objective = isinstance(term, SequenceObjective)
    expr = term.expr if objective else _sampled(term.expr, sampler)
    from_old = sampler is Sampler.OLD and not objective

    def loss(rows: Rows) -> Any:
        import jax

        drawn = ((rows.logp_old if from_old else rows.logp) * rows.mask).sum(-1)
        probability = jax.numpy.exp(drawn if objective else jax.lax.stop_gradient(drawn))
        return probability * rows.value(expr, "response")

    return accumulate(loss, expr, setting, at or {})


def expected_value(expr: Expr, setting: TreeSetting, at: Numbers | None = None) -> float:
    """E_π of a formula of responses."""
    with scope():
        tables = _Tables(expr, setting, at or {})
        table = setting.policy.log_probabilities

        def summed(moving: Any, block: Any) -> Any:
            from jax import numpy as jnp

            rows = tables.rows(block, *moving)
            return (jnp.exp((rows.logp * rows.mask).sum(-1)) * rows.value(expr, "response")).sum()

        run = by_numpy(summed)
        return sum(float(run(tables.gathered(b, table), b.columns)) for b in setting.tree.blocks(ROWS))


def accumulate(loss: Callable[[Rows], Any], expr: Expr, setting: TreeSetting, at: Numbers) -> Gradient:
    """Σ over responses of the gradient of a weighted loss, shape (B,), pulled back to the parameters."""
    import jax

    with scope():
        tables = _Tables(expr, setting, at)
        table, back = tables.pulled()

        def summed(moving: Any, block: Any) -> Any:
            return loss(tables.rows(block, *moving)).sum()

        slopes = jax.grad(summed)
        compiled = jax.jit(slopes) if setting.tree.responses >= COMPILED else None
        totals = [np.zeros_like(x) for x in table]
        scale = 0.0
        for block in setting.tree.blocks(ROWS):
            moving = tables.gathered(block, *table)
            found = compiled(moving, block.columns) if compiled else by_numpy(partial(slopes, block=block))(moving)
            masked = [np.asarray(s * block.mask) for s in found]
            np.add.at(totals[0], (block.nodes, block.tokens), masked[0])
            for x, s in zip(totals[1:], masked[1:], strict=True):
                np.add.at(x, block.nodes, s)
            scale += sum(float(abs(s).sum()) for s in masked)
        gradient = by_numpy(back)(*totals)
    return Gradient(gradient, scale)


class _Tables:
    """What is looked up by node: moving means first, then what holds still."""

    def __init__(self, expr: Expr, setting: TreeSetting, at: Numbers) -> None:
        self.setting, self.at = setting, at
        self.means = [m for m in lookups(expr) if isinstance(m, Mean) and not m.integrand.has(Ahead)]
        still = [m for m in lookups(expr) if m not in self.means]
        log_policy = setting.policy.log_probabilities
        self.still: dict[Expr, Any] = {}
        for b in sorted((s for s in expr.free_symbols | _within(still) if isinstance(s, PastValue)), key=str):
            noise = [float(pseudorandom((n, len(b.name)))) for n in range(setting.tree.nodes)]
            self.still[b] = np.array(noise)
        for node in still:
            self.still[node] = self._still(node, log_policy)

    def pulled(self) -> tuple[tuple[Any, ...], Callable[..., Any]]:
        """The table of log-probabilities and one of each live mean, shape (nodes,); and what pulls slopes by them back.

        In JAX, to be run by NumPy. The means are pulled back to the table, and the table, in one go, to the parameters.
        """
        import jax

        policy = self.setting.policy
        table = policy.log_probabilities
        if not self.means:
            return (table,), policy.pull

        def means(x: Any) -> tuple[Any, ...]:
            return tuple(self._mean(m, x) for m in self.means)

        def pull(by_table: Any, *by_means: Any) -> Any:
            return policy.pull(by_table + jax.vjp(means, table)[1](by_means)[0])

        return (table, *by_numpy(means)(table)), pull

    def _mean(self, m: Mean, table: Any) -> Any:
        import jax

        return (jax.numpy.exp(table) * self._at_nodes(m.integrand, table)).sum(-1)

    def _at_nodes(self, expr: Expr, table: Any) -> Any:
        """A formula of one token at every node and token, shape (nodes, V)."""
        s = self.setting
        known = {node: x if x.ndim == 2 else x[:, None] for node, x in self.still.items()}
        known |= {m: self._mean(m, table)[:, None] for m in expr.atoms(Mean) if m in self.means}
        even = np.broadcast_to(membership(np.arange(s.tree.size)), table.shape)
        own = {logp: table, log_ratio: table - s.reference, log_weight: table - s.old, inside: even}
        names: dict[Expr, Symbol] = {node: Symbol(f"_{i}") for i, node in enumerate(known)}
        values = {names[node]: x for node, x in known.items()}
        constants = {k: float(v) for k, v in self.at.items()}
        return jax_bridge()(expr.xreplace(names), {**own, **constants, **values})

    def _still(self, node: Expr, table: Any) -> Any:
        if isinstance(node, Mean):
            return by_numpy(lambda x: self._mean(node, x))(table)
        tree: Tree = self.setting.tree
        own = np.broadcast_to(by_numpy(lambda x: self._at_nodes(node.summand, x))(table), table.shape)
        ahead, p = np.zeros(table.shape), np.exp(table)
        for level in reversed(range(tree.horizon - 1)):
            later = slice(tree.start(level + 1), tree.start(level + 2))
            here = slice(tree.start(level), tree.start(level + 1))
            ahead[here] = tree.children((p[later] * (own[later] + ahead[later])).sum(-1), level)
            if tree.eos is not None:
                ahead[here, tree.eos] = 0.0
        return ahead

    def gathered(self, block: Block, table: Any, *means: Any) -> tuple[Any, ...]:
        """What a block's gradient is taken by: log-probabilities of its tokens, and means at its nodes."""
        found = means or by_numpy(lambda x: tuple(self._mean(m, x) for m in self.means))(table)
        return (table[block.nodes, block.tokens], *(m[block.nodes] for m in found))

    def rows(self, block: Any, log_policy: Any, *means: Any) -> Rows:
        """A block, ready to be read."""
        nodes, tokens, mask = block if isinstance(block, tuple) else block.columns
        s = self.setting
        looked_up: dict[Expr, Any] = dict(zip(self.means, means, strict=True))
        for node, x in self.still.items():
            looked_up[node] = _at(x, nodes, tokens) if x.ndim == 2 else _at(x, nodes)
        reference, old = (_at(x, nodes, tokens) for x in (s.reference, s.old))
        return Rows(self.at, mask, tokens, log_policy, reference, old, looked_up)


def _at(table: Array, *where: Any) -> Any:
    """Entries of a table, which JAX looks up where it traces the places."""
    import jax

    return (jax.numpy.asarray(table) if any(isinstance(i, jax.core.Tracer) for i in where) else table)[where]


def _within(nodes: list[Expr]) -> set[Symbol]:
    inner = [n.integrand if isinstance(n, Mean) else n.summand for n in nodes]
    return {s for e in inner for s in e.free_symbols}


SPREAD_ROWS: Final = 64
"""Responses whose gradients are held at once for a variance."""


def trace_variance(term: SequenceLoss, setting: TreeSetting, sampler: Sampler, at: Numbers | None = None) -> float:
    """tr Var of one response's gradient by the parameters: each response's own, so for small trees."""
    import jax

    expr, from_old = _sampled(term.expr, sampler), sampler is Sampler.OLD
    with scope():
        tables = _Tables(expr, setting, at or {})
        table, back = tables.pulled()
        each = by_numpy(jax.vmap(back))
        slopes = by_numpy(jax.grad(lambda moving, block: tables.rows(block, *moving).value(expr, "response").sum()))
        mean, square = np.zeros_like(setting.policy.parameters), 0.0
        for block in setting.tree.blocks(SPREAD_ROWS):
            drawn = (setting.old if from_old else table[0])[block.nodes, block.tokens]
            p = np.exp((drawn * block.mask).sum(-1))
            found = [s * block.mask for s in slopes(tables.gathered(block, *table), block.columns)]
            here = np.arange(len(p))[:, None]
            by_table = [np.zeros((len(p), *x.shape)) for x in table]
            np.add.at(by_table[0], (here, block.nodes, block.tokens), found[0])
            for x, s in zip(by_table[1:], found[1:], strict=True):
                np.add.at(x, (here, block.nodes), s)
            gradients = each(*by_table)
            mean, square = mean + p @ gradients, square + float(p @ (gradients**2).sum(-1))
        return square - float(mean @ mean)


def _sampled(expr: Expr, sampler: Sampler) -> Expr:
    if sampler is Sampler.OLD:
        return expr
    on_policy = {log_weight: logp - sg(logp)}
    return map_means(expr, lambda f: f.xreplace(on_policy)).xreplace(on_policy)
