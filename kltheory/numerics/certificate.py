"""Certificates: printed enclosures that exclude zero, and so prove that something differs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, Final

from sympy import Expr, Symbol

from kltheory.numerics.balls import Ambiguous, certain_sign, enclose, precision
from kltheory.numerics.rational import RationalSetting

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


def _decimal(n: Any, exponent: Any) -> str:
    """n·10^exponent, every digit of it, without trailing zeros."""
    exact = Context(prec=len(str(n)))  # Python's default context would round
    return f"{Decimal(f'{n}e{exponent}').normalize(exact):g}"


@dataclass(frozen=True)
class Certificate:
    """A proof that two quantities differ on a setting: an enclosure of left − right that excludes zero.

    Attributes:
        quantity: what differs, in words.
        setting: where.
        component: which action, for a gradient in logits; ``None`` for a single number.
        left: the enclosure of the left side.
        right: the enclosure of the right side.
        difference: the enclosure of left − right.
        bits: the precision it took.
    """

    quantity: str
    setting: RationalSetting
    component: int | None
    left: Ball
    right: Ball
    difference: Ball
    bits: int

    @property
    def is_positive(self) -> bool:
        """Whether left is the larger one."""
        return not self.difference.mid.startswith("-")

    def to_json(self) -> dict[str, Any]:
        """Plain data, the attributes by name: an enclosure is an object with ``mid`` and ``rad``."""
        balls = {name: dict(vars(getattr(self, name))) for name in ("left", "right", "difference")}
        setting = {"setting": self.setting.to_json(), "component": self.component}
        return {"quantity": self.quantity, **setting, **balls, "bits": self.bits}

    def __str__(self) -> str:
        left, right = (f"{float(side.mid):.6g}" for side in (self.left, self.right))
        return f"at {self.setting}: {self.quantity} is {left} and not {right}"


Quantity = Callable[[RationalSetting], list[Any]]
"""A function of the setting, as balls at the current precision."""

GRADIENT: Final = "component {} of the gradient"
POINT: Final = "the value at action {}"
VALUE: Final = "the value"


def certify(name: str, left: Quantity, right: Quantity, setting: RationalSetting) -> Certificate | None:
    """A proof that two quantities differ on a setting, in the component with the largest gap, if there is one."""
    for bits in PRECISIONS:
        with precision(bits):
            try:
                a, b = left(setting), right(setting)
            except Ambiguous:
                continue
            gaps = [x - y for x, y in zip(a, b, strict=True)]
            j = max(range(len(gaps)), key=lambda i: float(gaps[i].abs_lower()))
            if gaps[j].is_finite() and not gaps[j].contains(0):
                where = None if name == VALUE else j
                return Certificate(name.format(j), setting, where, Ball.of(a[j]), Ball.of(b[j]), Ball.of(gaps[j]), bits)
    return None


def certified_sign(expr: Expr, at: Mapping[Symbol, Any]) -> int | None:
    """The sign of ``expr`` at a rational point, 1 or -1; ``None`` when no precision excludes zero.

    Raises:
        NotNumeric: a symbol has no value, or a head is in no table.
    """
    found = certify_scalar(expr, at)
    return found.sign if found else None


@dataclass(frozen=True)
class ScalarCertificate:
    """A proof that an expression is not zero at a point: an enclosure that excludes zero."""

    expr: str
    at: tuple[tuple[str, str], ...]
    value: Ball
    sign: int
    bits: int

    def to_json(self) -> dict[str, Any]:
        """Plain data: ``expr``, ``at`` (name to text), ``value`` (``mid``, ``rad``), ``sign``, ``bits``."""
        return {
            "expr": self.expr,
            "at": dict(self.at),
            "value": dict(vars(self.value)),
            "sign": self.sign,
            "bits": self.bits,
        }


def certify_scalar(expr: Expr, at: Mapping[Symbol, Any]) -> ScalarCertificate | None:
    """A certificate that ``expr`` is not zero at a rational point, if a precision gives one; raises as above."""
    for bits in PRECISIONS:
        with precision(bits):
            try:
                value = enclose(expr, at)
                return ScalarCertificate(
                    str(expr), tuple((str(s), str(v)) for s, v in at.items()), Ball.of(value), certain_sign(value), bits
                )
            except Ambiguous:
                continue
    return None
