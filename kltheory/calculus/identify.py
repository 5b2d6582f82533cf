"""Which objective a coefficient is the gradient of: integrate f'(u) = C(log u), and name it when it is known.

Any C(l), finite but for jumps, is the gradient of Σ π_ref f(π/π_ref), an f-divergence iff f is convex, iff C never
falls (catalogue 15); any C(w) is the gradient of Σ π_old f(π/π_old). More generally C(π, π_ref, π_old) is the gradient
of Σ_a F with F = ∫ C dπ, the other two policies frozen. A C with an advantage is taken apart first (:mod:`.push`): what
A multiplies has a potential for each sign of A, and the penalty beside it a name.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, NamedTuple

from sympy import Add, Expr, Rational, S, Symbol, exp, expand_mul

from kltheory.calculus.coefficient import Coefficient, tidy
from kltheory.calculus.divergence import (
    DIVERGENCES,
    Base,
    Divergence,
    Objective,
    cressie_read,
    forward_kl,
    kl_uniform,
    reverse_kl,
)
from kltheory.calculus.exact import Undecidable, is_constant, is_zero, normal_form
from kltheory.calculus.notation import text
from kltheory.calculus.primitive import generator, objective
from kltheory.calculus.push import Push, multiple, parted
from kltheory.calculus.regions import Region
from kltheory.calculus.slope import Move
from kltheory.calculus.symbols import VARIABLES, advantage, log_ratio, log_weight, logp

Term = tuple[Expr, Divergence]


class Expectation(NamedTuple):
    """An expectation under the policy, by the names that a divergence has."""

    name: str
    title: str


EXPECTED_ADVANTAGE: Final = Expectation("expected_advantage", "E_π[A]")

BASES: Final[dict[Symbol | None, Base]] = {log_ratio: "ref", log_weight: "old"}
"""The variable of a quotient, and the policy it is over."""

POWERS: Final = {Rational(1): 4, Rational(-2): 5, Rational(-1, 2): 6}
"""Exponents λ whose Cressie-Read divergence has a name: λ -> index in DIVERGENCES."""


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
    terms = _named(coefficient, base)
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


# --- names --------------------------------------------------------------------------------------------------------
def _named(c: Coefficient, base: Base | None) -> tuple[Term, ...] | None:
    """C, a function of the quotient over the base, as a multiple of a known divergence, or as a sum of multiples."""
    try:
        for divergence in DIVERGENCES if base is not None else ():
            known = divergence if base == "ref" else divergence.from_old()
            scale = _scale(c, known.coefficient)
            if scale is not None:
                return ((scale, known),)
        return _combination(c)
    except Undecidable:  # a function that is not told apart from a known one has no name
        return None


def _scale(c: Coefficient, d: Coefficient) -> Expr | None:
    """The number a with C = a D modulo constants, if there is one."""
    variable = d.sole_variable
    pairs = [(e, g) for a, e in c.cells for b, g in d.cells if (a & b) is not None]
    slopes = [(e.diff(variable), g.diff(variable)) for e, g in pairs]
    slopes += [(e - pairs[0][0], g - pairs[0][1]) for e, g in pairs[1:]]
    ratio = next((x / y for x, y in slopes if not is_zero(y)), None)
    if ratio is None or not is_constant(ratio) or is_zero(ratio) or not (c - ratio * d).is_constant():
        return None
    return normal_form(ratio).as_expr()


def _combination(c: Coefficient) -> tuple[Term, ...] | None:
    """C as a sum of multiples of l and e^(λl) (and the same in log w): each is a known coefficient."""
    if len(c.merged) != 1:
        return None
    found: dict[Divergence, Expr] = {}
    for term in Add.make_args(expand_mul(normal_form(c.merged[0][1]).as_expr())):
        scale, part = term.as_independent(*VARIABLES, as_Add=False)
        known = _power_term(part)
        if part == 1:
            continue
        if known is None:
            return None
        divergence, unit = known
        found[divergence] = found.get(divergence, S.Zero) + scale * unit
    scales = {d: normal_form(a).as_expr() for d, a in found.items()}
    terms = tuple((a, d) for d, a in scales.items() if a != 0)
    total = sum((d.coefficient.cells[0][1] * a for a, d in terms), S.Zero)
    return terms if terms and (c - Coefficient.of(total)).is_constant() else None


def _power_term(part: Expr) -> Term | None:
    """The divergence whose coefficient is a multiple of this monomial, and that multiple's inverse."""
    if part == logp:
        return kl_uniform, S.One
    for v, move in ((log_ratio, lambda d: d), (log_weight, Divergence.from_old)):
        if part == v:
            return move(reverse_kl), S.One
        if isinstance(part, exp) and is_constant(lam := part.args[0] / v):
            if lam == -1:
                return move(forward_kl), S.NegativeOne
            divergence = DIVERGENCES[POWERS[lam]] if lam in POWERS else cressie_read(lam)
            unit = exp(lam * v) / divergence.coefficient.cells[0][1].diff(log_ratio).xreplace({log_ratio: v}) * lam
            return move(divergence), normal_form(unit).as_expr()
    return None


def _sum_text(terms: list[tuple[Expr, str]], times: str) -> str:
    shown = ""
    for a, name in terms:
        negative = bool(a.could_extract_minus_sign())
        a = -a if negative else a
        body = name if a == 1 else f"{text(a) if a.is_Atom or a.is_Rational else f'({text(a)})'}{times}{name}"
        shown += (" - " if negative else " + ") + body if shown else ("-" if negative else "") + body
    return shown
