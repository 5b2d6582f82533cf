"""Mutants: wrong-on-purpose twins of a claim, made by small edits of what it is about. A check that cannot fail proves nothing.

Every mutant of a true claim must be refuted, or be harmless for a reason: either the edit changes nothing (k2 is even, so swapping
the direction is no edit), which is found here, or the theorem itself says why (0 is scale-invariant).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from sympy import Expr, S, exp

from kltheory.calculus.divergence import Objective
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import log_ratio, log_weight, logp, sg
from kltheory.proving.claims import Claim, IsDivergence, SamplerFree
from kltheory.proving.scalars import HasSign

Edit = Callable[[Expr], Iterator[tuple[str, Expr]]]


@dataclass(frozen=True)
class Mutant:
    """A named edit and the claim it makes; ``unchanged`` says why the edit is none."""

    name: str
    claim: Claim
    unchanged: str = ""


def _flip_sign(e: Expr) -> Iterator[tuple[str, Expr]]:
    yield "flip_sign", -e


def _scale(e: Expr) -> Iterator[tuple[str, Expr]]:
    yield "scale", 2 * e


def _detach(e: Expr) -> Iterator[tuple[str, Expr]]:
    yield "detach", sg(e)


def _drop_stop_gradient(e: Expr) -> Iterator[tuple[str, Expr]]:
    nodes = sorted(e.atoms(sg), key=str)
    for i, node in enumerate(nodes):
        yield "drop_stop_gradient" + (f"_{i + 1}" if len(nodes) > 1 else ""), e.xreplace({node: node.args[0]})


def _swap_direction(e: Expr) -> Iterator[tuple[str, Expr]]:
    if log_ratio in e.free_symbols:
        yield "swap_direction", e.xreplace({log_ratio: -log_ratio})


def _exchange(e: Expr) -> Iterator[tuple[str, Expr]]:
    """The policy and the reference change places, in a sum over the vocabulary or a function of both."""
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


SURROGATE_EDITS: Final[tuple[Edit, ...]] = (
    _flip_sign,
    _scale,
    _detach,
    _drop_stop_gradient,
    _swap_direction,
    _forget_weight,
    _detach_weight,
)
SUM_EDITS: Final[tuple[Edit, ...]] = (_flip_sign, _scale, _exchange, _forget_weight)


def _drop_term(e: Expr) -> Iterator[tuple[str, Expr]]:
    if len(e.args) > 1 and e.is_Add:
        yield "drop_term", e - e.args[-1]


FORMULA_EDITS: Final[tuple[Edit, ...]] = (_flip_sign, _scale, _exchange, _drop_term)


KIND_HARMLESS: Final[dict[type, dict[str, str]]] = {
    HasSign: {"scale": "a sign is scale-invariant"},
    IsDivergence: {"scale": "convexity is scale-invariant"},
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
    left: Any = claim.left  # type: ignore[attr-defined]  # every kind of claim is about a left side
    if isinstance(left, (Surrogate, Objective)):
        edits = SURROGATE_EDITS if isinstance(left, Surrogate) else SUM_EDITS
        expr, wrap = (left.expr, Surrogate) if isinstance(left, Surrogate) else (left.summand, Objective)
    else:
        edits, expr, wrap = FORMULA_EDITS, left, lambda e: e
    for edit in edits:
        for name, mutated in edit(expr):
            same = "the edit changes nothing" if (mutated - expr).expand() == 0 else ""
            yield Mutant(name, replace(claim, left=wrap(mutated)), same)  # type: ignore[type-var]
    if isinstance(left, Surrogate) and hasattr(claim, "order"):
        yield Mutant("raise_order", replace(claim, order=claim.order + 1))
