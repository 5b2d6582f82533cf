"""How engines see claims about whole responses: every response of a small prefix tree, written down."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

from flint import ctx
from sympy import Symbol

from kltheory.calculus.sequence.loss import SequenceObjective
from kltheory.calculus.surrogate import Sampler
from kltheory.numerics.balls import Ambiguous, precision
from kltheory.numerics.certificate import Certificate, Sides, certify, differences
from kltheory.numerics.rational import RationalSetting
from kltheory.numerics.responses import ResponseTree, small_trees
from kltheory.numerics.spelled import average, gradient, jacobian
from kltheory.numerics.spread import trace_variance
from kltheory.numerics.tolerance import ATOL
from kltheory.numerics.trees.gradient import Gradient, expected_gradient, expected_value
from kltheory.numerics.trees.gradient import trace_variance as trace_variance_in_floats
from kltheory.numerics.trees.policies import TreeSetting, exact_setting, standard_trees
from kltheory.numerics.trees.tree import Tree
from kltheory.numerics.witness import moment
from kltheory.proving.one_tree import LessVarianceAt, ShorterGradientAt
from kltheory.proving.response_variance import VarianceGrowth
from kltheory.proving.sequences import (
    IsConservative,
    SameSequenceGradient,
    SameSequenceValue,
    SequenceClaim,
    SequenceTerm,
)
from kltheory.proving.verdict import Finding, Status

Numbers = dict[Symbol, Any]
Constants = tuple[tuple[Symbol, Any], ...]
Logits = dict[Any, Any]
"""By a logit, or by two: a prefix and its token each."""

BITS: Final = 192
"""Of the balls that enclose a difference."""
NEGLIGIBLE: Final = 2.0**-96
"""A ball around zero of this radius is as good as zero: what is refuted differs by far more."""


def _gradients(claim: SameSequenceGradient, at: Numbers) -> Sides:
    numbers = tuple(at.items())
    return lambda tree: (
        _in_balls(claim.left, tree, claim.sampler, numbers, ctx.prec),
        _in_balls(claim.right, tree, claim.sampler, numbers, ctx.prec),
    )


@lru_cache(maxsize=256)
def _in_balls(term: SequenceTerm, tree: ResponseTree, sampler: Sampler, at: Constants, bits: int) -> Logits:
    """The gradient in balls of that many bits, the current precision; kept, since mutants share a side."""
    return gradient(term, tree, sampler, dict(at))


def _values(claim: SameSequenceValue, at: Numbers) -> Sides:
    return lambda tree: ({None: average(claim.left, tree, at)}, {None: average(claim.right, tree, at)})


def _jacobians(claim: IsConservative, at: Numbers) -> Sides:
    """An entry and its mirror image, for each pair of logits."""

    def sides(tree: ResponseTree) -> tuple[Logits, Logits]:
        found = jacobian(claim.left, tree, claim.sampler, at)
        pairs = sorted({(min(pair), max(pair)) for pair in found if pair[0] != pair[1]})
        return {(a, b): found.get((a, b), 0) for a, b in pairs}, {(a, b): found.get((b, a), 0) for a, b in pairs}

    return sides


SIDES: Final[dict[type, Callable[[Any, Numbers], Sides]]] = {
    SameSequenceGradient: _gradients,
    SameSequenceValue: _values,
    IsConservative: _jacobians,
}
"""Kind of claim to what has to be the same on every tree."""

WORDS: Final[dict[type, Callable[[Any], str]]] = {
    SameSequenceGradient: lambda logit: f"the gradient in the logit of {_logit(logit)}",
    SameSequenceValue: lambda _: "the average",
    IsConservative: lambda pair: f"the Jacobian at the logits of {_logit(pair[0])} and {_logit(pair[1])}",
}


def same_gradient(claim: SameSequenceGradient, at: Numbers) -> Iterator[Finding]:
    """By enumeration in balls; by autodiff of the loss on arrays, through a table and through shared parameters."""
    yield from enumerated(claim, at)
    yield from (_autodiff(claim, setting, at) for setting in standard_trees(claim.fixed_length))


def _autodiff(claim: SameSequenceGradient, setting: TreeSetting, at: Numbers) -> Finding:
    left, right = (_by_autodiff(t, setting, claim.sampler, tuple(at.items())) for t in (claim.left, claim.right))
    gap = float(abs(left.values - right.values).max()) / max(left.scale, right.scale, 1.0)
    return Finding("autodiff", Status.HOLDS if gap <= ATOL else Status.FAILS, gap, f"on {setting.name}")


@lru_cache(maxsize=256)
def _by_autodiff(term: SequenceTerm, setting: TreeSetting, sampler: Sampler, at: Constants) -> Gradient:
    return expected_gradient(term, setting, sampler, dict(at))


def less_on_one_tree(claim: LessVarianceAt | ShorterGradientAt, at: Numbers) -> Iterator[Finding]:
    """Both numbers in floats, on arrays."""
    numbers = tuple(at.items())
    left, right = (IN_FLOATS[type(claim)](side, claim.tree(), numbers) for side in (claim.left, claim.right))
    detail = f"{left:.6g} and {right:.6g}"
    yield Finding("enumeration", Status.HOLDS if left < right * (1 - ATOL) else Status.FAILS, None, detail)


def _on_arrays(exact: ResponseTree) -> TreeSetting:
    return exact_setting(Tree(exact.size, exact.horizon), exact.policy, exact.reference)


@lru_cache(maxsize=256)
def _spread_in_floats(side: SequenceTerm, exact: ResponseTree, at: tuple[tuple[Symbol, Any], ...]) -> float:
    setting, numbers = _on_arrays(exact), dict(at)
    if isinstance(side, SequenceObjective):
        return expected_value(side.expr**2, setting, numbers) - expected_value(side.expr, setting, numbers) ** 2
    return trace_variance_in_floats(side, setting, Sampler.POLICY, numbers)


@lru_cache(maxsize=256)
def _length_in_floats(side: SequenceTerm, exact: ResponseTree, at: tuple[tuple[Symbol, Any], ...]) -> float:
    values = expected_gradient(side, _on_arrays(exact), Sampler.POLICY, dict(at)).values
    return float(values @ values)


IN_FLOATS: Final[dict[type, Callable[..., float]]] = {
    LessVarianceAt: _spread_in_floats,
    ShorterGradientAt: _length_in_floats,
}
"""Kind of claim about one tree to the number it compares."""


def enumerated(claim: SequenceClaim, at: Numbers) -> Iterator[Finding]:
    """Tree after tree until one shows a difference; the residual is an upper bound of the largest |difference|."""
    largest, looked = 0.0, False
    with precision(BITS):
        for tree in small_trees(claim.fixed_length):
            try:
                gaps = differences(*SIDES[type(claim)](claim, at)(tree))
            except Ambiguous:
                continue
            if not all(gap.is_finite() for gap in gaps.values()):
                continue  # a tree on a kink
            looked = True
            for where, gap in gaps.items():
                largest = max(largest, float(abs(gap).upper()))
                if not gap.contains(0) or not largest < NEGLIGIBLE:
                    detail = f"{WORDS[type(claim)](where)} differs by {float(gap.mid()):.3g}"
                    yield Finding("enumeration", Status.FAILS, largest, detail)
                    return
    yield Finding("enumeration", Status.HOLDS if looked else Status.NOT_APPLICABLE, largest)


def certified(claim: SequenceClaim, at: Numbers) -> Certificate | None:
    """A tree and a component in which the claim certainly fails, the clearest one of the first such tree."""
    kind = type(claim)
    found = (certify(WORDS[kind], SIDES[kind](claim, at), tree) for tree in small_trees(claim.fixed_length))
    return next(filter(None, found), None)


def _logit(logit: tuple[int, ...]) -> str:
    *prefix, token = logit
    return f"token {token} " + (f"after {', '.join(map(str, prefix))}" if prefix else "at the beginning")


# --- variances --------------------------------------------------------------------------------------------------------
UNIGRAMS: Final = ("3/4 1/4", "2/5 3/5")
"""One row of the policy and of the reference, for every step."""


def variance_growth(claim: VarianceGrowth, at: Numbers) -> Iterator[Finding]:
    """The traces at N = 1, 2, ... by enumeration: their differences are those of the polynomial."""
    policy, reference = (tuple(map(Fraction, row.split())) for row in UNIGRAMS)
    trees = [
        ResponseTree(2, n, None, lambda _: policy, lambda _: reference, lambda _: policy)
        for n in range(1, claim.degree + 3)
    ]
    setting = RationalSetting(policy, reference, policy, (Fraction(0), Fraction(0)))
    with precision(BITS):
        traces = [trace_variance(claim.left, tree, Sampler.POLICY, at, shared=True) for tree in trees]
        leading, beyond = claim.differences(traces)
        gaps = [leading - moment(claim.leading)(setting)[None], beyond]
        worst = max(float(abs(gap).upper()) for gap in gaps)
        holds = all(gap.contains(0) for gap in gaps) and worst < NEGLIGIBLE
    yield Finding("enumeration", Status.HOLDS if holds else Status.FAILS, worst, f"N = 1 to {len(trees)}")


def witness_on_one_tree(claim: LessVarianceAt | ShorterGradientAt, at: Numbers) -> Certificate | None:
    """Both numbers on the claim's own tree, where the left one is certainly not the smaller."""

    def sides(tree: ResponseTree) -> tuple[dict[None, Any], dict[None, Any]]:
        return {None: claim.size(claim.left, tree, at)}, {None: claim.size(claim.right, tree, at)}

    return certify(lambda _: claim.quantity, sides, claim.tree(), 1)
