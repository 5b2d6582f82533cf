"""Pairs of formula texts: the same function written twice, and edits that change one, often far out."""

import re
from collections.abc import Callable
from random import Random
from typing import Final

from fuzz.formulas import BOUNDS, condition, linear, number

Rewriting = Callable[[Random, str], str]

LEAVES: Final = ("l", "l", "l", "w", "u", "r", "logp", "log_w", "k2", "k3", "A", "l", "exp(logp)", "exp(-logp)/(1 + r)")
PARTS: Final = (
    *("l**2", "exp(-l)", "w*l", "u*log_w", "abs(l)", "max(l, -1)", "min(w, 2)", "clamp(l, -5, 5)", "log(1 + u)"),
    *(
        "sigmoid(l)",
        "l*logp",
        "sqrt(1 + u)",
        "where(l > 1, l, 1)",
        "sign(l)",
        "exp(l/3)",
        "A*w",
        "clamp(w, 0.8, 1.2)*A",
    ),
    *("tanh(log_w)", "1/(1 + l**2)", "(l - logp)**2", "exp(0.1*l)", "where(w > 2 or l < 0, w, l)", "max(l, log_w)"),
    *(
        "r*log_w",
        "softplus(2*l)",
        "where(0 < l < 1 and A > 0, 3*l, 1)",
        "exp(logp)*l",
        "sqrt(w)",
        "logp_ref",
        "logp_old",
    ),
)


def part(r: Random) -> str:
    """A small formula that has a value everywhere."""
    k = r.random()
    if k < 0.3:
        return r.choice(LEAVES)
    if k < 0.75:
        return r.choice(PARTS)
    a, b = part(r), part(r)
    return r.choice(
        (f"({a} + {b})", f"({a} - {b})", f"({a})*({b})", f"{number(r)}*({a})", f"max({a}, {b})", f"min({a}, {b})")
    )


def of_ratio(r: Random) -> str:
    """A small formula in l alone."""
    while True:
        f = part(r)
        if not re.search(r"\b(w|A|logp|log_w|logp_ref|logp_old)\b", f):
            return f


# --- the same function ------------------------------------------------------------------------------------------------
UNREACHED: Final = (
    "logp > 0",
    "logp > l",
    "logp > log_w",
    "logp_ref > 0",
    "logp_old > 0.5",
    "logp > min(0, l, log_w)",
    "logp > max(l, log_w)",
    "l < logp and w > 3",
    "log_w < logp - 2",
    "logp + 1 > 1 + l",
    "l**2 < 0",
    "w < 0",
    "exp(l) < 1 + l",
    "u + r < 2",
    "l - logp < 0",
    "2*logp > l + log_w and l < log_w and log_w < logp",
    "exp(logp) > 1",
    "exp(logp) > u",
    "exp(2*logp) > u*w",
    "logp > 0.3*l + 0.7*log_w",
)
"""Conditions under which no action of any setting falls."""

EQUAL: Final[tuple[Callable[[Random, str, str], tuple[str, str]], ...]] = (
    lambda r, f, g: (f, f"{f} + ({g}) - ({g})"),
    lambda r, f, g: (f"max({f}, {g})", f"(({f}) + ({g}) + abs(({f}) - ({g})))/2"),
    lambda r, f, g: (f"min({f}, {g})", f"-max(-({f}), -({g}))"),
    lambda r, f, g: (f"max({f}, {g}) + min({f}, {g})", f"({f}) + ({g})"),
    lambda r, f, g: (f"abs({f})", f"max({f}, -({f}))"),
    lambda r, f, g: (f"abs({f})", f"where({f} > 0, {f}, -({f}))"),
    lambda r, f, g: (f"abs({f})*abs({g})", f"abs(({f})*({g}))"),
    lambda r, f, g: (f"(({f}) + ({g}))**2", f"({f})**2 + 2*({f})*({g}) + ({g})**2"),
    lambda r, f, g: (f"({f})**2 - ({g})**2", f"(({f}) - ({g}))*(({f}) + ({g}))"),
    lambda r, f, g: (f"({f})*u*w", f"({f})*exp(l + log_w)"),
    lambda r, f, g: (f"({f})*log(u*w)", f"({f})*(l + log_w)"),
    lambda r, f, g: (f"({f})*sqrt(u)", f"({f})*exp(l/2)"),
    lambda r, f, g: (f"({f})*(softplus(l) - softplus(-l))", f"({f})*l"),
    lambda r, f, g: (f"({f})*sigmoid(l)", f"({f})*u/(1 + u)"),
    lambda r, f, g: (f"({f})*tanh(l/2)", f"({f})*(2*sigmoid(l) - 1)"),
    lambda r, f, g: (f"where({(c := condition(r, 1))}, {f}, {g})", f"where(not ({c}), {g}, {f})"),
    lambda r, f, g: (f"where({(c := condition(r, 1))}, {f}, {g})", f"{g} + (({f}) - ({g}))*where({c}, 1, 0)"),
    lambda r, f, g: (f, f"where({r.choice(UNREACHED)}, {g}, {f})"),
    lambda r, f, g: (f, f"{f} + ({g})*where({r.choice(UNREACHED)}, 1, 0)"),
    lambda r, f, g: ("clamp({}, {}, {})".format(f, *(b := r.choice(BOUNDS))), "min(max({}, {}), {})".format(f, *b)),
    lambda r, f, g: (f"abs(({f})**2)", f"({f})**2"),
    lambda r, f, g: (f"sqrt(({f})**2)", f"abs({f})"),
    lambda r, f, g: (f"max({f}, {g}, l)", f"max(max({f}, l), {g})"),
    lambda r, f, g: (f"relu({f})**2 + relu(-({f}))**2", f"({f})**2"),
    lambda r, f, g: (f"sign({f})*({f})", f"abs({f})"),
    lambda r, f, g: (f"max(({f})*u, ({g})*u)", f"u*max({f}, {g})"),
    lambda r, f, g: (f"({f})*log(2 + 2*u)", f"({f})*(log(2) + log(1 + u))"),
    lambda r, f, g: (f"({f})*exp({(h := linear(r).replace('log(w)', 'log_w'))})", f"({f})/exp(-({h}))"),
    lambda r, f, g: (f"({f})/(1 + u) + ({f})/(1 + r)", f),
    lambda r, f, g: (f"({f})*(k3 - l)", f"({f})*(r - 1)"),
    lambda r, f, g: (f"log(exp({f}))", f"{f}"),
    lambda r, f, g: (f"({f})*log((u - 1)**2)", f"2*({f})*log(abs(u - 1))"),
    lambda r, f, g: (f"exp(log(abs({f}) + 1))", f"abs({f}) + 1"),
    lambda r, f, g: (f"({f})*exp(log(1 + u)/2)", f"({f})*sqrt(1 + u)"),
)


# --- edits ------------------------------------------------------------------------------------------------------------
EDGES: Final[dict[str, tuple[float, float, float, float]]] = {
    "max(w - 1e9, 0)": (-1, 0.3, 21, 1),
    "max(l - 1000, 0)": (-1, 1001, 0.2, 1),
    "max(-l - 700, 0)": (-703, -701, 0.2, 1),
    "where(w < 1e-9, l, 0)": (-25, 0.3, -22, 1),
    "where(l > 50 and w < 1e-6, l, 0)": (-20, 51, -15, 1),
    "max(l, 0)**5": (-2, 1.5, 0.2, 1),
    "min(l, 0)**6": (-3, -1.5, 0.2, 1),
    "l**9*1e-12": (-10, 9, 0.2, 1),
    "where(logp < -1000, l, 0)": (-1001, 0.7, 0.2, 1),
    "where(logp > min(l, log_w, 0) - 1e-3, l*w, 0)": (-0.0005, 0.7, 0.2, 1),
    "where(l > 0 and logp > -1e-6, w*l, 0)": (-0.0000004, 0.7, 0.2, 1),
    "where(3 < l < 3.001, l, 0)": (-1, 3.0004, 0.2, 1),
    "max(0, 1e-6 - abs(l - 7))": (-1, 7.0000004, 0.2, 1),
    "max(logp + 1e-9, 0)*where(l > 0 and log_w > 0, 1, 0)*l": (-4e-10, 0.7, 0.2, 1),
    "max(l - w - 100, 0)": (-1, 103, 0.2, 1),
    "where(A > 1e6, l, 0)": (-1, 0.7, 0.2, 1000003),
    "where(l > 3 and logp > -0.001, u, 0)": (-0.0004, 3.5, 0.2, 1),
    "exp(l - 100)": (-1, 90, 0.2, 1),
    "1e-20*u": (-1, 40, 0.2, 1),
    "max(l*log_w - 300, 0)*l": (-1, 20, 17, 1),
    "relu(l - 3)*relu(5 - l)": (-1, 4, 0.2, 1),
    "where(l > 0, exp(-1/(1e-9 + l)), 0)": (-1, 0.7, 0.2, 1),
    "max(log_w - l**3 - 5, 0)*w": (-1, 0.7, 9, 1),
}
"""What is not zero only far out, in a thin cell, or on one side: and log π, l, log w, A where it is not."""


def edited(r: Random, f: str) -> str:
    """A formula that is another function, mostly by little."""
    k = r.random()
    if k < 0.5:
        return f"{f} + {r.choice(('', '', '2*', '-1*', '1e-3*'))}({r.choice(list(EDGES))})"
    if k < 0.6:
        return f"({f})*(1 + 1e-15)"
    if k < 0.7:
        return f"{f} + {r.choice(('1e-9', '0.5', '-2'))}*({part(r)})"
    if k < 0.8:
        return f"where({r.choice(('l > 1e-3', 'w > 2', 'l < -5', 'logp < -2', 'l > log_w'))}, {f}, {part(r)})"
    return swapped(r, f)


def swapped(r: Random, f: str) -> str:
    """One word or number changed."""
    swaps = {
        "l": "log_w",
        "w": "u",
        "max": "min",
        "u": "r",
        "logp": "logp_ref",
        "2": "3",
        "1": "1.0001",
        "+": "-",
        "k3": "k2",
    }
    places = [m for m in re.finditer(r"[a-zA-Z_][a-zA-Z_0-9]*|\d+\.?\d*|\+", f) if m.group() in swaps]
    if not places:
        return f"{f} + l"
    m = r.choice(places)
    return f[: m.start()] + swaps[m.group()] + f[m.end() :]
