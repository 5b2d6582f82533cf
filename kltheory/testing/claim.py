"""The claim of one assertion, and whether an audited variant bears it out."""

from dataclasses import dataclass, replace
from typing import Final

from sympy import Rational

from kltheory.audit.audited import Audited
from kltheory.audit.experiments import experiment
from kltheory.audit.measure import POINTS, fit
from kltheory.audit.recovered import Reading, Recovered
from kltheory.audit.row import Row
from kltheory.audit.rows import PLACEMENTS, WEIGHTS, is_central, limit, place
from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.exact import Undecidable, is_constant
from kltheory.calculus.line import roots
from kltheory.calculus.regions import Region
from kltheory.calculus.roots import ZERO
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import log_ratio, log_weight, logp
from kltheory.testing.expected import Expected
from kltheory.testing.subject import problem
from kltheory.testing.words import known, positive

PLACED: Final = {"loss": "as a loss", "reward": "in the reward"}
WEIGHTED: Final = {"none": "without a weight", "detached": "with a detached weight", "live": "with a live weight"}
SAMPLED: Final = {"policy": "sampled by the policy", "old": "sampled by the old policy"}


@dataclass(frozen=True)
class Claim:
    """What is asserted, and of which row."""

    expected: Expected
    placement: str
    weight: str
    sampler: Sampler
    within: float | None

    @classmethod
    def of(cls, expected: str, placement: str, weight: str, sampler: str, within: float | None) -> "Claim":
        """A claim in the words of an assertion. Raises ValueError."""
        return cls(
            Expected.of(expected),
            known("placement", placement, PLACEMENTS),
            known("weight", weight, tuple(WEIGHTS)),
            Sampler(known("sampler", sampler, tuple(s.value for s in Sampler))),
            None if within is None else positive("within", within),
        )

    @property
    def where(self) -> str:
        """Which row is meant, for people."""
        return f"{self.manner}, {SAMPLED[self.sampler.value]}"

    @property
    def manner(self) -> str:
        """Placement and weight, for people."""
        return f"{PLACED[self.placement]} {WEIGHTED[self.weight]}"

    @property
    def asked(self) -> str:
        """The region that is asked for, for people."""
        if self.within is None:
            return "everywhere"
        also = f" and |log w| < {self.within:g}" if self.sampler is Sampler.OLD else ""
        return f"where |l| < {self.within:g}{also}"

    def moved(self, placement: str, weight: str) -> "Claim":
        """The same claim of another row."""
        return replace(self, placement=placement, weight=weight)

    def rows(self, one: Audited) -> list[Row]:
        """The rows it speaks of; that at the reference first."""
        key = (self.placement, self.weight, self.sampler.value)
        return [r for r in one.rows if (r.placement, r.weight, r.sampler) == key]

    def objection(self, one: Audited) -> str:
        """Why the variant does not bear it out; empty when it does."""
        if found := problem(one):
            return found
        rows = self.rows(one)
        if not rows:
            return "there is no such row: it sums over the vocabulary, so no sample carries a weight"
        if undecided := [r.reason for r in rows if r.gradient_of == "undecided"]:
            return f"undecided: {undecided[0]}"
        assert one.found is not None
        if off := [
            r for r in rows if r.how == "derived" and r.residual is not None and not r.residual <= limit(one.found)
        ]:
            return f"undecided: the running function's gradient differs from the derived one by {off[0].residual:.1e}"
        if sums_vocabulary(one) and self.placement == "reward":  # one number for all actions has no coefficient
            return "" if {r.gradient_of for r in rows} == {self.expected.name} else _actual(rows)
        try:
            return self._derived(one.found, rows) if rows[0].how == "derived" else self._measured(one.found, rows[0])
        except Undecidable as e:
            return f"undecided: {e}"

    # --- deciding ---------------------------------------------------------------------------------------------------
    def coefficient(self, found: Recovered) -> Coefficient:
        """C of the row, where there is a formula. Raises Undecidable."""
        return found.coefficient(place(found, self.placement, self.weight), self.sampler)

    def _derived(self, found: Recovered, rows: list[Row]) -> str:
        c = self.coefficient(found)
        if self.expected.coefficient is None:
            return self._unnamed(c, rows)
        difference = c - self.expected.coefficient
        inside = Coefficient(tuple((r, e) for cell, e in difference.cells if (r := cell & self._window) is not None))
        return "" if inside.is_constant() else _actual(rows)

    def _unnamed(self, c: Coefficient, rows: list[Row]) -> str:
        """By the names of the rows alone; a region is looked up by how it is written."""
        asked = [r for r in rows if self.within is None or _region(c, r.where) & self._window is not None]
        return "" if {r.gradient_of for r in asked} == {self.expected.name} else _actual(rows)

    def _measured(self, found: Recovered, row: Row) -> str:
        if self.expected.coefficient is None or row.gradient_of == "none":
            return "" if row.gradient_of == self.expected.name else _actual([row])
        if self.within is not None and self.within > POINTS[-1]:
            return f"undecided: it was measured for |l| <= {POINTS[-1]:g} only"
        runs = experiment(found).placed(self.placement, self.weight, self.sampler)
        match = fit(found, runs, self.placement, self.weight, self.sampler)
        if match is None or not _exact(match.identification.coefficient).equals(self.expected.coefficient):
            return _actual([row])
        return "" if _covers(match.region, self._window) else _actual([row])

    @property
    def _window(self) -> Region:
        if self.within is None:
            return Region()
        lo, hi = (roots(log_ratio - Rational(str(s * self.within)), log_ratio)[0] for s in (-1, 1))
        box = {logp: (None, ZERO), log_ratio: (lo, hi)}
        return Region({**box, log_weight: (lo, hi)} if self.sampler is Sampler.OLD else box)

    def reach(self, found: Recovered) -> float | None:
        """Up to which distance from the reference it holds; ``None`` when not even near it, or without a limit."""
        if found.surrogate is None or self.expected.coefficient is None:
            return None
        central = [(r, e) for r, e in (self.coefficient(found) - self.expected.coefficient).merged if is_central(r)]
        if not central or not is_constant(central[0][1]):
            return None
        ends = [b for v in (log_ratio, log_weight) for b in central[0][0].bounds(v) if b is not None]
        return min((abs(float(b)) for b in ends), default=None)


def _actual(rows: list[Row]) -> str:
    titles = {r.gradient_of: f" = {r.title}" for r in rows if r.title and r.gradient_of != "zero"}
    return "it is " + "; ".join(f"{r.gradient_of}{titles.get(r.gradient_of, '')}, {_place(r)}" for r in rows)


def _place(row: Row) -> str:
    return row.where if row.where == "everywhere" else f"where {row.where}"


def _region(c: Coefficient, where: str) -> Region:
    return next((r for r, _ in c.merged if str(r) == where), Region())


def _exact(c: Coefficient) -> Coefficient:
    """Scales that were measured to six digits, as the decimals they are printed as."""
    return c.map(lambda e: e.replace(lambda x: x.is_Float, lambda x: Rational(str(x))))


def _covers(region: Region, window: Region) -> bool:
    """Whether an interval that was measured holds the window; an infinite end was measured as far as one can look."""
    for variable in (log_ratio, log_weight):
        lo, hi = region.bounds(variable)
        a, b = window.bounds(variable)
        if (lo is not None and (a is None or float(a) < float(lo))) or (
            hi is not None and (b is None or float(b) > float(hi))
        ):
            return False
    return True


def sums_vocabulary(one: Audited) -> bool:
    """Whether its entries are all actions of a vocabulary, so that there is no sample."""
    return one.found is not None and one.found.reading is Reading.VOCABULARY
