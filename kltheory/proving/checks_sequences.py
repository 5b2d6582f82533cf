"""How engines see claims about whole responses: every response of a small prefix tree, written down."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

from sympy import Symbol

from kltheory.calculus.moments import normal
from kltheory.calculus.sequence.loss import SequenceObjective
from kltheory.calculus.surrogate import Sampler
from kltheory.numerics.balls import precision
from kltheory.numerics.certificate import Ball
from kltheory.numerics.rational import RationalSetting
from kltheory.numerics.responses import ResponseTree, small_trees
from kltheory.numerics.spelled import asymmetry, average, gradient
from kltheory.numerics.spread import trace_variance
from kltheory.numerics.tolerance import ATOL
from kltheory.numerics.trees.gradient import Gradient, expected_gradient, expected_value
from kltheory.numerics.trees.gradient import trace_variance as trace_variance_in_floats
from kltheory.numerics.trees.policies import TreeSetting, exact_setting, standard_trees
from kltheory.numerics.trees.tree import Tree
from kltheory.numerics.witness import moment
from kltheory.proving.response_variance import LessVarianceAt, VarianceGrowth, spread
from kltheory.proving.sequences import (
    IsConservative,
    SameSequenceGradient,
    SameSequenceValue,
    SequenceClaim,
    SequenceTerm,
)
from kltheory.proving.verdict import Finding, Status

Numbers = dict[Symbol, Any]
Gaps = dict[Any, Any]
"""Component to a ball that has to contain zero."""

BITS: Final = 192
"""Of the balls that enclose a difference."""
NEGLIGIBLE: Final = 2.0**-96
"""A ball around zero of this radius is as good as zero: what is refuted differs by far more."""


def _gradients(claim: SameSequenceGradient, tree: ResponseTree, at: Numbers) -> Gaps:
    left, right = (gradient(side, tree, claim.sampler, at) for side in (claim.left, claim.right))
    return {key: left.get(key, 0) - right.get(key, 0) for key in (left | right)}


def _values(claim: SameSequenceValue, tree: ResponseTree, at: Numbers) -> Gaps:
    return {(): average(claim.left.expr, tree, at) - average(claim.right.expr, tree, at)}


def _asymmetry(claim: IsConservative, tree: ResponseTree, at: Numbers) -> Gaps:
    return asymmetry(claim.left, tree, claim.sampler, at)


GAPS: Final[dict[type, Callable[[Any, ResponseTree, Numbers], Gaps]]] = {
    SameSequenceGradient: _gradients,
    SameSequenceValue: _values,
    IsConservative: _asymmetry,
}
"""Kind of claim to what has to vanish on every tree."""

WORDS: Final = {
    SameSequenceGradient: "the gradients differ by {} in the logit of {}",
    SameSequenceValue: "the averages differ by {}{}",
    IsConservative: "the Jacobian and its transpose differ by {} in the logits of {}",
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
def _by_autodiff(
    term: SequenceTerm, setting: TreeSetting, sampler: Sampler, at: tuple[tuple[Symbol, Any], ...]
) -> Gradient:
    return expected_gradient(term, setting, sampler, dict(at))


def less_variance(claim: LessVarianceAt, at: Numbers) -> Iterator[Finding]:
    """Both variances in floats, on arrays."""
    exact = claim.tree()
    setting = exact_setting(Tree(exact.size, exact.horizon), exact.policy, exact.reference)
    left, right = (_spread_in_floats(side, setting, at) for side in (claim.left, claim.right))
    detail = f"{left:.6g} and {right:.6g}"
    yield Finding("enumeration", Status.HOLDS if left < right * (1 - ATOL) else Status.FAILS, None, detail)


def _spread_in_floats(side: SequenceTerm, setting: TreeSetting, at: Numbers) -> float:
    if isinstance(side, SequenceObjective):
        return expected_value(side.expr**2, setting, at) - expected_value(side.expr, setting, at) ** 2
    return trace_variance_in_floats(side, setting, Sampler.POLICY, at)


def enumerated(claim: SequenceClaim, at: Numbers) -> Iterator[Finding]:
    """Tree after tree until one shows a difference; the residual is an upper bound of the largest |difference|."""
    largest = 0.0
    with precision(BITS):
        for tree in small_trees(claim.fixed_length):
            for where, gap in GAPS[type(claim)](claim, tree, at).items():
                largest = max(largest, float(abs(gap).upper()))
                if not gap.contains(0) or not largest < NEGLIGIBLE:
                    yield Finding(
                        "enumeration", Status.FAILS, largest, f"it differs by {float(gap.mid()):.3g}, {where}"
                    )
                    return
    yield Finding("enumeration", Status.HOLDS, largest)


def certified(claim: SequenceClaim, at: Numbers) -> dict[str, Any] | None:
    """A tree and a component in which the claim certainly fails, the clearest one of the tree."""
    with precision(BITS):
        for tree in small_trees(claim.fixed_length):
            gaps = {key: x for key, x in GAPS[type(claim)](claim, tree, at).items() if not x.contains(0)}
            if gaps:
                where, gap = max(gaps.items(), key=lambda item: float(abs(item[1]).lower()))
                ball = Ball.of(gap)
                text = WORDS[type(claim)].format(f"{float(ball.mid):.6g}", " and ".join(map(_logit, where)))
                found = {"difference": dict(vars(ball)), "bits": BITS, "tree": describe(tree)}
                return {**found, "component": [[list(p), a] for p, a in where], "text": f"{text}, on {describe(tree)}"}
    return None


def _logit(where: tuple[tuple[int, ...], int]) -> str:
    prefix, token = where
    return f"token {token} " + (f"after {', '.join(map(str, prefix))}" if prefix else "at the beginning")


def describe(tree: ResponseTree) -> str:
    """A tree in words, with its rows at the beginning."""
    ends = "" if tree.eos is None else f", token {tree.eos} ends"
    rows = {"policy": tree.policy, "reference": tree.reference, "old": tree.old}
    first = "; ".join(f"{name} {', '.join(map(str, row(())))}" for name, row in rows.items())
    return f"the tree of V = {tree.size}, T = {tree.horizon}{ends}, first {first}"


# --- variances --------------------------------------------------------------------------------------------------------
UNIGRAMS: Final = ("3/4 1/4", "2/5 3/5")
"""One row of the policy and of the reference, for every step."""


def variance_growth(claim: VarianceGrowth, at: Numbers) -> Iterator[Finding]:
    """The traces at N = 1, 2, ... by enumeration: their differences are those of the polynomial."""
    with precision(BITS):
        gaps = _growth_gaps(claim, at)
        worst = max(float(abs(gap).upper()) for gap in gaps)
        holds = all(gap.contains(0) for gap in gaps) and worst < NEGLIGIBLE
    yield Finding("enumeration", Status.HOLDS if holds else Status.FAILS, worst, f"N = 1 to {claim.degree + 2}")


def _growth_gaps(claim: VarianceGrowth, at: Numbers) -> tuple[Any, Any]:
    """How far the differences of the traces are from the leading coefficient, and the next ones from zero; balls."""
    policy, reference = (tuple(map(Fraction, row.split())) for row in UNIGRAMS)
    trees = [
        ResponseTree(2, n, None, lambda _: policy, lambda _: reference, lambda _: policy)
        for n in range(1, claim.degree + 3)
    ]
    setting = RationalSetting(policy, reference, policy, (Fraction(0), Fraction(0)))
    traces = [trace_variance(claim.left, tree, Sampler.POLICY, at, shared=True) for tree in trees]
    leading, beyond = claim.differences(traces)
    return leading - moment(normal(claim.leading), setting), beyond


def growth_witness(claim: VarianceGrowth, at: Numbers) -> dict[str, Any] | None:
    """The tree of :data:`UNIGRAMS`, where the traces at N = 1, 2, ... certainly belong to no such polynomial."""
    with precision(BITS):
        leading, beyond = _growth_gaps(claim, at)
        gap = leading if not leading.contains(0) else beyond
        if gap.contains(0):
            return None
        ball = Ball.of(gap)
    steps = "; ".join(f"{name} {row}" for name, row in zip(("policy", "reference"), UNIGRAMS, strict=True))
    order = claim.degree if gap is leading else claim.degree + 1
    text = f"difference {order} of the traces at N = 1 to {claim.degree + 2} is off by {float(ball.mid):.6g}, {steps}"
    return {"difference": dict(vars(ball)), "bits": BITS, "text": text}


def variance_witness(claim: LessVarianceAt, at: Numbers) -> dict[str, Any] | None:
    """Both variances on the claim's own tree, where the left one is certainly not the smaller."""
    with precision(BITS):
        left, right = (spread(side, claim.tree(), at) for side in (claim.left, claim.right))
        if not left > right:
            return None
        balls = {"left": Ball.of(left), "right": Ball.of(right), "difference": Ball.of(left - right)}
    words = " and ".join(f"{float(balls[side].mid):.6g}" for side in ("left", "right"))
    return {name: dict(vars(b)) for name, b in balls.items()} | {"bits": BITS, "text": f"the variances are {words}"}
