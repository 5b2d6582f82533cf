"""Random claims about whole responses: true ones by identities, false ones by edits, and some of which nobody knows."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Final

from fuzz.response_case import ResponseCase

PLAIN: Final = ("l", "l**2/2", "k3", "exp(-l)", "log_w", "w*l", "l*log_w", "u", "logp", "r - 1", "max(l, 0)", "E(l)")
TOKENS: Final = (
    *(*PLAIN, "l", "l**2", "w", "1/w", "logp*l", "abs(l)", "min(w, 2)", "exp(l/2)", "1", "2", "clamp(l, -1, 1)"),
    *("l*E(l)", "b", "b*l", "E(k3)", "sg(l)", "sg(w)*l", "log_w - l", "exp(-2*l)", "logp_ref"),
)
LETTERS: Final[Mapping[str, str]] = {
    "{earlier}": "exp(past(log_w))",
    "{prefix}": "exp(past(log_w) + log_w)",
    "{whole}": "exp(total(log_w))",
    "{gamma}": "exp(past(log(gamma)))",
}

ALWAYS: Final[tuple[tuple[str, str], ...]] = (
    ("total({f}) + total({g})", "total({f} + {g})"),
    ("total({f})*total(1)", "N*total({f})"),
    ("total({f})/N", "total(({f})/N)"),
    ("total({f})**2", "total(({f})**2) + 2*total(({f})*past({f}))"),
    ("total({f})*total({g})", "total(({f})*({g})) + total(({f})*past({g})) + total(({g})*past({f}))"),
    ("total(({f})*past({g}))", "total(({g})*future({f}))"),
    ("total(({f})*(past({g}) + {g} + future({g})))", "total({f})*total({g})"),
    ("total(sg(total({f}))*({g}))", "sg(total({f}))*total({g})"),
    ("total({earlier}*(w - 1))", "{whole} - 1"),
    ("total(exp(past(l))*(u - 1))", "exp(total(l)) - 1"),
    ("exp(total({h}) + total(l))", "exp(total({h} + l))"),
    ("total(past(1)*({f}))", "total(future({f}))"),
    ("total(future({f}, gamma))*(1 - gamma)", "gamma*total(({f})*(1 - {gamma}))"),
    ("total(({g})*future({f}, gamma))", "total(({f})*{gamma}*past(({g})*exp(past(-log(gamma)))))"),
    ("total(({f})*total({g}))", "total(({g})*total({f}))"),
    ("exp(total({f}))*exp(-total({f}))*total({g})", "total({g})"),
    ("total(past({f})**2)", "total(past(({f})**2)) + 2*total(past(({f})*past({f})))"),
    ("(total({f}) - total({g}))**2", "total({f})**2 - 2*total({f})*total({g}) + total({g})**2"),
    ("total(({f})*exp(past(l)))*exp(-total(l))", "total(({f})*exp(-l - future(l)))"),
    ("total(future({f}, 1/2))", "total(({f})*(1 - exp(past(-log(2)))))"),
    ("total(future({f}, 1/3))", "total(({f})*(1 - exp(past(-log(3))))/2)"),
    ("total(({g})*future({f}, 1/2))", "total(({f})*exp(past(-log(2)))*past(({g})*exp(past(log(2)))))"),
    ("total(past(1))", "N*(N - 1)/2"),
    ("total(past(1)**2)", "N*(N - 1)*(2*N - 1)/6"),
    ("total({f}) + 3*N", "total({f} + 3)"),
    ("total(exp(past(log(2))))", "exp(total(log(2))) - 1"),
    ("total(({f})*exp(past({h}) + {h}))", "total(({f})*exp({h})*exp(past({h})))"),
    (
        "total(past({f})*past({g}))",
        "total(past(({f})*({g}))) + total(past(({f})*past({g}))) + total(past(({g})*past({f})))",
    ),
)
"""Two writings of the same number of a response: the same in value and in gradient."""

GRADIENTS: Final[tuple[tuple[bool | None, str, str], ...]] = (
    (True, "total(sg(past({f}))*logp)", "0"),
    (True, "total(sg(past({f}) + {g})*logp)", "total(sg({g})*logp)"),
    (True, "total(sg({f} - b)*logp)", "total(sg({f})*logp)"),
    (True, "total(sg({f} + future({f}))*logp)", "sg(total({f}))*total(logp)"),
    (True, "total(sg({f} + ahead({f}))*logp)", "total(sg({f} + future({f}))*logp)"),
    (True, "total(logp)", "0"),
    (True, "total(sg(future(1))*logp)", "sg(N)*total(logp)"),
    (True, "total(sg(E({f}))*logp)", "0"),
    (True, "total(sg({f} - E({f}))*logp)", "total(sg({f})*logp)"),
    (False, "total(sg(b*w)*logp)", "0"),
    (False, "total(sg(past({f})*w)*logp)", "0"),
    (False, "total(w)", "0"),
    (False, "total(sg({prefix}*({f}))*logp)", "sg({whole})*total(sg({f})*logp)"),
    (False, "total(sg({prefix}*past({f}))*logp)", "0"),
    (None, "total({prefix}*({f}))", "{whole}*total({f})"),
    (None, "sg({whole})*total({f})", "total(sg({prefix})*({f}))"),
    (None, "total(w*({f}))", "total(E({f}))"),
    (None, "total(sg({f}) + {g})", "total({g})"),
    (None, "total(sg({earlier})*w*({f}))", "total(sg({earlier})*E({f}))"),
    (None, "total(w*past({f}))", "total(past({f}))"),
    (None, "{whole}", "0"),
    (None, "total({prefix})", "0"),
)
"""Two losses with the same expected gradient: on-policy, off-policy, or whoever sampled."""

DESCENDED: Final = (
    *("{whole}*total({f})", "total({prefix}*({f}))", "total(sg({f} + future({f}))*logp + {f})"),
    *("sg(total({f}))*total(logp) + total({f})", "total(sg({f} + ahead({f}))*logp + {f})"),
)
"""Losses that descend E_π[Σ f]: the first two whoever sampled, the others on-policy."""

VALUES: Final[tuple[tuple[str, str], ...]] = (
    ("total({f})", "total(E({f}))"),
    ("total(({f})*E({f}))", "total(E({f})**2)"),
    ("total(({f})*E({g}))", "total(E({f})*E({g}))"),
    ("exp(-total(l))", "1"),
    ("exp(-total(log_w)) + 2", "exp(-total(l)) + 2"),
    ("-exp(-total(l))*total(l)", "-total(exp(-past(l) - l)*l)"),
    ("exp(-total(l))*total({f})", "total(exp(-past(l) - l)*({f}))"),
    ("total(ahead({f}))", "total(future({f}))"),
    ("total(({g})*ahead({f}))", "total(({f})*past({g}))"),
    ("total(r)", "N"),
    ("total(k3)", "total(l)"),
    ("total(b*({f} - E({f})))", "0"),
    ("total(past({g})*({f} - E({f})))", "0"),
    ("total(past({g})*({f}))", "total(past({g})*E({f}))"),
    ("total(1/w)*2", "total(1/w) + N"),
)
"""Two numbers of a response with the same mean under the policy."""

CONSERVATIVE: Final = (
    *("total({prefix}*({f}))", "{whole}*total({f})", "total(sg({f} + future({f}))*logp) + total({f})", "total(logp)"),
    *("total({f})", "total(E({f}))", "total(sg(w)*l)", "N*total(w)", "total(w)**2", "total(sg({f})*logp)"),
    *("total(sg({f} + future({f}))*logp)", "total(sg(w)*({f}))", "total({f})/N"),
)

SWAPS: Final[Mapping[str, str]] = {"past": "future", "future": "past", "sg": "", "2": "3", "l": "log_w"} | {
    "log_w": "l",
    "w": "sg(w)",
    "N": "(N + 1)",
    "k3": "k2",
    "ahead": "future",
}
DISCOUNTED: Final = re.compile(r", (gamma|1/\d)\)")
ADDED: Final = (
    *("1e-9*total(l**2)", "total(sg(future(l))*logp)", "total(sg(l)*future(logp))", "total(past(l)*l)"),
    *("exp(total(l))", "N*total(l)", "total({earlier}*l**2)", "total(w*l)*total(l)", "total(future(l, 1/2)*l)"),
)


def _filled(r: Random, *texts: str, of: Sequence[str] = PLAIN) -> tuple[str, ...]:
    """Texts with the same functions of a token put in."""
    functions = {"{f}": r.choice(of), "{g}": r.choice(PLAIN), "{h}": r.choice(("-l", "log_w", "l/2", "l - log_w"))}
    for name, put in (functions | LETTERS).items():
        texts = tuple(x.replace(name, put) for x in texts)
    return texts


def gradient_pair(r: Random) -> ResponseCase:
    """Losses with the same expected gradient, or with that of an objective."""
    on, fixed, k = r.random() < 0.5, r.random() < 0.3, r.random()
    if k < 0.35:
        return ResponseCase("SameSequenceGradient", *_filled(r, *r.choice(ALWAYS), of=TOKENS), on, fixed)
    if k < 0.75:
        who, *sides = r.choice(GRADIENTS)
        return ResponseCase("SameSequenceGradient", *_filled(r, *sides), on if who is None else who, fixed)
    right = r.choice(("total({f})", "total(E({f}))", "total({f}) + 3"))
    sides = [r.choice(DESCENDED[: 5 if on else 2]), right]
    if fixed and r.random() < 0.4:
        sides = [f"({x})/N" for x in sides]
    return ResponseCase("SameSequenceGradient", *_filled(r, *sides), on, fixed, (False, True))


def value_pair(r: Random) -> ResponseCase:
    """Numbers with the same mean."""
    sides = _filled(r, *r.choice((*VALUES, *VALUES, *ALWAYS)), of=TOKENS)
    return ResponseCase("SameSequenceValue", *sides, True, r.random() < 0.3)


def conservative(r: Random) -> ResponseCase:
    """Losses whose expected gradient is a gradient of something, or is not."""
    return ResponseCase("IsConservative", *_filled(r, r.choice(CONSERVATIVE), "0"), r.random() < 0.5, r.random() < 0.3)


def joined(r: Random) -> ResponseCase:
    """Two identities in one claim, the sides of the second now and then swapped."""
    on, fixed, number = r.random() < 0.5, r.random() < 0.3, r.choice(("2", "-1", "1/3", "1e-9", "(-0.5)"))
    first, second = (_filled(r, *r.choice(ALWAYS), of=TOKENS)[:: r.choice((1, -1))] for _ in range(2))
    sides = [f"{a} + {number}*({b})" for a, b in zip(first, second, strict=True)]
    if r.random() < 0.3:
        factor = r.choice(("N", "exp(-total(l))", "total(l)", "1/N"))
        sides = [f"({x})*({factor})" for x in sides]
    return ResponseCase(r.choice(("SameSequenceGradient", "SameSequenceValue")), *sides, on, fixed)


def edited(r: Random, case: ResponseCase) -> ResponseCase:
    """One word changed, or who sampled, or whether lengths are random."""
    k = r.random()
    if k < 0.15:
        return replace(case, on_policy=not case.on_policy)
    if k < 0.25:
        return replace(case, fixed=not case.fixed)
    if k < 0.4:
        return replace(case, left=f"{case.left} + {_filled(r, r.choice(ADDED))[0]}")
    side = "left" if k < 0.7 or case.right == "0" else "right"
    text = getattr(case, side)
    swaps = {k: x for k, x in SWAPS.items() if k != "future" or not DISCOUNTED.search(text)}
    places = [m for m in re.finditer(r"[a-zA-Z_][a-zA-Z_0-9]*|\d+", text) if m.group() in swaps]
    if not places:
        return replace(case, left=f"{case.left} + total(l*past(l))")
    m = r.choice(places)
    return replace(case, **{side: text[: m.start()] + SWAPS[m.group()] + text[m.end() :]})


def response_case(r: Random) -> ResponseCase:
    """A claim of some kind about responses."""
    case = r.choices((gradient_pair, value_pair, conservative, joined), (5, 3, 2, 3))[0](r)
    return edited(r, case) if r.random() < 0.45 else case
