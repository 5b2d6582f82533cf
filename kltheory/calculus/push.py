"""The part of a coefficient that an advantage multiplies: C = A·c + the penalty's, for each sign of A.

Where c is a function of w alone, A·c is the coefficient of E_old[A·Φ(w)] with Φ' = c: Σ_a π_old A Φ(π/π_old) has the
derivative A·Φ'(w) by π. One integral names every such loss: -A·w gives -E_π[A], a clip stops Φ where it clips,
-A·log π gives -A·log w.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from sympy import Add, Basic, Expr, Piecewise, S, exp, log

from kltheory.calculus.cells import is_smooth
from kltheory.calculus.coefficient import Coefficient, tidy
from kltheory.calculus.divergence import u
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.line import limit
from kltheory.calculus.moments import At, Mean
from kltheory.calculus.notation import text
from kltheory.calculus.primitive import generator
from kltheory.calculus.regions import Cell, Region
from kltheory.calculus.roots import ZERO, Root
from kltheory.calculus.symbols import VARIABLES, advantage, log_weight, logp, weight

SIGNS: Final = {1: "A > 0", -1: "A < 0"}
HALVES: Final[dict[int, tuple[Root | None, Root | None]]] = {1: (ZERO, None), -1: (None, ZERO)}
"""Where the advantage has a sign."""


@dataclass(frozen=True)
class Push:
    """What becomes of actions whose advantage has one sign.

    Attributes:
        sign: of the advantage.
        coefficient: c, what A is multiplied by in C; the policy gradient has -1 everywhere.
    """

    sign: int
    coefficient: Coefficient

    @property
    def dead(self) -> tuple[Region, ...]:
        """Where nothing is pushed."""
        return tuple(r for r, e in self.coefficient.merged if is_zero(e))

    @cached_property
    def is_constant(self) -> bool:
        """Whether c is one number: E_π[c·A] is descended, whoever sampled."""
        return self.coefficient.is_constant()

    @cached_property
    def potential(self) -> Expr | None:
        """Φ with Φ' = c, in w, without a constant of its own at w = 1; ``None`` where c is no function of w alone."""
        try:
            if not self.is_constant and self.coefficient.sole_variable != log_weight:
                return None
        except Undecidable:
            return None
        f = generator(self.coefficient, log_weight)
        return None if f is None else _without_constant(f).xreplace({u: weight})

    @property
    def constants(self) -> set[Basic]:
        """The constants without a value that its regions are cut by: no potential is found before they have one."""
        return {s for r, _ in self.coefficient.merged for g in r.conditions for s in g.free_symbols - {*VARIABLES}}

    @property
    def is_bounded_below(self) -> bool | None:
        """Whether E_old[A·Φ(w)] is, for these actions, as w falls to 0; ``None`` where that is not known.

        At most 1/π_old, w is bounded above wherever the old policy has full support.
        """
        if self.potential is None:
            return None
        first = self.potential.args[0][0] if isinstance(self.potential, Piecewise) else self.potential
        if first.xreplace({weight: S.Zero}).is_finite:
            return True
        in_log = first.xreplace({weight: exp(log_weight)})
        if not is_smooth(in_log) or in_log.free_symbols - {log_weight}:
            return None
        try:
            return bool(self.sign * limit(in_log.replace(log, _log), log_weight, -1) != S.NegativeInfinity)
        except (Undecidable, ValueError):
            return None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        potential = None if self.potential is None else text(self.potential)
        return {"sign": self.sign, "potential": potential, "bounded_below": self.is_bounded_below}


def _log(x: Expr) -> Expr:
    """log(e^t) is t; of other numbers the logarithm."""
    return x.args[0] if isinstance(x, exp) else log(x)


def _without_constant(f: Expr) -> Expr:
    """A primitive moved so that where it moves at u = 1 it has no term free of u: -u rather than 1 - u."""
    pieces = f.args if isinstance(f, Piecewise) else ((f, S.true),)
    before = [e for e, edge in pieces if edge != S.true and edge.rhs < 1]
    nearest = [*(e for e, _ in pieces[len(before) :]), *reversed(before)]
    here = next((e for e in nearest if e.has(u)), S.Zero)
    constant = Add(*(t for t in Add.make_args(here.expand()) if not t.has(u)))
    return Piecewise(*(((e - constant).expand(), edge) for e, edge in pieces))


def parted(c: Coefficient) -> tuple[tuple[Push, ...], Coefficient]:
    """A coefficient as A·c, one c for each sign of A, and the penalty's part, which A does not enter.

    Raises:
        Undecidable: it is no such sum: the part with A is not proportional to it, or the rest changes with its sign.
    """
    if any(advantage in m.integrand.free_symbols for _, e in c.cells for m in e.atoms(Mean, At)):
        raise Undecidable("a mean of the advantages is no one action's advantage")
    halves = {sign: list(_half(c, sign)) for sign in SIGNS}
    for cells in halves.values():
        for _, e in cells:
            if not is_zero(e.diff(advantage).diff(advantage)):
                raise Undecidable("what the advantage multiplies is not proportional to it")
    rests = [Coefficient(tuple((r, e.xreplace({advantage: S.Zero})) for r, e in cells)) for cells in halves.values()]
    if not (rests[0] - rests[1]).is_zero():
        raise Undecidable("what is left beside the advantage changes with its sign")
    pushes = (
        Push(sign, Coefficient(tuple((r, e.diff(advantage)) for r, e in cells))) for sign, cells in halves.items()
    )
    return tuple(pushes), Coefficient(rests[0].merged)


def _half(c: Coefficient, sign: int) -> Iterator[Cell]:
    """The cells where the advantage has a sign, as cells of the other variables."""
    half = HALVES[sign]
    for region, e in c.cells:
        met = region & Region({logp: (None, ZERO), advantage: half})
        if met is None:
            continue
        if met.bounds(advantage) != half or any(advantage in g.free_symbols for g in met.conditions):
            raise Undecidable("where the parts of the loss meet depends on the size of the advantage")
        yield Region({v: b for v, b in met.box.items() if v != advantage}, met.conditions), e


def multiple(pushes: Sequence[Push]) -> Expr | None:
    """The number that c is for every advantage: E_π[A] times it is descended; ``None`` where it is no one number."""
    first, second = pushes
    if not first.is_constant or not (first.coefficient - second.coefficient).is_zero():
        return None
    return first.coefficient.merged[0][1]


def named(pushes: Sequence[Push]) -> str:
    """What the part with the advantage descends, for people; empty where it has no closed form."""
    if (a := multiple(pushes)) is not None:
        return {0: "nothing", 1: "E_π[A]", -1: "-E_π[A]"}.get(a, f"{text(tidy(a))}*E_π[A]")
    if any(push.potential is None for push in pushes):
        return ""
    shown = {push.sign: text(push.potential) for push in pushes}
    first, *others = dict.fromkeys(shown.values())
    cases = "; ".join(f"{shown[sign]} for {name}" for sign, name in SIGNS.items()) if others else first
    return f"E_old[A*Φ(w)], Φ(w) = {cases}"
