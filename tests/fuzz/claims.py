"""Random claims about one step: true ones by identities, false ones by edits, and some of which nobody knows."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from fuzz.analysis import bound, expansion, limit, order, sign
from fuzz.case import Case
from fuzz.pairs import EDGES, EQUAL, edited, of_ratio, part, swapped

RISING: Final = ("l", "u", "l + u", "-r", "max(l, 0)", "sign(l)", "tanh(l)", "softplus(l)", "clamp(l, -3, 2)", "l**3")
NOT_FALLING: Final = ("0", "l", "sigmoid(l)", "2*u", "where(l > 1, 1, 0)", "max(l, 5)", "1e-9*l")
FALLING: Final = ("1e-9*l**2", "where(l > 20, 1, 0)", "0.01*l", "1/(1000 - l)", "relu(l - 9)**2")

SUMS: Final[Mapping[str, tuple[str, ...]]] = {
    "exp(logp)*({})": (
        *("exp(logp_ref)*u*({})", "exp(logp_old)*w*({})"),
        "exp(logp)*({}) + exp(logp) - exp(logp_ref)",
    ),
    "exp(logp_ref)*({})": ("exp(logp)*r*({})", "exp(logp_ref)*({}) + 2*exp(logp_old) - 2*exp(logp)"),
    "exp(logp_old)*({})": ("exp(logp)/w*({})", "exp(logp - log_w)*({})"),
}
"""What is summed over the vocabulary, in other writings."""

MOMENTS: Final[tuple[tuple[str, str], ...]] = (
    ("E({f}) + E({g})", "E({f} + {g})"),
    ("E({c}*({f}))", "{c}*E({f})"),
    ("E({a})", "E({b})"),
    ("E({a})*E({h})", "E({h})*E({b})"),
    ("E(({f} - E({f}))*({g} - E({g})))", "E(({f})*({g})) - E({f})*E({g})"),
    ("E(({f} - E({f}))**2)", "E(({f})**2) - E({f})**2"),
    ("E(inside*({f})) + E((1 - inside)*({f}))", "E({f})"),
    ("E(inside**2*({f}))", "E(inside*({f}))"),
    ("E(inside*(1 - inside)*({f}))", "0"),
    ("E(({f})*inside)**2", "E(({f})*inside**3)*E(inside*({f}))"),
    ("E(r)", "1"),
    ("E(1/w) + E(r)", "2"),
    ("E({f} + r)", "E({f}) + 1"),
    ("E(({f})*(E(r) - 1))", "0"),
    ("E(E({f})*({g}))", "E({f})*E({g})"),
    ("At({f} + {g}, 0)", "At({f}, 0) + At({g}, 0)"),
    ("At(({f})*({g}), 1)", "At({f}, 1)*At({g}, 1)"),
    ("At({a}, 0)", "At({b}, 0)"),
    ("At({f} - E({f}), 0)", "At({f}, 0) - E({f})"),
    ("E(At({f}, 1)*({g}))", "At({f}, 1)*E({g})"),
    ("At(exp(logp), 0)*At(r, 0)", "At(exp(logp_ref), 0)"),
    ("E(({f})*({a})) - E(({f})*({b}))", "0"),
    ("(E({f}) + E({g}))**2", "E({f})**2 + 2*E({f})*E({g}) + E({g})**2"),
    ("E(max({f}, {g})) + E(min({f}, {g}))", "E({f}) + E({g})"),
    ("E(where(inside > 0.5, {f}, {g}))", "E(inside*({f})) + E((1 - inside)*({g}))"),
)
"""Identities of means, for any f, g, h and number c, and a and b the same."""


def same(r: Random) -> tuple[str, str]:
    """A function in two writings."""
    f, g = r.choice(EQUAL)(r, part(r), part(r))
    return (f, g) if r.random() < 0.5 else (g, f)


def _edited(r: Random, f: str, g: str) -> tuple[str, str]:
    """The pair, or, half of the time, with an edit of one side."""
    return (f, g if r.random() < 0.5 else edited(r, g))


def gradient(r: Random) -> Case:
    """Surrogates with the same expected gradient, or an objective."""
    on, (f, g), h = r.random() < 0.5, same(r), part(r)
    free = r.choice(("3*w", f"sg({h})", "logp_ref", "logp_old**2", "2*logp" if on else "w/3", "0"))
    left, right, objective = r.choice(
        (
            (f, f"{g} + {free}", False),
            (f, f"{g} + {free}", False),
            (f"w*({f})", f"exp(logp)*({g})", True),
            (f"sg(w*({f}))*logp + sg(w)*({f})", f"w*({g})", False),
            (f"E({f}) + E({h})", f"E({g} + {h})", False),
            (f"E({f})", f"exp(logp)*({g})", True),
            (f"sg({f} - E({f}))*logp", f"sg({g})*logp", False),
        )
    )
    return Case("SameGradient", *_edited(r, left, right), on, objective)


def score(r: Random) -> Case:
    """Surrogates with the same derivative, sample by sample."""
    f, g = same(r)
    more = r.choice((f" + sg({part(r)})", " + logp_ref**2", ""))
    return Case("SameScore", *_edited(r, f, g + more), r.random() < 0.5)


def free(r: Random) -> Case:
    """Surrogates that do not feel who sampled, and some that do."""
    f = of_ratio(r)
    text = r.choice((f"sg(w)*({f})", f"w*({f})", f"sg(w*({f}))*logp", f"w*(({f}) + 3)", f"E({f})"))
    return Case("SamplerFree", text if r.random() < 0.5 else r.choice((edited(r, text), f, f"{text} + {part(r)}")))


def divergence(r: Random) -> Case:
    """Coefficients that rise, and some that fall somewhere."""
    f = f"{r.choice(RISING)} + {r.choice(NOT_FALLING)}"
    if r.random() < 0.5:
        f = r.choice((f"{f} - {r.choice(FALLING)}", f"{f} - {r.choice(FALLING)}", edited(r, f)))
    text = r.choice((f"sg(w*({f}))*logp", f"sg(w)*sg({f})*logp", f"sg({f})*w", f"sg({f})*logp"))
    return Case("IsDivergence", text, on_policy=r.random() < 0.5)


def value(r: Random) -> Case:
    """The same sum over the vocabulary."""
    f, g = same(r)
    left = r.choice(list(SUMS))
    a, b = left.format(f), r.choice(SUMS[left]).format(g)
    if r.random() < 0.5:
        far = f"exp(logp)*({r.choice(list(EDGES))})"
        more = r.choice((far, "exp(2*logp)", "exp(logp)", "exp(logp_ref) - 1.0001*exp(logp)"))
        b = r.choice((f"{b} + {more}", f"{b} + {more}", edited(r, b)))
    return Case("SameValue", a, b)


def moment(r: Random) -> Case:
    """Numbers of a setting that are equal."""
    a, b = same(r)
    parts = {"f": part(r), "g": part(r), "h": part(r), "a": a, "b": b, "c": r.choice(("3", "1/2", "beta"))}
    left, right = (x.format(**parts) for x in r.choice(MOMENTS))
    g = parts["g"]
    wrong = (
        *(f"{right} + 1e-9", f"({right})*(1 + 1e-12)", f"{right} + E({r.choice(list(EDGES))})", swapped(r, right)),
        *(f"{right} + E(l)*E({g}) - E(l*({g}))", f"{right} + At(l, 0) - At(l, 1)"),
    )
    return Case("SameMoment", left, right if r.random() < 0.5 else r.choice(wrong))


def identity(r: Random) -> Case:
    """A function in two writings, or two functions."""
    return Case("Identity", *_edited(r, *same(r)))


MAKERS: Final[Mapping[Callable[[Random], Case], int]] = {
    gradient: 5,
    score: 2,
    free: 2,
    divergence: 2,
    order: 2,
    value: 3,
    moment: 4,
    bound: 1,
    expansion: 1,
    sign: 2,
    identity: 3,
    limit: 1,
}
"""How often each is drawn."""


def case(r: Random) -> Case:
    """A claim of some kind."""
    return r.choices(list(MAKERS), list(MAKERS.values()))[0](r)
