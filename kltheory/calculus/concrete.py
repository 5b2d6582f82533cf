"""Concrete vocabularies: the expected gradient from exponentials, by plain ``diff``, at V = 2, 3, 4.

Nothing of the coefficient calculus is used but the zero test: log-probabilities are written out as logarithms of
softmax, the surrogate is differentiated by a logit through each of them, and the sum over actions is spelled out.
Actions are interchangeable, so the derivative by the first logit decides for all.
"""

from collections.abc import Callable, Container, Sequence
from functools import lru_cache
from typing import Final

from sympy import Add, Derivative, Dummy, Expr, Integer, KroneckerDelta, S, Sum, Symbol, exp, log, symbols
from sympy.core.function import AppliedUndef

from kltheory.calculus.cells import split
from kltheory.calculus.divergence import Objective
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.logits import C
from kltheory.calculus.logits import theta as logit_symbol
from kltheory.calculus.moments import At, Mean
from kltheory.calculus.regions import Region
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import advantage, erase_sg, inside, log_ratio, log_weight, logp

Term = Surrogate | Objective

EVEN: Final = range(0, 1 << 30, 2)
"""The set that ``inside`` speaks of: every other action."""


@lru_cache
def log_softmax(name: str, size: int) -> tuple[Expr, ...]:
    """log π_a in terms of the logits name_0 ... name_{V-1}; the last logit is 0, which is no restriction."""
    logits = [*symbols(f"{name}:{size - 1}", real=True), S.Zero]
    return tuple(t - log(sum(map(exp, logits), S.Zero)) for t in logits)


def at_action(expr: Expr, size: int, a: int, members: Container[int] = EVEN) -> Expr:
    """A formula in logp, l, log w, A with the log-probabilities of action a put in; ``members`` are the set S.

    Raises:
        Undecidable: it holds the derivative of an unknown function.
    """
    if expr.has(Derivative):
        raise Undecidable("the derivative of an unknown function is not spelled out")
    policy, ref, old = (log_softmax(n, size)[a] for n in ("theta", "phi", "psi"))
    at = {logp: policy, log_ratio: policy - ref, log_weight: policy - old, advantage: Symbol(f"A{a}", real=True)}
    means = {m: over_vocabulary(m.integrand, size, members) for m in expr.atoms(Mean)}
    means |= {v: at_action(v.integrand, size, v.action, members) for v in expr.atoms(At)}
    return expr.xreplace({**at, **means, inside: S(int(a in members))})


def over_vocabulary(integrand: Expr, size: int, members: Container[int] = EVEN) -> Expr:
    """E_π of the integrand, spelled out; the gradient flows through it."""
    return Add(*(at_action(exp(logp) * integrand, size, a, members) for a in range(size)))


@lru_cache(maxsize=1024)
def component(term: Term, sampler: Sampler, size: int, a: int, formula: Expr) -> Expr:
    """What action a contributes to ∂/∂θ_0 of the expected surrogate (its probability held), or of the sum.

    Kept: claim after claim has the same divergence on its right, and a correction often the left side of what is false.
    """
    if isinstance(term, Objective):
        return slope(formula, size, a)
    drawn = log_softmax("theta" if sampler is Sampler.POLICY else "psi", size)[a]
    return exp(drawn) * erase_sg(slope(formula, size, a))


def slope(formula: Expr, size: int, a: int) -> Expr:
    """∂/∂θ_0 of a formula at action a, by the chain rule: through each variable, mean and value in it."""
    theta_0 = Symbol("theta0", real=True)
    if formula.has(AppliedUndef, Derivative):
        return at_action(formula, size, a).diff(theta_0)
    moving = log_softmax("theta", size)[a].diff(theta_0)
    by = _partials(formula)
    total = at_action(sum((by.get(v, S.Zero) for v in (logp, log_ratio, log_weight)), S.Zero), size, a) * moving
    for v, partial in by.items():
        if isinstance(v, Mean) and partial != 0:
            inner = sum((slope(exp(logp) * v.integrand, size, b) for b in range(size)), S.Zero)
            total += at_action(partial, size, a) * inner
        if isinstance(v, At) and partial != 0:
            total += at_action(partial, size, a) * slope(v.integrand, size, v.action)
    return total


@lru_cache(maxsize=1024)
def _partials(formula: Expr) -> dict[Symbol, Expr]:
    """The derivatives by each variable, mean and value: the same for every action and every V."""
    return {v: formula.diff(v) for v in sorted(formula.free_symbols, key=str)}


Pair = tuple[Expr, Expr]


def cell_pairs(left: Term, right: Term, sampler: Sampler) -> list[Pair]:
    """The formulas of both sides on each common cell; one pair when both are smooth."""
    rows = (_cells(left, sampler), _cells(right, sampler))
    return [(e, f) for r, e in rows[0] for q, f in rows[1] if (r & q) is not None]


def _cells(term: Term, sampler: Sampler) -> list[tuple[Region, Expr]]:
    return split(term.summand if isinstance(term, Objective) else term.sampled_by(sampler).expr)


def same_gradient(left: Term, right: Term, sampler: Sampler, size: int) -> bool:
    """Whether both have the same gradient in the logits for this V, for every way of putting the actions into cells."""

    def difference(a: int, pair: Pair) -> Expr:
        return component(left, sampler, size, a, pair[0]) - component(right, sampler, size, a, pair[1])

    return _vanishes(difference, cell_pairs(left, right, sampler), size)


def same_value(left: Objective, right: Objective, size: int) -> bool:
    """Whether both sums are the same number for this V."""
    pairs = cell_pairs(left, right, Sampler.OLD)
    return _vanishes(lambda a, pair: at_action(pair[0] - pair[1], size, a), pairs, size)


def _vanishes(term: Callable[[int, Pair], Expr], pairs: list[Pair], size: int) -> bool:
    """Whether Σ_a term(a, cell of a) is zero for all cells: in one assignment, and when one action changes its cell.

    Action 0 is the one differentiated by; the others are interchangeable, so one of them stands for all.
    """
    base, *others = pairs
    if not is_zero(sum((term(a, base) for a in range(size)), S.Zero)):
        return False
    return all(is_zero(term(a, other) - term(a, base)) for a in (0, 1) for other in others)


def lemma(name: str, left: Expr, right: Expr, size: int) -> bool:
    """Whether both sides of the lemma of that name, spelled out for this V, are what plain ``diff`` gives."""
    logits = (*symbols(f"theta:{size - 1}", real=True), S.Zero)
    log_pi, c = log_softmax("theta", size), symbols(f"C:{size}", real=True)
    pi = [exp(t) for t in log_pi]
    score = [t.diff(logits[0]) for t in log_pi]
    direct = {
        "score": score,
        "mean_score": [sum((p * s for p, s in zip(pi, score, strict=True)), S.Zero)],
        "coefficient": [sum((p * x * s for p, x, s in zip(pi, c, score, strict=True)), S.Zero)],
    }[name]
    return all(is_zero(_spelled_out(side, logits, c, i) - d) for side in (left, right) for i, d in enumerate(direct))


def _spelled_out(side: Expr, logits: Sequence[Expr], c: Sequence[Expr], i: int) -> Expr:
    """A side of a lemma for actions 0 ... V-1, at row i and column 0."""
    free = {s: Integer(1 if s.name == "j" else i + 1) for s in side.atoms(Dummy)}
    for total in side.atoms(Sum):
        (k, _, _) = total.limits[0]
        side = side.xreplace({total: Add(*(total.function.xreplace({k: Integer(n)}) for n, _ in enumerate(logits, 1)))})
    values = {logit_symbol[n]: x for n, x in enumerate(logits, 1)} | {C[n]: x for n, x in enumerate(c, 1)}
    deltas = {d: S(int(free[d.args[0]] == free[d.args[1]])) for d in side.atoms(KroneckerDelta)}
    return side.xreplace(deltas).xreplace(free).xreplace(values)
