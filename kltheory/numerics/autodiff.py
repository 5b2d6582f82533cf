"""The autodiff engine: JAX differentiates the surrogate itself, through log-softmax, summed over the vocabulary.

It shares nothing with the calculus but the formula: no coefficient, no closed form, its own stop-gradient. Float64 and
the CPU are chosen inside :func:`scope` only. What changes from surrogate to surrogate is differentiated by JAX and run
by NumPy (:mod:`.primitives`), on all actions of all batches in one flat array: nothing is compiled for it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from sympy import Expr, Symbol

from kltheory.calculus.moments import Mean
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import advantage, inside, log_ratio, log_weight, logp, to_quotients
from kltheory.jax_versions import x64
from kltheory.numerics.bridge import NO_PARAMETERS, Parameters, floats, jax_bridge
from kltheory.numerics.primitives import by_numpy
from kltheory.numerics.settings import Array, Settings, membership

COMPILE_FROM: Final = 1 << 17
"""Actions from which compiling the whole gradient (tenths of a second, once a formula) beats running it op by op."""

Term = Callable[[Any, Any, Any, Any], Any]
"""A function of log π, log π_ref, log π_old and the advantage, action by action."""
Constants = tuple[tuple[Symbol, Any], ...]
"""A number for each parameter, as what a cache can be asked for."""


@dataclass(frozen=True, eq=False)
class Layout:
    """How the actions of settings lie in an array: rows of a matrix, or one flat array with the setting of each."""

    row: Any = None
    action: Any = None
    rows: int = 0

    def sum(self, x: Any) -> Any:
        """The sum over the vocabulary, at every action of the setting."""
        import jax

        if self.row is None:
            return x.sum(-1, keepdims=True)
        return jax.ops.segment_sum(x, self.row, self.rows, indices_are_sorted=True)[self.row]

    def inside(self, like: Any) -> Any:
        """The indicator of the set of actions."""
        import jax

        return membership(jax.numpy.arange(like.shape[-1]) if self.row is None else self.action) + 0 * like


MATRIX: Final = Layout()


@contextmanager
def scope() -> Iterator[None]:
    """Float64 on the CPU, for the body only: JAX's global configuration stays as the caller has it."""
    import jax

    with x64(True), jax.default_device(jax.local_devices(backend="cpu")[0]):
        yield


def expected_gradient(
    surrogate: Surrogate,
    settings: tuple[Settings, ...],
    sampler: Sampler = Sampler.OLD,
    parameters: Parameters = NO_PARAMETERS,
) -> tuple[Array, ...]:
    """E[∇_logits s] for each setting, the sample drawn by ``sampler``: an exact sum over the vocabulary.

    Args:
        surrogate: what is differentiated; on-policy, log π_old is the detached log π.
        settings: the batches.
        sampler: who drew the sample.
        parameters: a number for every symbol of the formula that is not a per-sample variable.

    Returns:
        One float64 array of shape (N, V) for each batch.

    Raises:
        NotNumeric: the formula has a symbol without a value or a head without a number.
    """
    if _is_large(settings):
        return _whole(surrogate, sampler, _constants(parameters), settings)
    slopes = _expected_slopes(surrogate, sampler, _constants(parameters), _layout(_sizes(settings)))
    return _gradient(slopes, settings)


def objective_gradient(
    summand: Expr, settings: tuple[Settings, ...], parameters: Parameters = NO_PARAMETERS
) -> tuple[Array, ...]:
    """∇_logits Σ_a F(a) for a direct definition, such as F = π log π/π_ref; shapes and errors as above."""
    if _is_large(settings):
        return _whole(summand, Sampler.OLD, _constants(parameters), settings)
    return _gradient(_summand_slopes(summand, _constants(parameters), _layout(_sizes(settings))), settings)


def score(
    surrogate: Surrogate,
    settings: tuple[Settings, ...],
    sampler: Sampler = Sampler.OLD,
    parameters: Parameters = NO_PARAMETERS,
) -> tuple[Array, ...]:
    """∂s/∂logp of every action by itself, no expectation taken: arrays of shape (N, V). Raises as above."""
    slopes = _sample_slopes(surrogate, sampler, _constants(parameters), _layout(_sizes(settings)))
    with scope():
        flat = slopes(*_arrays(settings).flat)
    parts = np.split(flat, np.cumsum([s.policy.size for s in settings])[:-1])
    return tuple(p.reshape(s.policy.shape) for p, s in zip(parts, settings, strict=True))


def log_softmax_jacobian(settings: tuple[Settings, ...], size: int) -> tuple[Array, ...]:
    """∂log π_i/∂θ_j for each setting of one vocabulary size, shape (N, V, V), float64: a row at a time."""
    which = [np.tile(np.arange(s.size), len(s.family)) for s in settings]

    def row(i: int) -> tuple[Array, ...]:
        picked = np.concatenate([(a == i).astype(np.float64) for a in which])
        return _gradient(_slopes(lambda lp, *_: lp * picked, True), settings)

    rows = [row(i) for i in range(size)]
    wanted = [k for k, s in enumerate(settings) if s.size == size]
    return tuple(np.stack([r[k] for r in rows], axis=1) for k in wanted)


def loss(surrogate: Surrogate, sampler: Sampler = Sampler.OLD, parameters: Parameters = NO_PARAMETERS) -> Term:
    """The scalar that is differentiated, a pure JAX function of four (N, V) arrays, for ``jax.jit`` and ``jax.grad``.

    Its arguments are the logits of policy, reference and old policy, and the advantage. Call it within :func:`scope`.
    """
    return _summed(_sampled(surrogate, sampler, parameters, MATRIX))


def _summed(term: Term) -> Term:
    """A term of log-probabilities as a function of logits, summed over everything."""
    import jax

    def total(policy: Any, reference: Any, old: Any, a: Any) -> Any:
        lp, lp_ref, lp_old = map(jax.nn.log_softmax, (policy, reference, old))
        return jax.numpy.sum(term(lp, lp_ref, lp_old, a))

    return total


def _constants(parameters: Parameters) -> Constants:
    return tuple(floats(parameters).items())


def _is_large(settings: tuple[Settings, ...]) -> bool:
    return sum(s.policy.size for s in settings) > COMPILE_FROM


def _whole(
    term: Surrogate | Expr, sampler: Sampler, parameters: Constants, settings: tuple[Settings, ...]
) -> tuple[Array, ...]:
    """The gradient by one compiled function, a batch at a time."""
    gradient = _compiled(term, sampler, parameters)
    with scope():
        return tuple(np.asarray(gradient(s.policy, s.reference, s.old, s.advantage)) for s in settings)


@lru_cache(maxsize=64)
def _compiled(term: Surrogate | Expr, sampler: Sampler, parameters: Constants) -> Term:
    import jax

    at = dict(parameters)
    each = _sampled(term, sampler, at, MATRIX) if isinstance(term, Surrogate) else _term(term, at, MATRIX)
    return jax.jit(jax.grad(_summed(each)))


def _sampled(surrogate: Surrogate, sampler: Sampler, parameters: Parameters, layout: Layout) -> Term:
    """The surrogate at each action, times the detached probability of drawing that action."""
    import jax

    detach, value = jax.lax.stop_gradient, _term(surrogate.expr, parameters, layout)

    def term(lp: Any, lp_ref: Any, lp_old: Any, a: Any) -> Any:
        drew = lp_old if sampler is Sampler.OLD else detach(lp)
        return jax.numpy.exp(detach(drew)) * value(lp, lp_ref, drew, a)

    return term


def _term(expr: Expr, parameters: Parameters, layout: Layout) -> Term:
    bridge, canonical, constants = jax_bridge(), to_quotients(expr), floats(parameters)

    def value(e: Expr, at: dict[Symbol, Any]) -> Any:
        """The formula at every action; a mean in it carries its gradient."""
        asked = {m: mean(value(m.integrand, at), at[logp]) for m in sorted(e.atoms(Mean), key=str)}
        if inside in e.free_symbols:
            asked[inside] = layout.inside(at[logp])
        return bridge(e, {**at, **asked})

    def mean(x: Any, lp: Any) -> Any:
        import jax

        return layout.sum(jax.numpy.exp(lp) * x)

    def term(lp: Any, lp_ref: Any, lp_old: Any, a: Any) -> Any:
        at = {logp: lp, log_ratio: lp - lp_ref, log_weight: lp - lp_old, advantage: a}
        return value(canonical, {**constants, **at})

    return term


@lru_cache(maxsize=512)
def _expected_slopes(surrogate: Surrogate, sampler: Sampler, parameters: Constants, layout: Layout) -> Term:
    """Of the expected surrogate; JAX writes it down once for all settings of one layout, which is most of its time."""
    return _slopes(_sampled(surrogate, sampler, dict(parameters), layout), not surrogate.expr.has(Mean))


@lru_cache(maxsize=512)
def _summand_slopes(summand: Expr, parameters: Constants, layout: Layout) -> Term:
    """Of a sum over the vocabulary; once, as above."""
    return _slopes(_term(summand, dict(parameters), layout), not summand.has(Mean))


@lru_cache(maxsize=512)
def _sample_slopes(surrogate: Surrogate, sampler: Sampler, parameters: Constants, layout: Layout) -> Term:
    """Of every sample by itself; once, as above."""
    import jax

    value = _term(surrogate.expr, dict(parameters), layout)

    def sampled(lp: Any, lp_ref: Any, lp_old: Any, a: Any) -> Any:
        return value(lp, lp_ref, lp_old if sampler is Sampler.OLD else jax.lax.stop_gradient(lp), a)

    return _slopes(sampled, not surrogate.expr.has(Mean))


def _slopes(term: Term, entrywise: bool) -> Term:
    """∂Σ term/∂log π at every action, by NumPy: forward where an action is moved by its own log π alone."""
    import jax

    def forward(lp: Any, *others: Any) -> Any:
        return jax.jvp(lambda x: term(x, *others) + 0 * x, (lp,), (jax.numpy.ones_like(lp),))[1]

    return by_numpy(forward if entrywise else jax.grad(lambda *flat: jax.numpy.sum(term(*flat))))


def _gradient(slopes: Term, settings: tuple[Settings, ...]) -> tuple[Array, ...]:
    arrays = _arrays(settings)
    with scope():
        by_action = slopes(*arrays.flat)
        total = np.asarray(_pulled_back()(arrays.policy, arrays.real, by_action))
    grads = np.split(total, np.cumsum([len(s.family) for s in settings])[:-1])
    return tuple(g[:, : s.size] for g, s in zip(grads, settings, strict=True))


def _sizes(settings: tuple[Settings, ...]) -> tuple[int, ...]:
    """V of every setting."""
    return tuple(s.size for s in settings for _ in s.family)


@lru_cache(maxsize=8)
def _layout(sizes: tuple[int, ...]) -> Layout:
    """Where each action of the flat array of settings of these sizes belongs."""
    return Layout(np.repeat(np.arange(len(sizes)), sizes), np.concatenate([np.arange(n) for n in sizes]), len(sizes))


@dataclass(frozen=True, eq=False)
class _Arrays:
    """Settings side by side.

    Attributes:
        policy: logits of the policy, padded to one size with -oo: probability exactly 0, and no gradient.
        real: where the real actions are among the padded ones.
        flat: log π, log π_ref, log π_old and the advantage, action by action.
    """

    policy: Any
    real: Any
    flat: tuple[Array, ...]


@lru_cache(maxsize=8)
def _arrays(settings: tuple[Settings, ...]) -> _Arrays:
    widest = max(s.size for s in settings)
    real = (
        np.concatenate([np.tile(np.arange(widest) < s.size, (len(s.family), 1)) for s in settings]).ravel().nonzero()[0]
    )

    def padded(name: str) -> Array:
        rows = [np.pad(getattr(s, name), ((0, 0), (0, widest - s.size)), constant_values=-np.inf) for s in settings]
        return np.concatenate(rows)

    with scope():
        logs = [np.asarray(_of_real()(padded(name), real)) for name in ("policy", "reference", "old")]
    return _Arrays(padded("policy"), real, (*logs, np.concatenate([s.advantage.ravel() for s in settings])))


@lru_cache(maxsize=1)
def _of_real() -> Callable[..., Any]:
    """From padded logits to the log-probabilities of the real actions: compiled once."""
    import jax

    return jax.jit(lambda logits, real: jax.nn.log_softmax(logits).ravel()[real])


@lru_cache(maxsize=1)
def _pulled_back() -> Callable[..., Any]:
    """From a gradient by those to that by the logits: compiled once."""
    import jax

    return jax.jit(lambda logits, real, by_action: jax.vjp(lambda x: _of_real()(x, real), logits)[1](by_action)[0])
