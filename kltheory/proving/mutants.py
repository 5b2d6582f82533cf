"""Mutants: wrong-on-purpose twins of a claim, by small edits. A check that cannot fail proves nothing.

Every mutant of a true claim must be refuted, or be harmless for a reason: either the edit changes nothing (k2 is
even, so swapping the direction is no edit), which is found here, or the theorem itself says why (0 is
scale-invariant).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from sympy import Derivative, Expr, S, exp

from kltheory.calculus.divergence import Objective
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.moments import CORNERED, At, Mean, formulas, map_means, normal
from kltheory.calculus.relations import is_null
from kltheory.calculus.sequence.language import Ahead, Future, Past, total
from kltheory.calculus.sequence.loss import SequenceLoss, SequenceObjective
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import log_ratio, log_weight, logp, sg
from kltheory.proving.claims import AgreesToOrder, Claim, IsDivergence, Left, SamplerFree
from kltheory.proving.continuous import FiniteIff, GeometricFiniteIff
from kltheory.proving.equations import Forces
from kltheory.proving.floats import NegativeShare, OverflowsIff
from kltheory.proving.moments import AlwaysSign, GradientBound, SignAt, TraceVariance
from kltheory.proving.one_tree import LessVarianceAt, ShorterGradientAt
from kltheory.proving.response_variance import VarianceGrowth
from kltheory.proving.scalars import HasSign
from kltheory.proving.sequences import IsConservative, SameSequenceValue
from kltheory.proving.thresholds import Zero, Zeros

Edit = Callable[[Expr], Iterator[tuple[str, Expr]]]


@dataclass(frozen=True)
class Mutant:
    """A named edit of a claim, and the claim it makes."""

    name: str
    claim: Claim
    original: Claim

    @cached_property
    def unchanged(self) -> str:
        """Why the edit is none; empty where it is one."""
        elsewhere = replace(self.claim, left=self.original.left) != self.original
        same = not elsewhere and _is_same(_formula(self.claim.left), _formula(self.original.left))
        return "the edit changes nothing" if same else ""


def _flip_sign(e: Expr) -> Iterator[tuple[str, Expr]]:
    yield "flip_sign", -e


def _scale(e: Expr) -> Iterator[tuple[str, Expr]]:
    yield "scale", 2 * e


def _detach(e: Expr) -> Iterator[tuple[str, Expr]]:
    if any(f.free_symbols & {logp, log_ratio, log_weight} for f in formulas(e)):  # nothing else moves
        yield "detach", sg(e)


def _drop_stop_gradient(e: Expr) -> Iterator[tuple[str, Expr]]:
    nodes = sorted(e.atoms(sg), key=str)
    for i, node in enumerate(nodes):
        yield "drop_stop_gradient" + (f"_{i + 1}" if len(nodes) > 1 else ""), e.xreplace({node: node.args[0]})


def _swap_direction(e: Expr) -> Iterator[tuple[str, Expr]]:
    """l changes its sign, in the means of the formula too."""
    if e.has(Derivative):  # SymPy has no derivative by -l
        return
    if any(log_ratio in f.free_symbols for f in formulas(e)):
        mirror = {log_ratio: -log_ratio}
        yield "swap_direction", map_means(e, lambda f: f.xreplace(mirror)).xreplace(mirror)


def _exchange(e: Expr) -> Iterator[tuple[str, Expr]]:
    """The policy and the reference change places, in a sum over the vocabulary or a function of both."""
    if e.has(Derivative):  # SymPy has no derivative by -l
        return
    swaps = {logp: logp - log_ratio, log_ratio: -log_ratio, log_weight: log_weight - log_ratio}
    if log_ratio in e.free_symbols:
        yield "swap_direction", e.xreplace(swaps)


def _forget_weight(e: Expr) -> Iterator[tuple[str, Expr]]:
    if log_weight in e.free_symbols:
        yield "forget_weight", e.xreplace({log_weight: S.Zero})


def _detach_weight(e: Expr) -> Iterator[tuple[str, Expr]]:
    bare = e.replace(sg, lambda x: S.Zero)
    if bare.has(exp(log_weight)):
        yield "detach_weight", e.xreplace({exp(log_weight): sg(exp(log_weight))})


def _add_k2(e: Expr) -> Iterator[tuple[str, Expr]]:
    """No claim survives a penalty that was not there."""
    yield "add_k2", e + log_ratio**2 / 2


def _add_mean_k2(e: Expr) -> Iterator[tuple[str, Expr]]:
    yield "add_k2", e + exp(logp) * log_ratio**2 / 2


def _add_one(e: Expr) -> Iterator[tuple[str, Expr]]:
    yield "add_one", e + 1


SURROGATE_EDITS: Final[tuple[Edit, ...]] = (
    _flip_sign,
    _scale,
    _detach,
    _drop_stop_gradient,
    _swap_direction,
    _forget_weight,
    _detach_weight,
    _add_k2,
)
SUM_EDITS: Final[tuple[Edit, ...]] = (_flip_sign, _scale, _exchange, _forget_weight, _add_mean_k2)


def _drop_term(e: Expr) -> Iterator[tuple[str, Expr]]:
    if len(e.args) > 1 and e.is_Add:
        yield "drop_term", e - e.args[-1]


def _forget_future(e: Expr) -> Iterator[tuple[str, Expr]]:
    if e.has(Future, Ahead):
        yield "forget_future", e.replace(lambda x: isinstance(x, (Future, Ahead)), lambda x: S.Zero)


def _forget_past(e: Expr) -> Iterator[tuple[str, Expr]]:
    """Prefix weights, too."""
    if e.has(Past):
        yield "forget_past", e.replace(Past, lambda f: S.Zero)


def _add_token_k2(e: Expr) -> Iterator[tuple[str, Expr]]:
    yield "add_k2", e + total(log_ratio**2 / 2)


SEQUENCE_EDITS: Final[tuple[Edit, ...]] = (*SURROGATE_EDITS[:-1], _forget_future, _forget_past, _add_token_k2)
FORMULA_EDITS: Final[tuple[Edit, ...]] = (_flip_sign, _scale, _exchange, _drop_term, _add_one)
MOMENT_EDITS: Final[tuple[Edit, ...]] = (_flip_sign, _scale, _swap_direction, _drop_term, _add_one)


KIND_HARMLESS: Final[dict[type, dict[str, str]]] = {
    HasSign: {"scale": "a sign is scale-invariant", "add_one": "one more keeps it positive"},
    SignAt: {"scale": "a sign is scale-invariant", "add_one": "one more keeps it positive"},
    AlwaysSign: {"scale": "a sign is scale-invariant", "add_one": "one more keeps it positive"},
    FiniteIff: {"scale": "finite is scale-invariant", "flip_sign": "finite is even", "add_one": "one more is finite"},
    GeometricFiniteIff: {"scale": "finite is scale-invariant", "flip_sign": "finite is even"},
    NegativeShare: {"scale": "a sign is scale-invariant"},
    OverflowsIff: {"add_one": "one more is lost in the rounding"},
    Zero: {"scale": "the same zero", "flip_sign": "the same zero"},
    Zeros: {"scale": "the same zeros", "flip_sign": "the same zeros"},
    Forces: {"flip_sign": "an equation is even", "scale": "an equation is scale-invariant"},
    TraceVariance: {"flip_sign": "a variance is even"},
    GradientBound: {
        "flip_sign": "a norm is even",
        "detach": "no gradient is short",
        "drop_stop_gradient": "what it bounds is shorter still",
        "swap_direction": "the mirrored gradient is short too",
    },
    IsDivergence: {"scale": "convexity is scale-invariant", "add_k2": "a sum of divergences is a divergence"},
    SameSequenceValue: {
        "detach": "a value does not feel it",
        "drop_stop_gradient": "a value does not feel it",
        "detach_weight": "a value does not feel it",
    },
    VarianceGrowth: {
        "flip_sign": "a variance is even",
        "swap_direction": "mirrored, it is minus itself, and a variance is even",
        "add_k2": "a term of each token alone is of lower order",
    },
    LessVarianceAt: {"flip_sign": "a variance is even"},
    ShorterGradientAt: {"flip_sign": "a length is even", "detach": "no gradient is the shortest"},
    IsConservative: {
        "flip_sign": "minus a gradient is a gradient",
        "scale": "twice a gradient is a gradient",
        "detach": "no gradient is the gradient of nothing",
        "swap_direction": "the mirrored one is a gradient, too",
    },
    SamplerFree: {
        "scale": "still free of w",
        "flip_sign": "still free of w",
        "detach": "no gradient is free of w",
        "swap_direction": "a weighted function of -l is free of w too",
        "drop_stop_gradient": "a live weight frees it of w as well",
    },
}
"""Edits that a kind of claim cannot feel, with the reason; used only where the mutant does survive."""


def mutants(claim: Claim) -> Iterator[Mutant]:
    """The mutants of a claim: every edit of its left side, and of its direction where it has one."""
    left = claim.left
    for edit in _edits(left):
        for name, mutated in edit(_formula(left)):
            yield Mutant(name, replace(claim, left=_like(left, mutated)), claim)
    if isinstance(claim, (FiniteIff, GeometricFiniteIff)):
        yield Mutant("flip_condition", replace(claim, condition=-claim.condition), claim)
    if isinstance(claim, (LessVarianceAt, ShorterGradientAt)):
        yield Mutant("exchange_sides", replace(claim, left=claim.right, right=claim.left), claim)
    if isinstance(claim, AgreesToOrder):
        yield Mutant("raise_order", replace(claim, order=claim.order + 1), claim)


def _edits(left: Left) -> tuple[Edit, ...]:
    if isinstance(left, Surrogate):
        return SURROGATE_EDITS
    if isinstance(left, (SequenceLoss, SequenceObjective)):
        return SEQUENCE_EDITS
    if isinstance(left, Objective):
        return SUM_EDITS
    return MOMENT_EDITS if left.has(Mean, At) else FORMULA_EDITS


def _is_same(a: Expr, b: Expr) -> bool:
    """Whether an edit changed nothing, as far as can be told."""
    if (a - b).expand() == 0:
        return True
    try:
        return not a.has(*CORNERED) and is_null(normal(a) - normal(b))
    except Undecidable:
        return False


def _formula(left: Left) -> Expr:
    if isinstance(left, (Surrogate, SequenceLoss, SequenceObjective)):
        return left.expr
    return left.summand if isinstance(left, Objective) else left


def _like(left: Left, mutated: Expr) -> Left:
    return mutated if isinstance(left, Expr) else type(left)(mutated)
