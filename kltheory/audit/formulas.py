"""Two formulas of one batch, entry by entry: where their values and derivatives part, for all log-probabilities."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

import numpy as np
from sympy import Add, Expr, S, exp, expand_mul

from kltheory.audit.layout import Index, Layout
from kltheory.audit.reading import Reading
from kltheory.audit.recover import terms_of, traced
from kltheory.audit.roles import Role
from kltheory.audit.subject import Raised
from kltheory.calculus.cells import split
from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.placement import Placement
from kltheory.calculus.regions import Region
from kltheory.calculus.roots import ZERO
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import VARIABLES, advantage, log_ratio, log_weight, logp
from kltheory.numerics.bridge import NUMPY
from kltheory.tracing.trace import CannotTrace, Exprs, Floats

MASKS: Final = {False: np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 1.0]]), True: np.ones((1, 1))}
"""A batch with a hole; and a token alone."""


@dataclass(frozen=True, eq=False)
class Formulas:
    """What two functions compute on the same batch: the term of each token, or of each of its actions."""

    a: dict[Index, Expr]
    b: dict[Index, Expr]
    summed: bool

    @classmethod
    def of(cls, a: Reading, b: Reading, per_response: bool, alone: bool) -> "Formulas | None":
        """The formulas of both; ``None`` where one has none, where tokens meet, or where they read different things."""
        if a.sums_vocabulary != b.sums_vocabulary:
            return None
        if any({Role.LOGP_SAMPLER, Role.WEIGHT_SAMPLER} & f.subject.roles for f in (a, b)):
            return None  # a formula has three policies: in it the sampler is the old one
        if not all(f.is_of_each_token and len(f.layout.tokens) == 2 for f in (a, b)):
            return None
        found = [_terms(f, per_response, MASKS[alone]) for f in (a, b)]
        if found[0] is None or found[1] is None:
            return None
        return cls(found[0], found[1], a.sums_vocabulary)

    def parts(self, what: str) -> tuple[str, ...] | None:
        """The regions in which the values or the derivatives part, none where they agree; ``None`` if undecided."""
        gaps = dict.fromkeys(Surrogate.of(a) - Surrogate.of(b) for a, b in self._pairs)
        try:
            return tuple(dict.fromkeys(part for gap in gaps for part in self._parts(gap, what)))
        except Undecidable:
            return None

    @property
    def _pairs(self) -> list[tuple[Expr, Expr]]:
        """The terms of both, each pair once: most tokens have the same."""
        return list(dict.fromkeys((self.a[unit], self.b[unit]) for unit in self.a))

    def same_expectation(self, placement: Placement) -> bool | None:
        """Whether every token's expected gradients agree for all policies; ``None`` if undecided.

        In the reward and with a weight it is asked of functions that have an output for each token.
        """
        if self.summed and (placement.where, placement.weight) != ("loss", "none"):
            return None
        try:
            both = ([self._descends(term, placement) for term in pair] for pair in self._pairs)
            return all(a.equals(b) for a, b in both)
        except Undecidable:
            return None

    def _descends(self, term: Expr, placement: Placement) -> Coefficient:
        """The coefficient of one token's term."""
        s = Surrogate.of(term)
        return placement.summed(s) if self.summed else placement.coefficient(s)

    def _parts(self, gap: Surrogate, what: str) -> tuple[str, ...]:
        if what == "value":
            wrong = [r for r, e in split(gap.value) if not is_zero(e) and not _is_rounding(r, e)]
        elif self.summed:  # by the logits: a multiple of the probability is no derivative
            each = Coefficient(tuple((r, e * exp(-logp)) for r, e in gap.score().merged))
            wrong = [] if each.equals(Coefficient.of(S.Zero)) else [r for r, e in each.merged]
        else:
            wrong = [r for r, e in gap.score().merged if not is_zero(e) and not _is_rounding(r, e)]
        return tuple(str(r) for r, _ in Coefficient(tuple((r, S.One) for r in wrong if not _is_thin(r))).merged)


THIN: Final = 1e-9
ROUNDED: Final = 1e-14


def _is_rounding(region: Region, e: Expr) -> bool:
    """Whether a difference is no more than that of a rounded constant, such as log(1.2), from what was meant."""
    found = [at for part in _off_zero(region, e) if (at := part.sample()) is not None]
    return bool(found) and all(abs(float(NUMPY(e, {v: float(x) for v, x in at.items()}))) < ROUNDED for at in found)


def _off_zero(region: Region, e: Expr) -> Iterator[Region]:
    """The region's parts in which no variable of a difference is 0, where much that is not zero vanishes."""
    cut = sorted({log_ratio, log_weight, advantage} & e.free_symbols, key=str)
    for halves in product(((None, ZERO), (ZERO, None)), repeat=len(cut)):
        part = region & Region(dict(zip(cut, halves, strict=True)))
        if part is not None:
            yield part


def _is_thin(region: Region) -> bool:
    """Whether a region is no more than the rounding of a bound, such as log(1.2), in the code."""
    ends = [region.bounds(v) for v in VARIABLES]
    return any(lo is not None and hi is not None and float(hi) - float(lo) < THIN for lo, hi in ends)


def _terms(found: Reading, per_response: bool, mask: Floats) -> dict[Index, Expr] | None:
    layout = replace(Layout.of(found.subject, mask.shape), per_response=per_response)
    try:
        exprs = traced(found.subject, layout, mask)
        terms, apart = terms_of(exprs, layout)
    except (CannotTrace, Raised):
        return None
    return None if apart else _with_constants(terms, exprs, layout)


def _with_constants(terms: dict[Index, Expr], exprs: Exprs, layout: Layout) -> dict[Index, Expr]:
    """The terms, and what holds no policy: of an advantage with its token, and plain numbers with all that count."""
    own = {s: unit for unit in reversed(layout.units) for s in layout.symbols(layout.units[unit])}
    live = [unit for unit, e in terms.items() if e != 0] or list(terms)
    for total in exprs.flat:
        for term in Add.make_args(expand_mul(total)):
            if term.free_symbols & layout.owner.keys():
                continue
            units = [own[s] for s in term.free_symbols & own.keys()] or live
            for unit in units:
                terms[unit] += term.xreplace(layout.symbols(layout.units[unit])) / len(units)
    return terms
