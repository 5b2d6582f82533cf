"""The reading of a function with a formula: all answers are calculated from it, for every policy and vocabulary."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Final

from sympy import Expr, S, Symbol, exp

from kltheory.audit.advantage import Pushed, pushes
from kltheory.audit.experiments import Placed, distances, residual
from kltheory.audit.letters import values
from kltheory.audit.measure import measured_zones
from kltheory.audit.pieces import Piece, agreement_order, central, first_order, is_central, pieces
from kltheory.audit.reading import Reading
from kltheory.audit.row import Row
from kltheory.audit.subject import Subject
from kltheory.audit.vocabulary import read_over_vocabulary
from kltheory.audit.window import around
from kltheory.audit.zones import Zone
from kltheory.calculus.cells import is_smooth, split
from kltheory.calculus.coefficient import Coefficient, tidy
from kltheory.calculus.divergence import Divergence, Objective, reverse_kl
from kltheory.calculus.exact import Undecidable, is_constant, is_zero
from kltheory.calculus.expectation import expectation, same_value
from kltheory.calculus.identify import identify
from kltheory.calculus.notation import text
from kltheory.calculus.placement import AS_LOSS, Placement
from kltheory.calculus.regions import DISPLAY
from kltheory.calculus.surrogate import Sampler, Surrogate, derivative
from kltheory.calculus.symbols import VARIABLES, advantage, erase_sg, log_ratio, log_weight, logp, sg

EXCHANGED: Final = {logp: logp - log_ratio, log_ratio: -log_ratio}
"""Policy and reference for each other."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Derived(Reading):
    """A function whose formula is known.

    Attributes:
        surrogate: of one entry, the advantage live.
        lettered: the same with letters for numbers that nobody gave; ``None`` where there are none.
    """

    surrogate: Surrogate
    lettered: Surrogate | None = None

    # --- what it computes -------------------------------------------------------------------------------------------
    how = "derived"

    @property
    def formula(self) -> str:
        """The formula, as ``kltheory identify`` reads it."""
        expr = self._in_letters.surrogate.expr
        plain = is_smooth(expr) and not expr.has(sg)
        return text(tidy(expr) if plain else expr.xreplace(DISPLAY))

    @cached_property
    def _in_letters(self) -> "Derived":
        """The same reading for any value of the numbers that nobody gave."""
        return self if self.lettered is None else replace(self, surrogate=self.lettered, lettered=None)

    @property
    def cancels(self) -> bool:
        """Whether it has no derivative where the numbers that nobody gave have their values, and one elsewhere."""
        return self.lettered is not None and derivative(self.surrogate.expr) == 0 != derivative(self.lettered.expr)

    @property
    def letters(self) -> tuple[str, ...]:
        """The numbers that nobody gave and its formula has letters for."""
        return tuple(sorted(map(str, self._in_letters.surrogate.expr.free_symbols - {*VARIABLES})))

    @property
    def unit(self) -> tuple[str, float]:
        """The letter that the penalty is proportional to, and its number; no letter and 1 where there is none."""
        expr, (name, *others) = self._in_letters.penalty.expr, (*self.letters, "")
        letter = Symbol(name, positive=True)
        if not name or any(others) or not is_zero(erase_sg(expr.diff(letter) * letter - expr)):
            return "", 1.0
        return name, float(values(self.subject)[letter])

    @cached_property
    def penalty(self) -> Surrogate:
        """What is left of the surrogate where the advantage is 0."""
        return Surrogate(self.surrogate.expr.xreplace({advantage: S.Zero}))

    @property
    def has_penalty(self) -> bool:
        """Whether anything is."""
        return self.penalty.expr != 0

    @property
    def is_of_each_token(self) -> bool:
        """Whether tokens do not meet, nor their advantages."""
        return not self.coupled and not self.meeting

    def differs(self, other: Reading) -> bool:
        """Whether the other has a formula, and another one."""
        return other.formula not in (None, self.formula)

    def widened(self) -> Subject | None:
        """With its last axis as the vocabulary, where each term is a probability times a function of π/π_ref."""
        return None if self.sums_vocabulary else read_over_vocabulary(self.subject, erase_sg(self.penalty.expr))

    def near_reference(self) -> Expr | None:
        """The penalty in the cell of the reference, where there is one."""
        near = [e for r, e in split(self.penalty.expr) if is_central(r)]
        return near[0] if len(near) == 1 else None

    # --- what it descends -------------------------------------------------------------------------------------------
    def coefficient(self, placement: Placement, factor: Expr = S.One) -> Coefficient:
        """C of the penalty, times a factor: of a sum over the vocabulary as a loss, whose weights are its own."""
        s = Surrogate(factor * self.penalty.expr)
        return Coefficient((placement.summed(s) if self.sums_vocabulary else placement.coefficient(s)).merged)

    def rows(self, placement: Placement, runs: list[Placed]) -> Iterator[Row]:
        """What C is the gradient of, piece by piece, and how far the running function is from it."""
        try:
            c = self.coefficient(placement)
            every = self._pieces(c)
        except Undecidable as e:
            yield Row(placement, "undecided", "everywhere", self.how, None, reason=str(e))
            return
        multiple = first_order(c)
        near = distances(runs, reverse_kl.coefficient, multiple)
        for k, (piece, shown) in enumerate(zip(every, self._shown(placement, every), strict=True)):
            yield Row(
                placement,
                shown.name,
                str(piece.region),
                self.how,
                residual(piece.coefficient, runs),
                piece.region,
                shown.formula,
                shown.title,
                piece.found.slope if k == 0 or piece.found.terms else None,
                _order(c) if k == 0 else None,
                multiple,
                near if k == 0 else None,
            )

    def _shown(self, placement: Placement, every: tuple[Piece, ...]) -> tuple[Piece, ...]:
        """The pieces in letters, where these cut it in the same way."""
        if self.lettered is None:
            return every
        try:
            named = self._in_letters._pieces(self._in_letters.coefficient(placement))
        except Undecidable:
            return every
        return named if [str(p.region) for p in named] == [str(p.region) for p in every] else every

    @cached_property
    def _seen(self) -> list[tuple[Coefficient, tuple[Piece, ...]]]:
        """Coefficients, each identified once: placements share most of them."""
        return []

    def _pieces(self, c: Coefficient) -> tuple[Piece, ...]:
        found = next((every for known, every in self._seen if known == c), None)
        if found is None:
            found = pieces(c)
            self._seen.append((c, found))
        return found

    def is_cut(self, placement: Placement) -> bool:
        """Whether C has several cells."""
        try:
            return len(self.coefficient(placement).cells) > 1
        except Undecidable:
            return True

    def _beside(self, target: Coefficient) -> "Derived":
        """This reading, in letters where the target has some."""
        return self._in_letters if any(e.free_symbols - {*VARIABLES} for _, e in target.cells) else self

    def in_numbers(self, target: Coefficient) -> Coefficient:
        """A coefficient with its letters as the numbers that were taken for them."""
        known = values(self.subject)
        return target.map(lambda e: e.xreplace(known))

    def agrees(self, placement: Placement, target: Coefficient, within: float | None) -> bool:
        """Whether both differ by a constant in the window."""
        window = around(within, placement.who)
        cells = (self._beside(target).coefficient(placement) - target).cells
        return Coefficient(tuple((r, e) for cell, e in cells if (r := cell & window) is not None)).is_constant()

    def holds_within(self, placement: Placement, target: Coefficient) -> float | None:
        """How far the cell of the reference reaches, if both differ by a constant there."""
        near = central(Coefficient((self._beside(target).coefficient(placement) - target).merged))
        if not near or not is_constant(near[0][1]):
            return None
        ends = [b for v in (log_ratio, log_weight) for b in near[0][0].bounds(v) if b is not None]
        return min((abs(float(b)) for b in ends), default=None)

    def zones(self) -> list[Zone]:
        """The cells in which the derivative is zero; measured where that is not decided."""
        try:
            return [Zone.of(r) for r, e in self.coefficient(AS_LOSS).cells if is_zero(e)]
        except Undecidable:
            return measured_zones(self)

    def moves_with_reference(self) -> tuple[bool, str]:
        """Whether the derivative at the reference holds ℓ, or ends there."""
        score = self.coefficient(AS_LOSS)
        near = central(score) or list(score.cells)
        depends = any(not is_zero(e.diff(log_ratio)) for _, e in near)
        depends = depends or (len(near) > 1 and any(r.is_cut(log_ratio) for r, _ in near))
        return depends, f" where {near[0][0]}" if len(near) < len(score.cells) else ""

    def once_weighted(self) -> str:
        """What C is the gradient of at the reference after one factor w, live or detached, is taken away."""
        if self.penalty.expr.has(log_weight):
            for factor in (exp(-log_weight), sg(exp(-log_weight))):
                c = self.coefficient(Placement("loss", who=Sampler.OLD), factor)
                named = identify(Coefficient(tuple(central(c)) or c.cells))
                if named.terms:
                    return named.title
        return ""

    # --- what it estimates ------------------------------------------------------------------------------------------
    def estimates(self, divergence: Divergence, exchanged: bool = False) -> Expr | None:
        """The multiple, 1 or the number in front of the value; at the reference, where that has several cells."""
        value = erase_sg(self._in_letters.penalty.expr).xreplace({log_weight: S.Zero})
        try:
            near = _central(value.xreplace(EXCHANGED) if exchanged else value)
            if near == 0:
                return None
            mean = Objective(near) if self.sums_vocabulary else expectation(near, Sampler.POLICY)
            in_front = (near.as_content_primitive()[0], near.as_independent(*VARIABLES, as_Add=False)[0])
            scales = dict.fromkeys([S.One, *filter(None, in_front)])  # such as 1/10 or beta; of no value there is none
            return next((a for a in scales if same_value(mean, divergence.objective * a)), None)
        except Undecidable:
            return None

    # --- the part with the advantage --------------------------------------------------------------------------------
    def pushes(self) -> tuple[Pushed, ...]:
        """What A multiplies, less the penalty."""
        if not self.has_advantage:
            return ()
        if self.meeting:
            raise Undecidable(f"only the penalty is looked at: {self.meeting}")
        if not self.surrogate.expr.has(advantage):
            return ()
        try:
            if self.sums_vocabulary:
                raise Undecidable("an advantage multiplies a sum over the vocabulary")
            return pushes(self.surrogate)
        except Undecidable as e:
            raise Undecidable(f"the part with the advantage: {e}") from e


@lru_cache(maxsize=16)
def _central(value: Expr) -> Expr:
    """The value in the cell of the reference; all of it where none has that inside."""
    return next((e for r, e in split(value) if is_central(r)), value)


def _order(c: Coefficient) -> int | None:
    try:
        return agreement_order(c)
    except Undecidable:
        return None
