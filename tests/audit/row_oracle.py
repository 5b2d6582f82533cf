"""Brute force, for tests of audits: expected gradients by summation through the real function, nothing derived.

The sum over all actions of *probability of being sampled times the surrogate of that sample* is differentiated through
a softmax by JAX or PyTorch; a divergence is differentiated from its definition as a sum. Nothing here uses the package.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Call = Callable[..., Any]
"""(logp, logp_ref, logp_old), one entry for each action, to what each action's sample gives; or to one number."""
Who = tuple[str, str, str]
"""Placement, weight, sampler."""

SETTINGS = 3
SPREADS = (0.05, 0.6, 2.0)
FAMILIES: Mapping[str, Callable[[Any, Any], Any]] = {
    "reverse_kl": lambda p, q: (p * jnp.log(p / q)).sum(),
    "forward_kl": lambda p, q: (q * jnp.log(q / p)).sum(),
    "jeffreys": lambda p, q: ((p - q) * jnp.log(p / q)).sum(),
    "total_variation": lambda p, q: jnp.abs(p - q).sum() / 2,
    "pearson_chi2": lambda p, q: ((p - q) ** 2 / q).sum(),
    "neyman_chi2": lambda p, q: ((p - q) ** 2 / p).sum(),
    "squared_hellinger": lambda p, q: ((jnp.sqrt(p) - jnp.sqrt(q)) ** 2).sum(),
    "jensen_shannon": lambda p, q: (p * jnp.log(2 * p / (p + q)) + q * jnp.log(2 * q / (p + q))).sum() / 2,
}
NUMBERS: Mapping[str, Any] = {"__builtins__": {}, "exp": np.exp, "log": np.log, "sqrt": np.sqrt}
OLD_NAMES = {"reverse_kl": "kl_policy_old", "forward_kl": "kl_old_policy"}


@dataclass(frozen=True)
class Point:
    """Logits of a policy, its reference and the old policy."""

    policy: np.ndarray
    ref: np.ndarray
    old: np.ndarray

    @property
    def log_ratio(self) -> np.ndarray:
        return log_softmax(self.policy) - log_softmax(self.ref)

    @property
    def log_weight(self) -> np.ndarray:
        return log_softmax(self.policy) - log_softmax(self.old)


def log_softmax(x: np.ndarray) -> np.ndarray:
    return x - np.log(np.exp(x).sum())


@cache
def points() -> tuple[Point, ...]:
    random = np.random.default_rng(7)
    out = []
    for spread in SPREADS:
        for k in range(SETTINGS):
            ref = random.normal(0, 1, 3 + k % 3)
            out.append(
                Point(
                    *(
                        ref + x
                        for x in (random.normal(0, spread, ref.shape), 0, random.normal(0, spread / 2, ref.shape))
                    )
                )
            )
    return tuple(out)


def gradients(
    call: Call, rows: Iterable[Who], framework: str = "jax", summed: bool = False
) -> dict[Who, list[np.ndarray]]:
    """The expected gradient by the policy's logits of each row at every point; ``summed``: over all actions.

    Points are independent: the gradient of the sum over all of them is theirs side by side, in one pass for each row.
    """
    through = _torch_gradient if framework == "torch" else _jax_gradient
    return {who: _parted(through(call, who, summed)) for who in rows}


def _parted(actions: Any) -> list[Any]:
    """Point by point what is given for all actions of all points."""
    ends = np.cumsum([len(x.policy) for x in points()])
    return [actions[end - len(x.policy) : end] for x, end in zip(points(), ends, strict=True)]


@cache
def _logits() -> tuple[np.ndarray, ...]:
    """Of policy, reference and old policy, all actions of all points."""
    return tuple(np.concatenate([getattr(x, who) for x in points()]) for who in ("policy", "ref", "old"))


def _jax_gradient(call: Call, who: Who, summed: bool) -> np.ndarray:
    """Operation by operation: compiled each, once for all functions and rows."""
    with jax.enable_x64(True):
        logp, ref, old, back = _jax_log_probabilities()
        (found,) = back(
            jax.grad(lambda p: _loss(call, p, ref, old, *who, summed, jax.lax.stop_gradient, jnp.exp))(logp)
        )
        return np.asarray(found)


@cache
def _jax_log_probabilities() -> tuple[Any, ...]:
    """Of policy, reference and old policy, and how a gradient goes back through the policy's softmax."""
    (logp, back), ref, old = (
        jax.vjp(lambda x: jnp.concatenate([jax.nn.log_softmax(v) for v in _parted(x)]), jnp.asarray(logits))
        for logits in _logits()
    )
    return logp, ref[0], old[0], back


def _torch_gradient(call: Call, who: Who, summed: bool) -> np.ndarray:
    import torch

    theta = torch.tensor(_logits()[0], requires_grad=True)
    logits = (theta, *map(torch.tensor, _logits()[1:]))
    logp, ref, old = (torch.cat([torch.log_softmax(v, -1) for v in _parted(x)]) for x in logits)
    loss = _loss(call, logp, ref, old, *who, summed, lambda t: t.detach(), torch.exp)
    if not loss.requires_grad:
        return np.zeros(theta.shape)
    (found,) = torch.autograd.grad(loss, theta, allow_unused=True)
    return np.zeros(theta.shape) if found is None else found.numpy()


def _loss(
    call: Call,
    logp: Any,
    ref: Any,
    old: Any,
    placement: str,
    weight: str,
    sampler: str,
    summed: bool,
    hold: Any,
    exp: Any,
) -> Any:
    old = hold(logp) if sampler == "policy" else old
    if summed:
        vocabularies = zip(*map(_parted, (logp, ref, old)), strict=True)
        if placement == "loss":
            return sum(call(*at).sum() for at in vocabularies)
        return sum(hold(call(p, r, o).sum()) * (exp(hold(o)) * p).sum() for p, r, o in vocabularies)
    k = call(logp, ref, old)
    w = exp(logp - old)
    w = {"none": 1.0, "detached": hold(w), "live": w}[weight]
    per_sample = w * k if placement == "loss" else hold(w * k) * logp
    return (exp(hold(old)) * per_sample).sum()


@cache
def _target(name: str) -> list[np.ndarray]:
    known = {**{n: (n, "ref") for n in FAMILIES}, **{OLD_NAMES.get(n, n + "_old"): (n, "old") for n in FAMILIES}}
    family, base = known[name]

    def value(theta: Any, bases: Any) -> Any:
        pairs = zip(_parted(theta), _parted(bases), strict=True)
        return sum(FAMILIES[family](jax.nn.softmax(x), jax.nn.softmax(q)) for x, q in pairs)

    policy, ref, old = _logits()
    with jax.enable_x64(True):
        return _parted(np.asarray(jax.grad(value)(jnp.asarray(policy), jnp.asarray({"ref": ref, "old": old}[base]))))


def targets(name: str) -> list[np.ndarray]:
    """The gradient of what a row names, such as ``2*reverse_kl - forward_kl``, at every point."""
    old = [OLD_NAMES.get(n, n + "_old") for n in FAMILIES]
    used = [n for n in (*FAMILIES, *old) if re.search(rf"\b{n}\b", name)]
    scope = NUMBERS | {"zero": 0.0}
    scopes = [scope | {n: _target(n)[k] for n in used} for k in range(len(points()))]
    return [eval(name, s) + np.zeros(x.policy.shape) for s, x in zip(scopes, points(), strict=True)]  # noqa: S307


def inside(where: str) -> list[bool]:
    """Which points lie in a region all over: comparisons of l and w joined by ``and``, or ``everywhere``."""
    if where == "everywhere":
        return [True] * len(points())
    out = []
    for x in points():
        at = NUMBERS | {"l": x.log_ratio, "w": np.exp(x.log_weight), "u": np.exp(x.log_ratio)}
        holds = np.ones(x.policy.shape, dtype=bool)
        for clause in where.split(" and "):
            sides = [eval(s, at) for s in re.split(r"<=|<", clause)]  # noqa: S307
            for a, b in pairwise(sides):
                holds &= np.asarray(a < b)
        out.append(bool(holds.all()))
    return out


def disagreements(
    rows: Iterable[Mapping[str, Any]], call: Call, framework: str = "jax", summed: bool = False, tolerance: float = 1e-9
) -> list[str]:
    """What rows claim and summation does not bear out, in words."""
    found = []
    rows = list(rows)
    every = gradients(call, {(r["placement"], r["weight"], r["sampler"]): None for r in rows}, framework, summed)
    for row in rows:
        who = (row["placement"], row["weight"], row["sampler"])
        name, text = row["gradient_of"], f"{' '.join(map(str, (row['placement'], row['weight'], row['sampler'])))}"
        got = every[who]
        if name in ("none", "undecided", "f_divergence", "-f_divergence"):
            for known in ("zero", *FAMILIES, "kl_old_policy", "kl_policy_old"):
                if name != "undecided" and _proportional(got, targets(known), tolerance):
                    found.append(f"{text}: said to be {name}, is a multiple of {known}")
                    break
            continue
        here, wanted = inside(row["where"]), targets(name)
        gaps = [np.abs(a - b).max() for a, b, c in zip(got, wanted, here, strict=True) if c]
        if gaps and not max(gaps) <= tolerance:
            found.append(f"{text}: said to be {name} where {row['where']}, off by {max(gaps):.2g}")
    return found


def tested(rows: Iterable[Mapping[str, Any]]) -> int:
    """How many rows have a point that lies in their region: a comparison of none of them would show nothing."""
    return sum(any(inside(r["where"])) for r in rows if r["gradient_of"] not in ("none", "undecided"))


def _proportional(got: list[np.ndarray], wanted: list[np.ndarray], tolerance: float) -> bool:
    a, b = (np.concatenate([x.ravel() for x in xs]) for xs in (got, wanted))
    scale = (a @ b) / (b @ b) if (b @ b) else 0.0
    return bool(np.abs(a - scale * b).max() <= tolerance)
