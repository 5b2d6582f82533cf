"""Which objective a coefficient is the gradient of: integrate f'(u) = C(log u), and name it when it is known.

Any C(l), finite but for jumps, is the gradient of Σ π_ref f(π/π_ref), an f-divergence iff f is convex, iff C never
falls (catalogue 15); any C(w) is the gradient of Σ π_old f(π/π_old). More generally C(π, π_ref, π_old) is the gradient
of Σ_a F with F = ∫ C dπ, the other two policies frozen. A C with an advantage is taken apart first (:mod:`.push`): what
A multiplies has a potential for each sign of A, and the penalty beside it a name.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, NamedTuple

from sympy import Expr, S, Symbol

from kltheory.calculus.coefficient import Coefficient, tidy
from kltheory.calculus.divergence import Base, Divergence, Objective, kl_uniform
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.naming import Term, terms_of
from kltheory.calculus.notation import text
from kltheory.calculus.primitive import generator, objective
from kltheory.calculus.push import Push, multiple, parted
from kltheory.calculus.regions import Region
from kltheory.calculus.slope import Move
from kltheory.calculus.symbols import VARIABLES, advantage, log_ratio, log_weight


class Expectation(NamedTuple):
    """An expectation under the policy, by the names that a divergence has."""

    name: str
    title: str


EXPECTED_ADVANTAGE: Final = Expectation("expected_advantage", "E_π[A]")

BASES: Final[dict[Symbol | None, Base]] = {log_ratio: "ref", log_weight: "old"}
"""The variable of a quotient, and the policy it is over."""


@dataclass(frozen=True)
class Identification:
    """What a coefficient is the gradient of.

    Attributes:
        coefficient: C.
        terms: an exact combination of known divergences; empty for *zero*, ``None`` when there is none.
        f: the generator, when C depends on one quotient alone; ``None`` without a closed form.
        base: what that quotient is over: the reference, the old policy or, of the entropy, the uniform one; ``None``
            when C depends on more.
        objective: the summand F otherwise.
        slope: that of C: 1 (f convex), -1 (concave), 0 (no gradient), ``None`` (neither, or no f).
        reason: why it was not decided whether the objective is an f-divergence.
        pushes: what the part with an advantage does, for each sign of it; empty where there is none, or C is no sum of
            such a part and a penalty's.
        penalty: what the other part is the gradient of; ``None`` where there are no pushes.
    """

    coefficient: Coefficient
    terms: tuple[Term, ...] | None
    f: Expr | None = None
    base: Base | None = None
    objective: Objective | None = None
    slope: int | None = None
    reason: str = ""
    pushes: tuple[Push, ...] = ()
    penalty: "Identification | None" = None

    @property
    def is_divergence(self) -> bool | None:
        """Whether the objective is an f-divergence from its base (f convex, not zero); ``None``: not decided."""
        return None if self.reason else self.slope == 1

    @property
    def measured_from(self) -> str:
        """The policy that the objective is measured from, for people."""
        return {"old": "π_old", "uniform": "uniform"}.get(self.base or "ref", "π_ref")

    @property
    def of_generator(self) -> str:
        """The objective by its generator, for people; empty where none is known."""
        base = self.measured_from
        return "" if self.f is None else f"Σ {base} f(π/{base}), f(u) = {text(self.f)}"

    @cached_property
    def poles(self) -> tuple[Move, ...]:
        """Where C, a function of one quotient, is infinite: no objective is finite on both sides."""
        moves = () if self.base is None or self.reason else self.coefficient.moves
        return tuple(m for m in moves if m.direction is None)

    @property
    def obstacle(self) -> str:
        """Why it is no f-divergence: where C falls, or is infinite; empty where it is one, or that is not known."""
        if self.base is None or self.reason or self.slope in (0, 1):
            return ""
        move = next(m for m in self.coefficient.moves if m.direction != 1)
        return f"C {'is infinite' if move.direction is None else 'falls'} {move.where}"

    @property
    def name(self) -> str:
        """``zero``, ``reverse_kl``, ``2*total_variation``, ``reverse_kl - forward_kl``, ... or ``none``."""
        named = self._named
        if named is None:
            return "none"
        return _sum_text([(c, d.name) for c, d in named], "*") if named else "zero"

    @property
    def title(self) -> str:
        """The same for people: ``KL(π‖π_ref) - KL(π_ref‖π)``."""
        named = self._named
        if named is None:
            return "no named divergence"
        return _sum_text([(c, d.title) for c, d in named], " ") if named else "0"

    @cached_property
    def _named(self) -> tuple[tuple[Expr, Divergence | Expectation], ...] | None:
        """The terms, that of the advantage first; ``None`` where something has no name."""
        if self.penalty is None:
            return self.terms
        a = multiple(self.pushes)
        if a is None or self.penalty.terms is None:
            return None
        return (a, EXPECTED_ADVANTAGE), *self.penalty.terms


def identify(coefficient: Coefficient) -> Identification:
    """Name the objective a coefficient descends; see :class:`Identification`.

    Raises:
        Undecidable: it is not even decided whether the coefficient is constant.
    """
    coefficient = Coefficient(coefficient.merged)
    if coefficient.is_constant():
        return Identification(coefficient, (), S.Zero, slope=0)
    if (found := _whole_loss(coefficient)) is not None:
        return found
    try:
        variable = coefficient.sole_variable
    except Undecidable:
        variable = None
    base = BASES.get(variable)
    terms = terms_of(coefficient, base)
    if variable is None or base is None:
        found = Identification(coefficient, terms, objective=objective(coefficient))
        if slope := _of_entropy(terms):
            return replace(found, base="uniform", slope=slope)
        return replace(found, reason=_why_several(coefficient))
    try:
        slope, reason = coefficient.slope(), ""
    except Undecidable as e:
        slope, reason = None, str(e)
    found = Identification(coefficient, terms, None, base, None, slope, reason)
    if terms is not None:
        return replace(found, f=tidy(sum((a * d.f for a, d in terms), S.Zero)))
    return found if found.poles else replace(found, f=generator(coefficient, variable))


def _whole_loss(c: Coefficient) -> Identification | None:
    """A coefficient with an advantage, part by part; ``None`` without one, or where it is no such sum."""
    if not any(advantage in e.free_symbols or r.is_cut(advantage) for r, e in c.cells):
        return None
    try:
        pushes, penalty = parted(c)
        if all(p.coefficient.is_zero() for p in pushes):
            return None
        return Identification(c, None, objective=objective(c), pushes=pushes, penalty=identify(penalty))
    except Undecidable:
        return None


def _of_entropy(terms: tuple[Term, ...] | None) -> int | None:
    """The slope of a multiple of the negative entropy, which is convex."""
    if terms is None or len(terms) != 1 or terms[0][1] is not kl_uniform:
        return None
    scale = terms[0][0]
    return 1 if scale.is_positive else -1 if scale.is_negative else None


def _why_several(c: Coefficient) -> str:
    """Why it is not known that C moves with more than one quotient; empty where it certainly does."""
    reasons = []
    for variable in VARIABLES:
        try:
            if variable != log_ratio and c.depends_on(variable):
                return ""
        except Undecidable as e:
            reasons.append(str(e))
    return reasons[0] if reasons else "it is not written in l alone"


def by_cell(coefficient: Coefficient) -> list[tuple[Region, Identification]]:
    """What each cell's formula would be the gradient of if it held everywhere, up to a constant in each cell."""
    return [(r, identify(Coefficient(((Region(), e),)))) for r, e in coefficient.merged]


def _sum_text(terms: list[tuple[Expr, str]], times: str) -> str:
    shown = ""
    for a, name in terms:
        negative = bool(a.could_extract_minus_sign())
        a = -a if negative else a
        body = name if a == 1 else f"{text(a) if a.is_Atom or a.is_Rational else f'({text(a)})'}{times}{name}"
        shown += (" - " if negative else " + ") + body if shown else ("-" if negative else "") + body
    return shown
