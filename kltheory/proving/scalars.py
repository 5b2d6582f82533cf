"""Claims about one function of l, w, logp, logp_ref, logp_old: identities, signs, limits, expansions, ranges."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sympy import Expr, S, exp

from kltheory.calculus.cells import split
from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.exact import Undecidable, is_constant, is_zero, normal_form
from kltheory.calculus.line import limit, roots
from kltheory.calculus.regions import Region
from kltheory.calculus.roots import Root
from kltheory.calculus.symbols import VARIABLES, log_ratio, log_weight, logp, to_quotients
from kltheory.calculus.taylor import NEAR, vanishes_to


@dataclass(frozen=True)
class Identity:
    """Two formulas are the same function."""

    left: Expr
    right: Expr

    def decide(self) -> bool:
        """Whether the difference vanishes in every cell."""
        return (Coefficient.of(self.left) - Coefficient.of(self.right)).is_zero()

    def __str__(self) -> str:
        return f"{self.left} = {self.right}"


@dataclass(frozen=True)
class HasSign:
    """A formula has one sign on an interval of l (by default the whole line); isolated zeros are allowed."""

    left: Expr
    sign: int
    above: Expr = field(default=S.NegativeInfinity)
    below: Expr = field(default=S.Infinity)

    def decide(self) -> bool:
        """Whether no part of the interval has the other sign."""
        return all(s in (0, self.sign) for _, s in self.parts())

    def parts(self) -> Iterator[tuple[Region, int]]:
        """The regions on which the formula has a sign, with that sign."""
        interval = Region() & Region({log_ratio: (_point(self.above), _point(self.below))})
        if interval is None:
            raise Undecidable(f"no l lies between {self.above} and {self.below}")
        for region, e in split(to_quotients(self.left), interval):
            for part, s in region.refine(e):
                if part.conditions and part.sample() is None:
                    raise Undecidable(f"whether {part} is empty is not known")
                yield part, s

    def __str__(self) -> str:
        where = "" if not (self.above.is_finite or self.below.is_finite) else f" where {self.above} < l < {self.below}"
        return f"{self.left} {'≥' if self.sign > 0 else '≤'} 0{where}"


def _point(value: Expr) -> Root | None:
    return roots(log_ratio - value, log_ratio)[0] if value.is_finite else None


@dataclass(frozen=True)
class Expansion:
    """The Taylor polynomial of a formula at l = 0, up to and including an order."""

    left: Expr
    right: Expr
    order: int

    def decide(self) -> bool:
        """Whether value and derivatives agree up to the order on either side of 0."""
        return vanishes_to(
            Coefficient(tuple(split(to_quotients(self.left) - to_quotients(self.right), NEAR))), self.order
        )

    def __str__(self) -> str:
        return f"{self.left} = {self.right} + O(l^{self.order + 1})"


@dataclass(frozen=True)
class Limit:
    """The limit of a formula as l goes to +oo or -oo."""

    left: Expr
    at: Expr
    right: Expr

    def __post_init__(self) -> None:
        if self.at not in (S.Infinity, S.NegativeInfinity):
            raise ValueError(f"at = {self.at}: a limit is taken as l goes to oo or to -oo")

    def decide(self) -> bool:
        """Whether the dominant terms give that limit."""
        return bool(limit(self.left, log_ratio, 1 if self.at is S.Infinity else -1) == self.right)

    def __str__(self) -> str:
        return f"{self.left} → {self.right} as l → {self.at}"


@dataclass(frozen=True)
class Range:
    """The sharp bounds of a formula linear in π, π_ref and π_old, over all settings of three actions or more."""

    left: Expr
    lower: Expr
    upper: Expr

    def decide(self) -> bool:
        """Whether the extremes over the corners of the cube of probabilities are these."""
        constant, *weights = linear_weights(self.left)
        low = constant + sum((w for w in weights if w < 0), S.Zero)
        high = constant + sum((w for w in weights if w > 0), S.Zero)
        return is_zero(low - self.lower) and is_zero(high - self.upper)

    def __str__(self) -> str:
        return f"{self.lower} < {self.left} < {self.upper}, and no closer"


def linear_weights(expr: Expr) -> tuple[Expr, Expr, Expr, Expr]:
    """The numbers (d, a, b, c) with expr = d + a·π + b·π_ref + c·π_old.

    Raises:
        Undecidable: it is not of that form.
    """
    rest = to_quotients(expr)
    weights = []
    for v, probability in ((log_ratio, exp(logp - log_ratio)), (log_weight, exp(logp - log_weight))):
        weights.append(-rest.diff(v) / probability)
        rest = rest - weights[-1] * probability
    policy = rest.diff(logp) * exp(-logp)
    rest = rest - policy * exp(logp)
    found = (rest, policy, *weights)
    if not all(map(is_constant, found)):
        raise Undecidable(f"{expr} is not linear in π, π_ref and π_old")
    if any(x.free_symbols - {*VARIABLES} for x in found[1:]):
        raise Undecidable(f"the signs of what stands before π, π_ref and π_old in {expr} depend on parameters")
    d, a, b, c = (normal_form(x).as_expr() for x in found)
    return d, a, b, c
