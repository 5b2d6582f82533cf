"""The part of a loss that an advantage multiplies: how hard it pushes an action, for each sign of A, and where not."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sympy import Expr, Integer, Rational, S

from kltheory.audit.pieces import is_central
from kltheory.calculus.coefficient import Coefficient, tidy
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.notation import text
from kltheory.calculus.regions import Region
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import advantage, log_weight

SIGNS: Final = {1: "A > 0", -1: "A < 0"}


@dataclass(frozen=True)
class Push:
    """What becomes of an action with an advantage of one sign, under the policy's own expectation.

    Attributes:
        sign: of the advantage.
        cells: a region, and what A·∇log π is multiplied by there when the loss is minimised; 0 where it is dead.
        at_once: the same where the old policy is the policy, w = 1.
    """

    sign: int
    cells: tuple[tuple[Region, Expr], ...]
    at_once: Expr | None

    @property
    def dead(self) -> tuple[Region, ...]:
        """Where nothing is pushed."""
        return tuple(r for r, e in self.cells if is_zero(e))

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
        return {"sign": self.sign, "cells": cells, "on_policy": at_once, "depends_on_sampler": self.is_weighted}


def _weight(e: Expr) -> str:
    known = {S.One: "ascends A·∇log π", S.NegativeOne: "descends A·∇log π"}
    return known.get(e, f"ascends ({text(tidy(e))})·A·∇log π")


def _where(region: Region) -> str:
    return "" if str(region) == "everywhere" else f" where {region}"


def pushes(surrogate: Surrogate, penalty: Surrogate) -> tuple[Push, ...]:
    """One for each sign of the advantage: of a surrogate, less what is left of it where the advantage is 0.

    Raises:
        Undecidable: the part is not proportional to the advantage.
    """
    return tuple(_push(surrogate, penalty, sign) for sign in SIGNS)


SIZES: Final = (Integer(1), Integer(1000), Rational(1, 1000))
"""Of the advantage, at which what it multiplies has to be proportional to it."""


def _push(surrogate: Surrogate, penalty: Surrogate, sign: int) -> Push:
    def part(a: Expr, sampler: Sampler) -> Coefficient:
        """The coefficient at this advantage, less the penalty's."""
        return (Surrogate(surrogate.expr.xreplace({advantage: a})) - penalty).coefficient(sampler)

    one, *others = (part(sign * size, Sampler.OLD) for size in SIZES)
    for size, other in zip(SIZES[1:], others, strict=True):
        if not (other - size * one).is_zero():
            raise Undecidable("what the advantage multiplies is not proportional to it")
    cells = one.map(lambda e: -sign * e).merged
    here = part(Integer(sign), Sampler.POLICY).map(lambda e: -sign * e).merged
    central = [e for r, e in here if len(here) == 1 or is_central(r)]
    return Push(sign, cells, central[0] if central else None)


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
    if said := at_once(every):
        yield f"where the old policy is the policy (w = 1) that is {said}"
    weighted = any(push.is_weighted for push in every)
    yield "it depends on who sampled" if weighted else "it does not depend on who sampled"
