"""A reading: what the audit knows of one function, and all that the rest asks of it.

There are two of them. :class:`.Derived` has the formula of one token, and answers by calculation; :class:`.Measured`
has none, and answers by running the function. Who asks does not know which it is.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Final

from sympy import Expr

from kltheory.audit.confirm import EPSILON
from kltheory.audit.layout import Layout
from kltheory.audit.roles import Role
from kltheory.audit.subject import Subject
from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import Divergence
from kltheory.calculus.placement import WEIGHTS, Placement, placements
from kltheory.tracing.trace import Floats

if TYPE_CHECKING:
    from kltheory.audit.advantage import Pushed
    from kltheory.audit.experiments import Placed
    from kltheory.audit.row import Row
    from kltheory.audit.zones import Zone

ROUNDINGS: Final = 256
"""How many roundings of 1 an expected gradient may be off by in a type coarser than float64."""


class Entries(Enum):
    """What the entries are: tokens that were sampled, alone or among all actions, or all actions summed."""

    SAMPLE = "sample"
    ACTION = "action"
    VOCABULARY = "vocabulary"

    @classmethod
    def of(cls, subject: Subject) -> "Entries":
        """Those of a function."""
        if subject.gathers:
            return cls.ACTION
        return cls.VOCABULARY if subject.is_over_vocabulary else cls.SAMPLE


@dataclass(frozen=True, eq=False, kw_only=True)
class Reading(ABC):
    """What a subject computes.

    Attributes:
        subject: it, with all its arrays found.
        layout: the shapes it was run on.
        dtype: the coarsest floating type on the way, such as ``float32``.
        weights: the weight of each token in a scalar or shorter output, shape of the tokens; ``None`` per token.
        per_token: whether each token has its own output, which the others do not enter.
        coupled: how tokens depend on one another, or empty.
        across: how tokens of different responses, the rows, depend on one another, or empty.
        residual: the largest difference to the running function, relative to its rounding scale.
        meeting: how advantages of different tokens meet, or empty; where they do, only the penalty is known.
        left_out: what the formula leaves out, relative to it: a small constant such as 1e-8 beside a count.
        reason: why there is no formula; empty where there is one, and where tokens meet and that is all.
    """

    subject: Subject
    layout: Layout
    dtype: str = "float64"
    weights: Floats | None = None
    per_token: bool = False
    coupled: str = ""
    across: str = ""
    residual: float = float("nan")
    meeting: str = ""
    left_out: float = 0.0
    reason: str = ""

    # --- what was run -----------------------------------------------------------------------------------------------
    @cached_property
    def entries(self) -> Entries:
        """What its entries are."""
        return Entries.of(self.subject)

    @property
    def sums_vocabulary(self) -> bool:
        """Whether its entries are all actions of a vocabulary, so that there is no sample."""
        return self.entries is Entries.VOCABULARY

    @property
    def is_typed(self) -> bool:
        """Whether it is a formula that somebody typed, of one token."""
        return self.subject.target.formula is not None

    @property
    def takes_many(self) -> bool:
        """Whether many samples can be passed in one call."""
        return self.per_token and self.layout.tokens != ()

    @property
    def has_advantage(self) -> bool:
        """Whether it has an argument for advantages."""
        return Role.ADVANTAGE in self.subject.roles

    def placements(self, where: Sequence[str]) -> Iterator[Placement]:
        """What is asked of it in these places: what sums over the vocabulary has no sample to weigh."""
        return placements(where, ("none",) if self.sums_vocabulary else tuple(WEIGHTS))

    def rounding(self, finest: float) -> float:
        """What the running gradient may differ by, relative to the size of its terms: ``finest`` in float64."""
        of_type = finest if self.dtype == "float64" else ROUNDINGS * EPSILON.get(self.dtype, EPSILON["float32"])
        return max(of_type, 4 * self.left_out)

    # --- what it computes: not known, unless a reading says so ------------------------------------------------------
    how: ClassVar[str]
    """``derived`` or ``measured``."""

    @property
    def formula(self) -> str | None:
        """The formula of one token, as ``kltheory identify`` reads it."""
        return None

    @property
    def letters(self) -> tuple[str, ...]:
        """The numbers that nobody gave and its formula has letters for."""
        return ()

    def in_numbers(self, target: Coefficient) -> Coefficient:
        """A coefficient with its letters as the numbers that were taken for them."""
        return target

    @property
    def unit(self) -> tuple[str, float]:
        """The letter that the penalty is proportional to, and its number; no letter and 1 where there is none."""
        return "", 1.0

    @property
    def is_of_one_token(self) -> bool:
        """Whether there is anything to say of a token alone."""
        return True

    @property
    def is_of_each_token(self) -> bool:
        """Whether every token of a batch has the same formula, which the others do not enter."""
        return False

    @property
    def has_penalty(self) -> bool:
        """Whether anything may be left where the advantages are 0."""
        return True

    def differs(self, other: "Reading") -> bool:
        """Whether another reading of the same function has another formula."""
        return False

    def widened(self) -> Subject | None:
        """The function with its last axis read as the vocabulary, where its terms look so."""
        return None

    def near_reference(self) -> Expr | None:
        """The penalty of one token in the cell of the reference."""
        return None

    def estimates(self, divergence: Divergence, exchanged: bool = False) -> Expr | None:
        """The multiple of a divergence that the value is on average, on-policy.

        With ``exchanged``, after policy and reference are exchanged.
        """
        return None

    def pushes(self) -> "tuple[Pushed, ...]":
        """What the part with the advantage does for each sign of it; nothing where there is none.

        Raises:
            Undecidable: it is there, and not known.
        """
        return ()

    # --- what it descends -------------------------------------------------------------------------------------------
    @abstractmethod
    def rows(self, placement: Placement, runs: "list[Placed]") -> "Iterator[Row]":
        """What a placement descends, region by region, that of the reference first; ``runs`` is the function in it."""

    @abstractmethod
    def agrees(self, placement: Placement, target: Coefficient, within: float | None) -> bool:
        """Whether a placement descends the target, within so many nats of the reference or everywhere.

        Raises:
            Undecidable: that was not found out.
        """

    @abstractmethod
    def zones(self) -> "list[Zone]":
        """Where the derivative by log π vanishes. Raises Raised."""

    @abstractmethod
    def moves_with_reference(self) -> tuple[bool, str]:
        """Whether the derivative by log π changes with the reference, and where that was asked, or empty."""

    def is_cut(self, placement: Placement) -> bool:
        """Whether it may descend something else far from the reference."""
        return True

    def holds_within(self, placement: Placement, target: Coefficient) -> float | None:
        """Up to how many nats from the reference it descends the target, where it does, and not without end."""
        return None

    def once_weighted(self) -> str:
        """What it descends off-policy after one importance weight is taken away, if that has a name.

        Raises:
            Undecidable: that was not found out.
        """
        return ""
