"""One setting as a person types it on the command line: exact probabilities, or a random draw."""

from decimal import Decimal
from fractions import Fraction
from math import log

import numpy as np

from kltheory.numerics.settings import FAMILIES, Array, Settings

FAMILY = "spread"
"""The family a random setting is drawn from."""


class BadSetting(Exception):
    """What was typed is no setting; the message says what to write instead."""


def typed(policy: str, reference: str, old: str | None = None) -> Settings:
    """The setting of three texts such as ``".6 .3 .1"`` or ``"1/3 1/3 1/3"``; without ``old`` it is the policy.

    Raises:
        BadSetting: a text is no distribution, or they are not equally long.
    """
    texts = {"policy": policy, "reference": reference, "old": policy if old is None else old}
    found = {name: distribution(name, text) for name, text in texts.items()}
    size = len(found["policy"])
    for name, p in found.items():
        if len(p) != size:
            raise BadSetting(f"--{name} has {len(p)} probabilities and --policy has {size}: one for each action")
    a, b, c = (np.array([[_log(x) for x in p]]) for p in found.values())
    return Settings(a, b, c, np.zeros((1, size)), ("typed",))


def distribution(name: str, text: str) -> tuple[Fraction, ...]:
    """The positive, exact probabilities of a text; raises as above."""
    words = text.replace(",", " ").split()
    try:
        p = tuple(map(Fraction, words))
    except (ValueError, ZeroDivisionError):
        raise BadSetting(
            f"--{name} {text!r}: write probabilities with spaces between, '.6 .3 .1' or '1/3 2/3'"
        ) from None
    if len(p) < 2:
        raise BadSetting(f"--{name} {text!r}: at least two probabilities, one for each action")
    for word, x in zip(words, p, strict=True):
        if x <= 0:
            raise BadSetting(f"--{name}: {word} is not positive; every action needs some probability (full support)")
    total = sum(p, Fraction())
    if total != 1:
        last = 1 - total + p[-1]
        hint = f"; with the others as they are the last is {_short(last)}" if last > 0 else ""
        raise BadSetting(f"--{name} sums to {_short(total)}, not to 1{hint}")
    return p


def _log(x: Fraction) -> float:
    """Of a number that may be smaller than every float."""
    return log(x) if float(x) else log(x.numerator) - log(x.denominator)


def _short(x: Fraction) -> str:
    decimal = f"{Decimal(x.numerator) / x.denominator:.12g}"
    return decimal if Fraction(decimal) == x else str(x)


def drawn(seed: int, size: int) -> Settings:
    """A random setting: logits from normal distributions, the old policy near the policy."""
    random = np.random.default_rng(seed)
    logits = FAMILIES[FAMILY](random, (1, size))
    return Settings(*logits, np.zeros((1, size)), (FAMILY,))


def probabilities(setting: Settings) -> dict[str, list[float]]:
    """The three distributions."""
    rows: dict[str, Array] = {"policy": setting.logp, "reference": setting.logp_ref, "old": setting.logp_old}
    return {name: [float(x) for x in np.exp(row[0])] for name, row in rows.items()}
