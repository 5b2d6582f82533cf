"""Hypotheses: what a claim assumes is read off the claim, for every kind; what its author adds is added."""

import pytest
from sympy import Abs, Function, Max, Piecewise, Rational, S, Symbol, exp, sign, sqrt

from kltheory.calculus.divergence import forward_kl, jeffreys, reverse_kl, total_variation
from kltheory.calculus.estimators import as_loss, in_reward, k1, k2, k3, k_abs, w
from kltheory.calculus.expectation import expectation
from kltheory.calculus.gaussian import x
from kltheory.calculus.moments import At, E
from kltheory.calculus.sequence.language import length, to_go, total
from kltheory.calculus.sequence.loss import PastValue, SequenceLoss
from kltheory.calculus.sequence.placements import REVERSE_KL, in_sequence_reward
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import advantage, inside, logp, sg
from kltheory.calculus.symbols import log_ratio as l
from kltheory.proving.claims import OLD, POLICY, NaturalInner, SameGradient, SameScore, SameValue, SamplerFree
from kltheory.proving.continuous import GaussianMean, GeometricSum
from kltheory.proving.engines import NUMERIC
from kltheory.proving.floats import NegativeShare, OverflowsIff
from kltheory.proving.hypotheses import ALMOST, ALMOST_EVERY_L, DERIVED, derived
from kltheory.proving.moments import OnTwoActions, SameMoment, SignAt, TraceVariance
from kltheory.proving.one_tree import LessVarianceAt
from kltheory.proving.precision import AccurateIn
from kltheory.proving.scalars import HasSign, Identity, Range
from kltheory.proving.sequences import SameSequenceGradient
from kltheory.proving.statement import Refuted
from kltheory.proving.theorem import Theorem, collect, library
from kltheory.report.explain import explain

beta, m = Symbol("beta", positive=True), Symbol("m", real=True)
n = Symbol("n", integer=True, nonnegative=True)
h, G = Function("h")(l), Function("G")(exp(l))
S_LATER = SequenceLoss(total(inside * l))
EVERY = ("full support", "any vocabulary size")
RESPONSES = "responses of any length"

ROWS = [
    (SameGradient(as_loss(k2), reverse_kl.objective, POLICY), ("on-policy", *EVERY)),
    (SameGradient(as_loss(k3, w), reverse_kl.objective, OLD), ("off-policy", *EVERY)),
    (SamplerFree(as_loss(k2, sg(w))), ("off-policy", *EVERY)),
    (SamplerFree(as_loss(k_abs, sg(w))), ("off-policy", *EVERY, ALMOST)),
    (SameGradient(as_loss(k_abs), 2 * total_variation.objective, POLICY), ("on-policy", *EVERY, ALMOST)),
    (NaturalInner(in_reward(k1), as_loss(k3), jeffreys.objective), ("on-policy", *EVERY)),
    (SameValue(reverse_kl.objective, reverse_kl.objective), EVERY),
    (SameScore(beta * as_loss(k1), Surrogate(m * logp), OLD), ("off-policy", *EVERY, "any β > 0", "any real m")),
    (SameGradient(Surrogate(sg(advantage * h) * logp), forward_kl.objective, POLICY),
     ("on-policy", *EVERY, "any differentiable h(l)", "any A of each action")),
    (TraceVariance(as_loss(k1), S.One, POLICY), ("on-policy", *EVERY, "gradients by the logits")),
    (SameMoment(E(inside), S.One), (*EVERY, "any fixed set S")),
    (SameMoment(At(l, 2), S.One), ("full support", "V ≥ 3")),
    (OnTwoActions(At(l, 0), S.One), ("full support", "V = 2", "gradients by the logits")),
    (SignAt(E(l), 1, ".6 .3 .1", ".2 .5 .3"), ("V = 3", "π = (.6, .3, .1), π_ref = (.2, .5, .3)")),
    (Range(exp(logp), S.Zero, S.One), ("full support", "V ≥ 3")),
    (SameSequenceGradient(in_sequence_reward(to_go(l)), REVERSE_KL, POLICY), ("on-policy", *EVERY, RESPONSES)),
    (SameSequenceGradient(in_sequence_reward(total(l) / length), REVERSE_KL, OLD, fixed_length=True),
     ("off-policy", *EVERY, "responses of one length N")),
    (SameSequenceGradient(in_sequence_reward(PastValue("b")), REVERSE_KL, POLICY),
     ("on-policy", *EVERY, RESPONSES, "any b(y_<t)")),
    (NegativeShare(l, -14, -1, S.Zero, S.One), ("float32", "2^-14 ≤ -l < 2^-13, all 2^23 floats")),
    (AccurateIn(l, l, "bfloat16", -4, Rational(1, 10)), ("bfloat16", "2^-4 ≤ |l| < 2^-3, 1000 points evenly spaced")),
    (OverflowsIff(exp(-l), S(-88), "float16"), ("float16",)),
    (HasSign(k3.expr, 1), ()),
    (GaussianMean(S.One, S.One, m, S.One), ("any real m",)),
    (GaussianMean(exp(beta * x**2), 1 / sqrt(1 - 2 * beta), S.Zero, S.One), ("1 - 2*β > 0", "any β > 0")),
    (GaussianMean(exp(-beta * x**2), 1 / sqrt(1 + 2 * beta), S.Zero, S.One), ("any β > 0",)),
    (GeometricSum(beta**n, 1 / (1 - beta), n), ("β < 1", "any β > 0")),
    (GeometricSum(m**n, 1 / (1 - m), n), ("abs(m) < 1", "any real m")),
    (GeometricSum(3 ** (-n), Rational(3, 2), n), ()),
    (SameValue(expectation(Max(l, 0)), expectation(Max(l, 0))), EVERY),
    (SameValue(expectation(sign(l) ** 2), expectation(1)), (*EVERY, ALMOST)),
    (SameMoment(E(Piecewise((1, l < 0), (0, True))), E(Piecewise((1, l <= 0), (0, True)))), (*EVERY, ALMOST)),
    (SameMoment(E(Abs(l)) ** 2, S.One), EVERY),
    (NaturalInner(as_loss(k_abs), in_reward(k1), reverse_kl.objective), ("on-policy", *EVERY, ALMOST)),
    (Identity(sign(l) ** 2, S.One), (ALMOST_EVERY_L,)),
    (HasSign(sign(l) ** 2, 1), (ALMOST_EVERY_L,)),
    (Identity(G.diff(l).diff(l) * exp(-l), S.One), ("any twice differentiable G(u)",)),
    (SameMoment(E(h.diff(l, 3)), S.One), (*EVERY, "any 3 times differentiable h(l)")),
    (HasSign(Abs(l), 1), ()),
    (SignAt(E(inside * l), 1, ".6 .3 .1", ".2 .5 .3"),
     ("V = 3", "π = (.6, .3, .1), π_ref = (.2, .5, .3)", "S is tokens 1 and 3")),
    (LessVarianceAt(S_LATER, 2 * S_LATER, (("", ".9 .1"), ("0", ".9 .1")), (("", ".5 .5"), ("0", ".5 .5"))),
     ("on-policy", "V = 2", "2 tokens, on the tree shown", "S is the first token")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("claim", "hypotheses"), ROWS, ids=[f"{i} {type(c).__name__}" for i, (c, _) in enumerate(ROWS)]
)
def test_hypotheses_of_a_claim(claim, hypotheses):
    assert derived(claim) == hypotheses


def test_every_kind_has_a_row():
    assert NUMERIC.keys() == DERIVED.keys()


GOOD, FREE = ROWS[0][0], ROWS[2][0]
SIGN = SignAt(E(inside * l), 1, ".6 .3 .1", ".2 .5 .3")
FIRST_AND_THIRD = ("π = (.6, .3, .1), π_ref = (.2, .5, .3)", "S is tokens 1 and 3")
TOGETHER = [
    ((GOOD,), (), ("on-policy", *EVERY)),
    ((GOOD, FREE), (), ("on-policy and off-policy", *EVERY)),
    ((GOOD, ROWS[11][0]), (), ("on-policy", "full support", "V ≥ 3")),
    ((SIGN, SameMoment(E(inside), E(inside**2))), (), ("V = 3", *FIRST_AND_THIRD, "full support")),
    ((GOOD,), ("V = 3", "G = 3"), ("on-policy", "full support", "V = 3", "G = 3")),
    ((Identity(l, l),), (), ("every log-ratio l",)),
    ((Identity(l, l),), ("l stands for m",), ("l stands for m",)),
    (Refuted(GOOD, corrected=FREE), ("G → ∞",), ("on-policy", *EVERY, "G → ∞", "the correction: off-policy")),
    (Refuted(GOOD, corrected=GOOD), (), ("on-policy", *EVERY)),
]


@pytest.mark.parametrize(("built", "own", "all_of_it"), TOGETHER, ids=range(len(TOGETHER)))
def test_hypotheses_of_a_theorem(built, own, all_of_it):
    assert Theorem("t", "s", lambda: built, hypotheses=own).assumptions == all_of_it


NOT_FOR_EVERY_SIZE = ("gaussian.py", "floats.py", "precision.py", "random_length.py")


def test_a_size_is_promised_only_where_there_is_a_vocabulary():
    theorems = collect([library()])
    promised = {t.name: "any vocabulary size" in t.assumptions for t in theorems}
    assert not any(promised[t.name] for t in theorems if t.file.endswith(NOT_FOR_EVERY_SIZE))
    assert sum(promised.values()) > len(theorems) / 2
    for t in theorems:
        sizes = [h for h in t.assumptions if h.startswith("V ") or h == "any vocabulary size"]
        assert len(sizes) <= 1, t.name


def test_nobody_types_what_a_claim_says():
    for t in collect([library()]):
        assert not set(t.hypotheses) & set(derived(*t.claims())), t.name


def test_explain_prints_them():
    theorem = Theorem("t", "s", lambda: GOOD, hypotheses=("G → ∞",))
    assert list(explain(theorem))[1].plain() == "Assumed: on-policy; full support; any vocabulary size; G → ∞"
