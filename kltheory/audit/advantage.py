"""The part of a loss that an advantage multiplies: how hard it pushes an action, for each sign of A, and where not."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sympy import Expr, S

from kltheory.audit.pieces import is_central
from kltheory.calculus.coefficient import tidy
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.notation import text
from kltheory.calculus.push import SIGNS, Push, named, parted
from kltheory.calculus.regions import Region
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import log_weight


@dataclass(frozen=True)
class Pushed:
    """What becomes of an action with an advantage of one sign when the loss is minimised.

    Attributes:
        push: what A is multiplied by in C, off-policy.
        at_once: what A·∇log π is multiplied by where the old policy is the policy, w = 1.
    """

    push: Push
    at_once: Expr | None

    @property
    def sign(self) -> int:
        """Of the advantage."""
        return self.push.sign

    @cached_property
    def cells(self) -> tuple[tuple[Region, Expr], ...]:
        """A region, and what A·∇log π is multiplied by there; 0 where it is dead."""
        return self.push.coefficient.map(lambda e: -e).merged

    @property
    def dead(self) -> tuple[Region, ...]:
        """Where nothing is pushed."""
        return self.push.dead

    @property
    def is_weighted(self) -> bool:
        """Whether it depends on who sampled; also where that is not known."""
        try:
            return self.push.coefficient.depends_on(log_weight)
        except Undecidable:
            return True

    def __str__(self) -> str:
        live = [f"{_weight(e)}{_where(r)}" for r, e in self.cells if not is_zero(e)]
        dead = [f"does nothing{_where(r)}" for r in self.dead]
        return "; ".join([*live, *dead])

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        cells = [{"where": str(r), "weight": text(tidy(e))} for r, e in self.cells]
        at_once = None if self.at_once is None else text(tidy(self.at_once))
        return {**self.push.to_json(), "cells": cells, "on_policy": at_once, "depends_on_sampler": self.is_weighted}


def _weight(e: Expr) -> str:
    known = {S.One: "ascends A·∇log π", S.NegativeOne: "descends A·∇log π"}
    return known.get(e, f"ascends ({text(tidy(e))})·A·∇log π")


def _where(region: Region) -> str:
    return "" if str(region) == "everywhere" else f" where {region}"


def pushes(surrogate: Surrogate) -> tuple[Pushed, ...]:
    """One for each sign of the advantage.

    Raises:
        Undecidable: the surrogate is no sum of a part proportional to the advantage and one that it does not enter.
    """
    off, _ = parted(surrogate.coefficient(Sampler.OLD))
    on, _ = parted(surrogate.coefficient(Sampler.POLICY))
    return tuple(Pushed(x, _central(y)) for x, y in zip(off, on, strict=True))


def _central(push: Push) -> Expr | None:
    """What A·∇log π is multiplied by where π = π_old; ``None`` where that has a kink."""
    here = push.coefficient.merged
    central = [-e for r, e in here if len(here) == 1 or is_central(r)]
    return central[0] if central else None


def at_once(every: tuple[Pushed, ...]) -> str:
    """What the part with the advantage is where w = 1; empty where it is no one multiple of the policy gradient."""
    multiples = {push.at_once for push in every}
    m = multiples.pop() if len(multiples) == 1 else None
    if m is None or not m.is_number or m == 0:
        return ""
    return "the policy gradient" if m == 1 else f"{text(m)} times the policy gradient"


def sentences(every: tuple[Pushed, ...]) -> Iterator[str]:
    """What to say of the part with the advantage."""
    if not every:
        return
    if len({str(push) for push in every}) == 1:
        yield f"minimising it {every[0]}"
    else:
        yield from (f"for {SIGNS[push.sign]} minimising it {push}" for push in every)
    if objective := named([push.push for push in every]):
        yield f"that descends {objective}"
    if said := at_once(every):
        yield f"where the old policy is the policy (w = 1) that is {said}"
    weighted = any(push.is_weighted for push in every)
    yield "it depends on who sampled" if weighted else "it does not depend on who sampled"
