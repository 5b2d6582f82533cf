"""A formula as it is placed: what code differentiates, at one action and summed over a setting."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import mpmath
from fuzz.cells import Unclear
from fuzz.complaint import KINK
from fuzz.dual import ONE, Dual, NoValue
from fuzz.evaluate import Context, compiled
from fuzz.settings import Point, Setting, log_probabilities, moving, named

NUMBER: Final = re.compile(r"\d+\.?\d*(?:e-?\d+)?(?:/\d+)?")


@dataclass(frozen=True)
class Loss:
    """A formula as it is placed: what code differentiates."""

    typed: str
    placement: str = "loss"
    weight: str = "none"

    def __str__(self) -> str:
        return f"[{self.placement} {self.weight}] {self.typed}"

    def surrogate(self, c: Context) -> Dual:
        """What one sample adds to the loss, and its derivative by log π."""
        factor = {"none": Dual(ONE), "detached": c.names["w"].held(), "live": c.names["w"]}[self.weight]
        f = compiled(self.typed)(c)
        return factor * f if self.placement == "loss" else (factor * f).held() * c.names["logp"]

    def coefficient(self, p: Point, on_policy: bool) -> Any:
        """C at an action. Raises NoValue, or Unclear too close to a kink."""
        c = Context(p.names(on_policy))
        s = self.surrogate(c)
        if c.gap < KINK:
            raise Unclear
        if mpmath.isnan(s.d):
            raise NoValue("a root is differentiated at zero")
        return s.d / c.names["w"].v

    def expected_gradient(self, s: Setting, on_policy: bool) -> Any:
        """E_old[∇s] along the setting's direction, sample by sample."""
        ps = log_probabilities(s.policy)
        olds = ps if on_policy else log_probabilities(s.old)
        moved = moving(s.policy, s.direction)
        parts = []
        for p, ref, old, a, m in zip(ps, log_probabilities(s.reference), olds, s.advantage, moved, strict=True):
            c = Context(named(Dual(p, ONE), Dual(ref), Dual(old), Dual(mpmath.mpf(a))))
            score = self.surrogate(c).d
            if c.gap < KINK:
                raise Unclear
            if mpmath.isnan(score):
                raise NoValue("a root is differentiated at zero")
            parts.append(mpmath.exp(old) * score * m.d)
        return mpmath.fsum(parts)


def special(*texts: str | None) -> list[Any]:
    """The numbers in texts, of either sign."""
    found = {m for text in texts if text for m in NUMBER.findall(text)}
    values = [compiled(x)(Context({})).v for x in sorted(found) if not x.endswith("/0")]
    values += [1 / x for x in values if 0 < x < 1e-3]
    return [s * x for x in values for s in (1, -1)]


def value_or_none(function: Callable[[], Any]) -> Any:
    """What a function gives, None where it has no value."""
    try:
        return function()
    except NoValue:
        return None
