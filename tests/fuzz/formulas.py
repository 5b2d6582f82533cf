"""A generator of formula texts, seeded: shapes that libraries have, and wild ones."""

from random import Random
from typing import Final

NUMBERS: Final = (
    *("1", "2", "3", "1/2", "0.5", "0.2", "1.2", "0.8", "10", "20", "0.1", "3/4", "1e-3", "5", "0.05", "7", "1/3"),
    *("0.123", "100", "2.5", "4", "0", "1e3", "0.3"),
)
ODD_NUMBERS: Final = ("sqrt(3)", "log(2)", "exp(1)", "1e6", "1e-6", "sqrt(2)/2", "log(10)", "exp(-2)", "2*log(3)")
VARIABLES: Final = ("l", "w", "logp", "logp_ref", "logp_old", "u", "r", "A", "k1", "k2", "k3")
WEIGHTS: Final = (44, 14, 7, 4, 3, 7, 5, 6, 2, 3, 5)
BOUNDS: Final = (("0.8", "1.2"), ("-5", "5"), ("-1", "1"), ("0", "10"), ("-20", "20"), ("0.1", "3"), ("-0.3", "2"))


def number(r: Random) -> str:
    return r.choice(NUMBERS) if r.random() < 0.92 else r.choice(ODD_NUMBERS)


def linear(r: Random) -> str:
    v = r.choice(("l", "l", "l", "-l", "log(w)", "logp", "logp_ref", "logp_old", "-logp", "(logp - logp_old)"))
    k = r.random()
    return v if k < 0.5 else f"{number(r)}*({v})" if k < 0.75 else f"({v} {r.choice('+-')} {number(r)})"


def atom(r: Random) -> str:
    return r.choices(VARIABLES, WEIGHTS)[0] if r.random() < 0.8 else number(r)


def condition(r: Random, depth: int) -> str:
    a, b = expression(r, depth - 1), expression(r, depth - 1)
    k = r.random()
    if k < 0.5:
        return f"{a} {r.choice(('<', '>', '<=', '>='))} {number(r) if r.random() < 0.7 else b}"
    if k < 0.65:
        return f"{r.choice(('-2', '0', '0.5', '-1/3'))} < {a} {r.choice(('<', '<='))} {r.choice(('2', '5', '1.5'))}"
    if k < 0.9:
        return f"{condition(r, depth - 1)} {r.choice(('and', 'or'))} {condition(r, depth - 1)}"
    return f"not ({condition(r, depth - 1)})"


def expression(r: Random, depth: int) -> str:
    """A wild formula of this depth."""
    if depth <= 0:
        return atom(r)

    def sub() -> str:
        return expression(r, depth - 1)

    shapes = {
        18: lambda: f"({sub()} {r.choice('+-')} {sub()})",
        12: lambda: f"{sub()}*{sub()}",
        4: lambda: f"{sub()}/({sub()})",
        6: lambda: f"({sub()})**{r.choice(('2', '2', '3', '4'))}",
        8: lambda: f"exp({linear(r)})",
        3.1: lambda: f"log({r.choice(('1+u', '1+w', 'w', 'u', '1+exp(-l)', '0.5+u/2', '1+l**2', sub()))})",
        2.1: lambda: f"sqrt({r.choice(('u', 'w', '1+l**2', 'l', '1+u', sub()))})",
        5: lambda: f"abs({sub()})",
        7: lambda: f"{r.choice(('min', 'max'))}({sub()}, {sub()})",
        7.1: lambda: "clamp({}, {}, {})".format(sub(), *r.choice(BOUNDS)),
        6.1: lambda: f"where({condition(r, depth - 1)}, {sub()}, {sub()})",
        1.5: lambda: f"({condition(r, depth - 1)})*{sub()}",
        6.2: lambda: f"sg({sub()})",
        3: lambda: f"{r.choice(('sigmoid', 'softplus', 'tanh', 'relu', 'sign', 'expm1', 'square', 'log1p'))}({sub()})",
        5.1: lambda: f"{number(r)}*{sub()}",
        1.2: lambda: f"{r.choice(('w', 'u', 'exp(1)', '2'))}**({r.choice((linear(r), '1/3', '0.7', '-3/2', 'l'))})",
        0.7: lambda: f"sg({sub()}) + {(x := sub())} - sg({x})",
    }
    return r.choices(list(shapes.values()), list(shapes))[0]()


def realistic(r: Random) -> str:
    """A loss as trainers write it, with numbers of its own."""
    k = r.choice(("k1", "k2", "k3", "abs(l)", "(exp(-l) - 1 + l)", "0.5*l**2", "(u - 1 - l)"))
    a, b = r.choice(BOUNDS)
    eps, hi = r.choice(("0.2", "0.1", "0.28")), r.choice(("1.2", "1.28", "3", "10"))
    lo = f"(1 - {eps})"
    adv, beta = r.choice(("A", "A", "sg(A)", "2*A")), r.choice(("0.04", "0.001", "1/5", "beta"))
    delta = r.choice(("1", "0.5", "2", "sqrt(3)"))
    ppo = f"max(-w*{adv}, -clamp(w, {lo}, {hi})*{adv})"
    shapes = (
        lambda: f"clamp({k}, {a}, {b})",
        lambda: f"min({k}, {b})",
        lambda: ppo,
        lambda: f"{ppo} + {beta}*{k}",
        lambda: f"where(A < 0, min({ppo}, -{r.choice(('3', '2', '5'))}*A), {ppo})",
        lambda: f"-sg(clamp(w, 0, {hi}))*A*logp",
        lambda: f"-sg(min(w, {hi}))*A*logp + {beta}*{k}",
        lambda: f"sg({k}) + {(g := r.choice(('l**2/2', 'l', 'k3')))} - sg({g})",
        lambda: f"where(abs(l) < {delta}, l**2/2, {delta}*(abs(l) - {delta}/2))",
        lambda: "0.5*(log(2/(1 + r)) + r*log(2*r/(1 + r)))",
        lambda: f"{r.choice(('w', 'sg(w)', 'min(w, 2)', 'sg(min(w, 5))'))}*({k} + {r.choice(('l', 'l**2', 'k3'))})",
        lambda: f"({lo} < w)*(w < {hi})*{k}",
        lambda: f"where(({lo} < w and A < 0) or (w < {hi} and A > 0), -w*A, 0)",
        lambda: f"-A*sigmoid({r.choice(('4', '2'))}*(w - 1))*{r.choice(('4', '1', '1/2'))} + {beta}*{k}",
        lambda: f"clamp(logp - logp_ref, {a}, {b})**2/2",
        lambda: f"exp(clamp(-l, {a}, {b})) - clamp(-l, {a}, {b}) - 1",
        lambda: f"clamp(exp(clamp(-l, -20, 20)) - 1 + l, -10, {r.choice(('10', '5', '1/2'))})",
        lambda: f"-logsigmoid({beta}*l)",
        lambda: f"(l - {delta})**2",
        lambda: f"(exp({(q := r.choice(('0.5', '2', '-1/3', '0.1')))}*l) - 1 - {q}*l)/({q})**2",
        lambda: f"-logp*({r.choice(('A', 'sg(A - 0.1*l)', 'A - 0.05*sg(k3)'))})",
        lambda: f"{beta}*logp*exp({r.choice(('logp', '-l', '0'))}) + {k}",
        lambda: f"abs(u - 1)*{r.choice(('1', '0.5', 'sg(r)', 'r'))}",
        lambda: f"sg(where(abs(log(w)) > {delta}, 0, 1))*({k})",
    )
    return r.choice(shapes)()


def formula(r: Random) -> str:
    """A formula: realistic, wild, or both put together."""
    k = r.random()
    if k < 0.25:
        return realistic(r)
    if k < 0.4:
        joined = r.choice(("{} + {}", "min({}, {})", "({})*({})", "where(l > 0, {}, {})", "{} - 0.3*({})"))
        return joined.format(realistic(r), expression(r, r.choice((1, 2))))
    return expression(r, r.choice((2, 3, 3, 4, 5)))
