"""Random settings, and single actions of settings: near and far apart, near the vertices, at thresholds on purpose."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Any, Final

import mpmath
from fuzz.dual import ONE, Dual, exp, number

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Setting:
    """Logits of three policies on one vocabulary, a number and a mark for each action, and a direction in logits.

    Raw floats: what is computed from them is computed anew at each precision.
    """

    policy: Numbers
    reference: Numbers
    old: Numbers
    advantage: Numbers
    inside: tuple[int, ...]
    direction: Numbers

    @property
    def actions(self) -> range:
        return range(len(self.policy))

    def on_policy(self) -> "Setting":
        """The same, sampled by the policy."""
        return Setting(self.policy, self.reference, self.policy, self.advantage, self.inside, self.direction)


def log_probabilities(logits: Numbers) -> list[Any]:
    """The logarithms of a softmax."""
    zs = [mpmath.mpf(z) for z in logits]
    norm = mpmath.log(mpmath.fsum(map(mpmath.exp, zs)))
    return [z - norm for z in zs]


def moving(logits: Numbers, direction: Numbers) -> list[Dual]:
    """The same as duals, the logits moving in a direction."""
    found = log_probabilities(logits)
    mean = mpmath.fsum(mpmath.exp(p) * d for p, d in zip(found, direction, strict=True))
    return [Dual(p, d - mean) for p, d in zip(found, direction, strict=True)]


def random_setting(r: Random) -> Setting:
    """Mild, spread, near a vertex or far apart; now and then the reference or the old policy is close by."""
    size = r.choice((3, 3, 4, 5))

    def drawn(spread: float) -> Numbers:
        return tuple(r.gauss(0, spread) for _ in range(size))

    def beside(policy: Numbers, spread: float) -> Numbers:
        return tuple(z + r.gauss(0, spread) for z in policy)

    spreads = r.choice([(1, 1, 1), (1, 1, 1), (2, 3, 2), (4, 8, 1), (1, 15, 12), (6, 1, 6)])
    policy = drawn(spreads[0])
    reference = beside(policy, r.choice((0.01, 0.3))) if r.random() < 0.2 else drawn(spreads[1])
    old = beside(policy, r.choice((0.05, 0.3))) if r.random() < 0.35 else drawn(spreads[2])
    marks = tuple(r.randint(0, 1) for _ in range(size))
    return Setting(policy, reference, old, drawn(1.5), marks, drawn(1))


@dataclass(frozen=True)
class Point:
    """One action of some setting: three log-probabilities that are negative, and an advantage."""

    logp: Any
    l: Any
    log_w: Any
    advantage: Any

    def names(self, on_policy: bool) -> "Names":
        """What a formula calls them, moving with log π; on-policy the old policy is the policy, and held."""
        p, ref = Dual(self.logp, ONE), Dual(self.logp - self.l)
        old = p.held() if on_policy else Dual(self.logp - self.log_w)
        return named(p, ref, old, Dual(self.advantage))


class Names(dict[str, Dual]):
    """The names of a formula, from log-probabilities; what is not asked for is not computed."""

    def __missing__(self, name: str) -> Dual:
        self[name] = found = QUOTIENTS[name](self)
        return found


def named(p: Dual, ref: Dual, old: Dual, advantage: Dual, more: Mapping[str, Dual] = MappingProxyType({})) -> Names:
    """The names of a formula, from log-probabilities."""
    return Names({"logp": p, "logp_ref": ref, "logp_old": old, "A": advantage, **CONSTANTS, **more})


QUOTIENTS: Final[Mapping[str, Callable[[Names], Dual]]] = {
    "l": lambda n: n["logp"] - n["logp_ref"],
    "log_w": lambda n: n["logp"] - n["logp_old"],
    "u": lambda n: exp(n["l"]),
    "r": lambda n: exp(-n["l"]),
    "w": lambda n: exp(n["log_w"]),
    "k1": lambda n: n["l"],
    "k2": lambda n: n["l"] * n["l"] * number("0.5"),
    "k3": lambda n: exp(-n["l"]) - number(1) + n["l"],
}
POSITIVE: Final = (("beta", "0.375"), ("eps", "0.25"), ("tau", "1.75"), ("lam", "0.625"))
CONSTANTS: Final = {"pi": Dual(mpmath.pi), **{name: number(x) for name, x in POSITIVE}}
"""π, and values of what is any positive number."""


def point(r: Random, l: Any, log_w: Any, advantage: Any = None) -> Point:
    """An action with these log-ratios, now and then of a tiny probability."""
    below = r.choice((1e-10, 1e-7, 1e-4, 0.01, 0.2, 0.2, 1, 1, 3, 3, 40, 1e4)) * (0.1 + r.random())
    low = min(0, l, log_w)
    return Point(low - mpmath.mpf(below), l, log_w, mpmath.mpf(r.gauss(0, 1.5)) if advantage is None else advantage)


def points(r: Random, special: Iterable[Any] = (), count: int = 24) -> Iterator[Point]:
    """Random actions, and actions on both sides of special numbers: as log-ratios, ratios, log-probabilities or A."""
    for _ in range(count):
        wide = r.choice((0.3, 1, 1, 3, 3, 10, 25))
        yield point(r, mpmath.mpf(r.gauss(0, wide)), mpmath.mpf(r.gauss(0, r.choice((0.3, 1, 3, 6, 40)))))
    yield from pointed(r, special)


def pointed(r: Random, special: Iterable[Any]) -> Iterator[Point]:
    """The second kind alone."""
    beside = [b for x in special for side in (-1, 1) for b in _beside(r, x, side)]
    for y in beside:
        a, b = (mpmath.mpf(r.gauss(0, 2)) for _ in "ab")
        if abs(y) < 10**12:
            other = r.choice(beside) * (1 + mpmath.mpf(r.gauss(0, 1e-6))) if r.random() < 0.4 else a
            yield r.choice((point(r, y, other), point(r, other, y)))
            yield r.choice((point(r, y, a), point(r, b, y)))
            yield point(r, r.choice((a, other)), b, y)
        else:
            yield point(r, a, b, y)
        if -(10**12) < y < 0:  # as log π, log π_ref or log π_old
            three = r.choice(((y, -abs(a), -abs(b)), (-abs(a), y, -abs(b)), (-abs(a), -abs(b), y)))
            yield Point(three[0], three[0] - three[1], three[0] - three[2], a)


def _beside(r: Random, x: Any, side: int) -> Iterator[Any]:
    """A number near another one, and its logarithm if it has one."""
    near = x + side * mpmath.mpf(10) ** r.choice((-7, -5, -4, -3, -2, -1)) * (abs(x) or 1) * (0.3 + r.random())
    yield near
    if near > 0:
        yield mpmath.log(near)


RAREST: Final = -1300
"""Log-probabilities of less are lost beside 1 in the digits that are looked at."""


def setting_of(r: Random, at: list[Point]) -> Setting:
    """A setting with actions of these log-ratios and advantages: one more action takes what is left of each policy."""
    every = [(p.logp, p.logp - p.l, p.logp - p.log_w) for p in at]
    rows = [row for row in every if min(row) > RAREST] or [(mpmath.mpf(-1),) * 3]
    crowded = mpmath.log(max(mpmath.fsum(mpmath.exp(row[k]) for row in rows) for k in range(3)))
    down = crowded + mpmath.mpf(0.05 + 2 * r.random()) if crowded >= 0 else 0
    columns = []
    for k in range(3):
        lows = [row[k] - down for row in rows]
        columns.append((*lows, mpmath.log1p(-mpmath.fsum(map(mpmath.exp, lows)))))
    size = len(rows) + 1
    marks = tuple(r.randint(0, 1) for _ in range(size))
    advantage = (*(float(p.advantage) for p in at[: len(rows)]), r.gauss(0, 1))
    return Setting(*columns, advantage, marks, tuple(r.gauss(0, 1) for _ in range(size)))


def settings(r: Random, special: Sequence[Any] = (), count: int = 8, crafted: int = 16) -> list[Setting]:
    """Random settings, and settings whose actions lie on both sides of special numbers."""
    found = [random_setting(r) for _ in range(count)]
    near = list(pointed(r, special))
    places = [*near, *points(r, (), 2 * count)]
    for k in range(crafted):
        chosen = r.sample(places, r.choice((2, 2, 3, 4)))
        found.append(setting_of(r, [*chosen[1:], near[k % len(near)] if near else chosen[0]]))
    return found


def shown(item: Any) -> str:
    """A point or a setting, shortly."""
    if isinstance(item, Point):
        return f"logp={short(item.logp)} l={short(item.l)} log_w={short(item.log_w)} A={short(item.advantage)}"
    rows = (item.policy, item.reference, item.old, item.advantage, item.direction)
    return "logits " + " / ".join(" ".join(map(short, row)) for row in rows)


def short(x: Any) -> str:
    return str(mpmath.nstr(mpmath.mpf(x), 8))
