"""Mutants: an edit changes what the claim is about or says that it does not; every kind has one that is refuted."""

from collections.abc import Callable, Iterator
from functools import cache

import pytest
from kinds import KINDS, ROWS
from sympy import Abs, Expr, S, Symbol, exp

from kltheory.calculus.divergence import Objective, reverse_kl
from kltheory.calculus.estimators import Estimator, as_loss, in_reward, k1, k2, k3, w
from kltheory.calculus.expectation import expectation
from kltheory.calculus.moments import At, Mean
from kltheory.calculus.sequence.loss import SequenceLoss, SequenceObjective
from kltheory.calculus.surrogate import Sampler, Surrogate, derivative
from kltheory.calculus.symbols import advantage, erase_sg, inside, log_weight, logp, sg, weight
from kltheory.calculus.symbols import log_ratio as l
from kltheory.numerics.bridge import NotNumeric
from kltheory.numerics.responses import small_trees
from kltheory.numerics.spelled import Reading, each_gradient
from kltheory.proving import mutants as module
from kltheory.proving.claims import (
    NO_GRADIENT,
    OLD,
    POLICY,
    AgreesToOrder,
    Claim,
    IsDivergence,
    Lemma,
    SameGradient,
    SameValue,
    SamplerFree,
)
from kltheory.proving.continuous import FiniteIff, GaussianMean, GeometricFiniteIff, GeometricSum
from kltheory.proving.engines import NUMERIC
from kltheory.proving.equations import Forces
from kltheory.proving.instances import instances, parameters
from kltheory.proving.mutants import KIND_HARMLESS, mutants
from kltheory.proving.run import run
from kltheory.proving.scalars import HasSign, Identity
from kltheory.proving.theorem import Theorem, collect, library

LIBRARY = collect([library()])

POINTS = [
    {logp: S(-p) / 10, l: S(x) / 10, log_weight: S(y) / 10, weight: exp(S(y) / 10), advantage: S(a) / 10, inside: S(i)}
    for p, x, y, a, i in (
        *((11, -7, 3, 5, 1), (23, 13, -9, 8, 0), (5, 4, 21, -6, 1), (17, -31, -2, -9, 0)),
        *((9, 2, -15, 1, 1), (14, 31, 12, 3, 0)),  # inside clamps; where a penalty outweighs the advantage
        (6, 25, 4, -2, 1),  # a log-probability and a log-ratio that do not occur with the other sign
    )
]


BY_FORMULA = {Lemma, FiniteIff, GeometricFiniteIff, GeometricSum, GaussianMean, Forces}
"""Kinds about logits, x, a length or an unknown function: nothing of them is seen at the points."""


Numbers = tuple[tuple[Symbol, Expr], ...]


@cache
def looked_at(left: Surrogate | Objective | Expr) -> tuple[Expr, ...]:
    """What is seen of a left side: its value, and for a surrogate its derivative, sg held."""
    expr = left.expr if isinstance(left, Surrogate) else left.summand if isinstance(left, Objective) else left
    formulas = [erase_sg(expr), *([erase_sg(derivative(expr))] if isinstance(left, Surrogate) else [])]
    if isinstance(left, Surrogate) and expr.has(Mean):
        formulas.append(left.coefficient(OLD).cells[0][1])
    return tuple(formulas)


@cache
def look(e: Expr, numbers: Numbers, k: int) -> complex:
    return complex(seen(e, dict(numbers), POINTS[k]))


def looks(left: Surrogate | Objective | Expr, numbers: Numbers) -> Iterator[complex]:
    """What can be seen of a left side at six points."""
    return (look(e, numbers, k) for e in looked_at(left) for k in range(len(POINTS)))


def seen(e: Expr, at: dict[Symbol, Expr], point: dict[Symbol, Expr]) -> Expr:
    """The formula at a point; a mean is a weighted sum over the points, and action k is point k."""
    numbers = {m: sum(n * seen(erase_sg(m.integrand), at, p) for n, p in enumerate(POINTS, 1)) for m in e.atoms(Mean)}
    numbers |= {v: seen(erase_sg(v.integrand), at, POINTS[v.action]) for v in e.atoms(At)}
    return erase_sg(e).xreplace({**at, **point, **numbers}).xreplace({**at, **point})


def looks_at_responses(left: SequenceLoss | SequenceObjective, numbers: Numbers) -> Iterator[float]:
    """What each response of two small trees says: the value, and what it moves by, under either sampler."""
    for sampler in (None, *((POLICY, OLD) if isinstance(left, SequenceLoss) else (OLD,))):
        for k in range(2):
            yield from look_at_responses(left, numbers, sampler, k)


@cache
def look_at_responses(
    left: SequenceLoss | SequenceObjective, numbers: Numbers, sampler: Sampler | None, k: int
) -> tuple[float, ...]:
    tree, at = small_trees(False)[k], dict(numbers)
    if sampler is None:
        return tuple(float(Reading(tree, at).of_response(left, y)) for y in tree.responses)
    logits = [(*p, a) for p in tree.prefixes for a in range(tree.size)]
    return tuple(float(g.get(logit, 0)) for _, g in each_gradient(left, tree, sampler, at) for logit in logits)


def differs(mutated: Claim, claim: Claim) -> bool:
    """Whether a mutant is another claim, seen in numbers."""
    if [getattr(mutated, name, None) for name in ("order", "condition")] != [
        getattr(claim, name, None) for name in ("order", "condition")
    ]:
        return True
    if type(claim) in BY_FORMULA:
        return bool((mutated.left - claim.left).expand() != 0)
    at = tuple(parameters(claim).items())
    if isinstance(claim.left, (SequenceLoss, SequenceObjective)):
        try:
            return apart(looks_at_responses, mutated, claim, at)
        except NotNumeric:
            return True  # a gradient that flows into what is to come, where there was none
    return apart(looks, mutated, claim, at)


def apart(seen_of: Callable[..., Iterator[complex]], mutated: Claim, claim: Claim, at: Numbers) -> bool:
    """Whether some look at one is not that at the other; no more is computed than that takes."""
    return any(
        abs(a - b) > 1e-9
        for one, other in both(mutated, claim)
        for a, b in zip(seen_of(one.left, at), seen_of(other.left, at), strict=True)
    )


def both(a: Claim, b: Claim) -> list[tuple[Claim, Claim]]:
    return list(zip(of_each(a), of_each(b), strict=True))


@cache
def of_each(claim: Claim) -> tuple[Claim, ...]:
    return instances(claim)


# --- every edit is an edit --------------------------------------------------------------------------------------------
STATED = {**{str(row): lambda row=row: (row.true,) for row in ROWS}, **{t.name: t.claims for t in LIBRARY}}
"""What states claims, by name: building those of the library takes a while, and collecting tests needs none."""


@pytest.mark.parametrize("name", STATED)
def test_an_edit_changes_the_claim_or_says_that_it_does_not(name):
    for claim in STATED[name]():
        found = list(mutants(claim))
        assert {type(m.claim) for m in found} == {type(claim)}
        assert [m.name for m in found if bool(m.unchanged) == differs(m.claim, claim)] == [], claim


def test_the_comparison_itself_can_fail():
    claim = SameGradient(as_loss(k2), reverse_kl.objective, POLICY)
    assert not differs(claim, claim)
    assert not differs(SameGradient(Surrogate(Abs(l) ** 2 / 2), NO_GRADIENT, POLICY), claim)
    assert differs(SameGradient(Surrogate(sg(k2.expr)), reverse_kl.objective, POLICY), claim)
    assert differs(SameGradient(as_loss(k2) * (1 + S(1) / 10**6), reverse_kl.objective, POLICY), claim)


EDITS = [
    (SameGradient(as_loss(k3), NO_GRADIENT, POLICY), "flip_sign scale detach swap_direction add_k2"),
    (
        SameGradient(in_reward(k1), NO_GRADIENT, POLICY),
        "flip_sign scale detach drop_stop_gradient swap_direction add_k2",
    ),
    (
        SameGradient(as_loss(k3, w), NO_GRADIENT, OLD),
        "flip_sign scale detach swap_direction forget_weight detach_weight add_k2",
    ),
    (
        SameGradient(as_loss(k3, sg(w)), NO_GRADIENT, OLD),
        "flip_sign scale detach drop_stop_gradient swap_direction forget_weight add_k2",
    ),
    (
        SamplerFree(in_reward(k1) + as_loss(k3, sg(w))),
        "flip_sign scale detach drop_stop_gradient_1 drop_stop_gradient_2 swap_direction forget_weight add_k2",
    ),
    (SameValue(reverse_kl.objective, NO_GRADIENT), "flip_sign scale swap_direction add_k2"),
    (SameValue(expectation(w, OLD), expectation(1)), "flip_sign scale forget_weight add_k2"),
    (SameValue(expectation(1), expectation(1)), "flip_sign scale add_k2"),
    (SameValue(Objective(w * exp(logp)), expectation(1)), "flip_sign scale forget_weight add_k2"),
    (Identity(l + 1, l), "flip_sign scale swap_direction drop_term add_one"),
    (Identity(log_weight, l), "flip_sign scale add_one"),
    (AgreesToOrder(as_loss(k3), NO_GRADIENT, POLICY, 1), "flip_sign scale detach swap_direction add_k2 raise_order"),
]


@pytest.mark.parametrize(("claim", "names"), EDITS, ids=[names for _, names in EDITS])
def test_which_edits_a_claim_gets(claim, names):
    assert [m.name for m in mutants(claim)] == names.split()


UNCHANGED = [
    (as_loss(k2), {"swap_direction"}),
    (as_loss(k3), set()),
    (as_loss(Estimator("|l|", Abs(l))), {"swap_direction"}),
    (NO_GRADIENT, {"flip_sign", "scale"}),
    (as_loss(k2, sg(w)), {"swap_direction"}),
]


@pytest.mark.parametrize(("left", "names"), UNCHANGED, ids=[str(s) for s, _ in UNCHANGED])
def test_which_edits_say_that_they_are_none(left, names):
    assert {m.name for m in mutants(SameGradient(left, NO_GRADIENT, OLD)) if m.unchanged} == names


# --- every kind of claim can be refuted -------------------------------------------------------------------------------
def refuted(claim: Claim) -> Iterator[tuple[str, tuple[str, ...]]]:
    report = run(Theorem("t", "A statement.", lambda: claim))
    yield from ((m.name, m.killed_by) for m in report.mutants if m.killed_by)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_some_mutant_of_a_true_claim_is_refuted(row):
    killed = list(refuted(row.true))
    assert killed
    assert all(by[0] == "symbolic" and len(by) > 1 for _, by in killed)


def test_no_kind_is_forgotten():
    assert {row.kind for row in ROWS} == KINDS


def test_a_true_twin_of_a_claim_is_not_refuted():
    """k2 is even and its scale is free in a sign: what stays true is no mutant that anything refutes."""
    names = {name for name, _ in refuted(HasSign(k2.expr, 1))}
    assert not names & {"scale", "swap_direction", "add_one"}
    assert "flip_sign" in names


@pytest.mark.parametrize("kind", KIND_HARMLESS, ids=lambda kind: kind.__name__)
def test_what_a_kind_cannot_feel_is_an_edit_that_exists_and_has_a_reason(kind):
    every = (claim for claims in STATED.values() for claim in claims() if type(claim) is kind)
    source = {m.name for claim in every for m in mutants(claim)}
    assert kind in NUMERIC
    assert set(KIND_HARMLESS[kind]) <= source | {"drop_stop_gradient"}
    assert all(len(reason.split()) > 2 for reason in KIND_HARMLESS[kind].values())


def test_a_check_that_never_fails_leaves_survivors(monkeypatch):
    """The twin of all of the above: with blind engines, nothing is refuted, and the report says so."""
    monkeypatch.setattr(IsDivergence, "decide", lambda self: True)
    claim = IsDivergence(as_loss(k3), POLICY)
    report = run(Theorem("t", "A statement.", lambda: claim))
    assert not any(m.killed_by for m in report.mutants)
    assert not report.as_expected
    assert any("survives, unexplained" in p for p in report.problems)
    assert "vacuous: no mutant was refuted, so nothing shows that the check can fail" in report.problems


def test_every_edit_is_in_a_table():
    """An edit that no table has is never tried."""
    tables = {*module.SURROGATE_EDITS, *module.SUM_EDITS, *module.FORMULA_EDITS, *module.MOMENT_EDITS}
    tables |= {*module.SEQUENCE_EDITS}
    marks = {"e": Expr, "return": Iterator[tuple[str, Expr]]}
    defined = {value for value in vars(module).values() if getattr(value, "__annotations__", None) == marks}
    assert defined == tables
    assert len(tables) == 15
