"""Every kind of claim, by every engine: the true one holds and its twin fails."""

import json
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from kinds import KINDS, ROWS, WITH_CONCRETE_FORM, WITHOUT_WITNESS
from sympy import Abs, Max, Min, Rational, S, Symbol, cos, exp, log, oo, sin, symbols

from kltheory.calculus.divergence import Objective, reverse_kl
from kltheory.calculus.estimators import Estimator, as_loss, in_reward, k1, k2, k3, w
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.moments import At, E
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import advantage, inside, logp, sg
from kltheory.calculus.symbols import log_ratio as l
from kltheory.numerics import autodiff
from kltheory.numerics.settings import Settings
from kltheory.numerics.tolerance import Residual
from kltheory.proving import vocabulary
from kltheory.proving.claims import (
    POLICY,
    AgreesToOrder,
    IsDivergence,
    Lemma,
    NaturalInner,
    SameGradient,
    SameScore,
)
from kltheory.proving.engines import NUMERIC, concretely, numerically
from kltheory.proving.instances import FUNCTIONS, NUMBERS, expressions, instances, is_general, parameters
from kltheory.proving.moments import AlwaysSign, OnTwoActions, SameMoment
from kltheory.proving.scalars import Expansion, HasSign, Identity, Limit, Range
from kltheory.proving.verdict import Finding, Status
from kltheory.proving.vocabulary import beta, c, h, lam
from kltheory.proving.witnesses import WITNESSES, find_witness

EACH = pytest.mark.parametrize("row", ROWS, ids=str)


# --- the tables are whole ---------------------------------------------------------------------------------------------
OWN = {kind.__module__ for kind in KINDS}
"""The modules whose kinds have their rows in ``kinds.py``."""


@pytest.mark.parametrize("table", [KINDS, {row.kind for row in ROWS}, {k for k in NUMERIC if k.__module__ in OWN}])
def test_every_kind_of_claim_has_a_row(table):
    assert table == KINDS
    assert len(KINDS) >= 13


def test_every_twin_is_another_claim_of_the_same_kind():
    for row in ROWS:
        assert type(row.false) is row.kind
        assert row.false != row.true
        assert str(row.false) != str(row.true)


@pytest.mark.parametrize("kind", sorted(set(NUMERIC) - KINDS, key=str), ids=lambda kind: kind.__name__)
def test_a_kind_of_another_module_has_tests_of_its_own(kind):
    """A row of a table in another file, a twin of the same kind beside it."""
    texts = (f.read_text(encoding="utf-8") for f in Path(__file__).parents[1].rglob("*.py"))
    assert max(len(re.findall(rf"\b{kind.__name__}\(", text)) for text in texts) >= 2


def test_the_kinds_with_a_witness_are_kinds():
    assert set(WITNESSES) < set(NUMERIC)
    assert {k.__name__ for k in set(NUMERIC) - set(WITNESSES)} == {
        *("Limit", "Lemma", "Zero", "Zeros", "Forces", "Computes", "OverflowsIff", "VarianceGrowth"),
        *("GaussianMean", "FiniteIff", "GeometricSum", "GeometricFiniteIff"),
    }  # fmt: skip


# --- the engines ------------------------------------------------------------------------------------------------------
@EACH
def test_the_calculus_tells_them_apart(row):
    assert row.true.decide() is True
    assert row.false.decide() is False


def test_the_calculus_tells_apart_what_no_float_does():
    """Typed decimals are exact: 1 - 0.9 is 0.1, and 0.1 + 1e-15 is not."""
    assert SameGradient((1 - 0.9) * as_loss(k2), 0.1 * reverse_kl.objective, POLICY).decide()
    assert not SameGradient((0.1 + 1e-15) * as_loss(k2), 0.1 * reverse_kl.objective, POLICY).decide()


@EACH
def test_numbers_confirm_the_true_one(row):
    for claim in instances(row.true):
        found = list(numerically(claim))
        assert found
        assert {f.status for f in found} == {Status.HOLDS}
        assert {f.engine for f in found} <= {"autodiff", "enumeration", "points"}
        assert all(f.residual is None or f.residual <= 1e-12 for f in found)


@EACH
def test_numbers_refuse_the_false_one(row):
    for claim in instances(row.false):
        assert Status.FAILS in {f.status for f in numerically(claim)}


@EACH
def test_small_vocabularies_tell_them_apart(row):
    true, false = concretely(row.true), concretely(row.false)
    if row.kind not in WITH_CONCRETE_FORM:
        assert {true.status, false.status} == {Status.NOT_APPLICABLE}
    else:
        assert (true.status, true.detail[:5]) == (Status.HOLDS, "V = 2")
        assert false.status is Status.FAILS


UNDECIDED = [
    (Identity(sin(l) ** 2 + cos(l) ** 2, S.One), "not formally zero"),
    (
        SameGradient(Surrogate(sg(sin(l) ** 2 + cos(l) ** 2) * k2.expr), as_loss(k2), POLICY),
        "no enclosure separates it",
    ),
    (SameGradient(Surrogate(log(l) * logp), Surrogate(log(l) * logp), POLICY), "undefined where l < 0"),
    (IsDivergence(Surrogate(Min(k3.expr, lam)), POLICY), "the cells are cut by the sign of"),
    (AgreesToOrder(Surrogate(log(l**2)), as_loss(k3), POLICY, 0), "is not a number"),
    (Expansion(log(l**2) * l, S.Zero, 0), "is not a number"),
    (NaturalInner(in_reward(k1), in_reward(k1), reverse_kl.objective), "known to have mean zero"),
    (HasSign(l, 1, above=S.One, below=S.Zero), "no l lies between 1 and 0"),
    (Range(l, S.Zero, S.One), "not linear in"),
    (Limit(log(l), oo, oo), "not a quotient of polynomials"),
    (Range(lam * exp(logp), S.Zero, lam), "depend on parameters"),
    (SameMoment(Abs(E(k3.expr)), E(k3.expr)), "on which side of the corners of"),
    (SameMoment(Max(E(l), -1), E(l)), "on which side of the corners of"),
]


@pytest.mark.parametrize("at", [S.Zero, S.One, S.ComplexInfinity])
def test_a_limit_is_taken_far_out(at):
    """l is no -oo at 0, which once was proved."""
    with pytest.raises(ValueError, match="a limit is taken as l goes to oo or to -oo"):
        Limit(l, at, -oo)


TWO_ACTIONS = {  # an identity at V = 2 in the mass of any set S, and whether it is one
    "twice": (E(inside), E(inside**2), True),
    "and the rest": (E(inside) + E(1 - inside), S.One, True),
    "two sets": (E(inside) * E(1 - inside), At(exp(logp), 0) * At(exp(logp), 1), False),
    "the first action": (E(inside), At(exp(logp), 0), False),
}


@pytest.mark.parametrize("name", TWO_ACTIONS)
def test_a_set_of_two_actions_is_any_set(name):
    left, right, holds = TWO_ACTIONS[name]
    claim = OnTwoActions(left, right)
    assert claim.decide() is holds
    assert {f.status for f in numerically(claim)} == {Status.HOLDS if holds else Status.FAILS}


NUMBERS_ONLY = [
    (HasSign(log(2) - Rational(69, 100), -1), "everywhere: the value is 0.00314718, above 0"),
    (Identity(beta, S(3)), "everywhere: the value is 0.3 and not 3; with beta = 3/10"),
    (SameMoment(S(2), S(3)), "everywhere: the value is 2 and not 3"),
    (AlwaysSign(S(-1), 1), "everywhere: the value is -1, below 0"),
]


@pytest.mark.parametrize(("claim", "text"), NUMBERS_ONLY, ids=[type(claim).__name__ for claim, _ in NUMBERS_ONLY])
def test_a_number_is_wrong_everywhere_and_not_at_some_l(claim, text):
    assert find_witness(claim)["text"] == text


@pytest.mark.parametrize(("claim", "reason"), UNDECIDED, ids=[type(claim).__name__ for claim, _ in UNDECIDED])
def test_what_cannot_be_decided_says_why(claim, reason):
    with pytest.raises(Undecidable, match=re.escape(reason)):
        claim.decide()


def test_a_finding_of_a_comparison_says_whose_it_is_and_where_it_differs():
    close, far = Residual(1e-13, "spread", 3, 0, 1), Residual(0.5, "spread", 3, 7, 2)
    assert Finding.of("enumeration", close) == Finding("enumeration", Status.HOLDS, 1e-13)
    where = "5.0e-01 at component 2 of spread setting 7, V = 3"
    assert Finding.of("enumeration", far) == Finding("enumeration", Status.FAILS, 0.5, where)


def test_letters_of_the_vocabulary_are_called_what_they_are_written():
    letters = {name: value for name, value in vars(vocabulary).items() if name in ("beta", "epsilon", "c", "lam")}
    assert {name: str(value) for name, value in letters.items()} == {name: name for name in letters}
    assert len(letters) == 4


def test_every_setting_that_a_sign_is_tried_on_is_looked_at():
    equal, peaked = (".5 .5", ".5 .5"), (".9 .1", ".1 .9")
    assert not AlwaysSign(E(l) - 1, -1, (equal, peaked)).decide()
    assert not AlwaysSign(E(l) - 1, -1, (peaked,)).decide()
    with pytest.raises(Undecidable, match="its integrand changes sign, and no setting contradicts it"):
        AlwaysSign(E(l) - 10**6, -1, (equal, peaked)).decide()


def test_what_falls_by_a_rounding_of_a_large_number_does_not_fall():
    g = exp(-(l**2))
    noisy = 10**9 * ((1 + g) ** 2 - g**2 - 2 * g)  # 1e9, some roundings off
    rises, falls = (IsDivergence(Surrogate(sg(noisy + slope) * logp), POLICY) for slope in (Max(l, 0), -Max(l, 0)))
    assert {f.status for f in numerically(rises)} == {Status.HOLDS}
    assert Status.FAILS in {f.status for f in numerically(falls)}


def test_a_formula_without_a_number_is_not_applicable():
    (found,) = numerically(Identity(sin(l), sin(l)))
    assert found.status is Status.NOT_APPLICABLE
    assert "no numeric meaning" in found.detail


# --- instances: numbers for names, functions for "any h" ------------------------------------------------------------
def test_a_claim_about_any_function_is_looked_at_through_two():
    general = SameScore(as_loss(h), in_reward(Estimator("h'", h.expr.diff(l))), POLICY)
    assert is_general(general)
    shown = instances(general)
    assert len(shown) == len(FUNCTIONS) == len(set(map(str, shown))) == 2
    for claim, function in zip(shown, FUNCTIONS, strict=True):
        assert not is_general(claim)
        assert claim.left.expr == function(l)
        assert claim.decide()


def test_a_claim_about_itself_is_its_own_instance():
    for row in ROWS:
        if "any h" not in row.name:
            assert instances(row.true) == (row.true,)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_functions_have_no_symmetry_and_no_special_value(function):
    at = [complex(function(x)).real for x in (Rational(-2), Rational(-1), Rational(1), Rational(2), Rational(4))]
    assert len({round(abs(x), 6) for x in at}) == len(at)
    assert abs(complex(function(Rational(1)))) > 1e-3
    x = Symbol("x", real=True)
    for f in (function(x), function(x).diff(x)):  # a constant more may not make it even or odd
        up, down = (complex((f - f.subs(x, 0)).subs(x, at)).real for at in (2, -2))
        assert min(abs(up - down), abs(up + down)) > 0.1


@pytest.mark.parametrize("claim", [row.true for row in ROWS if row.kind is Lemma], ids=lambda c: c.name)
def test_a_lemma_is_looked_at_on_both_sides(claim):
    """Each side beside what the lemma is about: the right one may not be wrong either, nor both."""
    for wrong in (
        replace(claim, left=-claim.left + 1),
        replace(claim, right=claim.right + Rational(1, 10**9)),
        replace(claim, left=claim.left + 1, right=claim.right + 1),
    ):
        (found,) = numerically(wrong)
        assert (found.engine, found.status) == ("autodiff", Status.FAILS)
    (found,) = numerically(replace(claim, left=sin(claim.left + 1)))
    assert found.status is Status.NOT_APPLICABLE


def test_parameters_get_numbers_that_are_different_and_not_special():
    claim = Identity(beta * l + lam * w + advantage, c * l)
    assert parameters(claim) == dict(zip((beta, c, lam), NUMBERS, strict=True))
    assert len({*NUMBERS, 0, 1, -1, Rational(1, 2), 2}) == len(NUMBERS) + 5
    assert parameters(ROWS[0].true) == {}
    many = symbols("a:12", positive=True)
    given = parameters(Identity(sum(many), l))
    assert set(given) == set(many)
    assert len({*given.values(), 0, 1, -1, Rational(1, 2), 2}) == len(many) + 5


def test_every_formula_of_a_claim_is_seen():
    assert expressions(SameGradient(as_loss(k2), reverse_kl.objective, POLICY)) == [
        k2.expr,
        reverse_kl.objective.summand,
    ]
    assert expressions(HasSign(l, 1, above=S.Zero)) == [l, S.Zero, oo]


def test_formulas_in_a_tuple_are_seen_and_replaced():
    @dataclass(frozen=True)
    class Several(Identity):
        others: tuple = ()

    claim = Several(l, l, (h.expr, ("words", as_loss(h)), lam))
    assert expressions(claim) == [l, l, h.expr, h.expr, lam]
    assert set(parameters(claim)) == {lam}
    for instance, function in zip(instances(claim), FUNCTIONS, strict=True):
        assert instance.others == (function(l), ("words", Surrogate(function(l))), lam)


# --- witnesses --------------------------------------------------------------------------------------------------------
@EACH
def test_a_false_claim_has_a_certified_witness_and_a_true_one_has_none(row):
    assert find_witness(row.true) is None
    found = find_witness(row.false)
    if row.kind not in WITNESSES or str(row) in WITHOUT_WITNESS:
        assert found is None
        return
    assert found["text"]
    json.dumps(found)
    ball = found["difference"]
    assert abs(float(ball["mid"])) > float(ball["rad"]) >= 0
    if "setting" in found:
        columns = found["setting"]
        assert {len(column) for column in columns.values()} == {len(columns["policy"])}
        assert len(columns["policy"]) >= 3 - (row.kind is OnTwoActions)
        assert all(sum(map(Fraction, columns[name])) == 1 for name in ("policy", "reference", "old"))


def test_a_witness_of_any_function_or_with_parameters_says_which():
    for row in ROWS:
        found = find_witness(row.false)
        if found is not None:
            general, named = is_general(row.false), {str(s) for s in parameters(row.false)}
            assert set(found.get("choice", {})) == ({"h(x)"} if general else set()) | named
            for name, value in found.get("choice", {}).items():
                assert f"{name} = {value}" in found["text"]
    any_h = next(row.false for row in ROWS if row.name == "any h")
    assert find_witness(any_h)["text"].endswith("; with h(x) = x/3 + log((x - 2/3)**2 + 1)")


@pytest.mark.parametrize("row", [r for r in ROWS if r.kind is SameGradient and r.name != "any h"], ids=str)
def test_a_witness_is_what_autodiff_gives_there(row):
    """The enclosures again, in floats and without coefficients and cells."""
    claim, found = row.false, find_witness(row.false)
    setting = {name: [[float(Fraction(x)) for x in column]] for name, column in found["setting"].items()}
    a = np.array(setting.pop("advantage"))
    here = (Settings(**{name: np.log(column) for name, column in setting.items()}, advantage=a, family=("witness",)),)
    for side in ("left", "right"):
        term = getattr(claim, side)
        gradient = (
            autodiff.objective_gradient(term.summand, here, parameters(claim))
            if isinstance(term, Objective)
            else autodiff.expected_gradient(term, here, claim.sampler, parameters(claim))
        )
        assert gradient[0][0, found["component"]] == pytest.approx(float(found[side]["mid"]), abs=1e-12)
