"""Small settings in exact decimals, where a witness can be read, checked by hand and enclosed in balls."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

import numpy as np
from sympy import Rational, Symbol, log

from kltheory.calculus.symbols import advantage, inside, log_ratio, log_weight, logp
from kltheory.numerics.balls import number
from kltheory.numerics.enclosed import EXACT, Columns

Point = dict[Symbol, Any]

FEW: Final = 8
"""Most actions with which a number is looked at in exact arithmetic: the zero test takes a moment."""


@dataclass(frozen=True)
class RationalSetting:
    """One setting in exact numbers: three distributions over the same V actions, and an advantage per action.

    Raises:
        ValueError: the lengths differ, a probability is not positive, or a distribution does not sum to 1.
    """

    policy: tuple[Fraction, ...]
    reference: tuple[Fraction, ...]
    old: tuple[Fraction, ...]
    advantage: tuple[Fraction, ...]

    def __post_init__(self) -> None:
        for name in ("policy", "reference", "old"):
            p = getattr(self, name)
            if sum(p) != 1 or min(p) <= 0 or len(p) != len(self.advantage):
                raise ValueError(f"{name} = {_texts(p)}: expected {len(self.advantage)} positive numbers with sum 1")

    @classmethod
    def of(cls, *columns: str) -> "RationalSetting":
        """From four texts such as ``".6 .3 .1"``: policy, reference, old policy, advantage."""
        return cls(*(tuple(map(Fraction, c.split())) for c in columns))

    def points(self) -> list[Point]:
        """The canonical variables at each action, as balls at the current precision."""
        rows = zip(self.policy, self.reference, self.old, self.advantage, strict=True)
        return [
            {
                logp: number(p).log(),
                log_ratio: number(p / r).log(),
                log_weight: number(p / o).log(),
                advantage: number(a),
                inside: number(1 - i % 2),
            }
            for i, (p, r, o, a) in enumerate(rows)
        ]

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
        points = self.points()
        at = {v: np.array([[point[v] for point in points]], dtype=object) for v in points[0]}
        return Columns(at, np.array([list(map(number, self.policy))], dtype=object))

    def exactly(self) -> Columns | None:
        """One row of exact numbers, the logarithms of rationals."""
        if self.size > FEW:
            return None
        p, r, o = (
            np.array([[Rational(x.numerator, x.denominator) for x in row]], dtype=object)
            for row in (self.policy, self.reference, self.old)
        )
        logarithm = np.frompyfunc(log, 1, 1)
        at = {logp: logarithm(p), log_ratio: logarithm(p / r), log_weight: logarithm(p / o)}
        return Columns(at, p, EXACT, self.columns())

    def to_json(self) -> dict[str, list[str]]:
        """The four columns as lists of decimal texts."""
        return {name: _texts(column) for name, column in vars(self).items()}

    def __str__(self) -> str:
        return ", ".join(f"{name} ({', '.join(texts)})" for name, texts in self.to_json().items())


def _texts(column: tuple[Fraction, ...]) -> list[str]:
    """Exact decimals where they are short, else fractions."""
    decimals = [f"{Decimal(f'{float(x):.12g}'):f}" for x in column]
    return [d if Fraction(d) == x else str(x) for d, x in zip(decimals, column, strict=True)]


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
