"""A small part of every attack, seed by seed, and that each kind of complaint is made where an answer is altered."""

from collections import Counter
from dataclasses import replace
from functools import partial
from random import Random

import pytest
from fuzz.attacks import ATTACKS, SEARCHES, Question, about_report, about_responses, about_step, decision, proved, put
from fuzz.case import CLAIMS, Case
from fuzz.evidence import EVIDENCE
from fuzz.loss import Loss
from fuzz.response_case import ResponseCase
from fuzz.rows import check

from kltheory.proving.verdict import Verdict
from kltheory.report.identification import identify_text

SEEDS = {"identify": range(100, 108), "decide": range(100, 120), "sequences": range(100, 130), "pipeline": range(1)}
ANSWERS = {
    "identify": {"identified", "shape undecided"},
    "decide": {"yes", "no"},
    "sequences": {"yes", "no"},
    "pipeline": {"PROVED"},
}
"""Kinds that have to be among the answers: an attack that is never answered would complain of nothing."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ATTACKS)
def test_no_answer_is_contradicted_by_an_oracle(name):
    trials = [(q.asked, put(q)) for seed in SEEDS[name] for q in ATTACKS[name](seed)]
    assert [(asked, *map(str, t.complaints)) for asked, t in trials if t.complaints] == []
    kinds = Counter(t.kind for _, t in trials)
    assert ANSWERS[name] <= set(kinds), kinds


# --- and its twins ----------------------------------------------------------------------------------------------------
ON, OFF = "policy", "old"
PIECES = "in pieces, up to a constant in each: "
ALTERED = [  # the formula as it is placed, whose row, what is said instead, and what is complained of
    (Loss("k3"), OFF, {"coefficient": "(exp(-l) - 1)/w"}, "coefficient"),
    (Loss("clamp(l, -1, 1)"), ON, {"coefficient": "0 where l < -1; 1 where -1 < l < 2; 0 where 2 < l"}, "coefficient"),
    (Loss("k3"), ON, {"coefficient": "1 - exp(-l) where 0 < l"}, "coefficient"),
    (Loss("k2"), ON, {"gradient_of": "forward_kl", "title": "KL(π_ref‖π)"}, "gradient_of"),
    (Loss("l"), ON, {"gradient_of": "none", "title": "no named divergence"}, "gradient_of"),
    (Loss("k2"), ON, {"title": "KL(π_ref‖π)"}, "title"),
    (Loss("l**3"), ON, {"f": "u*log(u)**3"}, "f"),
    (Loss("k2"), ON, {"f": "u*log(u) + 1"}, "f"),
    (Loss("l**2*logp"), ON, {"objective": "Σ π*l**2"}, "objective"),
    (Loss("k2*abs(l)"), OFF, {"objective": "E_old[l**2]"}, "objective"),
    (Loss("clamp(l, -1, 1)*l", "reward"), ON, {"is_divergence": True, "obstacle": ""}, "is_divergence"),
    (Loss("clamp(l, -1, 1)*l", "reward"), ON, {"obstacle": "C falls where 2 < l"}, "obstacle"),
    (Loss("1/l", "reward"), ON, {"obstacle": "C is infinite at l = 1"}, "obstacle"),
    (Loss("min(l, 2)", "loss", "detached"), ON, {"is_divergence": False, "obstacle": "", "base": None}, "base"),
    (Loss("k3"), OFF, {"depends_on_sampler": False}, "depends_on_sampler"),
    (Loss("k3", "loss", "detached"), OFF, {"depends_on_sampler": True}, "depends_on_sampler"),
    (
        Loss("where(l > 1, k2, 0)"),
        ON,
        {"title": "in pieces, up to a constant in each: KL(π_ref‖π) where 1 < l"},
        "title",
    ),
]


def complaints(loss: Loss, whose: str = ON, **said: object) -> set[str]:
    answer = identify_text(loss.typed, loss.placement, loss.weight).to_json()
    rows = [row | said if row["sampler"] == whose else row for row in answer["rows"]]
    return {c.kind for c in check(loss, answer | {"rows": rows}, Random(0))}


@pytest.mark.parametrize(("loss", "whose", "said", "kind"), ALTERED, ids=[f"{x[3]} {x[0]}" for x in ALTERED])
def test_an_altered_answer_raises_a_complaint(loss, whose, said, kind):
    assert complaints(loss) == set()
    assert kind in complaints(loss, whose, **said)


@pytest.mark.parametrize(
    ("typed", "said", "kind"),
    [
        ("l**2", {"read_as": "l**3"}, "read_as"),
        ("sqrt(l)", {"undefined": {"policy": "l < -1", "old": "l < 0"}}, "undefined"),
        ("sqrt(l)", {"undefined": {"policy": "everywhere", "old": "l < 0"}}, "undefined"),
    ],
)
def test_so_does_what_was_read_and_where_it_is_undefined(typed, said, kind):
    loss = Loss(typed)
    answer = identify_text(typed).to_json()
    assert {c.kind for c in check(loss, answer, Random(0))} == set()
    assert {c.kind for c in check(loss, answer | said, Random(0))} == {kind}


TRUE = [
    Case("SameGradient", "max(k3, l)", "(k3 + l + abs(k3 - l))/2 + 3*w", False),
    Case("SameGradient", "E(l**2)", "exp(logp)*l**2", False, True),
    Case("SameScore", "k3 + sg(l)", "k3"),
    Case("SamplerFree", "sg(w)*k3"),
    Case("IsDivergence", "sg(w*clamp(l, -3, 2))*logp"),
    Case("AgreesToOrder", "sg(w*l)*logp", "sg(w*(l + l**2))*logp", order=1),
    Case("GradientBound", "sg(sigmoid(l))*logp", "1", True),
    Case("SameValue", "exp(logp)*k3", "exp(logp)*l"),
    Case("SameMoment", "E((l - E(l))**2)", "E(l**2) - E(l)**2"),
    Case("Expansion", "exp(l)", "1 + l + l**2/2", order=2),
    Case("HasSign", "k3"),
    Case("Identity", "k3 - l", "r - 1"),
    Case("Limit", "l*r", "0"),
]
FALSE = [
    Case("SameGradient", "k3", "k2"),
    Case("SameGradient", "l", "l + where(3 < l < 3.001, l, 0)"),
    Case("SameScore", "k3", "k3 + max(l - 1000, 0)"),
    Case("SamplerFree", "k3"),
    Case("IsDivergence", "sg(w*(2*u - where(l > 20, 1, 0)))*logp"),
    Case("AgreesToOrder", "sg(w*l)*logp", "sg(w*(l + l**2))*logp", order=2),
    Case("GradientBound", "sg(sigmoid(l))*logp", "1e-3", True),
    Case("SameValue", "exp(logp)*k3", "exp(logp)*k2"),
    Case("SameMoment", "E(l**2)", "E(l)**2"),
    Case("SameMoment", "0", "E(where(l > 0 and logp > -1e-6, w*l, 0))"),
    Case("Expansion", "exp(l)", "1 + l + l**2/2", order=3),
    Case("HasSign", "max(l, w) - 1e-3*max(l - 9, 0)*u"),
    Case("Identity", "sqrt(u)", "exp(l/2)*(1 + 1e-15)"),
    Case("Limit", "l*r + 1e-9", "0"),
]
TRUE_OF_RESPONSES = [
    ResponseCase("SameSequenceGradient", "total(sg(past(l))*logp)", "0"),
    ResponseCase("SameSequenceValue", "total(r)", "N"),
    ResponseCase("IsConservative", "total(sg(l + future(l))*logp)"),
]
FALSE_OF_RESPONSES = [
    ResponseCase("SameSequenceGradient", "total(sg(future(l))*logp)", "0"),
    ResponseCase("SameSequenceValue", "total(r)", "N + 1e-9*total(l)"),
    ResponseCase("IsConservative", "total(sg(l + past(l))*logp)"),
]


@pytest.mark.parametrize("case", TRUE + TRUE_OF_RESPONSES, ids=str)
def test_a_no_that_nothing_supports_raises_a_complaint(case):
    shortly = partial(about_step, searches=SEARCHES[:1]) if isinstance(case, Case) else about_responses
    assert decision(case) == "yes"
    assert [c.kind for c in shortly(case, "no", 0)] == ["no"]


@pytest.mark.parametrize("case", FALSE + FALSE_OF_RESPONSES, ids=str)
def test_a_yes_that_numbers_contradict_raises_a_complaint(case):
    about = about_step if isinstance(case, Case) else about_responses
    assert decision(case) == "no"
    assert list(about(case, "no", 0)) == []
    assert [c.kind for c in about(case, "yes", 0)] == ["yes"]


def test_every_kind_of_claim_has_both_twins():
    assert {c.kind for c in TRUE} == {c.kind for c in FALSE} == set(CLAIMS) == set(EVIDENCE)


def test_an_answer_where_there_is_no_value_raises_a_complaint_and_so_does_none_where_there_is():
    case = Case("Identity", "log(l)", "log(l) + 0*w")
    assert [c.kind for c in about_step(case, "yes", 0)] == ["defined"]
    assert [c.kind for c in about_step(Case("Identity", "l", "l"), "undefined", 0)] == ["undefined"]


def test_what_is_raised_is_a_complaint():
    question = Question("1/0", lambda: 1 / 0, str, lambda found: iter(()))
    assert [c.kind for c in put(question).complaints] == ["crash"]


@pytest.mark.slow
def test_a_verdict_is_a_decision_with_a_witness():
    case = Case("SameGradient", "k3", "k2")
    report = proved(case)
    assert list(about_report(case, report, 0)) == []
    assert [c.kind for c in about_report(case, replace(report, witness=None), 0)] == ["witness"]
    assert [c.kind for c in about_report(case, replace(report, verdict=Verdict.PROVED), 0)] == ["yes"]
