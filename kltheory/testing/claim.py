"""The claim of one assertion, and whether an audited variant bears it out."""

from dataclasses import dataclass

from kltheory.audit.audited import Audited
from kltheory.audit.row import Row
from kltheory.audit.rows import FINEST
from kltheory.audit.window import around
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.placement import PLACED, WEIGHTS, Placement
from kltheory.calculus.surrogate import Sampler
from kltheory.testing.expected import Expected
from kltheory.testing.subject import stopping
from kltheory.testing.words import known, positive


@dataclass(frozen=True)
class Claim:
    """What is asserted, and of which row: everywhere, or within so many nats of the reference."""

    expected: Expected
    placed: Placement
    within: float | None

    @classmethod
    def of(cls, expected: str, placement: str, weight: str, sampler: str, within: float | None) -> "Claim":
        """A claim in the words of an assertion. Raises ValueError."""
        wanted = Expected.of(expected)
        where, weighed = known("placement", placement, PLACED), known("weight", weight, WEIGHTS)
        who = Sampler(known("sampler", sampler, tuple(s.value for s in Sampler)))
        return cls(wanted, Placement(where, weighed, who), None if within is None else positive("within", within))

    @property
    def asked(self) -> str:
        """The region that is asked for, for people."""
        if self.within is None:
            return "everywhere"
        also = f" and |log w| < {self.within:g}" if self.placed.who is Sampler.OLD else ""
        return f"where |l| < {self.within:g}{also}"

    def rows(self, one: Audited) -> list[Row]:
        """The rows it speaks of; that at the reference first."""
        return [r for r in one.rows if r.placed == self.placed]

    def objection(self, one: Audited) -> str:
        """Why the variant does not bear it out; empty when it does."""
        if stops := stopping(one):
            return f"undecided: {stops[0].text}"
        rows = self.rows(one)
        if not rows:
            return "there is no such row: it sums over the vocabulary, so no sample carries a weight"
        if undecided := [r.reason for r in rows if r.gradient_of == "undecided"]:
            return f"undecided: {undecided[0]}"
        assert one.found is not None
        if off := [r for r in rows if r.is_contradicted(one.found.rounding(FINEST))]:
            return f"undecided: the running function's gradient differs from the derived one by {off[0].residual:.1e}"
        target = self.expected.coefficient
        try:
            if target is None or (one.found.sums_vocabulary and self.placed.where == "reward"):
                return self._by_name(rows)  # a number, no coefficient
            return "" if one.found.agrees(self.placed, target, self.within) else _actual(rows)
        except Undecidable as e:
            return f"undecided: {e}"

    def _by_name(self, rows: list[Row]) -> str:
        """By the names of the rows that it asks for. Raises Undecidable."""
        window = around(self.within, self.placed.who)
        asked = {r.gradient_of for r in rows if r.region & window is not None}
        return "" if asked == {self.expected.name} else _actual(rows)


def _actual(rows: list[Row]) -> str:
    titles = {r.gradient_of: f" = {r.title}" for r in rows if r.title and r.gradient_of != "zero"}
    return "it is " + "; ".join(f"{r.gradient_of}{titles.get(r.gradient_of, '')}, {_place(r)}" for r in rows)


def _place(row: Row) -> str:
    return row.where if row.where == "everywhere" else f"where {row.where}"
