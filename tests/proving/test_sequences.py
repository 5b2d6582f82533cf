"""Claims about whole responses: a true one beside its wrong-on-purpose twin, by every engine."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from response_kinds import ROWS
from sympy import Min, Rational, S

from kltheory.calculus.exact import Undecidable
from kltheory.calculus.sequence.language import Future, Past, Total
from kltheory.calculus.symbols import inside
from kltheory.proving.engines import numerically
from kltheory.proving.verdict import Status
from kltheory.proving.vocabulary import (
    OLD,
    POLICY,
    REVERSE_KL,
    E,
    LessVarianceAt,
    SameSequenceGradient,
    SameSequenceValue,
    SequenceLoss,
    SequenceObjective,
    ShorterGradientAt,
    VarianceGrowth,
    ahead,
    earlier_weight,
    exp,
    future,
    k2,
    length,
    log_ratio,
    log_weight,
    logp,
    past,
    prefix_weight,
    response_weight,
    sg,
    to_go,
    token_loss,
    total,
    w,
)
from kltheory.proving.witnesses import find_witness

l = log_ratio
EACH = pytest.mark.parametrize(
    ("true", "change"), ROWS, ids=[f"{i}-{type(t).__name__}" for i, (t, _) in enumerate(ROWS)]
)


@EACH
def test_the_calculus_tells_them_apart(true, change):
    assert true.decide()
    assert not replace(true, **change).decide()
    assert str(true) != str(replace(true, **change)) or "fixed_length" in change


@EACH
def test_the_engines_tell_them_apart(true, change):
    assert {f.status for f in numerically(true)} == {Status.HOLDS}
    found = list(numerically(replace(true, **change)))
    for engine in {f.engine for f in found}:
        assert Status.FAILS in {f.status for f in found if f.engine == engine}


def test_enumeration_says_how_large_a_difference_can_be():
    (enumerated, *_) = numerically(ROWS[0][0])
    assert 0 < enumerated.residual < 1e-12


def test_a_witness_names_the_set_that_a_formula_speaks_of():
    some, all_ = (SequenceLoss(total(sg(f * l) * logp)) for f in (inside, 1))
    assert find_witness(SameSequenceGradient(some, all_, POLICY))["inside"] == [0]
    assert "inside" not in find_witness(SameSequenceGradient(2 * all_, all_, POLICY))


@pytest.mark.parametrize("kind", [LessVarianceAt, ShorterGradientAt])
def test_nothing_is_less_than_itself(kind):
    claim = next(true for true, _ in ROWS if isinstance(true, kind))
    with pytest.raises(Undecidable, match=f"no enclosure tells the two apart: {kind.quantity} of each"):
        replace(claim, left=claim.right).decide()
    assert {f.status for f in numerically(replace(claim, left=claim.right))} == {Status.FAILS}


@EACH
def test_only_the_twin_has_a_witness(true, change):
    if isinstance(true, VarianceGrowth):
        pytest.skip("no witness is searched for claims about growth")
    assert find_witness(true) is None
    found = find_witness(replace(true, **change))
    assert found["text"].startswith("on the tree of V = ")
    assert abs(Fraction(found["difference"]["mid"])) > Fraction(found["difference"]["rad"])


def test_a_large_table_is_not_printed_whole():
    row = next(true for true, _ in ROWS if isinstance(true, LessVarianceAt))
    prefixes = ("", *"01", "00", "01", "10", "11")
    larger = replace(row, policy=tuple((p, ".5 .5") for p in prefixes), reference=tuple((p, ".4 .6") for p in prefixes))
    assert str(row).endswith("where the policy is first: .9 .1; 0: .5 .5; 1: .2 .8")
    assert str(larger).endswith(
        "where the policy is first: .5 .5; 0: .5 .5; 1: .5 .5; 00: .5 .5; and so on, 7 prefixes"
    )


TEXTS = [  # of rows above, by their number
    (0, "∇ [total(logp*sg(l + future(l)))] = ∇ E_π[total(l)] in expectation, on-policy"),
    (4, "∇ [total(logp*sg((l + future(l))/N))] = ∇ [exp(total(log_w))*total(l)/N] in expectation, on-policy, "
        "all responses of one length N"),
    (6, "E_π[total(l - 1 + exp(-l))] = E_π[total(l)]"),
    (8, "∇ [total(l**2*sg(exp(log_w)))/2] is the gradient of some objective, off-policy"),
]  # fmt: skip


@pytest.mark.parametrize(("number", "text"), TEXTS)
def test_claims_in_words(number, text):
    assert str(ROWS[number][0]) == text


UNDECIDED = [
    (SequenceLoss(total(Min(exp(past(log_weight)), 2) * k2.expr)), "no product of sums"),
    (SequenceLoss(total(ahead(l) * l)), "detach it"),
    (SequenceLoss(l**2), "outside of any sum over tokens"),
    (SequenceLoss(future(l)), "relative to a token"),
    (SequenceLoss(exp(total(l) * total(log_weight))), "is no product over tokens"),
    (SequenceLoss(total(l) ** Rational(1, 2)), "no product of sums"),
    (SequenceLoss(total(E(l * E(l)))), "carries more than its own token's score"),
    (SequenceLoss(total(E(l * past(l)))), "carries more than its own token's score"),
    (SequenceLoss(total(E(l)) / length), "before the end of what it multiplies"),
]


@pytest.mark.parametrize(("loss", "words"), UNDECIDED, ids=[w for _, w in UNDECIDED])
def test_what_is_not_decided_says_why(loss, words):
    with pytest.raises(Undecidable, match=words):
        SameSequenceGradient(loss, REVERSE_KL, OLD).decide()


COUNTED = [  # positions that are counted, beside a function of the length; None: not decided
    (total(past(1)) / length, (length - 1) / 2, True),
    (total(past(1)) * total(log_ratio) / length, (length - 1) * total(log_ratio) / 2, True),
    (total(total(log_ratio) / length), total(log_ratio), True),
    (total(past(1) + future(1)) / length, length - 1, True),
    (total(past(1)) / length, (length - 1) / 3, False),
    (total(log_ratio) / length, total(log_ratio), False),
    (total(past(1)) / length + total(exp(-log_ratio)), (length - 1) / 2 + length, None),
]


@pytest.mark.parametrize(("left", "right", "answer"), COUNTED, ids=str)
def test_positions_are_counted_by_the_length(left, right, answer):
    claim = SameSequenceValue(SequenceObjective.of(left), SequenceObjective.of(right))
    if answer is not None:
        assert claim.decide() is answer
        return
    with pytest.raises(Undecidable, match="positions are counted"):
        claim.decide()


@pytest.mark.parametrize("head", [Past, Total, lambda f: Future(f, S.One)])
def test_numbers_come_out_of_a_sum(head):
    assert head(-2 * l) == -2 * head(l)
    assert head(S.Zero) == 0
    assert head(l**2) != head(l)


@pytest.mark.parametrize("sampler", [POLICY, OLD])
def test_telescoping(sampler):
    """Σ_t w_{1:t-1}(w_t - 1) = w_{1:T} - 1, whatever multiplies it; with a 2 for the 1 it is not."""
    moved, ends = sg(total(earlier_weight * (w - 1))), sg(response_weight - 1)
    left, right = (SequenceLoss(x * total(l**2)) for x in (moved, ends))
    assert SameSequenceGradient(left, right, sampler).decide()
    if sampler is OLD:
        wrong = SequenceLoss(sg(response_weight - 2) * total(l**2))
        assert not SameSequenceGradient(left, wrong, sampler).decide()


# --- losses drawn at random -------------------------------------------------------------------------------------------
FORMULAS = st.sampled_from([l, l**2, exp(-l), w, w * l, exp(-log_weight), S.One])
LOSSES = st.one_of(
    st.builds(total, FORMULAS),
    st.builds(lambda f, g: total(f) * total(g), FORMULAS, FORMULAS),
    st.builds(lambda f, g: total(sg(f * past(g)) * logp), FORMULAS, FORMULAS),
    st.builds(lambda f, g: total(f * sg(past(g))), FORMULAS, FORMULAS),
    st.builds(lambda f: total(sg(to_go(f)) * logp), FORMULAS),
    st.builds(lambda f: total(sg(total(f)) * logp), FORMULAS),
    st.builds(lambda f: total(prefix_weight * f), FORMULAS),
    st.builds(lambda f: total(sg(prefix_weight) * f), FORMULAS),
    st.builds(lambda f: sg(response_weight) * total(f), FORMULAS),
    st.builds(lambda f: total(sg(exp(future(log_weight))) * f), FORMULAS),
)
SMALL = st.integers(-2, 2)


@settings(max_examples=60, deadline=None)
@given(LOSSES, LOSSES, SMALL, st.sampled_from([POLICY, OLD]), st.booleans())
def test_the_normal_form_answers_as_enumeration_does(one, other, number, sampler, fixed_length):
    """Yes and no, both: what the normal form tells apart differs on a small tree, and what it does not, does not."""
    claim = SameSequenceGradient(SequenceLoss(one), SequenceLoss(number * other), sampler, fixed_length)
    (enumerated, *_) = numerically(claim)
    assert enumerated.engine == "enumeration"
    assert claim.decide() == (enumerated.status is Status.HOLDS)


ZEROS = [  # what averages to nothing, under whoever samples
    ("a score times the past", total(sg(past(l)) * logp), POLICY),
    ("a later weight under the old policy", total(sg(l) * (exp(future(log_weight)) - 1)) - total(0 * l), OLD),
    ("a score times a mean", total(sg(E(l)) * logp), POLICY),
]


@pytest.mark.parametrize(("name", "zero", "sampler"), ZEROS, ids=[name for name, *_ in ZEROS])
@settings(max_examples=10, deadline=None)
@given(loss=LOSSES)
def test_what_averages_to_nothing_may_be_added(name, zero, sampler, loss):
    left, right = SequenceLoss(loss + zero), SequenceLoss(loss)
    assert SameSequenceGradient(left, right, sampler).decide()
    assert not SameSequenceGradient(left + token_loss(k2), right, sampler).decide()
