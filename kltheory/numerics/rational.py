"""Small settings in exact decimals, where a witness can be read, checked by hand and enclosed in balls."""

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from math import exp
from typing import Any, ClassVar, Final

import numpy as np
from sympy import Rational, Symbol, log

from kltheory.calculus.symbols import log_ratio, log_weight, logp
from kltheory.numerics.balls import number
from kltheory.numerics.enclosed import EXACT, Columns, each
from kltheory.numerics.responses import ResponseTree, Row, same_row

FEW: Final = 8
"""Most actions with which a number is looked at in exact arithmetic: the zero test takes a moment."""


@dataclass(frozen=True)
class RationalSetting:
    """One setting in exact numbers: three distributions over the same V actions, and an advantage per action.

    Raises:
        ValueError: the lengths differ, a probability is not positive, or a distribution does not sum to 1.
    """

    preposition: ClassVar[str] = "at"
    policy: Row
    reference: Row
    old: Row
    advantage: Row

    def __post_init__(self) -> None:
        for name in ("policy", "reference", "old"):
            p = getattr(self, name)
            if sum(p) != 1 or min(p) <= 0 or len(p) != len(self.advantage):
                raise ValueError(f"{name} = {_texts(p)}: expected {len(self.advantage)} positive numbers with sum 1")

    @classmethod
    def of(cls, *columns: str) -> "RationalSetting":
        """From four texts such as ``".6 .3 .1"``: policy, reference, old policy, advantage."""
        return cls(*(tuple(map(Fraction, c.split())) for c in columns))

    @classmethod
    def between(cls, policy: Row, reference: Row) -> "RationalSetting":
        """With an old policy half way between the two, and no advantages."""
        half_way = tuple((p + q) / 2 for p, q in zip(policy, reference, strict=True))
        return cls(policy, reference, half_way, tuple(Fraction(0) for _ in policy))

    @property
    def tree(self) -> ResponseTree:
        """The same as a tree of one token."""
        policy, reference, old = map(same_row, (self.policy, self.reference, self.old))
        return ResponseTree(len(self.policy), 1, None, policy, reference, old, self.advantage)

    @property
    def count(self) -> int:
        """N: a single setting."""
        return 1

    @property
    def size(self) -> int:
        """V."""
        return len(self.policy)

    def columns(self) -> Columns:
        """One row in balls."""
        policy = np.array([self.policy], dtype=object)
        at = {v: each(lambda q: number(q).log())(q) for v, q in self._quotients().items()}
        return Columns(at, each(number)(policy))

    def exactly(self) -> Columns | None:
        """One row of exact numbers, the logarithms of rationals."""
        if self.size > FEW:
            return None
        at = {v: each(log)(each(Rational)(q)) for v, q in self._quotients().items()}
        return Columns(at, each(Rational)(np.array([self.policy], dtype=object)), EXACT, self.columns())

    def _quotients(self) -> dict[Symbol, Any]:
        """What the canonical variables are the logarithms of, shape (1, V)."""
        p, r, o = (np.array([row], dtype=object) for row in (self.policy, self.reference, self.old))
        return {logp: p, log_ratio: p / r, log_weight: p / o}

    def to_json(self) -> dict[str, Any]:
        """``setting``: the four columns as lists of decimal texts."""
        return {"setting": {name: _texts(column) for name, column in vars(self).items()}}

    def __str__(self) -> str:
        return ", ".join(f"{name} ({', '.join(texts)})" for name, texts in self.to_json()["setting"].items())


def _texts(column: Row) -> list[str]:
    """Exact decimals where they are short, else fractions."""
    decimals = [f"{Decimal(f'{float(x):.12g}'):f}" for x in column]
    return [d if Fraction(d) == x else str(x) for d, x in zip(decimals, column, strict=True)]


GRID: Final = tuple(Fraction(k, 4) for k in range(-48, 49))
"""Log-ratios tried for claims about functions of l."""


@lru_cache(maxsize=1)
def pairs_of_log_ratios() -> tuple[RationalSetting, ...]:
    """The first two actions have neighbouring log-ratios, nearly those of the grid, the smaller first."""
    pairs = sorted(pairwise(GRID), key=lambda pair: abs(pair[0] + pair[1]))
    return tuple(_with_log_ratios(float(a), float(b)) for a, b in pairs)


def _with_log_ratios(*wanted: float) -> RationalSetting:
    quarter = Fraction(1, 4)
    short = [Fraction(f"{exp(-abs(l)) / 4:.3g}") for l in wanted]
    policy, reference = (
        [x if side * l < 0 else quarter for x, l in zip(short, wanted, strict=True)] for side in (1, -1)
    )
    return RationalSetting.between(*((*row, Fraction(1 - sum(row))) for row in (policy, reference)))


SAME_RATIO: Final = (
    RationalSetting.of(".2 .1 .7", ".4 .2 .4", ".1 .3 .6", "1 -.5 .25"),
    RationalSetting.of(".1 .2 .7", ".2 .4 .4", ".3 .1 .6", "-.5 1 .25"),
    RationalSetting.of(".4 .2 .4", ".2 .1 .7", ".15 .45 .4", "1 -.5 .25"),
    RationalSetting.of(".2 .4 .4", ".1 .2 .7", ".45 .15 .4", "-.5 1 .25"),
)
"""The first two actions have one log-ratio, and differ in all else."""

TWO_ACTIONS: Final = (
    RationalSetting.of(".8 .2", ".3 .7", ".55 .45", "1 -1"),
    RationalSetting.of(".4 .6", ".9 .1", ".7 .3", "-1 2"),
)
"""Where identities at V = 2 are looked at."""


@lru_cache(maxsize=1)
def at_the_reference() -> tuple[RationalSetting, ...]:
    """The first small settings with the reference moved to the policy."""
    return tuple(replace(s, reference=s.policy) for s in small_settings()[:5])


@lru_cache(maxsize=1)
def small_settings() -> tuple[RationalSetting, ...]:
    """Where witnesses are looked for: V = 3 (V = 2 cannot show a direction error), then 4; plain settings first."""
    return tuple(RationalSetting.of(*columns) for columns in SMALL)


SMALL: Final = (
    # policy, reference, old policy, advantage
    (".5 .2 .3", ".4 .1 .5", ".1 .7 .2", "-.6 2 -.25"),
    (".1 .7 .2", ".6 .1 .3", ".3 .2 .5", "-1.5 1 -.4"),
    (".1 .2 .7", ".5 .4 .1", ".2 .3 .5", "1 .4 -.6"),
    (".4 .45 .15", ".05 .1 .85", ".15 .3 .55", "-.8 .5 -1.5"),
    (".05 .7 .25", ".45 .15 .4", ".55 .35 .1", ".3 -.4 -1.5"),
    (".45 .35 .2", ".15 .3 .55", ".35 .05 .6", "-.4 .8 .9"),
    (".15 .5 .35", ".5 .3 .2", ".1 .25 .65", "-1.2 -.8 .3"),
    (".45 .05 .5", ".25 .7 .05", ".05 .75 .2", "1.5 .9 -.25"),
    (".15 .35 .5", ".05 .75 .2", ".5 .25 .25", "-1.2 1 .8"),
    (".25 .45 .3", ".35 .55 .1", ".15 .25 .6", "-.6 .3 1.2"),
    # every weight near 1
    (".5 .3 .2", ".2 .45 .35", ".45 .32 .23", "1 -.5 .25"),
    (".6 .25 .15", ".3 .5 .2", ".55 .28 .17", "-1 .5 .25"),
    (".15 .55 .3", ".25 .35 .4", ".17 .5 .33", ".4 -1.2 2"),
    # near the reference
    (".5 .3 .2", ".48 .33 .19", ".52 .27 .21", "1 .5 -2"),
    # beyond the clamps: |l| > 4.5, l < -2.7, l > 11
    (".9 .08 .02", ".01 .19 .8", ".6 .3 .1", "1 -.5 .25"),
    (".95 .04 .01", ".0099 .0001 .99", ".7 .25 .05", "-1 .5 2"),
    (".004 .096 .9", ".5 .497 .003", ".03 .17 .8", ".5 1.5 -1"),
    (".9 .0999 .0001", ".00001 .3 .69999", ".5 .4 .1", "1 -.5 .25"),
    (".00003 .3 .69997", ".7 .29999 .00001", ".1 .4 .5", "-.4 .8 -1.2"),
    # four actions
    (".4 .35 .2 .05", ".2 .25 .05 .5", ".3 .1 .4 .2", ".9 .6 -1.5 -.8"),
    (".5 .1 .05 .35", ".1 .05 .55 .3", ".35 .25 .2 .2", "1.2 .8 -.5 .3"),
    (".1 .05 .6 .25", ".15 .2 .1 .55", ".45 .1 .05 .4", ".3 -1.5 -.25 2"),
    (".45 .2 .05 .3", ".25 .55 .15 .05", ".05 .25 .2 .5", "-.8 -.4 .3 1.2"),
    (".15 .3 .5 .05", ".2 .15 .35 .3", ".3 .45 .05 .2", "-.4 -.8 .6 .8"),
)
"""Chosen so that every sign of A meets weights below 0.8, near 1 and above 1.2, and both signs of ℓ."""
