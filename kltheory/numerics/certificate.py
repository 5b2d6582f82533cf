"""Certificates: printed enclosures that exclude zero, and so prove that two numbers differ somewhere."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any, ClassVar, Final, Protocol

from kltheory.numerics.balls import Ambiguous, number, precision

PRECISIONS: Final = (64, 128, 256, 512)
"""Bits tried, one after the other, until a ball decides."""


@dataclass(frozen=True)
class Ball:
    """A printed enclosure, ``mid ± rad``, both decimal strings; rounded outwards."""

    mid: str
    rad: str

    @classmethod
    def of(cls, x: Any, digits: int = 15) -> "Ball":
        """The enclosure of an ``arb``, to that many digits."""
        mid, rad, exponent = x.mid_rad_10exp(digits)
        return cls(_decimal(mid, exponent), _decimal(rad, exponent))

    def __str__(self) -> str:
        return f"{self.mid} ± {self.rad}"

    @property
    def short(self) -> str:
        """Six digits of the middle, for people; 0 where zero is not excluded."""
        return f"{float(self.mid):.6g}" if abs(Decimal(self.mid)) > Decimal(self.rad) else "0"


def _decimal(n: Any, exponent: Any) -> str:
    """n·10^exponent, every digit of it, without trailing zeros."""
    exact = Context(prec=len(str(n)))  # Python's default context would round
    return f"{Decimal(f'{n}e{exponent}').normalize(exact):g}"


class Place(Protocol):
    """Where two numbers are compared; ``str`` names it."""

    preposition: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """Exact data, under the name of the kind of place."""
        ...


@dataclass(frozen=True)
class Point:
    """A log-ratio."""

    preposition: ClassVar[str] = "at"
    l: Fraction

    def to_json(self) -> dict[str, Any]:
        """``l``, a fraction."""
        return {"l": str(self.l)}

    def __str__(self) -> str:
        short = float(self.l)
        return f"l = {self.l if self.l.denominator < 1000 else short}"


Component = Any
"""What a number belongs to: an action, one or two logits of a tree (a prefix and its token each); ``None``."""
Numbers = Mapping[Component, Any]
"""Balls at the current precision by component; the others are zero."""
Sides = Callable[[Any], tuple[Numbers, Numbers]]
"""What is compared at a place."""


@dataclass(frozen=True)
class Certificate:
    """A proof that two numbers differ at a place: an enclosure of left − right that excludes zero.

    Attributes:
        quantity: what differs, in words.
        place: where.
        component: which of several numbers.
        left: the enclosure of the left side.
        right: the enclosure of the right side.
        difference: the enclosure of left − right.
        bits: the precision it took.
        sign: 1 or -1 if it matters which side is larger, else 0.
    """

    quantity: str
    place: Any
    component: Component
    left: Ball
    right: Ball
    difference: Ball
    bits: int
    sign: int = 0

    @property
    def is_positive(self) -> bool:
        """Whether left is the larger one."""
        return not self.difference.mid.startswith("-")

    def to_json(self) -> dict[str, Any]:
        """Plain data: the place, and the attributes by name; an enclosure is an object with ``mid`` and ``rad``."""
        balls = {name: dict(vars(getattr(self, name))) for name in ("left", "right", "difference")}
        return {
            "quantity": self.quantity,
            **self.place.to_json(),
            "component": self.component,
            **balls,
            "bits": self.bits,
        }

    def said_of(self, quantity: str) -> str:
        """What is found of a quantity, without where."""
        against = {0: " and not", 1: ", above", -1: ", below"}[self.sign]
        return f"{quantity} is {self.left.short}{against} {self.right.short}"

    def __str__(self) -> str:
        return f"{self.place.preposition} {self.place}: {self.said_of(self.quantity)}"


def certify(name: Callable[[Component], str], sides: Sides, place: Place, sign: int = 0) -> Certificate | None:
    """A proof that two sides differ at a place, in the component with the largest gap, if there is one.

    Args:
        name: the words for a component.
        sides: both sides.
        place: where.
        sign: 1 where the left one has to be the larger one, -1 the smaller one.

    Raises:
        NotNumeric: a symbol has no value, or a head is in no table.
    """
    for bits in PRECISIONS:
        with precision(bits):
            try:
                left, right = sides(place)
            except Ambiguous:
                continue
            gaps = differences(left, right)
            clear = [k for k, gap in gaps.items() if gap.is_finite() and not gap.contains(0)]
            if found := [k for k in clear if not sign or (gaps[k] > 0) == (sign > 0)]:
                k = max(found, key=lambda k: float(gaps[k].abs_lower()))
                a, b, gap = (Ball.of(number(x)) for x in (left.get(k, 0), right.get(k, 0), gaps[k]))
                return Certificate(name(k), place, k, a, b, gap, bits, sign)
            if len(clear) == len(gaps):
                return None
    return None


def differences(left: Numbers, right: Numbers) -> dict[Component, Any]:
    """Left − right by component."""
    return {k: left.get(k, 0) - right.get(k, 0) for k in {**left, **right}}
