"""The part of a loss that an advantage multiplies: how hard it pushes an action, for each sign of A, and where not."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sympy import Expr, S

from kltheory.audit.pieces import is_central
from kltheory.calculus import push as calculus
from kltheory.calculus.coefficient import tidy
from kltheory.calculus.exact import is_zero
from kltheory.calculus.notation import text
from kltheory.calculus.push import SIGNS
from kltheory.calculus.regions import Region
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import log_weight


@dataclass(frozen=True)
class Push:
    """What becomes of an action with an advantage of one sign when the loss is minimised.

    Attributes:
        off: what A is multiplied by in C, off-policy.
        at_once: what A·∇log π is multiplied by where the old policy is the policy, w = 1.
    """

    off: calculus.Push
    at_once: Expr | None

    @property
    def sign(self) -> int:
        """Of the advantage."""
        return self.off.sign

    @cached_property
    def cells(self) -> tuple[tuple[Region, Expr], ...]:
        """A region, and what A·∇log π is multiplied by there; 0 where it is dead."""
        return self.off.coefficient.map(lambda e: -e).merged

    @property
    def dead(self) -> tuple[Region, ...]:
        """Where nothing is pushed."""
        return self.off.dead

    @property
    def is_weighted(self) -> bool:
        """Whether it moves with w: then it depends on who sampled."""
        cut = len(self.cells) > 1 and any(r.is_cut(log_weight) or r.conditions for r, _ in self.cells)
        return cut or any(e.has(log_weight) for _, e in self.cells)

    def __str__(self) -> str:
        live = [f"{_weight(e)}{_where(r)}" for r, e in self.cells if not is_zero(e)]
        dead = [f"does nothing{_where(r)}" for r in self.dead]
        return "; ".join([*live, *dead])

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        cells = [{"where": str(r), "weight": text(tidy(e))} for r, e in self.cells]
        at_once = None if self.at_once is None else text(tidy(self.at_once))
        potential = None if self.off.potential is None else text(self.off.potential)
        off = {
            "depends_on_sampler": self.is_weighted,
            "potential": potential,
            "bounded_below": self.off.is_bounded_below,
        }
        return {"sign": self.sign, "cells": cells, "on_policy": at_once, **off}


def _weight(e: Expr) -> str:
    known = {S.One: "ascends A·∇log π", S.NegativeOne: "descends A·∇log π"}
    return known.get(e, f"ascends ({text(tidy(e))})·A·∇log π")


def _where(region: Region) -> str:
    return "" if str(region) == "everywhere" else f" where {region}"


def pushes(surrogate: Surrogate) -> tuple[Push, ...]:
    """One for each sign of the advantage.

    Raises:
        Undecidable: the surrogate is no sum of a part proportional to the advantage and one that it does not enter.
    """
    off, _ = calculus.parted(surrogate.coefficient(Sampler.OLD))
    on, _ = calculus.parted(surrogate.coefficient(Sampler.POLICY))
    return tuple(Push(x, _central(y)) for x, y in zip(off, on, strict=True))


def _central(push: calculus.Push) -> Expr | None:
    """What A·∇log π is multiplied by where π = π_old; ``None`` where that has a kink."""
    here = push.coefficient.merged
    central = [-e for r, e in here if len(here) == 1 or is_central(r)]
    return central[0] if central else None


def at_once(every: tuple[Push, ...]) -> str:
    """What the part with the advantage is where w = 1; empty where it is no one multiple of the policy gradient."""
    multiples = {push.at_once for push in every}
    m = multiples.pop() if len(multiples) == 1 else None
    if m is None or not m.is_number or m == 0:
        return ""
    return "the policy gradient" if m == 1 else f"{text(m)} times the policy gradient"


def sentences(every: tuple[Push, ...]) -> Iterator[str]:
    """What to say of the part with the advantage."""
    if not every:
        return
    if len({str(push) for push in every}) == 1:
        yield f"minimising it {every[0]}"
    else:
        yield from (f"for {SIGNS[push.sign]} minimising it {push}" for push in every)
    if named := calculus.named([push.off for push in every]):
        yield f"that descends {named}"
    if said := at_once(every):
        yield f"where the old policy is the policy (w = 1) that is {said}"
    weighted = any(push.is_weighted for push in every)
    yield "it depends on who sampled" if weighted else "it does not depend on who sampled"
