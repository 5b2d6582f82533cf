"""Random claims about functions: orders of approximation, series, bounds, signs and limits."""

from random import Random
from typing import Final

from fuzz.case import Case
from fuzz.pairs import edited

SMOOTH: Final = (
    *("l", "l**2/2", "k3", "l + l**2", "exp(l)", "sigmoid(l)", "tanh(l)", "abs(l)*l", "max(l, 0)**3", "l/w"),
    "log(1 + u)",
)
NEGLIGIBLE: Final = (
    *("l**{n}", "abs(l)**{n}", "max(l, 0)**{n}", "w*l**{n}", "l**{m}", "min(l, 0)**{n}"),
    *("where(l > 0, l**{n}, l**{m})", "l**{k}", "max(w - 9, 0)*l**2", "where(w > 1, l, l**3)"),
)
"""What may be of the order n or higher, m = n + 1; and the like of a lower order, k."""

SERIES: Final = (
    ("exp(l)", "1 + l + l**2/2 + l**3/6 + l**4/24"),
    ("log(1 + u)", "log(2) + l/2 + l**2/8 - l**4/192"),
    ("sigmoid(l)", "1/2 + l/4 - l**3/48"),
    ("sqrt(1 + l)", "1 + l/2 - l**2/8 + l**3/16"),
    ("k3", "l**2/2 - l**3/6 + l**4/24"),
    ("1/(1 + l)", "1 - l + l**2 - l**3"),
    ("tanh(l)", "l - l**3/3"),
    ("log(1 + l)", "l - l**2/2 + l**3/3"),
    ("w*exp(l)", "w + w*l + w*l**2/2"),
    ("1/(1 + w + l)", "1/(1 + w) - l/(1 + w)**2"),
)
REMAINDERS: Final = (
    *("0", "max(l, 0)**{n}", "abs(l)**{n}", "max(l, 0)**{k}", "max(l - 1, 0)", "where(l < 0, l**5, 0)"),
    *("min(l, 0)**{k}", "1e-12*l**2", "where(w > 5, l**{k}, 0)"),
)
BOUNDED: Final = (
    *(("sigmoid(l)", "1"), ("tanh(l)", "1"), ("clamp(l, -1, 1)", "1"), ("l", "abs(l)"), ("k3", "k3")),
    *(("r - 1", "r + 1"), ("min(l**2, 4)", "4"), ("sign(l)", "1"), ("l**2/(1 + l**2)", "1")),
)
POSITIVE: Final = (
    *("k3", "u - 1 - l", "(l - 1)**2", "exp(l) - exp(1)*l", "l**2 - 2*l + 1", "u + r - 2", "softplus(l) - l"),
    *("abs(l) - l", "w - 1 - log_w", "max(l, w)", "1 - tanh(l)", "u*l - u + 1", "l**4 - 4*l + 3", "l - logp"),
    *("w - exp(logp)", "sqrt(1 + l**2) - abs(l)", "exp(l**2) - 1 - l**2"),
)
PLACES: Final = (("", ""), ("", ""), ("0", ""), ("", "0"), ("-1", "2"), ("log(2)", "5"), ("1e-6", "1"))
LIMITS: Final = (
    *(("1 - r", 1, "1"), ("r", -1, "oo"), ("sigmoid(l)", 1, "1"), ("sigmoid(l)", -1, "0"), ("l*r", 1, "0")),
    *(("l*u", -1, "0"), ("(3*l + 1)/(2*l - 5)", 1, "3/2"), ("u - u**2", 1, "-oo"), ("l**3", -1, "-oo")),
    *(("(2*u + l)/(u + 1)", 1, "2"), ("(2*u + l)/(u + 1)", -1, "-oo"), ("u**5*l**9 - u**6", 1, "-oo")),
    *(("exp(1e-6*l)/l**9", 1, "oo"), ("l**2*exp(-0.001*l)", 1, "0"), ("(u + 3)/(2*u - r)", -1, "0")),
    *(("l - l", 1, "0"), ("1e-20*u - l", 1, "oo")),
)


def order(r: Random) -> Case:
    """Coefficients that agree to some order, or do not."""
    base, n = r.choice(SMOOTH), r.choice((0, 1, 1, 2, 2, 3, 4))
    more = r.choice(NEGLIGIBLE).format(n=n + 1, m=n + 2, k=max(n, 1))
    right = f"sg(w*({base} + {more} + {r.choice(('0', '3', '-1/2'))}))*logp"
    return Case("AgreesToOrder", f"sg(w*({base}))*logp", right, r.random() < 0.5, order=n)


def bound(r: Random) -> Case:
    """How long an expected gradient can be."""
    f, b = r.choice(BOUNDED)
    scale = r.choice(("1", "0.5", "0.9", "0.1", "1.001", "1e-3"))
    text = r.choice((f"sg({f})*logp", f"sg(w*({f}))*logp", f"sg({f} + 3)*logp"))
    return Case("GradientBound", text, f"{scale}*({b})", r.random() < 0.5)


def expansion(r: Random) -> Case:
    """Taylor series, and some that are not."""
    (f, g), n = r.choice(SERIES), r.choice((0, 1, 2, 3, 4))
    return Case("Expansion", f"{f} + {r.choice(REMAINDERS).format(n=n + 1, k=max(n, 1))}", g, order=n)


def sign(r: Random) -> Case:
    """What is not negative, and some that is, often by little and far out."""
    f, (above, below) = r.choice(POSITIVE), r.choice(PLACES)
    if r.random() < 0.5:
        less = r.choice(("1e-9", "1e-9*max(l - 100, 0)*max(w, 1)", "1e-3*where(3 < l < 3.001, 1, 0)"))
        f = r.choice((f"{f} - {less}", f"{f} - {less}", edited(r, f), f"-({f})", f"{f} + l", f"({f})*(l - 1)"))
    return Case("HasSign", f, sign=1 if r.random() < 0.9 else -1, above=above, below=below)


def limit(r: Random) -> Case:
    """Limits, and some that are not."""
    f, side, to = r.choice(LIMITS)
    if r.random() < 0.5:
        f = r.choice((f"{f} + 1e-9", f"2*({f})", f"-({f})", f"{f} + l", f"{f} + 1e-9*l"))
    return Case("Limit", f, to, sign=side)
