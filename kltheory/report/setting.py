"""One setting as a person types it on the command line: exact probabilities, or a random draw."""

from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np

from kltheory.numerics.rational import RationalSetting
from kltheory.numerics.settings import FAMILIES, Settings
from kltheory.report.exact import NotExact, exact, shortened
from kltheory.report.number import shown

FAMILY: Final = "spread"
"""The family a random setting is drawn from."""
CLOSE: Final = Fraction(1, 10**9)
"""A number is told by how far it is from 1 where that is less."""


class BadSetting(Exception):
    """What was typed is no setting; the message says what to write instead."""


def typed(policy: str, reference: str, old: str | None = None) -> RationalSetting:
    """The exact setting of three texts such as ``".6 .3 .1"`` or ``"1/3 1/3 1/3"``; without ``old`` it is the policy.

    Raises:
        BadSetting: a text is no distribution, or they are not equally long.
    """
    texts = {"policy": policy, "reference": reference, "old": policy if old is None else old}
    found = {name: distribution(name, text) for name, text in texts.items()}
    size = len(found["policy"])
    for name, p in found.items():
        if len(p) != size:
            raise BadSetting(f"--{name} has {len(p)} probabilities and --policy has {size}: one for each action")
    return RationalSetting(**found, advantage=(Fraction(),) * size)


def distribution(name: str, text: str) -> tuple[Fraction, ...]:
    """The positive, exact probabilities of a text; raises as above."""
    words = text.replace(",", " ").split()
    try:
        p = tuple(map(exact, words))
    except NotExact as e:
        wanted = "write probabilities with spaces between, '.6 .3 .1' or '1/3 2/3'"
        raise BadSetting(f"--{name} {shortened(text)!r}: {wanted}; {e}") from None
    if len(p) < 2:
        raise BadSetting(f"--{name} {shortened(text)!r}: at least two probabilities, one for each action")
    for word, x in zip(words, p, strict=True):
        if x <= 0:
            raise BadSetting(
                f"--{name}: {shortened(word)} is not positive; every action needs some probability (full support)"
            )
    total = sum(p, Fraction())
    if total != 1:
        last = 1 - total + p[-1]
        hint = f"; with the others as they are the last is {_short(last)}" if last > 0 else ""
        raise BadSetting(f"--{name} sums to {_short(total)}, not to 1{hint}")
    return p


def _short(x: Fraction) -> str:
    """The number if it is short, else how far it is from 1."""
    decimal = f"{Decimal(x.numerator) / x.denominator:.12g}"
    if Fraction(decimal) == x:
        return decimal
    return str(x) if abs(x - 1) > CLOSE else f"1 {'-' if x < 1 else '+'} {shown(abs(x - 1))}"


def drawn(seed: int, size: int) -> Settings:
    """A random setting: logits from normal distributions, the old policy near the policy."""
    random = np.random.default_rng(seed)
    logits = FAMILIES[FAMILY](random, (1, size))
    return Settings(*logits, np.zeros((1, size)), (FAMILY,))


def probabilities(setting: RationalSetting | Settings) -> dict[str, tuple[Fraction, ...]]:
    """The three distributions: as typed, or those of drawn logits to the digits of float64."""
    if isinstance(setting, RationalSetting):
        return {name: getattr(setting, name) for name in ("policy", "reference", "old")}
    rows = {"policy": setting.logp, "reference": setting.logp_ref, "old": setting.logp_old}
    return {name: tuple(map(Fraction, np.exp(row[0]).tolist())) for name, row in rows.items()}
