"""Settings: categorical experiments on which a wrong formula cannot look right.

A setting is a policy, a reference and an old policy over one vocabulary, given as logits, and an advantage per action.
The standard ones are spread, asymmetric and never permutations of each other, from one step away from the reference to
eleven nats apart: with policy = reference = old, or with V = 2, wrong gradients pass.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np
from flint import arb

from kltheory.calculus.symbols import log_ratio, log_weight, logp
from kltheory.numerics.enclosed import Columns, each

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Logits = tuple[Array, Array, Array]

SIZES: Final = {3: 14, 5: 14, 17: 12, 257: 5}
"""Vocabulary size to number of settings in each family."""
MAX_LOG_RATIO: Final = 11.8
"""Largest |ℓ| in nats: beyond every clamp in use (k3 clamped at 10 is flat from ℓ = 11.0), within float64's power."""
MAX_LOG_WEIGHT: Final = 5.8
"""Largest |log w| in nats."""


@dataclass(frozen=True, eq=False)
class Settings:
    """N settings of one vocabulary size V.

    Attributes:
        policy: logits of the policy, float64, shape (N, V), read-only; any offset per row.
        reference: logits of the reference, the same shape.
        old: logits of the policy that sampled, the same shape.
        advantage: one detached number per action, the same shape.
        family: N labels, for reports.
        extreme: whether values may be beyond float64: those are not looked at.

    Raises:
        ValueError: the shapes differ, or are not (N, V), or there is not one label per row.
    """

    policy: Array
    reference: Array
    old: Array
    advantage: Array
    family: tuple[str, ...]
    extreme: bool = False

    def __post_init__(self) -> None:
        for name in ("policy", "reference", "old", "advantage"):
            array = np.asarray(getattr(self, name), dtype=np.float64)
            array = array.copy() if array.flags.writeable else array
            if array.ndim != 2 or array.shape != (len(self.family), np.shape(self.policy)[-1]):
                raise ValueError(f"{name} has shape {array.shape}; expected (N, V) with N = {len(self.family)} labels")
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def count(self) -> int:
        """N, the number of settings."""
        return len(self.family)

    @property
    def size(self) -> int:
        """V, the size of the vocabulary."""
        return int(self.policy.shape[1])

    @cached_property
    def _policy(self) -> tuple[Array, Array]:
        logp, weights, total = _normalised(self.policy)
        weights /= total
        return logp, weights

    @property
    def logp(self) -> Array:
        """log π, shape (N, V), nats."""
        return self._policy[0]

    @property
    def probability(self) -> Array:
        """π, shape (N, V)."""
        return self._policy[1]

    @cached_property
    def logp_ref(self) -> Array:
        """log π_ref, shape (N, V), nats."""
        return log_softmax(self.reference)

    @cached_property
    def logp_old(self) -> Array:
        """log π_old, shape (N, V), nats."""
        return log_softmax(self.old)

    @cached_property
    def log_ratio(self) -> Array:
        """ℓ = log π/π_ref, shape (N, V), nats."""
        return self.logp - self.logp_ref

    @cached_property
    def log_weight(self) -> Array:
        """log w = log π/π_old, shape (N, V), nats."""
        return self.logp - self.logp_old

    @property
    def inside(self) -> Array:
        """The indicator of a set of actions: every other one, the first included; shape (N, V)."""
        return np.broadcast_to(membership(np.arange(self.size)), self.policy.shape)

    def columns(self) -> Columns:
        """In balls: the logits as they are, exact."""
        p, r, o = (_enclosed_log_softmax(x) for x in (self.policy, self.reference, self.old))
        return Columns({logp: p, log_ratio: p - r, log_weight: p - o}, each(arb.exp)(p))

    def exactly(self) -> None:
        """Logarithms of sums of exponentials: not looked at by the zero test."""

    def rows(self, start: int, stop: int) -> "Settings":
        """The settings from ``start`` to ``stop``, as a slice."""
        part = slice(start, stop)
        return Settings(
            self.policy[part], self.reference[part], self.old[part], self.advantage[part], self.family[part]
        )


def membership(action: Any) -> Any:
    """1.0 for the actions of the set that ``inside`` stands for on every setting, 0.0 for the others."""
    return 1.0 - action % 2


def log_softmax(logits: Array) -> Array:
    """Log-probabilities along the last axis, nats; shape and dtype kept."""
    return _normalised(logits)[0]


def _normalised(logits: Array) -> tuple[Array, Array, Array]:
    """Log-probabilities, what they are proportional to, and the sum of that, along the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    weights = np.exp(shifted)
    total = weights.sum(axis=-1, keepdims=True)
    shifted -= np.log(total)
    return shifted, weights, total


def _enclosed_log_softmax(logits: Array) -> Any:
    exact = each(arb)(logits.astype(object))
    return exact - each(arb.log)(each(arb.exp)(exact).sum(axis=-1, keepdims=True))


@lru_cache(maxsize=1)
def standard_settings() -> tuple[Settings, ...]:
    """What every numeric check runs on: one batch per vocabulary size, with every family, always the same."""
    return tuple(_batch(V, n) for V, n in SIZES.items())


@lru_cache(maxsize=4)
def resampled(settings: tuple[Settings, ...]) -> tuple[Settings, ...]:
    """The same settings with another old policy, drawn anew: what the sampler does not move is the same on both."""
    random = np.random.default_rng([2510, 1555])
    elsewhere = (_within(random.normal(0, 1.5, s.policy.shape), s.policy, MAX_LOG_WEIGHT) for s in settings)
    return tuple(replace(s, old=old) for s, old in zip(settings, elsewhere, strict=True))


def _batch(V: int, n: int) -> Settings:
    random = np.random.default_rng([2510, 1555, V])
    columns: list[Logits] = [draw(random, (n, V)) for draw in FAMILIES.values()]
    policy, reference, old = (np.concatenate(c) for c in zip(*columns, strict=True))
    policy = _within(policy, reference, MAX_LOG_RATIO)
    old = _within(old, policy, MAX_LOG_WEIGHT)
    advantage = random.normal(0.2, 1.3, policy.shape)
    offset = random.normal(0, 3, (3, len(policy), 1))
    labels = tuple(name for name in FAMILIES for _ in range(n))
    return Settings(policy + offset[0], reference + offset[1], old + offset[2], advantage, labels)


def _within(logits: Array, centre: Array, limit: float) -> Array:
    """``logits``, rows drawn towards ``centre`` until no log-probability differs by more than ``limit`` nats."""
    while True:
        worst = np.abs(log_softmax(logits) - log_softmax(centre)).max(axis=-1, keepdims=True)
        if (worst <= limit).all():
            return logits
        logits = np.where(worst > limit, centre + (logits - centre) * (0.999 * limit / worst), logits)


# --- the families: a generator and a shape (n, V) to logits of policy, reference and old ------------------------------
def _spread(random: np.random.Generator, shape: tuple[int, int]) -> Logits:
    policy, reference = random.normal(0, 1.2, shape), random.normal(0, 0.9, shape)
    return policy, reference, policy + random.normal(0, 0.7, shape)


def _near_reference(random: np.random.Generator, shape: tuple[int, int]) -> Logits:
    reference = random.normal(0, 1, shape)
    return reference + random.normal(0, 0.3, shape), reference, reference + random.normal(0, 0.15, shape)


def _sharpened(random: np.random.Generator, shape: tuple[int, int]) -> Logits:
    reference, power = random.normal(0, 1, shape), random.uniform(1.8, 3.5, (shape[0], 1))
    old = (1 + power) / 2 * reference + random.normal(0, 0.3, shape)
    return power * reference + random.normal(0, 0.3, shape), reference, old


def _near_vertex(random: np.random.Generator, shape: tuple[int, int]) -> Logits:
    rows, vertex = np.arange(shape[0]), random.integers(shape[1], size=shape[0])
    policy, reference, old = (random.normal(0, 1, shape) for _ in range(3))
    policy[rows, vertex] += 6 + np.log(shape[1])
    old[rows, vertex] += 4 + np.log(shape[1])
    reference[rows, (vertex + 1) % shape[1]] += 2
    return policy, reference, old


def _far_apart(random: np.random.Generator, shape: tuple[int, int]) -> Logits:
    policy, reference = random.normal(0, 4.5, shape), random.normal(0, 5.5, shape)
    return policy, reference, (policy + reference) / 2 + random.normal(0, 1, shape)


FAMILIES: Final[dict[str, Callable[[np.random.Generator, tuple[int, int]], Logits]]] = {
    "spread": _spread,
    "near_reference": _near_reference,
    "sharpened": _sharpened,
    "near_vertex": _near_vertex,
    "far_apart": _far_apart,
}
"""Family to generator; a new family is a new row."""
