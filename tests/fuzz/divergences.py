"""The named divergences, each by its own definition on two lists of probabilities, and sums of multiples of them."""

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import mpmath
from fuzz.dual import ONE, ZERO, Dual, exp, gradient, log, power, total
from fuzz.evaluate import Context, compiled

Definition = Callable[[Sequence[Dual], Sequence[Dual]], Dual]


def _summed(term: Callable[[Dual, Dual], Dual]) -> Definition:
    return lambda p, q: total(term(a, b) for a, b in zip(p, q, strict=True))


def _kl(p: Sequence[Dual], q: Sequence[Dual]) -> Dual:
    return total(a * log(a / b) for a, b in zip(p, q, strict=True))


def _abs(x: Dual) -> Dual:
    return x if x.v >= 0 else -x


def _halved(p: Sequence[Dual], q: Sequence[Dual]) -> list[Dual]:
    return [(a + b) * HALF for a, b in zip(p, q, strict=True)]


HALF: Final = Dual(mpmath.mpf(1) / 2)
DEFINITIONS: Final[Mapping[str, Definition]] = {
    "reverse_kl": _kl,
    "forward_kl": lambda p, q: _kl(q, p),
    "jeffreys": lambda p, q: _kl(p, q) + _kl(q, p),
    "total_variation": lambda p, q: HALF * total(_abs(a - b) for a, b in zip(p, q, strict=True)),
    "pearson_chi2": _summed(lambda a, b: (a - b) * (a - b) / b),
    "neyman_chi2": _summed(lambda a, b: (a - b) * (a - b) / a),
    "squared_hellinger": _summed(lambda a, b: (power(a, HALF) - power(b, HALF)) * (power(a, HALF) - power(b, HALF))),
    "jensen_shannon": lambda p, q: HALF * (_kl(p, _halved(p, q)) + _kl(q, _halved(p, q))),
    "kl_uniform": lambda p, _: total(a * log(a) for a in p),  # up to log V
}
TITLES: Final[Mapping[str, str]] = {
    "reverse_kl": "KL(π‖π_ref)",
    "forward_kl": "KL(π_ref‖π)",
    "jeffreys": "J(π, π_ref)",
    "total_variation": "TV(π, π_ref)",
    "pearson_chi2": "χ²(π‖π_ref)",
    "neyman_chi2": "χ²(π_ref‖π)",
    "squared_hellinger": "Σ(√π - √π_ref)²",
    "jensen_shannon": "JS(π, π_ref)",
    "kl_uniform": "KL(π‖uniform)",
    "expected_advantage": "E_π[A]",
}
OLD: Final = {"kl_policy_old": "reverse_kl", "kl_old_policy": "forward_kl"}
NAMES: Final = (*DEFINITIONS, *OLD, *(f"{n}_old" for n in DEFINITIONS if n not in OLD.values()))
CRESSIE_READ: Final = re.compile(r"CR_\{([^}]*)\}\(π‖π_(ref|old)\)")
NAME: Final = re.compile(r"cressie_read\[([^\]]*)\](_old)?|[a-z][a-z_0-9]*")


def value(
    name: str,
    policy: Sequence[Dual],
    reference: Sequence[Dual],
    old: Sequence[Dual],
    advantages: Sequence[Any] = (),
) -> Dual:
    """What ``gradient_of`` denotes: ``2*total_variation``, ``reverse_kl - cressie_read[1/3]_old``, ``zero``."""
    found: dict[str, Dual] = {"zero": Dual(ZERO)}

    def named(match: re.Match[str]) -> str:
        name = match.group()
        if name in ("sqrt", "log", "exp"):
            return name
        key = f"d{len(found)}"
        if name == "expected_advantage":
            found[key] = total(p * Dual(mpmath.mpf(a)) for p, a in zip(policy, advantages, strict=True))
        else:
            found[key] = _one(match, policy, reference, old)
        return key

    text = "zero" if name == "zero" else NAME.sub(named, name)
    ast.parse(text, mode="eval")
    return compiled(text)(Context(found | {"E": exp(Dual(ONE))}))


def _one(match: re.Match[str], policy: Sequence[Dual], reference: Sequence[Dual], old: Sequence[Dual]) -> Dual:
    name = match.group()
    if match.group(1) is not None:
        lam = compiled(match.group(1))(Context({}))
        other = old if match.group(2) else reference
        powers = (a * (power(a / b, lam) - Dual(ONE)) for a, b in zip(policy, other, strict=True))
        return total(powers) / (lam * (lam + Dual(ONE)))
    if name in OLD:
        return DEFINITIONS[OLD[name]](policy, old)
    if name.endswith("_old"):
        return DEFINITIONS[name.removesuffix("_old")](policy, old)
    return DEFINITIONS[name](policy, reference)


def title(name: str) -> str:
    """The same for people."""

    def titled(match: re.Match[str]) -> str:
        name = match.group()
        if name in ("sqrt", "log", "exp"):
            return name
        if match.group(1) is not None:
            shown = f"CR_{{{match.group(1)}}}(π‖π_ref)"
        else:
            shown = TITLES[OLD.get(name, name.removesuffix("_old"))]
        return shown.replace("π_ref", "π_old") if name in OLD or name.endswith("_old") else shown

    if name == "zero":
        return "0 (no gradient)"
    return re.sub(rf"(\*?)({NAME.pattern})", lambda m: _spaced(m, titled), name)


def _spaced(match: re.Match[str], titled: Callable[[re.Match[str]], str]) -> str:
    inner = NAME.fullmatch(match.group(2))
    assert inner is not None
    shown = titled(inner)
    return match.group() if shown == inner.group() else f"{' ' if match.group(1) else ''}{shown}"


def coefficient(name: str, l: Any, log_w: Any) -> Any:
    """C of a name at one action: the derivative by π of its term there, π_ref and π_old held."""

    def one(p: Dual) -> Dual:
        ref, old = Dual(mpmath.exp(-l)), Dual(mpmath.exp(-log_w))
        return value(name, [p], [ref], [old])

    return gradient(one, mpmath.mpf(1))


def named_of(shown: str) -> str | None:
    """The name behind a title, a sum of multiples; ``None`` where it holds something else."""
    text = CRESSIE_READ.sub(lambda m: f"cressie_read[{m.group(1)}]{'_old' * (m.group(2) == 'old')}", shown)
    for name in sorted(NAMES, key=lambda n: -len(title(n))):
        text = text.replace(title(name), name)
    text = re.sub(r"(?<=[\w)]) (?=[a-z])", "*", text)
    return ("zero" if text == "0" else text) if text.isascii() else None
