"""Losses of whole batches, drawn at random in either framework, and an oracle that runs them: nothing of the package.

A loss is a choice for each place: what the advantage multiplies, the penalty, its weight, who is detached, the mask,
the mean, the sign, the clip. The same choices are spelled in two ways; a pair differs in the spelling, or in one place.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np

PLACES: dict[str, tuple[Any, ...]] = {
    "policy": ("none", "score", "weight", "ppo", "detached clip", "dual clip"),
    "penalty": ("none", "k1", "k2", "k3"),
    "front": ("none", "detached", "live"),
    "reference": ("live", "detached"),
    "mask": ("used", "forgotten"),
    "mean": ("none", "sum", "tokens", "responses", "batch"),
    "sign": (1, -1),
    "clip": (0.2, 0.3),
    "beta": (1.0, 0.25),
}
OVER_VOCABULARY: dict[str, tuple[Any, ...]] = {
    "direction": ("reverse", "forward"),
    "held": ("nothing", "log-ratio"),
    "reference": ("live", "detached"),
    "mask": ("used", "forgotten"),
    "mean": ("none", "sum", "tokens", "responses"),
    "sign": (1, -1),
}


@dataclass(frozen=True)
class Loss:
    """The choices, and which of two spellings."""

    choices: tuple[tuple[str, Any], ...]
    framework: str
    spelling: int = 0

    def __getitem__(self, place: str) -> Any:
        return dict(self.choices)[place]

    @property
    def is_over_vocabulary(self) -> bool:
        return "direction" in dict(self.choices)

    def changed(self, place: str, value: Any) -> "Loss":
        return replace(self, choices=tuple((k, value if k == place else v) for k, v in self.choices))

    def function(self) -> Callable[..., Any]:
        """The loss as somebody would write it."""
        o = Operations(self.framework)

        def of_tokens(logps, old_logps, ref_logps, advantages, mask):
            return self._tokens(o, logps, old_logps, ref_logps, advantages, mask)

        def of_logits(logits, ref_logits, mask):
            return self._summed(o, logits, ref_logits, mask)

        return of_logits if self.is_over_vocabulary else of_tokens

    def _tokens(self, o, logp, old, ref, a, mask):
        ref = o.detach(ref) if self["reference"] == "detached" else ref
        w = o.exp(logp - old) if self.spelling == 0 else o.exp(logp) * o.exp(-old)
        each = self._policy(o, logp, w, a) + self["beta"] * self._front(o, w) * self._penalty(o, logp - ref)
        return self._mean(self["sign"] * each, mask)

    def _policy(self, o, logp, w, a):
        eps = self["clip"]
        clipped = o.clip(w, 1 - eps, 1 + eps)
        bound = o.minimum(a * w, a * clipped) if self.spelling == 0 else -o.maximum(-(w * a), -(clipped * a))
        return {
            "none": lambda: 0 * logp,
            "score": lambda: -a * logp,
            "weight": lambda: -a * w,
            "ppo": lambda: -bound,
            "detached clip": lambda: -a * o.detach(clipped) * logp,
            "dual clip": lambda: -o.where(a < 0, o.maximum(bound, 3 * a), bound),
        }[self["policy"]]()

    def _penalty(self, o, l):
        if self.spelling == 0:
            return {"none": 0 * l, "k1": l, "k2": 0.5 * l**2, "k3": o.exp(-l) - 1 + l}[self["penalty"]]
        return {"none": l - l, "k1": 2 * l - l, "k2": l * l / 2, "k3": o.expm1(-l) + l}[self["penalty"]]

    def _front(self, o, w):
        return {"none": 1.0, "detached": o.detach(w), "live": w}[self["front"]]

    def _summed(self, o, logits, ref_logits, mask):
        p, q = o.log_softmax(logits), o.log_softmax(ref_logits)
        q = o.detach(q) if self["reference"] == "detached" else q
        ratio = p - q if self["direction"] == "reverse" else q - p
        ratio = o.detach(ratio) if self["held"] == "log-ratio" and self["direction"] == "reverse" else ratio
        first = p if self["direction"] == "reverse" else q
        each = (o.exp(first) * ratio).sum(-1) if self.spelling == 0 else -(o.exp(first) * -ratio).sum(-1)
        return self._mean(self["sign"] * each, mask)

    def _mean(self, each, mask):
        m = mask if self["mask"] == "used" else 0 * mask + 1
        each = each * m
        return {
            "none": lambda: each,
            "sum": lambda: each.sum(),
            "tokens": lambda: each.sum() / m.sum() if self.spelling == 0 else (each / m.sum()).sum(),
            "responses": lambda: (each.sum(-1) / m.sum(-1)).mean(),
            "batch": lambda: each.sum() / each.shape[0],
        }[self["mean"]]()


class Operations:
    """The same names in both frameworks."""

    def __init__(self, framework: str) -> None:
        if framework == "torch":
            import torch

            self.exp, self.expm1, self.minimum, self.maximum = torch.exp, torch.expm1, torch.minimum, torch.maximum
            self.where, self.clip, self.detach = torch.where, torch.clamp, lambda x: x.detach()
            self.log_softmax = lambda x: torch.log_softmax(x, -1)
        else:
            import jax
            import jax.numpy as jnp

            self.exp, self.expm1, self.minimum, self.maximum = jnp.exp, jnp.expm1, jnp.minimum, jnp.maximum
            self.where, self.clip, self.detach = jnp.where, jnp.clip, jax.lax.stop_gradient
            self.log_softmax = lambda x: jax.nn.log_softmax(x, -1)


def pair(seed: int) -> tuple[Loss, Loss]:
    """The same choices spelled twice, or different in one place; the second may be in the other framework."""
    random = Random(seed)
    places = OVER_VOCABULARY if random.random() < 0.3 else PLACES
    first = Loss(tuple((k, random.choice(v)) for k, v in places.items()), random.choice(("jax", "torch")))
    second = replace(first, spelling=random.choice((0, 1)))
    if random.random() < 0.3:
        second = replace(second, framework=random.choice(("jax", "torch")))
    if random.random() < 0.6:
        place = random.choice(list(places))
        second = second.changed(place, random.choice([v for v in places[place] if v != first[place]]))
    return first, second


# --- the oracle -------------------------------------------------------------------------------------------------------
ROUNDING = 1e-9


def same(a: Loss, b: Loss, batches: int = 8) -> bool:
    """Whether both give the same value and the same derivatives on random ragged batches."""
    for seed in range(batches):
        x, y = (list(_ran(loss, seed)) for loss in (a, b))
        if any(np.shape(u) != np.shape(v) or np.abs(u - v).max() > ROUNDING for u, v in zip(x, y, strict=True)):
            return False
    return True


def _ran(loss: Loss, seed: int) -> Iterator[np.ndarray]:
    """The value, and the derivative by each policy."""
    random = np.random.default_rng(seed)
    rows, tokens = 3, 4
    lengths = random.integers(1, tokens + 1, rows)
    mask = (np.arange(tokens) < lengths[:, None]).astype(float)
    spread = random.choice([0.1, 1.0, 3.0])
    if loss.is_over_vocabulary:
        names = ["logits", "ref_logits"]
        live = [random.normal(0, spread, (rows, tokens, 5)) for _ in names]
        fixed = {"mask": mask}
    else:
        names = ["logps", "old_logps", "ref_logps"]
        base = random.uniform(-6, -3, (rows, tokens))
        live = [base + random.uniform(-spread, spread, (rows, tokens)) for _ in names]
        fixed = {"advantages": random.normal(0, 1, (rows, tokens)), "mask": mask}
    if loss.framework == "torch":
        import torch

        tensors = [torch.tensor(x, requires_grad=True) for x in live]
        out = loss.function()(
            **dict(zip(names, tensors, strict=True)), **{k: torch.tensor(v) for k, v in fixed.items()}
        )
        yield out.detach().numpy()
        for t, g in zip(tensors, torch.autograd.grad(out.sum(), tensors, allow_unused=True), strict=True):
            yield np.zeros(t.shape) if g is None else g.numpy()
    else:
        import jax

        with jax.enable_x64(True):
            given = dict(zip(names, map(jax.numpy.asarray, live), strict=True))
            constants = {k: jax.numpy.asarray(v) for k, v in fixed.items()}
            out, pull = jax.vjp(lambda g: loss.function()(**g, **constants), given)
            yield np.asarray(out)
            (slopes,) = pull(jax.numpy.ones_like(out))
            yield from (np.asarray(slopes[n]) for n in names)
